package history

import (
	"strconv"
	"testing"

	"stigmergy/contracts/merkle"
)

// TestResumeIsTheSameTree: a tree that goes on from its right-most tiles has
// every root of one that was never interrupted, and fills the same tiles.
func TestResumeIsTheSameTree(t *testing.T) {
	full := map[Tile][]merkle.Hash{}
	g := &grower{full: func(t Tile, h []merkle.Hash) { full[t] = append([]merkle.Hash(nil), h...) }}
	leaf := func(i int) merkle.Hash { return merkle.LeafHash([]byte(strconv.Itoa(i))) }
	const size = 70000
	for i := range size {
		if i%256 == 0 && (i < 1024 || i > 65000 && i < 66600) {
			from, err := resume(uint64(i), func(level int, index uint64, width int) ([]merkle.Hash, error) {
				if h := full[Tile{level, index, Width}]; h != nil {
					return h, nil
				}
				return g.rows[level], nil
			})
			if err != nil {
				t.Fatal(err)
			}
			var plain merkle.Tree
			if plain = g.tree; from.root() != plain.Root() || from.size() != uint64(i) {
				t.Fatalf("resumed at %d: another root", i)
			}
		}
		g.add(leaf(i))
	}
	if n := len(full[Tile{1, 0, Width}]); n != Width {
		t.Fatalf("the first tile of level 1 holds %d hashes", n)
	}
	leaves := make([]merkle.Hash, size)
	for i := range leaves {
		leaves[i] = leaf(i)
	}
	if rows := rowsOf(leaves); !equal(rows[1][:Width], full[Tile{1, 0, Width}]) || g.root() != merkle.RootOf(leaves) {
		t.Fatal("rows and tiles differ")
	}
}

func TestTilePaths(t *testing.T) {
	for path, want := range map[string]Tile{
		"1/000": {1, 0, 256}, "1/000.p/7": {1, 0, 7}, "2/x001/x234/067": {2, 1234067, 256}, "0/x001/234.p/255": {0, 1234, 255},
	} {
		if got, ok := ParseTile(path); !ok || got != want || got.Path() != path {
			t.Errorf("%s reads as %+v, %v", path, got, ok)
		}
	}
	for _, bad := range []string{"", "1", "1/0", "01/000", "1/000.p/0", "1/000.p/256", "1/x000", "1/000/001", "1/x000/001", "64/000", "-1/000", "1/000.p/07"} {
		if got, ok := ParseTile(bad); ok {
			t.Errorf("%s reads as %+v", bad, got)
		}
	}
}
