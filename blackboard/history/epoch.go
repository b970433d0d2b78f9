package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

// Epoch is .stigmergy/epoch: since when, and by whose word, the journal is
// signed although it is not what an earlier checkpoint said. The first epoch has
// no such file.
type Epoch struct {
	Epoch uint64 `json:"epoch"`
	From  uint64 `json:"from"` // entries that stood in the journal when it began
	Note  string `json:"note"` // signed: see EpochText
}

func epochPath(l layout.Layout) string { return l.Private("epoch") }

// EpochText is what the board's key signs when a person lets signing go on. Its
// first line is no origin, so it is no checkpoint.
func EpochText(origin string, epoch, from uint64) string {
	return "stigmergy epoch\n" + origin + "\n" + strconv.FormatUint(epoch, 10) + "\n" + strconv.FormatUint(from, 10) + "\n"
}

// ReadEpoch is the epoch in force; the zero Epoch is the first.
func ReadEpoch(l layout.Layout) (Epoch, error) {
	b, err := readSmall(epochPath(l), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return Epoch{}, nil
	}
	var e Epoch
	if err == nil {
		err = json.Unmarshal(b, &e)
	}
	if err != nil {
		return Epoch{}, fmt.Errorf("reading %s: %w", epochPath(l), err)
	}
	return e, nil
}

// Check checks that one of the keys began the epoch.
func (e Epoch) Check(keys ...*seal.Verifier) error {
	if e.Epoch == 0 {
		return nil
	}
	o, err := seal.Open([]byte(e.Note), keys...)
	if err != nil {
		return err
	}
	for _, k := range o.Signed {
		if o.Text == EpochText(k.Name(), e.Epoch, e.From) {
			return nil
		}
	}
	return fmt.Errorf("checking the epoch %d: another text is signed: %w", e.Epoch, seal.ErrSignature)
}

// NewEpoch lets signing go on over the journal as it stands. What was signed
// and cosigned before, and the tiles over it, are kept as evidence in .stigmergy/epochs/N. A
// key that cannot be read any more is followed by one that nobody named. The
// caller holds the board's lock.
func NewEpoch(l layout.Layout, disk *durable.Disk, origin string) (Epoch, error) {
	old, err := ReadEpoch(l)
	if err != nil {
		return Epoch{}, err
	}
	e := Epoch{Epoch: max(old.Epoch, 1) + 1}
	if e.From, err = Entries(l); err != nil {
		return e, err
	}
	aside := l.Private("epochs", strconv.FormatUint(e.Epoch-1, 10))
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return e, fmt.Errorf("beginning an epoch: %w", err)
	}
	key, err := Key(l)
	if err != nil {
		if key, err = freshKey(l, disk, origin, aside); err != nil {
			return e, err
		}
	}
	note, err := seal.Sign(EpochText(key.Name(), e.Epoch, e.From), key)
	if err != nil {
		return e, err
	}
	e.Note = string(note)
	text, err := json.Marshal(e)
	if err != nil {
		return e, fmt.Errorf("beginning an epoch: %w", err)
	}
	if err := disk.WriteFile(epochPath(l), append(text, '\n'), 0o644); err != nil {
		return e, fmt.Errorf("beginning an epoch: %w", err)
	}
	for _, path := range []string{l.Checkpoint(), headPath(l), l.Tiles(), haltPath(l), cosignedPath(l)} {
		if err := moveAside(disk, path, aside); err != nil {
			return e, err
		}
	}
	return e, disk.SyncDir(l.Private())
}

func moveAside(disk *durable.Disk, path, dir string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := disk.Rename(path, filepath.Join(dir, filepath.Base(path))); err != nil {
		return fmt.Errorf("keeping what was signed before: %w", err)
	}
	return nil
}

// freshKey makes a key that nobody named: the old one is gone.
func freshKey(l layout.Layout, disk *durable.Disk, origin, aside string) (*seal.Signer, error) {
	if err := keysFolder(l); err != nil {
		return nil, err
	}
	files, err := keyFiles(l)
	if err != nil {
		return nil, err
	}
	n := 1
	if len(files) > 0 {
		n = files[len(files)-1] + 1
	}
	key, err := newKey(l, disk, n, origin)
	if err != nil {
		return nil, err
	}
	if err := moveAside(disk, verifiersPath(l), aside); err != nil {
		return nil, err
	}
	return key, writeVerifiers(l, disk, []Known{{Key: key.Public()}})
}
