package lanes

import (
	"errors"
	"io"

	"stigmergy/contracts"
)

// ErrNoFile says that a file can no longer be reached: it was not held open
// and its name is gone, or another file has it.
var ErrNoFile = errors.New("the file is out of reach")

// Window is how many bytes at the head and before the offset are compared.
const Window = 4096

// Mark is what tells a file apart from any other, and how far it was read.
type Mark struct {
	Dev    uint64 `json:"dev,omitempty"` // 0: the board's own device
	Ino    uint64 `json:"ino"`           // 0: identity unknown
	Birth  int64  `json:"birth,omitempty"`
	Ctime  int64  `json:"ctime"` // ns; 0: must be compared in any case
	Size   int64  `json:"size"`  // of the file
	UID    uint32 `json:"uid"`
	Offset int64  `json:"offset"` // in the segment
	Head   Hash   `json:"head"`   // SHA-256 of the segment's first min(4096, Offset) bytes
	Tail   Hash   `json:"tail"`   // SHA-256 of the last min(4096, Offset) bytes before Offset
}

// Known says whether the mark has an identity and hashes at all.
func (m Mark) Known() bool { return m.Ino != 0 }

func (m Mark) identity() identity { return identity{m.Dev, m.Ino, m.Birth} }

// Saved is a Tail as a snapshot keeps it.
type Saved struct {
	Lane    string `json:"lane"`
	Segment uint64 `json:"segment"`
	Path    string `json:"path"`           // board-relative, escaped like a lane name
	Home    string `json:"home,omitempty"` // where it was a lane, if that is elsewhere
	Gone    Reason `json:"gone,omitempty"` // as it was reported
	Base    int64  `json:"base,omitempty"`
	Mark    Mark   `json:"mark"`
	// Offset is how far the journal says that the segment was taken in, where
	// that is further than the mark: bytes behind Mark.Offset that the reader
	// compared with its roots itself. They become part of the mark at the
	// first look.
	Offset int64 `json:"offset,omitempty"`
}

// Tail is one tracked file: a lane, a rotated segment, or one that was moved,
// deleted or replaced and still has bytes to give.
type Tail struct {
	Lane    string // read only; a renamed lane keeps its name
	Segment uint64 // read only
	Path    string // read only: board-relative, raw bytes; where the file is now, or was last
	Base    int64  // read only: where the segment begins in the file

	set    *Set
	file   *file
	seen   stat  // the last look that was settled
	offset int64 // in the segment
	win    window

	home  string // the lane path whose name it holds, or held last; "" after Renamed
	since int64  // when that name was lost (by Set.now); 0: it was not
	fate  Reason // what became of the file, while it is not under home
	gone  Reason // the same as it was reported; 0: it was not

	outside string // the folder watched for this file alone
	state   state
	racy    bool // the last look was in the clock tick of the last change
	again   bool // report Grown although nothing changed
}

// state is what may still be said about a Tail.
type state uint8

const (
	live  state = iota
	ended       // forked: another Tail has the rest of the file
	over        // dropped or truncated
	blank       // restored without an identity
)

// Offset is how far the segment was taken in.
func (t *Tail) Offset() int64 { return t.offset }

// Size is the segment's size as last seen.
func (t *Tail) Size() int64 { return t.seen.size - t.Base }

// UID is who owns the file, as last seen.
func (t *Tail) UID() uint32 { return t.seen.uid }

// Open says whether a descriptor is held, so that even a deleted file can be
// read to its end.
func (t *Tail) Open() bool { return t.file.isOpen() }

// Mark is the mark as of now; the hashes are computed here, at need.
func (t *Tail) Mark() Mark {
	m := Mark{
		Dev: t.seen.dev, Ino: t.seen.ino, Birth: t.seen.birth, Ctime: t.seen.ctime,
		Size: t.seen.size, UID: t.seen.uid, Offset: t.offset,
	}
	if t.racy {
		m.Ctime = 0
	}
	switch {
	case t.state == ended: // nobody looks any more, and the file is the other Tail's too
		m.Ctime, m.Offset = 0, t.win.offset
	case t.win.offset != t.offset: // its last bytes could not be read
		m.Ino = 0
		return m
	}
	m.Head, m.Tail = t.win.hashes()
	return m
}

// Save is the Tail as a snapshot keeps it.
func (t *Tail) Save() Saved {
	v := Saved{Lane: t.Lane, Segment: t.Segment, Path: contracts.EscapeLane(t.Path), Gone: t.gone, Base: t.Base, Mark: t.Mark()}
	if t.state == ended {
		v.Offset = t.offset
	}
	if t.home != t.Path {
		v.Home = contracts.EscapeLane(t.home)
	}
	return v
}

// ReadAt reads at an offset of the segment, through the descriptor held open
// or one opened anew by name after its identity was compared. It fills p as
// far as the file goes, io.EOF at its end; ErrNoFile when it is out of reach.
// Any goroutine may call it.
func (t *Tail) ReadAt(p []byte, off int64) (int, error) { return t.file.ReadAt(p, t.Base+off) }

// whole is ReadAt that misses no byte.
func (t *Tail) whole(p []byte, off int64) error {
	n, err := t.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		return errChanged
	}
	return err
}

// holds says whether what was taken in still stands in the file.
func (t *Tail) holds() (bool, error) {
	ok, err := t.set.windows.holds(&t.win, t.whole)
	if ok && t.win.offset != t.offset { // an Advance that could not read
		err = t.set.windows.advance(&t.win, t.offset, nil, t.whole)
	}
	if errors.Is(err, errChanged) {
		return false, nil
	}
	return ok && err == nil, err
}

// Intact says, after a ReadAt and before what was read is journaled, that the
// last 4 KiB before the offset are still those taken in: that the read did not
// hit a file which was truncated and rewritten since the last look. About 1 µs.
// If not, drop what was read; the next Findings say Truncated.
func (t *Tail) Intact() bool {
	ok, _ := t.set.windows.lastHold(&t.win, t.whole)
	if !ok {
		t.Again()
	}
	return ok
}

// Advance says that the segment is taken in up to to. last holds the bytes
// that stand before to, as many as are at hand (at best 4 KiB or everything
// since the old offset; what is missing is read from the file).
func (t *Tail) Advance(to int64, last []byte) {
	if to <= t.offset {
		return
	}
	t.offset = to
	if err := t.set.windows.advance(&t.win, to, last, t.whole); err != nil {
		t.Again() // the next look finds out what became of the file
	}
}

// Retry has Grown reported for t at the next sweep although nothing changed:
// because reading failed, and may not fail then.
func (t *Tail) Retry() { t.again = t.state == live }

// Again makes the next Findings report Grown for t, or what else became of
// it, although nothing changed: because the reader stopped before the end.
func (t *Tail) Again() {
	if t.state == live {
		t.again = true
		t.set.wantLook(t)
	}
}
