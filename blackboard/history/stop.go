package history

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

// Halt is .stigmergy/unsigned: why nothing is signed any more.
type Halt struct {
	Time   string `json:"time"`
	Reason string `json:"reason"`
	Signed string `json:"signed,omitempty"` // the checkpoint that does not fit, unsigned text
}

func haltPath(l layout.Layout) string { return l.Private("unsigned") }

// Stop keeps signing from going on, in this run and the next ones; first says
// whether it did already.
func Stop(l layout.Layout, disk *durable.Disk, why *MismatchError, now time.Time) (first bool, err error) {
	if Stopped(l) {
		return false, nil
	}
	text, err := json.Marshal(Halt{now.UTC().Format(time.RFC3339Nano), why.Error(), why.Signed.Text()})
	if err == nil {
		err = disk.WriteFile(haltPath(l), append(text, '\n'), 0o644)
	}
	if err != nil {
		return true, fmt.Errorf("stopping to sign: %w", err)
	}
	return true, nil
}

// Stopped says whether a person has to decide before anything is signed.
func Stopped(l layout.Layout) bool {
	_, err := os.Lstat(haltPath(l))
	return err == nil
}

// ReadHalt is why; nil where nothing is wrong.
func ReadHalt(l layout.Layout) (*Halt, error) {
	b, err := readSmall(haltPath(l), maxNote)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	h := &Halt{}
	if err == nil {
		_ = json.Unmarshal(b, h) // that it stands there is what counts
	}
	return h, err
}

// Newest is the newest checkpoint that the board's key signed: the file's, or,
// where that is gone, the head or the last line of the signer's lane. The zero
// Checkpoint means that nothing was signed yet. One that cannot be read, or that
// another key signed, is a mismatch: somebody changed it.
func Newest(l layout.Layout) (seal.Checkpoint, error) {
	known, err := Verifiers(l)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	keys, err := Trusted(known)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	epoch, err := ReadEpoch(l)
	if err != nil {
		return seal.Checkpoint{}, err
	}
	sources := []func(layout.Layout) ([]byte, error){ReadCheckpoint, ReadHead}
	if epoch.Epoch == 0 { // else the lane's last line may be of the epoch before
		sources = append(sources, lastLine)
	}
	var newest seal.Checkpoint
	var all []seal.Checkpoint
	for _, read := range sources {
		note, err := read(l)
		if err != nil {
			return newest, err
		}
		if note == nil {
			continue
		}
		c, _, err := seal.OpenCheckpoint(note, keys...)
		if err != nil {
			peek, _ := seal.PeekCheckpoint(note)
			return newest, &MismatchError{peek, err.Error()}
		}
		if c.Size == newest.Size && newest.Size > 0 && c.Root != newest.Root {
			return newest, &MismatchError{newest, "another checkpoint of that size has the root " + c.Root.String()}
		}
		if all = append(all, c); c.Size > newest.Size {
			newest = c
		}
	}
	return newest, ofOneHistory(l, all, newest)
}

// ofOneHistory holds the checkpoints beside the newest one against the journal:
// one of another history, signed by the same key, is not to be written over.
func ofOneHistory(l layout.Layout, all []seal.Checkpoint, newest seal.Checkpoint) error {
	for _, c := range all {
		if c.Size == newest.Size {
			continue
		}
		r, err := NewReader(l)
		if err != nil {
			return err
		}
		if root, err := r.Root(c.Size); err == nil && root == c.Root {
			continue
		}
		g := &Log{layout: l, signed: c, grow: &grower{}} // tiles may lie, the journal's own lines do not
		switch err := g.readTo(c.Size, nil); {
		case errors.Is(err, ErrShort):
			return &MismatchError{c, fmt.Sprintf("it ends after %d entries", g.Size())}
		case err != nil:
			return err
		case g.Root() != c.Root:
			return &MismatchError{c, "its root at that size is " + g.Root().String()}
		}
	}
	return nil
}

// lastReach is how far back from its end the signer's lane is looked at.
const lastReach = 256 << 10

// lastLine is the note of the last checkpoint's line that stands in the lane.
func lastLine(l layout.Layout) ([]byte, error) {
	f, err := os.Open(l.Lane(SignerLane))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the signer's lane: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() {
		return nil, err
	}
	b := make([]byte, min(fi.Size(), lastReach))
	if _, err := f.ReadAt(b, fi.Size()-int64(len(b))); err != nil {
		return nil, fmt.Errorf("reading the signer's lane: %w", err)
	}
	for _, line := range backwards(b) {
		if note, _, ok := NoteOf(line); ok {
			return note, nil
		}
	}
	return nil, nil
}
