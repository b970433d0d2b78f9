package lanes

import (
	"fmt"
	"path/filepath"
	"strings"
)

// DirWatch tells readers that something in one of some folders changed; what
// changed is theirs to find out. It uses no CPU while nothing does.
//
//	w, err := lanes.NewDirWatch()
//	err = w.Add(layout.Journal())
//	for range w.C() {
//		look()
//	}
type DirWatch struct {
	w    watcher
	d    *dirty
	c    chan struct{}
	done chan struct{}
}

// NewDirWatch watches nothing yet. It fails where the system has no watch to
// give: look every so often then.
func NewDirWatch() (*DirWatch, error) {
	d := newDirty()
	w, err := notify("", d)
	if err != nil {
		return nil, err
	}
	x := &DirWatch{w: w, d: d, c: make(chan struct{}, 1), done: make(chan struct{})}
	go x.run()
	return x, nil
}

// run hands tokens on and forgets which paths they were for. An overflow of the
// system's queue is a change like any other.
func (x *DirWatch) run() {
	for {
		select {
		case <-x.done:
			return
		case <-x.d.wake:
		}
		x.d.done(x.d.take())
		_, _ = x.d.troubles() // a reader looks again in any case
		select {
		case x.c <- struct{}{}:
		default:
		}
	}
}

// Add watches one more folder, not what lies below it.
func (x *DirWatch) Add(dir string) error {
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = x.w.add(strings.TrimPrefix(abs, "/"))
	}
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	return nil
}

// C holds a token while something changed that was not looked at.
func (x *DirWatch) C() <-chan struct{} { return x.c }

// Close ends watching.
func (x *DirWatch) Close() error {
	x.w.close()
	close(x.done)
	return nil
}
