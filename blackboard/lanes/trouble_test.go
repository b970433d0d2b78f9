package lanes

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// fakeWatcher hears nothing by itself and refuses what it is told to.
type fakeWatcher struct {
	mu      sync.Mutex
	refuse  func(rel string) error
	watched map[string]bool
	out     *dirty
	closed  bool
}

func (w *fakeWatcher) add(rel string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.refuse != nil {
		if err := w.refuse(rel); err != nil {
			return err
		}
	}
	w.watched[rel] = true
	return nil
}

func (w *fakeWatcher) remove(rel string) { w.mu.Lock(); delete(w.watched, rel); w.mu.Unlock() }
func (w *fakeWatcher) close()            { w.closed = true }

func (w *fakeWatcher) open(_ string, out *dirty) (watcher, error) {
	w.out, w.watched = out, map[string]bool{}
	return w, nil
}

// TestOverflow fills the system's own event queue by not draining it, and
// finds everything all the same.
func TestOverflow(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	queue := 16384
	if b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events"); err == nil {
		queue, _ = atoi(strings.TrimSpace(string(b)))
	}
	if queue > 200_000 {
		t.Skipf("the event queue holds %d: too many to fill", queue)
	}
	r := newReader(t, Options{Watch: true})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "0\n")
	r.append("b.jsonl", "0\n")
	r.settle()
	r.set.dirty.mu.Lock() // the watcher's goroutine cannot get on
	a, b := r.writer("a.jsonl"), r.writer("b.jsonl")
	for range queue/2 + eventBuffer + 4096 {
		write(t, a, "1\n")
		write(t, b, "2\n")
	}
	r.append("new/c.jsonl", "3\n")
	must(t, a.Close())
	must(t, b.Close())
	r.set.dirty.mu.Unlock()
	for len(r.log) == 0 || !strings.Contains(r.did(), "overflow") {
		must(t, r.set.Wait(t.Context(), time.Time{}))
		r.drain()
	}
	r.settle()
	for _, rel := range []string{"a.jsonl", "b.jsonl", "new/c.jsonl"} {
		if got := string(r.taken[strings.TrimSuffix(rel, ".jsonl")+"@1"]); got != r.content(rel) {
			t.Errorf("%s: took in %d bytes of %d", rel, len(got), len(r.content(rel)))
		}
	}
	if d := r.set.Describe(); d.Overflows != 1 {
		t.Errorf("%d overflows", d.Overflows)
	}
}

func atoi(s string) (n int, err error) {
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return n, nil
}

// TestNoInstances: without a watcher it looks every two seconds, warns once,
// and watches as soon as it can.
func TestNoInstances(t *testing.T) {
	w, refuse := &fakeWatcher{}, true
	r := newReader(t, Options{Watch: true, watcher: func(root string, out *dirty) (watcher, error) {
		if refuse {
			return nil, syscall.EMFILE
		}
		return w.open(root, out)
	}})
	r.start(nil)
	defer r.set.Close()
	r.append("x/a.jsonl", "1\n")
	r.drain()
	r.waitFor(2 * time.Second)
	r.append("x/a.jsonl", "2\n")
	r.waitFor(2 * time.Second)
	if d := r.set.Describe(); d.Interval != 2*time.Second || !strings.Contains(d.Polling, "too many open files") || d.Watched != 0 {
		t.Errorf("got %+v", d)
	}
	refuse = false
	r.waitFor(2 * time.Second)
	want := "polling \nfound x/a@1\npolling \nx/a@1 = 1/2/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if d := r.set.Describe(); d.Polling != "" || d.Watched != 3 || !w.watched["x"] || !w.watched["."] || !w.watched["contracts"] {
		t.Errorf("got %+v, watched %v", d, w.watched)
	}
}

// waitFor lets time pass, waits, and handles what is found.
func (r *reader) waitFor(d time.Duration) {
	r.t.Helper()
	r.clock.add(d)
	must(r.t, r.set.Wait(r.t.Context(), r.clock.now()))
	r.drain()
}

// TestNoWatches: some folders cannot be watched, later they can.
func TestNoWatches(t *testing.T) {
	w := &fakeWatcher{refuse: func(rel string) error {
		if rel == "x" || rel == "y" {
			return syscall.ENOSPC
		}
		return nil
	}}
	r := newReader(t, Options{Watch: true, watcher: w.open})
	r.start(nil)
	defer r.set.Close()
	r.append("x/a.jsonl", "1\n")
	r.append("y/a.jsonl", "1\n")
	r.waitFor(2 * time.Second)
	r.append("x/a.jsonl", "2\n")
	r.waitFor(2 * time.Second)
	if d := r.set.Describe(); d.Folders != 4 || d.Watched != 2 || !strings.HasSuffix(d.Polling, "no space left on device") {
		t.Errorf("got %+v", d)
	}
	w.refuse = nil
	r.append("y/b.jsonl", "3\n")
	r.waitFor(2 * time.Second)
	want := "polling \nfound x/a@1\nfound y/a@1\npolling \nfound y/b@1\nx/a@1 = 1/2/\ny/a@1 = 1/\ny/b@1 = 3/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if d := r.set.Describe(); d.Watched != 4 || d.Polling != "" || d.Interval < 2*time.Second {
		t.Errorf("got %+v", d)
	}
}

// TestWatcherBreaks: another one takes its place.
func TestWatcherBreaks(t *testing.T) {
	var all []*fakeWatcher
	r := newReader(t, Options{Watch: true, watcher: func(root string, out *dirty) (watcher, error) {
		w := &fakeWatcher{}
		all = append(all, w)
		return w.open(root, out)
	}})
	r.start(nil)
	defer r.set.Close()
	r.append("x/a.jsonl", "1\n")
	r.sweep()
	all[0].out.broke(errors.New("bad file descriptor"))
	r.append("x/a.jsonl", "2\n")
	r.drain()
	if len(all) != 2 || !all[0].closed || !all[1].watched["x"] {
		t.Errorf("%d watchers", len(all))
	}
	if got := r.did(); got != "found x/a@1\nx/a@1 = 1/2/\n" {
		t.Errorf("got\n%s", got)
	}
}

// TestRenamedFolderIsWatchedUnderItsNewName: the old watch would go on naming
// the old path.
func TestRenamedFolderIsWatchedUnderItsNewName(t *testing.T) {
	w := &fakeWatcher{}
	r := newReader(t, Options{Watch: true, watcher: w.open})
	r.start(nil)
	defer r.set.Close()
	r.append("x/y/a.jsonl", "1\n")
	r.sweep()
	r.rename("x", "z")
	r.sweep()
	if w.watched["x"] || w.watched["x/y"] || !w.watched["z"] || !w.watched["z/y"] {
		t.Errorf("watched: %v", w.watched)
	}
}

func TestBoardGone(t *testing.T) {
	r := newReader(t, Options{Watch: true})
	r.start(nil)
	r.append("a.jsonl", "1\n")
	r.settle()
	must(t, os.Rename(r.dir, r.away()))
	for !strings.Contains(r.did(), "board_gone") {
		must(t, r.set.Wait(t.Context(), time.Time{}))
		r.drain()
	}
	must(t, os.Rename(r.away(), r.dir))
	r.append("a.jsonl", "2\n")
	r.sweep()
	if got := r.did(); got != "found a@1\nboard_gone .\na@1 = 1/2/\n" {
		t.Errorf("got\n%s", got)
	}
	must(t, r.set.Close())
	must(t, r.set.Close())
}

func TestNoBoard(t *testing.T) {
	r := &reader{t: t, dir: t.TempDir() + "/none", clock: newClock()}
	if s, err := New(layoutOf(r.dir), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v", s, err)
	}
}
