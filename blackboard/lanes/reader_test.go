package lanes

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// clock is a time that stands still until it is told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_700_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	c.t = c.t.Add(d)
	c.mu.Unlock()
}

// reader does with Findings what the doc comments tell a kernel to do, and
// writes down what it heard and took in.
type reader struct {
	t     testing.TB
	dir   string
	opt   Options
	clock *clock
	set   *Set
	taken map[string][]byte // by lane@segment
	next  map[string]uint64
	tails map[string]*Tail // by lane@segment
	log   []string
	steps int
	chunk int
	keep  bool // do not drop what is out of reach
}

func newReader(t testing.TB, opt Options) *reader {
	r := &reader{t: t, dir: t.TempDir(), opt: opt, clock: newClock(), taken: map[string][]byte{},
		next: map[string]uint64{}, tails: map[string]*Tail{}, chunk: 1 << 16}
	r.opt.Now = r.clock.now
	must(t, os.MkdirAll(filepath.Join(r.dir, "contracts"), 0o755))
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *reader) start(saved []Saved) {
	r.t.Helper()
	set, err := New(layout.Layout{Dir: r.dir}, r.opt)
	must(r.t, err)
	r.set = set
	tails, err := set.Restore(saved)
	must(r.t, err)
	r.tails = map[string]*Tail{}
	for _, t := range tails {
		r.tails[key(t)] = t
	}
	must(r.t, set.Start())
}

func (r *reader) stop() []Saved {
	r.t.Helper()
	var saved []Saved
	for _, k := range keys(r.tails) {
		saved = append(saved, r.tails[k].Save())
	}
	must(r.t, r.set.Close())
	return saved
}

func (r *reader) restart() { r.start(r.stop()) }

func key(t *Tail) string { return fmt.Sprintf("%s@%d", t.Lane, t.Segment) }

func keys[V any](m map[string]V) []string {
	var ks []string
	for k := range m {
		ks = append(ks, k)
	}
	sort.Strings(ks)
	return ks
}

func (r *reader) say(format string, a ...any) { r.log = append(r.log, fmt.Sprintf(format, a...)) }

// sweep cranks until nothing is left to be said.
func (r *reader) sweep() {
	r.set.Sweep()
	r.drain()
}

func (r *reader) drain() {
	r.t.Helper()
	for range 50 {
		fs := r.set.Findings()
		for _, f := range fs {
			r.handle(f)
		}
		if len(fs) == 0 && !r.set.ready(r.set.now()) {
			return
		}
	}
	r.t.Fatalf("no end of findings: %v", r.log)
}

// barrier waits until all events up to now have been settled.
func (r *reader) barrier() {
	r.t.Helper()
	r.steps++
	rel := fmt.Sprintf("contracts/%d.schema.json", r.steps)
	must(r.t, os.WriteFile(filepath.Join(r.dir, rel), []byte("{}"), 0o644))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for seen := false; !seen; {
		if err := r.set.Wait(ctx, time.Time{}); err != nil {
			r.t.Fatalf("waiting for %s: %v\n%s", rel, err, strings.Join(r.log, "\n"))
		}
		for _, f := range r.set.Findings() {
			seen = seen || f.Kind == ConfigChanged && f.Path == rel
			r.handle(f)
		}
	}
	must(r.t, os.Remove(filepath.Join(r.dir, rel)))
	r.drain()
}

func (r *reader) look() {
	r.t.Helper()
	if r.opt.Watch {
		r.barrier()
		return
	}
	r.sweep()
}

// settle looks, lets time pass, and looks again.
func (r *reader) settle() {
	r.t.Helper()
	r.look()
	r.clock.add(time.Second)
	r.look()
}

func (r *reader) handle(f Finding) {
	switch f.Kind {
	case Found:
		r.track(f)
	case Grown:
		r.read(f.Tail)
	case Truncated:
		r.say("truncated %s%s", key(f.Tail), lost(f))
		delete(r.tails, key(f.Tail))
		r.track(f)
	case Replaced:
		r.replaced(f)
	case Moved, Returned:
		r.say("%s %s: %s → %s", f.Kind, key(f.Tail), f.OldPath, f.Path)
	case Gone:
		r.say("gone %s %s%s", key(f.Tail), f.Reason, lost(f))
		r.gone(f)
	case Unreadable:
		r.say("unreadable %s", f.Path)
	case NotALane:
		r.say("not_a_lane %s %s", f.Path, f.What)
	case HardLink:
		r.say("hard_link %s of %s", f.Path, f.OldPath)
	case OwnedTouched:
		r.say("owned_touched %s %d", f.Path, f.Size)
	case ConfigChanged:
		if !strings.HasPrefix(f.Path, "contracts/") || strings.Contains(f.Path, "my.") {
			r.say("config_changed %s", f.Path)
		}
	default:
		r.say("%s %s", f.Kind, f.Path)
	}
}

func lost(f Finding) string {
	if f.To > f.From {
		return fmt.Sprintf(" lost [%d,%d)", f.From, f.To)
	}
	return ""
}

func (r *reader) track(f Finding) *Tail {
	r.t.Helper()
	r.next[f.Lane]++
	t := r.set.Track(f, f.Lane, r.next[f.Lane])
	if t == nil {
		r.t.Fatalf("tracking %s: refused", f.Path)
	}
	how := "found"
	if f.Orphan {
		how = "orphan"
	}
	r.say("%s %s", how, key(t))
	r.tails[key(t)] = t
	r.read(t)
	return t
}

func (r *reader) replaced(f Finding) {
	r.t.Helper()
	if f.Reachable {
		r.read(f.Tail)
	}
	v := r.set.Compare(f)
	if v == Likely {
		v = Other
		old := r.taken[key(f.Tail)]
		b := make([]byte, len(old))
		if n, _ := f.ReadAt(b, 0); n == len(b) && bytes.Equal(b, old) {
			v = Same
		}
	}
	switch v {
	case Same:
		r.say("continued %s", key(f.Tail))
		r.set.Continue(f)
		r.read(f.Tail)
	case Other:
		r.say("replaced %s %s%s", key(f.Tail), f.Reason, lost(f))
		r.track(f)
		if !f.Reachable && f.Reason == Deleted {
			r.drop(f.Tail)
		}
	}
}

func (r *reader) gone(f Finding) {
	if f.Reachable {
		r.read(f.Tail)
	}
	if f.Reason == Deleted && !f.Reachable && !r.keep {
		r.drop(f.Tail)
	}
}

func (r *reader) drop(t *Tail) {
	delete(r.tails, key(t))
	r.set.Drop(t)
}

// read takes in all whole lines that are there.
func (r *reader) read(t *Tail) {
	r.t.Helper()
	for {
		b := make([]byte, r.chunk)
		n, err := t.ReadAt(b, t.Offset())
		cut := bytes.LastIndexByte(b[:n], '\n') + 1
		if cut == 0 && n == len(b) {
			r.t.Fatalf("a line longer than %d", n)
		}
		if cut > 0 {
			if !t.Intact() {
				return
			}
			r.taken[key(t)] = append(r.taken[key(t)], b[:cut]...)
			t.Advance(t.Offset()+int64(cut), b[:cut])
		}
		if err == io.EOF || cut == 0 {
			return
		}
		if err != nil {
			r.t.Fatalf("reading %s: %v", key(t), err)
		}
	}
}

// did is the log and then what was taken in, to be compared with a text.
func (r *reader) did() string {
	var b strings.Builder
	for _, l := range r.log {
		fmt.Fprintln(&b, l)
	}
	for _, k := range keys(r.taken) {
		fmt.Fprintf(&b, "%s = %s\n", k, shorten(contracts.EscapeLane(strings.ReplaceAll(string(r.taken[k]), "\n", "/"))))
	}
	return b.String()
}

// shorten keeps padding out of what is printed.
func shorten(s string) string { return strings.ReplaceAll(s, strings.Repeat("-", 3000), "~") }

// board is file operations in a reader's board.
func (r *reader) path(rel string) string { return filepath.Join(r.dir, rel) }

func (r *reader) append(rel, text string) {
	r.t.Helper()
	must(r.t, os.MkdirAll(filepath.Dir(r.path(rel)), 0o755))
	f, err := os.OpenFile(r.path(rel), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(r.t, err)
	_, err = f.WriteString(text)
	must(r.t, err)
	must(r.t, f.Close())
}

func (r *reader) write(rel, text string) {
	r.t.Helper()
	must(r.t, os.WriteFile(r.path(rel), []byte(text), 0o644))
}

func (r *reader) rename(from, to string) {
	r.t.Helper()
	must(r.t, os.Rename(r.path(from), r.path(to)))
}

func (r *reader) remove(rel string) { r.t.Helper(); must(r.t, os.Remove(r.path(rel))) }

// rotate does what the daemon does: rename the lane's file away, say so.
func (r *reader) rotate(lane string) *Tail {
	r.t.Helper()
	t := r.set.at[layout.LaneRel(lane)]
	to := layout.SegmentRel(lane, t.Segment)
	must(r.t, os.MkdirAll(filepath.Dir(r.path(to)), 0o755))
	r.rename(t.Path, to)
	r.set.Renamed(t, to)
	return t
}

func (r *reader) writer(rel string) *os.File {
	r.t.Helper()
	f, err := os.OpenFile(r.path(rel), os.O_APPEND|os.O_WRONLY, 0)
	must(r.t, err)
	return f
}

func write(t testing.TB, f *os.File, text string) {
	t.Helper()
	_, err := f.WriteString(text)
	must(t, err)
}
