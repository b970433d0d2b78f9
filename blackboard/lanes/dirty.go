package lanes

import (
	"maps"
	"sync"
	"time"
)

// dirty is what may have changed. The watcher's goroutine fills it while the
// reader is busy, so that the operating system's queue stays short.
type dirty struct {
	wake chan struct{} // holds one token while anything below is set

	mu       sync.Mutex
	paths    map[string]bool   // mu: board-relative; true: the name itself came or went
	spare    map[string]bool   // mu: an empty one
	moves    map[string]string // mu: new name → the lane's name it was renamed from; nil: not wanted
	taken    map[string]string // mu: what took gave last: a chain of renames may come in parts
	takenAt  time.Time         // mu: when; what is old is another file's by now
	overflow int               // mu: how often the event queue overflowed
	fault    error             // mu: why watching broke down
}

func newDirty() *dirty {
	return &dirty{wake: make(chan struct{}, 1), paths: map[string]bool{}, spare: map[string]bool{}}
}

// add makes a path dirty.
func (d *dirty) add(rel string, entry bool) {
	d.mu.Lock()
	d.paths[rel] = d.paths[rel] || entry
	d.mu.Unlock()
	d.signal()
}

// moved notes that what is under to now was under from, a lane's name.
func (d *dirty) moved(from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.moves == nil {
		return
	}
	if first, ok := d.moves[from]; ok {
		delete(d.moves, from)
		from = first
	} else if first, ok := d.taken[from]; ok && time.Since(d.takenAt) < chained {
		delete(d.taken, from)
		from = first
	}
	if len(d.moves) < maxMoves && from != to {
		d.moves[to] = from
	}
}

// maxMoves bounds what is kept of names that came and went.
const maxMoves = 4096

// chained is how long after a look the rest of a chain of renames may come.
const chained = time.Second

// took takes what moved notes, from a Set's dirty.
func (d *dirty) took() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.moves) == 0 {
		return nil
	}
	m := d.moves
	d.moves, d.taken, d.takenAt = map[string]string{}, maps.Clone(m), time.Now()
	return m
}

func (d *dirty) overflowed() {
	d.mu.Lock()
	d.overflow++
	d.mu.Unlock()
	d.signal()
}

func (d *dirty) broke(err error) {
	d.mu.Lock()
	d.fault = err
	d.mu.Unlock()
	d.signal()
}

func (d *dirty) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// any says whether there is something to settle.
func (d *dirty) any() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.paths) > 0 || d.overflow > 0 || d.fault != nil
}

// troubles takes what the watcher said of itself.
func (d *dirty) troubles() (overflow int, fault error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	overflow, fault = d.overflow, d.fault
	d.overflow, d.fault = 0, nil
	return overflow, fault
}

// take takes all paths; done gives the map back.
func (d *dirty) take() map[string]bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	paths := d.paths
	d.paths, d.spare = d.spare, nil
	return paths
}

func (d *dirty) done(paths map[string]bool) {
	const keep = 4096 // a map once large is never small again
	if len(paths) > keep {
		paths = map[string]bool{}
	}
	clear(paths)
	d.mu.Lock()
	d.spare = paths
	d.mu.Unlock()
}
