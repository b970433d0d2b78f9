package history

import (
	"stigmergy/contracts/merkle"
)

// Width is how many hashes a full tile holds, and how many of one level go into
// one of the next.
const Width = 256

// grower is a tree that takes leaves one by one and knows, beside the root,
// the hashes of every tile that is not full yet. Row L holds those of level L:
// row 0 the leaves behind the last full 256, row 1 the roots over full 256s,
// and so on.
type grower struct {
	tree merkle.Tree
	rows [][]merkle.Hash
	full func(t Tile, hashes []merkle.Hash) // a tile of level 1 or more is full; nil: nobody asks
}

// add takes a leaf's hash in.
func (g *grower) add(leaf merkle.Hash) {
	g.tree.Add(leaf)
	for level, h := 0, leaf; ; level++ {
		if level == len(g.rows) {
			g.rows = append(g.rows, make([]merkle.Hash, 0, Width))
		}
		g.rows[level] = append(g.rows[level], h)
		if len(g.rows[level]) < Width {
			return
		}
		if level > 0 && g.full != nil {
			g.full(Tile{Level: level, Index: g.tree.Size()>>(8*(level+1)) - 1, Width: Width}, g.rows[level])
		}
		h = merkle.RootOf(g.rows[level])
		g.rows[level] = g.rows[level][:0]
	}
}

func (g *grower) size() uint64      { return g.tree.Size() }
func (g *grower) root() merkle.Hash { return g.tree.Root() }

// partial are the tiles of level 1 or more that are begun and not full.
func (g *grower) partial(fn func(t Tile, hashes []merkle.Hash) error) error {
	for level := 1; level < len(g.rows); level++ {
		if n := len(g.rows[level]); n > 0 {
			t := Tile{Level: level, Index: g.tree.Size() >> (8 * (level + 1)), Width: n}
			if err := fn(t, g.rows[level]); err != nil {
				return err
			}
		}
	}
	return nil
}

// resume is the tree of size leaves, a multiple of 256, from the hashes of its
// right-most tiles; row gives those of one level.
func resume(size uint64, row func(level int, index uint64, width int) ([]merkle.Hash, error)) (*grower, error) {
	g := &grower{rows: [][]merkle.Hash{make([]merkle.Hash, 0, Width)}}
	levels := 1
	for n := size >> 8; n > 0; n >>= 8 {
		levels++
	}
	var peaks []merkle.Hash
	for level := 1; level < levels; level++ {
		width := int(size >> (8 * level) % Width)
		hashes := make([]merkle.Hash, 0, Width)
		if width > 0 {
			got, err := row(level, size>>(8*(level+1)), width)
			if err != nil {
				return nil, err
			}
			hashes = append(hashes, got[:width]...)
		}
		g.rows = append(g.rows, hashes)
	}
	for level := levels - 1; level > 0; level-- { // the largest subtrees first
		rest := g.rows[level]
		for bit := 7; bit >= 0; bit-- {
			if n := 1 << bit; len(g.rows[level])&n != 0 {
				peaks = append(peaks, merkle.RootOf(rest[:n]))
				rest = rest[n:]
			}
		}
	}
	tree, ok := merkle.Resume(size, peaks)
	if !ok {
		return nil, errTile
	}
	g.tree = tree
	return g, nil
}
