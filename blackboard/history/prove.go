package history

import (
	"errors"
	"fmt"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

// Reader reads the tree over the journal: its leaves from the journal's lines,
// all above from tiles where they stand, and from leaves where not. Nothing
// that it reads is believed: what is proved with it comes out right or it does
// not.
type Reader struct {
	layout layout.Layout
	tiles  tiles
	places *places
	leaves map[uint64][]merkle.Hash // by first entry, 256 each
	rows   map[Tile][]merkle.Hash
}

// NewReader reads the tree of a board, with or without a daemon.
func NewReader(l layout.Layout) (*Reader, error) {
	p, err := newPlaces(l)
	if err != nil {
		return nil, err
	}
	return &Reader{layout: l, tiles: tiles{layout: l}, places: p, leaves: map[uint64][]merkle.Hash{}, rows: map[Tile][]merkle.Hash{}}, nil
}

// Entry is the bytes of a journal entry: the leaf at that index.
func (r *Reader) Entry(seq uint64) (entry []byte, err error) {
	err = r.places.read(seq, seq+1, func(_ uint64, line []byte) error {
		entry = append([]byte(nil), line...)
		return nil
	})
	return entry, err
}

// Node is a merkle.Nodes over the journal.
func (r *Reader) Node(level int, index uint64) (merkle.Hash, error) {
	tile := level / 8
	below := level % 8 // so many levels above what the tile holds
	first, n := index<<below, uint64(1)<<below
	hashes, err := r.hashes(tile, first, int(n))
	if err != nil {
		return merkle.Hash{}, err
	}
	return merkle.RootOf(hashes), nil
}

// hashes are n hashes of a tile level, which stand in one tile.
func (r *Reader) hashes(level int, first uint64, n int) ([]merkle.Hash, error) {
	index, at := first/Width, int(first%Width)
	if level == 0 {
		block, err := r.block(index*Width, at+n)
		if err != nil {
			return nil, err
		}
		return block[at : at+n], nil
	}
	key := Tile{level, index, 0}
	if row := r.rows[key]; len(row) >= at+n {
		return row[at : at+n], nil
	}
	row, err := r.tiles.atLeast(level, index, at+n)
	if err != nil { // made anew from what is below it
		row = make([]merkle.Hash, at+n)
		for i := range row {
			below, err := r.hashes(level-1, (index*Width+uint64(i))*Width, Width)
			if err != nil {
				return nil, err
			}
			row[i] = merkle.RootOf(below)
		}
	}
	r.rows[key] = row
	return row[at : at+n], nil
}

// block are the hashes of at least n leaves from a multiple of 256 on.
func (r *Reader) block(first uint64, n int) ([]merkle.Hash, error) {
	if b := r.leaves[first]; len(b) >= n {
		return b, nil
	}
	var out []merkle.Hash
	err := r.places.read(first, first+Width, func(_ uint64, line []byte) error {
		out = append(out, merkle.LeafHash(line))
		return nil
	})
	if err != nil && (!errors.Is(err, ErrShort) || len(out) < n) {
		return nil, err
	}
	if len(r.leaves) > 1024 {
		clear(r.leaves)
	}
	r.leaves[first] = out
	return out, nil
}

// Prove is the path from an entry to the root over the first size entries.
func (r *Reader) Prove(seq, size uint64) ([]merkle.Hash, error) {
	return merkle.ProveInclusion(seq, size, r.Node)
}

// Consistency proves that the tree of size2 entries begins with that of size1.
func (r *Reader) Consistency(size1, size2 uint64) ([]merkle.Hash, error) {
	return merkle.ProveConsistency(size1, size2, r.Node)
}

// Root is the root over the first size entries.
func (r *Reader) Root(size uint64) (merkle.Hash, error) {
	h, err := merkle.RootAt(size, r.Node)
	if err != nil {
		return h, fmt.Errorf("reading the journal's tree: %w", err)
	}
	return h, nil
}
