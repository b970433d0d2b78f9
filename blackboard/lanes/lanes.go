package lanes

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Options of a Set. The zero value is for tests: no watches, no goroutines,
// real time; Hint and Sweep are the crank.
type Options struct {
	// Watch folders. False: only Hint, Sweep and Wait's sweeps find changes.
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
	// Quiet is how long after its last change an old file that was continued
	// in another is looked at for late bytes, where nobody can tell whether it
	// is still open for writing. Default 60 s.
	Quiet time.Duration

	// watcher replaces the operating system's in tests.
	watcher func(root string, out *dirty) (watcher, error)
}

func (o *Options) defaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.watcher == nil {
		o.watcher = notify
	}
	for _, d := range []struct {
		v    *time.Duration
		them time.Duration
	}{{&o.Settle, 500 * time.Millisecond}, {&o.Poll, 2 * time.Second}, {&o.Quiet, time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.them
		}
	}
	if o.MaxOpen <= 0 {
		o.MaxOpen = maxOpen()
	}
}

// busyWindows is how many files' last 4 KiB are kept as they are.
const busyWindows = 512

// Set is the tracked files of one board.
type Set struct {
	root    string
	epoch   time.Time // when New was called
	opt     Options
	dirfd   int
	dev     uint64 // the board's own device
	dirty   *dirty
	pool    *pool
	windows *windows

	tails   map[*Tail]struct{}
	at      map[string]*Tail   // whose file is under a path
	heirs   map[string]*Tail   // who held a lane path last, and lost it
	byID    map[identity]*Tail // the newest Tail of a file
	looks   map[*Tail]struct{} // to be looked at through their descriptors
	cands   map[string]*cand   // new files the reader did not answer for yet, by path
	candOf  map[identity]string
	ghosts  []*ghost
	said    map[string]note   // what was said once about a path
	owned   map[string]*owned // by path
	config  map[string]stat   // by path
	again   map[string]int64  // paths to look at again at a time (by now)
	folders *folders
	abroad  map[string]int // folders outside the lanes' that Tails stand in
	cold    []*Tail        // restored and not held open yet

	started  bool
	watch    watcher // nil: none
	sweeping sweeping
	polling  pollState
	homeless bool            // BoardGone was said
	devices  map[uint64]bool // other than the board's, that were looked at
	timer    *time.Timer     // Wait's
	findings []Finding
}

// New opens the board's folder; nothing is looked at before Start.
func New(l layout.Layout, opt Options) (*Set, error) {
	opt.defaults()
	root := filepath.Clean(l.Dir)
	fd, err := unix.Open(root, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the board's folder: %s: %w", root, err)
	}
	st, err := statFd(fd)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("looking at the board's folder: %s: %w", root, err)
	}
	s := &Set{
		root: root, epoch: opt.Now(), opt: opt, dirfd: fd, dev: st.dev, dirty: newDirty(), windows: newWindows(busyWindows),
		tails: map[*Tail]struct{}{}, at: map[string]*Tail{}, heirs: map[string]*Tail{}, byID: map[identity]*Tail{},
		looks: map[*Tail]struct{}{}, cands: map[string]*cand{}, candOf: map[identity]string{}, said: map[string]note{}, owned: map[string]*owned{},
		config: map[string]stat{}, again: map[string]int64{}, folders: newFolders(), abroad: map[string]int{}, devices: map[uint64]bool{},
	}
	s.pool = newPool(opt.MaxOpen, s.openFile)
	s.dirty.moves = map[string]string{}
	return s, nil
}

// Close ends watching and lets go of all files.
func (s *Set) Close() error {
	if s.watch != nil {
		s.watch.close()
		s.watch = nil
	}
	s.pool.close()
	if s.dirfd < 0 {
		return nil
	}
	err := unix.Close(s.dirfd)
	s.dirfd = -1
	if err != nil {
		return fmt.Errorf("closing the board's folder: %w", err)
	}
	return nil
}

func (s *Set) abs(rel string) string { return filepath.Join(s.root, rel) }

// now is a time that no change of the wall clock moves: ns since New.
func (s *Set) now() int64 { return int64(s.opt.Now().Sub(s.epoch)) }

// Restore puts tails back from a snapshot, before Start. The Tails come in the
// order given. A Saved whose Mark has no Ino (a lane known from the journal
// only) is matched with the file at its path: Replaced, not Reachable, Likely.
// One that was Gone (Deleted) is out of reach now, which is said again.
func (s *Set) Restore(saved []Saved) ([]*Tail, error) {
	var errs []error
	tails := make([]*Tail, 0, len(saved))
	for _, v := range saved {
		t, err := s.restore(v)
		errs = append(errs, err)
		tails = append(tails, t)
	}
	return tails, errors.Join(errs...)
}

func (s *Set) restore(v Saved) (*Tail, error) {
	path, err := contracts.UnescapeLane(v.Path)
	home, err2 := contracts.UnescapeLane(v.Home)
	if err = errors.Join(err, err2); err != nil {
		return nil, fmt.Errorf("restoring lane %s: %w", v.Lane, err)
	}
	m := v.Mark
	if own, ok := s.own(path); ok && !m.Known() {
		v.Offset, m = max(v.Offset, m.Offset), own
	}
	st := stat{identity: m.identity(), size: m.Size, ctime: m.Ctime, uid: m.UID}
	t := &Tail{Lane: v.Lane, Segment: v.Segment, Path: path, Base: v.Base, set: s, seen: st, offset: max(m.Offset, v.Offset)}
	t.win = window{offset: m.Offset, head: m.Head, sum: m.Tail, summed: true}
	t.file = s.pool.file(st.identity, path, -1)
	t.gone, t.fate, t.racy = v.Gone, v.Gone, m.Ctime == 0 || v.Offset > m.Offset
	t.again = m.Size > v.Base+t.offset
	s.tails[t] = struct{}{}
	if !m.Known() {
		t.state = blank
	} else if s.forked(t) {
		return t, nil
	}
	s.settleIn(t, path, home)
	return t, nil
}

// forked settles which of two Tails of one file is the one that goes on: the
// one that begins later in it. It says whether that is the other one.
func (s *Set) forked(t *Tail) bool {
	other := s.byID[t.seen.identity]
	if other != nil && other.Base > t.Base {
		t.file.release()
		t.file, t.state = other.file, ended
		t.file.retain()
		return true
	}
	s.byID[t.seen.identity] = t
	if other != nil {
		t.file.release()
		t.file = other.file
		t.file.retain()
		s.detach(other)
		other.state = ended
	}
	return false
}

// own is the mark of a file in the board's private folder, nothing of it taken
// in yet: nobody puts another one in its place, so what stands there is what
// the journal means.
func (s *Set) own(path string) (Mark, bool) {
	if !strings.HasPrefix(path, ".stigmergy/") {
		return Mark{}, false
	}
	st, err := s.stat(path)
	if err != nil || !st.regular() {
		return Mark{}, false
	}
	return Mark{Dev: st.dev, Ino: st.ino, Birth: st.birth, Size: st.size, UID: st.uid}, true
}

// settleIn gives a restored Tail its places.
func (s *Set) settleIn(t *Tail, path, home string) {
	if t.gone == 0 || t.gone == Renamed {
		s.place(t, path)
	} else {
		t.file.named("", true)
	}
	if home == "" {
		home = path
	}
	if _, ok := layout.LaneName(home); !ok {
		return
	}
	t.home = home
	if home != path && t.gone != Deleted || t.gone == Away {
		s.heirs[home] = t
		t.since = s.now()
	}
	if t.gone == Deleted {
		t.gone = 0
		s.looks[t] = struct{}{}
	}
}

// Tails calls fn for every tracked file, in no order.
func (s *Set) Tails(fn func(*Tail)) {
	for t := range maps.Keys(s.tails) {
		fn(t)
	}
}

// wantLook has t looked at by the next Findings.
func (s *Set) wantLook(t *Tail) {
	s.looks[t] = struct{}{}
	s.dirty.signal()
}

// Settling says whether what became of a file is not certain yet: its name is
// missing, or another one may still be growing into it. It is within
// Options.Settle.
func (s *Set) Settling() bool { return len(s.again) > 0 }

// lookAt has a path looked at again after d.
func (s *Set) lookAt(rel string, d time.Duration) { s.again[rel] = s.now() + int64(d) }
