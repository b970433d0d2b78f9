package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// Exported is what an export came to.
type Exported struct {
	Size    uint64 `json:"size"`
	Root    string `json:"root"` // base64
	Written int    `json:"written"`
	Kept    int    `json:"kept"` // that stood there already
}

// Export writes the log as a whole C2SP tlog-tiles directory, which any static
// web server can serve and any client of such logs can read:
//
//	DIR/checkpoint
//	DIR/tile/0/x001/234          hashes, of level 0 too
//	DIR/tile/entries/x001/234    the journal's lines, each behind its length (16 bits, big-endian)
//
// What stands there already is kept, so that an export can be repeated. The
// checkpoint comes last.
func Export(l layout.Layout, dir string, signed []byte) (*Exported, error) {
	c, err := seal.PeekCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	if err := continues(l, dir, c); err != nil {
		return nil, err
	}
	e := &exporter{dir: dir, out: &Exported{Size: c.Size, Root: c.RootBase64()}}
	e.grow = &grower{full: e.full}
	p, err := newPlaces(l)
	if err != nil {
		return nil, err
	}
	if c.Size > 0 {
		if err := p.read(0, c.Size, e.entry); err != nil {
			return nil, err
		}
	}
	if e.grow.root() != c.Root {
		return nil, &MismatchError{c, "its root at that size is " + e.grow.root().String()}
	}
	if err := e.rest(); err != nil {
		return nil, err
	}
	return e.out, e.file("checkpoint", signed, false)
}

// continues refuses a folder with the log of somebody else, or with more of
// this one than the checkpoint knows.
func continues(l layout.Layout, dir string, c seal.Checkpoint) error {
	note, err := readNote(filepath.Join(dir, "checkpoint"))
	if err != nil || note == nil {
		return err
	}
	old, err := seal.PeekCheckpoint(note)
	switch {
	case err != nil:
		return fmt.Errorf("exporting to %s: its checkpoint: %w", dir, err)
	case old.Origin != c.Origin:
		return fmt.Errorf("exporting to %s: it holds the log %q, not %q: choose an empty folder", dir, old.Origin, c.Origin)
	case old.Size > c.Size:
		return fmt.Errorf("exporting to %s: it holds a checkpoint of size %d, the board's is of size %d: rolled_back", dir, old.Size, c.Size)
	}
	r, err := NewReader(l)
	if err != nil {
		return err
	}
	root, err := r.Root(old.Size)
	if err == nil && root != old.Root {
		err = fmt.Errorf("exporting to %s: it holds another history: at size %d its root is %s, the board's %s", dir, old.Size, old.Root, root)
	}
	return err
}

type exporter struct {
	dir    string
	grow   *grower
	out    *Exported
	bundle []byte
	leaves []merkle.Hash
	err    error
}

// entry takes one line of the journal into the bundle at hand.
func (e *exporter) entry(_ uint64, line []byte) error {
	e.bundle = binary.BigEndian.AppendUint16(e.bundle, uint16(len(line)))
	e.bundle = append(e.bundle, line...)
	h := merkle.LeafHash(line)
	e.leaves = append(e.leaves, h)
	e.grow.add(h)
	if len(e.leaves) == Width {
		e.flush(e.grow.size()/Width - 1)
	}
	return e.err
}

// flush writes a bundle, and the tile of level 0 over it.
func (e *exporter) flush(index uint64) {
	n := len(e.leaves)
	e.write("tile/entries/"+indexPath(index, n), e.bundle)
	e.write("tile/"+Tile{0, index, n}.Path(), pack(e.leaves))
	e.bundle, e.leaves = e.bundle[:0], e.leaves[:0]
}

func (e *exporter) full(t Tile, hashes []merkle.Hash) { e.write("tile/"+t.Path(), pack(hashes)) }

// rest writes what is not full.
func (e *exporter) rest() error {
	if len(e.leaves) > 0 {
		e.flush(e.grow.size() / Width)
	}
	err := e.grow.partial(func(t Tile, hashes []merkle.Hash) error {
		e.write("tile/"+t.Path(), pack(hashes))
		return nil
	})
	return errors.Join(err, e.err)
}

func (e *exporter) write(rel string, b []byte) {
	if e.err == nil {
		e.err = e.file(rel, b, true)
	}
}

// file writes one file whole, unless it stands there as it should.
func (e *exporter) file(rel string, b []byte, keep bool) error {
	path := filepath.Join(e.dir, filepath.FromSlash(rel))
	if keep {
		if got, err := os.ReadFile(path); err == nil {
			if bytes.Equal(got, b) {
				e.out.Kept++
				return nil
			}
			return fmt.Errorf("exporting to %s: %s holds another log: choose an empty folder", e.dir, rel)
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	var disk *durable.Disk
	if !keep {
		if err := disk.WriteFile(path, b, 0o644); err != nil {
			return fmt.Errorf("exporting: %w", err)
		}
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tile-*.tmp")
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("exporting: %w", err)
	}
	e.out.Written++
	return nil
}
