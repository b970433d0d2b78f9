package history

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

// CheckTiles holds every tile against the leaves that it is over, and counts
// them. bad is told of a file that does not hold what its name says, or ends
// early.
func CheckTiles(l layout.Layout, leaves []merkle.Hash, bad func(path, what string, short bool)) (n int, err error) {
	rows := rowsOf(leaves)
	s := tiles{layout: l}
	err = s.each(func(rel, path string) error {
		n++
		t, ok := ParseTile(rel)
		if !ok || t.Level == 0 {
			bad(path, "its name is none of a tile", false)
			return nil
		}
		b, err := readSmall(path, Width*int64(len(merkle.Hash{})))
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a full one took its place
		}
		if err != nil {
			bad(path, err.Error(), false)
			return nil
		}
		want := t.Width * len(merkle.Hash{})
		switch {
		case len(b) < want:
			bad(path, fmt.Sprintf("expected %d bytes, found %d", want, len(b)), true)
		case len(b) != want:
			bad(path, fmt.Sprintf("expected %d bytes, found %d", want, len(b)), false)
		case t.Level >= len(rows) || t.Index*Width+uint64(t.Width) > uint64(len(rows[t.Level])):
			if uint64(len(leaves)) > 0 { // an empty board is told otherwise
				bad(path, "it is over entries that the journal does not hold", true)
			}
		case !bytes.Equal(b, pack(rows[t.Level][t.Index*Width:t.Index*Width+uint64(t.Width)])):
			bad(path, "its hashes are not those of the journal", false)
		}
		return nil
	})
	return n, err
}

// rowsOf are the hashes of all levels: row 0 the leaves, row 1 the roots over
// every full 256 of them, and so on.
func rowsOf(leaves []merkle.Hash) [][]merkle.Hash {
	rows := [][]merkle.Hash{leaves}
	for row := leaves; len(row) >= Width; row = rows[len(rows)-1] {
		up := make([]merkle.Hash, 0, len(row)/Width)
		for i := 0; i+Width <= len(row); i += Width {
			up = append(up, merkle.RootOf(row[i:i+Width]))
		}
		rows = append(rows, up)
	}
	return rows
}

// FirstUnlike is where the first 256 entries begin, from one seq to another,
// that do not have the hash that a tile says.
func FirstUnlike(l layout.Layout, leaves []merkle.Hash, from, to uint64) (uint64, bool) {
	s := tiles{layout: l}
	for block := from / Width; (block+1)*Width <= to; block++ {
		got, err := s.atLeast(1, block/Width, int(block%Width)+1)
		if err != nil {
			return 0, false
		}
		if got[block%Width] != merkle.RootOf(leaves[block*Width:(block+1)*Width]) {
			return block * Width, true
		}
	}
	if last := to / Width * Width; last > from {
		return last, true // every full one before it is as it was
	}
	return 0, false
}
