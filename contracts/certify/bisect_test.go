package certify

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/merkle"
)

// spoil is the tree with other outputs at these leaves.
func spoil(leaves []Leaf, at ...int) merkle.Levels {
	leaves = slices.Clone(leaves)
	for _, i := range at {
		leaves[i].Output = digest("wrong %d", i)
	}
	return levelsOf(leaves)
}

func TestOneLeafOfAThousand(t *testing.T) {
	leaves := someLeaves(1000)
	good := levelsOf(leaves)
	most := 0
	for i := 0; i < len(leaves); i += 9 {
		d, err := Bisect(good, spoil(leaves, i))
		if err != nil || !slices.Equal(d.Leaves, []int{i}) || d.From != i || d.To != i+1 || d.A != leaves[i].Hash() || d.B == d.A {
			t.Fatalf("leaf %d: %+v %v", i, d, err)
		}
		most = max(most, d.Comparisons)
	}
	t.Logf("at most %d comparisons", most)
	if most > 45 {
		t.Fatalf("%d comparisons for one leaf of 1000", most)
	}
}

func TestBisectFindsExactlyWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "n")
		k := rapid.IntRange(0, min(n, 8)).Draw(t, "k")
		at := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), k, k, rapid.ID).Draw(t, "at")
		slices.Sort(at)
		leaves := someLeaves(n)
		d, err := Bisect(levelsOf(leaves), spoil(leaves, at...))
		if err != nil || !slices.Equal(d.Leaves, at) {
			t.Fatalf("%+v %v", d, err)
		}
		if most := 1 + 2*k*bits.Len(uint(n)); d.Comparisons > most {
			t.Fatalf("%d comparisons, want at most %d", d.Comparisons, most)
		}
		if k > 0 && (d.From > at[0] || d.To <= at[k-1] || d.A == d.B) {
			t.Fatalf("%v is not under %d-%d", at, d.From, d.To)
		}
	})
}

func TestBisectOfNothing(t *testing.T) {
	none := merkle.LevelsOf(nil)
	if d, err := Bisect(none, none); err != nil || d.Leaves != nil || d.Comparisons != 0 {
		t.Fatalf("%+v %v", d, err)
	}
	if _, err := Bisect(none, levelsOf(someLeaves(1))); !errors.Is(err, ErrSizes) {
		t.Fatal(err)
	}
}

func TestBlocksAreTheTree(t *testing.T) {
	all := someLeaves(1100)
	for _, n := range []int{0, 1, 2, 255, 256, 257, 511, 512, 513, 767, 768, 1000, 1024, 1025, 1100} {
		tree := levelsOf(all[:n])
		b := &Blocks{}
		for i, l := range all[:n] {
			if i == 512 { // put aside, and gone on with
				b = Resume(b.Hashes)
			}
			b.Add(l.Hash())
		}
		if b.Size != uint64(n) || b.Root() != tree.Root() {
			t.Fatalf("%d leaves: %v, want %v", n, b.Root(), tree.Root())
		}
		asked := map[uint64]bool{}
		nodes := b.Nodes(func(block uint64) ([]merkle.Hash, error) {
			if asked[block] {
				return nil, fmt.Errorf("asked for block %d again", block)
			}
			asked[block] = true
			return tree[0][block*BlockSize : min((block+1)*BlockSize, uint64(n))], nil
		})
		for i := range all[:n] {
			if i%37 > 2 {
				continue
			}
			s, err := Prove(all[i], uint64(i), uint64(n), tree.Root(), nodes)
			if err == nil {
				err = s.Check()
			}
			if err != nil {
				t.Fatalf("leaf %d of %d: %v", i, n, err)
			}
		}
	}
}
