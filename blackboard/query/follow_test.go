package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// bell is a Watcher that the test rings. It tells when it is first listened to:
// then everything that was there is answered.
type bell struct {
	c     chan struct{}
	once  sync.Once
	ready chan struct{}
}

func newBell() *bell             { return &bell{c: make(chan struct{}, 1), ready: make(chan struct{})} }
func (b *bell) Add(string) error { return nil }
func (b *bell) Close() error     { return nil }
func (b *bell) C() <-chan struct{} {
	b.once.Do(func() { close(b.ready) })
	return b.c
}

func (b *bell) ring() {
	select {
	case b.c <- struct{}{}:
	default:
	}
}

// log collects what a follower gives.
type log struct {
	mu   sync.Mutex
	cond *sync.Cond
	got  []string
	last Cursor
}

func newLog() *log {
	l := &log{}
	l.cond = sync.NewCond(&l.mu)
	return l
}

func (l *log) add(h *Hit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got = append(l.got, fmt.Sprintf("%s %s", h.Pos, h.Line))
	l.last = h.Cursor()
	l.cond.Broadcast()
	return nil
}

// wait blocks until so many came.
func (l *log) wait(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stop := time.AfterFunc(20*time.Second, func() { l.mu.Lock(); n = 0; l.mu.Unlock(); l.cond.Broadcast() })
	defer stop.Stop()
	for len(l.got) < n {
		l.cond.Wait()
	}
}

func TestFollowGivesEveryEventOnceInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "query")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := drawBoard(rt, dir, t)
		defer func() { b.journal.Close() }()
		ring := newBell()
		e, err := Open(b.l, Options{Now: testNow, Daemon: func() bool { return true }, Watch: func() (Watcher, error) { return ring, nil }})
		if err != nil {
			rt.Fatal(err)
		}
		defer e.Close()
		if rapid.Bool().Draw(rt, "small") {
			e.sizes.block, e.sizes.batch = 700, 300
		}
		before := len(naiveJournaled(t, b.board))
		last := rapid.SampledFrom([]int{0, 3}).Draw(rt, "last")
		ctx, cancel := context.WithCancel(context.Background())
		l, done := newLog(), make(chan error, 1)
		go func() {
			_, err := e.Follow(ctx, Request{Last: last}, l.add)
			done <- err
		}()
		<-ring.ready
		for range rapid.IntRange(0, 60).Draw(rt, "more") {
			b.step()
			if b.r.IntN(2) == 0 {
				ring.ring()
			}
		}
		ring.ring()
		all := naiveJournaled(t, b.board)
		if last > 0 {
			all = all[max(0, before-last):]
		}
		l.wait(len(all))
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			rt.Fatal(err)
		}
		sameLists(rt, l.got, all)
	})
}

func naiveJournaled(t testing.TB, b *board) []string {
	var all []string
	for _, ev := range naiveEvents(t, b) {
		if !ev.pending {
			all = append(all, ev.pos+" "+ev.line)
		}
	}
	return all
}

// Without a daemon, what is pending is shown once, and not again when a daemon
// takes it in.
func TestFollowShowsPendingLinesOnce(t *testing.T) {
	b := &randomBoard{board: newBoard(t, t.TempDir()), r: rand.New(rand.NewPCG(7, 7)), names: []string{"ci", "agents/1"}, wild: true}
	ring := newBell()
	e, err := Open(b.l, Options{Now: testNow, Watch: func() (Watcher, error) { return ring, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	b.write("ci", b.event()+"\n"+`{"type":"build.done","da`)
	ctx, cancel := context.WithCancel(context.Background())
	l, done := newLog(), make(chan error, 1)
	go func() {
		_, err := e.Follow(ctx, Request{}, l.add)
		done <- err
	}()
	l.wait(1)
	b.write("ci", `ta":{}}`+"\n")
	ring.ring()
	l.wait(2)
	for i := range 200 {
		if i%3 == 0 {
			b.write("agents/1", b.line()+"\n")
		} else {
			b.write("ci", b.line()+"\n")
		}
		if i%5 == 0 {
			b.take("ci", 3)
			b.take("agents/1", 1)
		}
		ring.ring()
	}
	all := map[string]bool{}
	for _, ev := range naiveEvents(t, b.board) {
		all[ev.pos+" "+ev.line] = true
	}
	l.wait(len(all))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range l.got {
		if seen[s] || !all[s] {
			t.Fatalf("shown twice, or no event: %s", s)
		}
		seen[s] = true
	}
	if len(seen) != len(all) {
		t.Fatalf("%d of %d shown", len(seen), len(all))
	}
}
