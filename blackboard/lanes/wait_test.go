package lanes

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stigmergy/blackboard/layout"
)

func layoutOf(dir string) layout.Layout { return layout.Layout{Dir: dir} }

func TestWaitEnds(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.settle()
	now := r.clock.now()
	if err := r.set.Wait(t.Context(), now); err != nil {
		t.Errorf("until now: %v", err)
	}
	if err := r.set.Wait(t.Context(), now.Add(-time.Hour)); err != nil {
		t.Errorf("until the past: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() {})
	go cancel()
	if err := r.set.Wait(ctx, time.Time{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go r.set.Hint("a.jsonl")
	if err := r.set.Wait(t.Context(), time.Time{}); err != nil || !r.set.dirty.any() {
		t.Errorf("hinted: %v", err)
	}
}

// TestWaitSweeps: with no event at all, changes are found when a sweep is due.
func TestWaitSweeps(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("x/a.jsonl", "1\n")
	r.settle()
	for _, step := range []func(){
		func() { r.append("x/a.jsonl", "2\n") },
		func() { r.append("x/b.jsonl", "3\n") },
		func() { r.append("z/c.jsonl", "4\n") },
		func() { r.remove("x/b.jsonl") },
	} {
		step()
		r.waitFor(time.Hour)
	}
	r.waitFor(time.Hour)
	want := "found x/a@1\nfound x/b@1\nfound z/c@1\ngone x/b@1 deleted\nx/a@1 = 1/2/\nx/b@1 = 3/\nz/c@1 = 4/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if d := r.set.Describe(); d.Interval != 2*time.Second {
		t.Errorf("interval %v", d.Interval)
	}
}

// TestSweepsAreRare: an interval is 2,000 times what a sweep takes.
func TestSweepsAreRare(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	tick := r.clock.now()
	r.set.opt.Now = func() time.Time { tick = tick.Add(5 * time.Millisecond); return tick }
	r.set.Sweep()
	if d := r.set.Describe(); d.Sweep != 5*time.Millisecond || d.Interval != 10*time.Second {
		t.Errorf("took %v, next after %v", d.Sweep, d.Interval)
	}
}

// TestWallClockJumps: only the monotonic clock counts.
func TestWallClockJumps(t *testing.T) {
	base := time.Now()
	elapsed := time.Duration(0)
	s, err := New(layoutOf(t.TempDir()), Options{Now: func() time.Time { return base.Add(elapsed) }})
	must(t, err)
	defer s.Close()
	must(t, s.Start())
	s.Findings()
	elapsed = 3 * time.Second
	if s.now() < s.sweeping.at {
		t.Errorf("after 3 s a sweep is due at %v, it is %v", time.Duration(s.sweeping.at), time.Duration(s.now()))
	}
}

// TestAgain: a reader that stopped early hears of the rest.
func TestAgain(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	r.append("a.jsonl", "2\n")
	r.set.Sweep()
	if fs := r.set.Findings(); len(fs) != 1 || fs[0].Kind != Grown {
		t.Fatalf("got %v", fs)
	}
	r.set.Sweep()
	if fs := r.set.Findings(); len(fs) != 0 {
		t.Errorf("said twice: %v", fs)
	}
	tail := r.tails["a@1"]
	tail.Again()
	if fs := r.set.Findings(); len(fs) != 1 || fs[0].Kind != Grown {
		t.Errorf("again: %v", fs)
	}
	tail.Retry()
	if fs := r.set.Findings(); len(fs) != 0 {
		t.Errorf("before the sweep: %v", fs)
	}
	r.sweep()
	if got := string(r.taken["a@1"]); got != "1\n2\n" {
		t.Errorf("took in %q", got)
	}
}

// TestIntact: a file that is rewritten between the look and the read.
func TestIntact(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	tail := r.tails["a@1"]
	r.append("a.jsonl", "2\n")
	r.set.Sweep()
	fs := r.set.Findings()
	r.write("a.jsonl", "x\ny\nz\n")
	for _, f := range fs {
		r.handle(f)
	}
	if tail.Intact() {
		t.Error("intact after it was rewritten")
	}
	r.drain()
	want := "found a@1\ntruncated a@1 lost [2,4)\nfound a@2\na@1 = 1/\na@2 = x/y/z/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestUnanswered: what the reader could not answer comes again.
func TestUnanswered(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.append("b.jsonl", "1\n")
	for range 3 {
		r.set.Sweep()
		if fs := r.set.Findings(); kinds(fs) != "found found" {
			t.Fatalf("got %s", kinds(fs))
		}
	}
	r.sweep()
	r.write("a.jsonl", "2")
	r.append("tmp", "other\n")
	r.rename("tmp", "b.jsonl")
	for range 3 {
		r.set.Sweep()
		if fs := r.set.Findings(); kinds(fs) != "truncated replaced" {
			t.Fatalf("got %s", kinds(fs))
		}
	}
	r.append("a.jsonl", "2\n")
	r.remove("b.jsonl")
	r.settle()
	want := "found a@1\nfound b@1\ntruncated a@1\nfound a@2\ngone b@1 deleted\na@1 = 1/\na@2 = 22/\nb@1 = 1/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	checkSet(t, r.set)
}

func kinds(fs []Finding) string {
	var out []string
	for _, f := range fs {
		out = append(out, f.Kind.String())
	}
	return strings.Join(out, " ")
}

func TestNames(t *testing.T) {
	for k := Found; k <= BoardGone; k++ {
		if k.String() == "" || strings.HasPrefix(k.String(), "kind") {
			t.Errorf("kind %d has no name", k)
		}
	}
	got := []string{Kind(0).String(), Kind(99).String(), Reason(0).String(), Renamed.String(), Verdict(0).String(), Other.String(), Same.String(), Likely.String(), Beginning.String()}
	if want := "kind 0|kind 99||renamed|none|other|same|likely|beginning"; strings.Join(got, "|") != want {
		t.Errorf("got %v", got)
	}
}

// TestFindingReadAt gives the new file's own bytes.
func TestFindingReadAt(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	must(t, os.WriteFile(r.path("a.jsonl"), []byte("12345"), 0o644))
	r.set.Sweep()
	fs := r.set.Findings()
	b := make([]byte, 3)
	if n, err := fs[0].ReadAt(b, 1); n != 3 || err != nil || string(b) != "234" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	if _, err := (&Finding{}).ReadAt(b, 0); !errors.Is(err, ErrNoFile) {
		t.Errorf("no file: %v", err)
	}
}
