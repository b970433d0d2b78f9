package lanes

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"stigmergy/blackboard/layout"
)

// TestWritersWhileLanesMove has many writers append as a shell does (open,
// append, close) or hold their file open, while the reader rotates lanes by
// size, another program rotates them by renaming, and folders come and go by
// renames there and back. Every line must be taken in exactly once.
func TestWritersWhileLanesMove(t *testing.T) {
	for _, maxOpen := range []int{0, 6} {
		t.Run(fmt.Sprint("max_open=", maxOpen), func(t *testing.T) { moveWhileWriting(t, maxOpen) })
	}
}

const (
	stressWriters = 24
	stressLines   = 150
)

func moveWhileWriting(t *testing.T, maxOpen int) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	r := newReader(t, Options{Watch: true, MaxOpen: maxOpen, Settle: 20 * time.Millisecond})
	r.opt.Now = time.Now
	for _, d := range []string{"x", "y"} {
		must(t, os.Mkdir(r.path(d), 0o755))
	}
	r.start(nil)
	var writing, moving sync.WaitGroup
	for i := range stressWriters {
		writing.Go(func() { r.appendLines(i) })
	}
	stop := make(chan struct{})
	moving.Go(func() { r.logrotate(stop) })
	finished := make(chan struct{})
	go func() { writing.Wait(); close(stop); moving.Wait(); close(finished) }()

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for done := false; !done; {
		if err := r.set.Wait(ctx, time.Now().Add(50*time.Millisecond)); err != nil {
			r.set.Sweep()
			for _, f := range r.set.Findings() {
				t.Logf("a sweep finds %s %s", f.Kind, f.Path)
				r.handle(f)
			}
			r.exactly(t)
			t.Fatalf("after a minute: %d of %d lines", r.total(), stressWriters*stressLines)
		}
		for _, f := range r.set.Findings() {
			r.handle(f)
		}
		for _, k := range keys(r.tails) {
			if x := r.tails[k]; strings.HasPrefix(x.Path, "x/") && x.Offset() > 2000+rnd.Int64N(4000) {
				r.rotateIfThere(x)
			}
		}
		select {
		case <-finished:
			done = r.total() >= stressWriters*stressLines
		default:
		}
	}
	r.settleForReal()
	r.exactly(t)
	checkSet(t, r.set)
	must(t, r.set.Close())
}

// rotateIfThere is rotate in a folder that may be under its other name just now.
func (r *reader) rotateIfThere(x *Tail) {
	to := layout.SegmentRel(x.Lane, x.Segment)
	must(r.t, os.MkdirAll(filepath.Dir(r.path(to)), 0o755))
	if os.Rename(r.path(x.Path), r.path(to)) == nil {
		r.set.Renamed(x, to)
	}
}

// settleForReal looks at everything a few times more, to catch what comes twice.
func (r *reader) settleForReal() {
	r.set.Sweep()
	for range 3 {
		for _, f := range r.set.Findings() {
			r.handle(f)
		}
		r.set.Sweep()
	}
}

func (r *reader) total() (n int) {
	for _, b := range r.taken {
		n += strings.Count(string(b), "\n")
	}
	return n
}

func (r *reader) exactly(t *testing.T) {
	count := map[string]int{}
	for _, b := range r.taken {
		for l := range strings.Lines(string(b)) {
			count[l]++
		}
	}
	for i := range stressWriters {
		for j := range stressLines {
			if n := count[stressLine(i, j)]; n != 1 {
				t.Errorf("line %d of writer %d was taken in %d times", j, i, n)
			}
		}
	}
	if len(count) != stressWriters*stressLines {
		t.Errorf("%d different lines, want %d", len(count), stressWriters*stressLines)
	}
}

func stressLine(writer, line int) string {
	return fmt.Sprintf("%d.%d %s\n", writer, line, strings.Repeat("-", line%50))
}

// appendLines writes to one of a few lanes, opening it for each line or once
// for several.
func (r *reader) appendLines(writer int) {
	rel := []string{"a.jsonl", "x/b.jsonl", "x/c.jsonl", "y/d.jsonl"}[writer%4]
	for j := 0; j < stressLines; {
		f, err := os.OpenFile(r.path(rel), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			continue // its folder is under its other name just now
		}
		for n := 1 + (writer%3)*7; n > 0 && j < stressLines; n-- {
			if _, err := f.WriteString(stressLine(writer, j)); err != nil {
				r.t.Error(err)
			}
			j++
		}
		if err := f.Close(); err != nil {
			r.t.Error(err)
		}
	}
}

// logrotate renames lanes and a folder until it is told to stop.
func (r *reader) logrotate(stop chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.NewTimer(3 * time.Millisecond).C:
		}
		switch i % 3 {
		case 0:
			_ = os.Rename(r.path("a.jsonl"), r.path(fmt.Sprintf("a.jsonl.%d", i)))
		case 1:
			_ = os.Rename(r.path("y/d.jsonl"), r.path(fmt.Sprintf("y/d.jsonl.%d", i)))
		case 2:
			if os.Rename(r.path("x"), r.path("z")) == nil {
				_ = os.Rename(r.path("z"), r.path("x"))
			}
		}
	}
}
