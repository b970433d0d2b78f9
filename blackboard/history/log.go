package history

import (
	"errors"
	"fmt"
	"io/fs"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// SignerLane is where checkpoints are reported.
const SignerLane = "workers/signer"

// Log is the tree as far as it was read, for whoever signs it. One goroutine
// uses it.
type Log struct {
	layout layout.Layout
	tiles  tiles
	grow   *grower
	cursor journal.Cursor // behind the last entry that was read
	signed seal.Checkpoint
	full   []fullTile // since the last Save
}

type fullTile struct {
	Tile
	hashes []merkle.Hash
}

// MismatchError says that the journal is not what was signed. Nothing is signed
// after it until a person decides.
type MismatchError struct {
	Signed seal.Checkpoint
	Found  string
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the journal is not what the checkpoint of size %d says (root %s): %s", e.Signed.Size, e.Signed.Root, e.Found)
}

// OpenLog reads the tree up to the newest checkpoint and holds it against that.
// What stands in tiles is believed only if the root comes out right; otherwise
// the whole journal is read. Tiles over entries behind it were written and never
// signed for; the journal may have been cut since, and goes on otherwise: they
// are removed, and written again in their turn.
func OpenLog(l layout.Layout, disk *durable.Disk, signed seal.Checkpoint) (*Log, error) {
	g := &Log{layout: l, tiles: tiles{l, disk}, signed: signed}
	if signed.Size > 0 {
		if err := g.resume(); err == nil && g.grow.root() == signed.Root {
			g.grow.full = g.filled
			return g, g.tiles.cut(signed.Size)
		}
	}
	g.full, g.cursor = nil, journal.Cursor{}
	g.grow = &grower{full: g.filled}
	if err := g.readTo(signed.Size, nil); err != nil {
		if errors.Is(err, ErrShort) {
			return nil, &MismatchError{signed, fmt.Sprintf("it ends after %d entries", g.grow.size())}
		}
		return nil, err
	}
	if signed.Size > 0 && g.grow.root() != signed.Root {
		return nil, &MismatchError{signed, "its root at that size is " + g.grow.root().String()}
	}
	return g, g.tiles.cut(signed.Size)
}

func (g *Log) filled(t Tile, hashes []merkle.Hash) {
	g.full = append(g.full, fullTile{t, append([]merkle.Hash(nil), hashes...)})
}

// resume takes what the last two segments do not hold from the tiles, and hashes
// those.
func (g *Log) resume() error {
	p, err := newPlaces(g.layout)
	if err != nil || len(p.segs) == 0 {
		return errors.Join(err, ErrShort)
	}
	from := min(p.first[max(0, len(p.first)-2)], g.signed.Size) &^ (Width - 1)
	if g.grow, err = resume(from, g.tiles.atLeast); err != nil {
		return err
	}
	c, at, err := p.at(from)
	if err != nil {
		return err
	}
	next := from
	g.cursor, err = lines(g.layout, c, at, func(seq uint64, line []byte) error {
		switch {
		case seq >= g.signed.Size:
			return errEnd
		case seq >= from:
			g.grow.add(merkle.LeafHash(line))
			next = seq + 1
		}
		return nil
	})
	if err == nil && next < g.signed.Size {
		return ErrShort
	}
	return err
}

// Size is how many entries were read.
func (g *Log) Size() uint64 { return g.grow.size() }

// Root is the root over them.
func (g *Log) Root() merkle.Hash { return g.grow.root() }

// Signed is the newest checkpoint.
func (g *Log) Signed() seal.Checkpoint { return g.signed }

// Seen is what a stretch of the journal holds.
type Seen struct {
	Others bool // entries that are not the signer's own lines
	Now    bool // something that a checkpoint is due for at once: a rotation
}

// ReadTo reads the journal up to size, and says what it met.
func (g *Log) ReadTo(size uint64) (seen Seen, err error) {
	err = g.readTo(size, func(e *journal.Entry) {
		if e.Kind != journal.Input || e.Lane != SignerLane {
			seen.Others = true
		}
		seen.Now = seen.Now || e.Kind == journal.Rotate
	})
	return seen, err
}

func (g *Log) readTo(size uint64, met func(e *journal.Entry)) error {
	if g.grow.size() >= size {
		return nil
	}
	next, err := lines(g.layout, g.cursor, g.grow.size(), func(seq uint64, line []byte) error {
		if seq >= size {
			return errEnd
		}
		if met != nil {
			e, err := journal.Parse(line)
			if err == nil && e.Seq != seq {
				err = fmt.Errorf("entry %d stands where entry %d should", e.Seq, seq)
			}
			if err != nil {
				return &MismatchError{g.signed, fmt.Sprintf("behind it, at entry %d: %v", seq, err)}
			}
			met(&e)
		}
		g.grow.add(merkle.LeafHash(line))
		return nil
	})
	g.cursor = next
	if err == nil && g.grow.size() < size {
		return fmt.Errorf("reading entry %d: %w", g.grow.size(), ErrShort)
	}
	return err
}

// Save writes the tiles over what was read.
func (g *Log) Save() error {
	for _, t := range g.full {
		if err := g.tiles.write(t.Tile, t.hashes); err != nil {
			return err
		}
	}
	g.full = nil
	return g.grow.partial(g.tiles.write)
}

// Checkpoint is what there is to sign.
func (g *Log) Checkpoint(origin string) seal.Checkpoint {
	return seal.Checkpoint{Origin: origin, Size: g.Size(), Root: g.Root()}
}

// Keep makes a signed checkpoint the newest.
func (g *Log) Keep(c seal.Checkpoint, signed []byte) error {
	if err := g.tiles.disk.WriteFile(g.layout.Checkpoint(), signed, 0o644); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	g.signed = c
	return nil
}

// KeepHead keeps a signed checkpoint over the newest one's own line.
func (g *Log) KeepHead(signed []byte) error {
	if err := g.tiles.disk.WriteFile(headPath(g.layout), signed, 0o644); err != nil {
		return fmt.Errorf("writing the head: %w", err)
	}
	return nil
}

func headPath(l layout.Layout) string { return l.Private("head") }

// maxNote bounds a signed checkpoint.
const maxNote = 64 << 10

// ReadCheckpoint is the newest checkpoint's file; nil where there is none.
func ReadCheckpoint(l layout.Layout) ([]byte, error) { return readNote(l.Checkpoint()) }

// ReadHead is the checkpoint over the newest one's own line; nil: none.
func ReadHead(l layout.Layout) ([]byte, error) { return readNote(headPath(l)) }

func readNote(path string) ([]byte, error) {
	b, err := readSmall(path, maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading a checkpoint: %w", err)
	}
	return b, nil
}
