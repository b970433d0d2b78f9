package lanes

import (
	"context"
	"time"

	"stigmergy/blackboard/layout"
)

// Options of a Set. The zero value is for tests: no watches, no goroutines,
// real time; Hint and Sweep are the crank.
type Options struct {
	// Watch directories. False: only Hint, Sweep and Wait's sweeps find changes.
	Watch bool
	// Now is the clock. Default time.Now.
	Now func() time.Time
	// Settle is how long a name may be missing before its file is called Gone,
	// and a new file may be a mere beginning of the old one. Default 500 ms.
	Settle time.Duration
	// Poll is the interval of sweeps where watching does not work. Default 2 s.
	Poll time.Duration
	// MaxOpen is how many files are held open. Default: the descriptor limit
	// less a reserve.
	MaxOpen int
}

// Set is the tracked files of one board.
type Set struct{}

type file struct{}

func (f *file) ReadAt(p []byte, off int64) (int, error) { return 0, ErrNoFile }

// New opens the board's directory; nothing is looked at before Start.
func New(l layout.Layout, opt Options) (*Set, error) { return &Set{}, nil }

// Close ends watching and lets go of all files.
func (s *Set) Close() error { return nil }

// Restore puts tails back from a snapshot, before Start. The Tails come in the
// order given. A Saved whose Mark has no Ino (a lane known from the journal
// only) is matched with the file at its path: Replaced, not Reachable, Likely.
func (s *Set) Restore(saved []Saved) []*Tail { return nil }

// Start sets the watches and then looks at everything: the next Findings hold
// all that differs from what was restored.
func (s *Set) Start() error { return nil }

// Wait blocks until Findings would have something to settle, until the given
// time (zero: for ever), or until ctx ends (whose error it returns). It makes
// the sweeps when they are due and uses no CPU in between.
func (s *Set) Wait(ctx context.Context, until time.Time) error { return nil }

// Findings settles all dirty paths against the disk.
func (s *Set) Findings() []Finding { return nil }

// Hint makes a board-relative path dirty. Any goroutine may call it.
func (s *Set) Hint(rel string) {}

// Sweep looks at everything now: what differs is in the next Findings.
func (s *Set) Sweep() {}

// Track answers Found, Truncated and Replaced (Other): from here on the file
// is this segment of this lane, from its first byte on (an Orphan: from its
// first late byte on).
func (s *Set) Track(f Finding, lane string, segment uint64) *Tail { return nil }

// Compare says how the new file of a Replaced compares with what was taken in
// of f.Tail, up to its offset now (read it to its end first). Where the old
// file is reachable every byte is compared.
func (s *Set) Compare(f Finding) Verdict { return Other }

// Continue answers Replaced: f.Tail lives on in the new file at its offset.
func (s *Set) Continue(f Finding) {}

// Renamed says that the reader itself renamed t's file (rotation): call it
// right after the rename.
func (s *Set) Renamed(t *Tail, rel string) {}

// Fork ends t where it was taken in and tracks what follows in the same file
// as another segment: late bytes behind a sealed one.
func (s *Set) Fork(t *Tail, segment uint64) *Tail { return nil }

// Drop forgets t and closes its file.
func (s *Set) Drop(t *Tail) {}

// Expect says which size an owned lane has by the reader's own writing; then
// only another size is OwnedTouched. -1: it does not exist.
func (s *Set) Expect(lane string, size int64) {}

// Seal runs fn while nobody can have t's file open for writing (a read lease:
// openers for writing wait meanwhile, so fn must be brief), and says whether
// that held to the end of fn. sealed false, known true: somebody holds it open,
// or asked to; fn may not have run. known false: it cannot be told here, fn
// did not run. err is fn's. For renamed or deleted files only.
func (s *Set) Seal(t *Tail, fn func() error) (sealed, known bool, err error) {
	return false, false, nil
}

// Description is how a Set stands, for status and doctor.
type Description struct {
	Directories int    // known
	Watched     int    // of them
	Polling     string // why it polls; empty: it does not
	Tails       int    // tracked files
	Open        int    // of them held open
	MaxOpen     int
	Unreadable  []string      // paths
	Sweep       time.Duration // how long the last one took
	Interval    time.Duration // until the next one
	Overflows   int64
}

// Describe says how the Set stands.
func (s *Set) Describe() Description { return Description{} }
