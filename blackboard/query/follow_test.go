package query

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/journal"
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

// stepping is a follower that a test steps by hand.
func stepping(t *testing.T, b *board, l *log) *follower {
	t.Helper()
	e, err := Open(b.l, Options{Now: testNow, Daemon: func() bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{engine: e, ctx: context.Background(), fn: l.add, shown: map[segKey]int64{}}
	if err := f.begin(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.close(); _ = e.Close() })
	return f
}

// A follower begins behind a line that the daemon has not taken in yet: that
// line is not shown once it has, and what stands behind it is.
func TestFollowersBeginBehindAPendingLine(t *testing.T) {
	for _, up := range []bool{true, false} {
		b := newBoard(t, t.TempDir())
		b.write("ci", `{"type":"build.done","id":"1"}`+"\n"+`{"type":"build.done","id":"2"}`+"\n")
		from, err := ParseCursor("ci@1:0")
		b.must(err)
		e, err := Open(b.l, Options{Now: testNow, Daemon: func() bool { return up }})
		b.must(err)
		l := newLog()
		f := &follower{engine: e, ctx: context.Background(), req: Request{From: from}, fn: l.add, shown: map[segKey]int64{}}
		b.must(f.begin())
		up = true
		b.take("ci", 2)
		b.write("ci", `{"type":"build.done","id":"3"}`+"\n")
		b.take("ci", 1)
		b.must(f.advance())
		if len(l.got) != 2 || !strings.HasPrefix(l.got[0], "ci@1:31 ") || !strings.HasPrefix(l.got[1], "ci@1:62 ") {
			t.Errorf("%q", l.got)
		}
		f.close()
		b.must(e.Close())
		b.must(b.journal.Close())
	}
}

// An owned lane is renamed between two looks of a follower, who has not read the
// entry that says so: what was given is not given again, and what stands in the
// renamed file is not waited for.
func TestFollowersOfALaneThatIsJustRenamed(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer func() { b.journal.Close() }()
	note := func(n int) string { return fmt.Sprintf(`{"type":"hxo.note","data":{"n":%d}}`+"\n", n) }
	b.derive(0, "hxo", note(1))
	l := newLog()
	f := stepping(t, b, l)
	look := func(want int) {
		t.Helper()
		if err := f.advance(); err != nil {
			t.Fatal(err)
		}
		if len(l.got) != want {
			t.Fatalf("%d events, want %d: %q", len(l.got), want, l.got)
		}
	}
	b.derive(0, "hxo", note(2))
	b.entry(&journal.Entry{Kind: journal.Derived, Lane: "board", Segment: 1, To: 10, Lines: 1}) // its bytes are awaited
	look(2)
	away := b.l.Segment("hxo", 1)
	b.must(os.MkdirAll(filepath.Dir(away), 0o755))
	b.must(os.Rename(b.l.Lane("hxo"), away+".on-its-way"))
	look(2)
	b.must(os.Rename(away+".on-its-way", away))
	look(2)
	b.write("board", "\n\n\n\n\n\n\n\n\n\n")
	b.entry(&journal.Entry{Kind: journal.Rotate, Lane: "hxo", Segment: 1, Next: 2, To: b.lane("hxo").end, Reason: "size"})
	look(2)
}

// The journal goes on in its next file with the entry of a rotation: the last
// bytes of the one before are found where that rotation put them.
func TestFollowersCrossTheJournalsEndAndARotation(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer func() { b.journal.Close() }()
	l := newLog()
	f := stepping(t, b, l)
	b.derive(0, "hxo", `{"type":"hxo.note","data":{"n":1}}`+"\n")
	b.nextJournal()
	b.rotate("hxo")
	for n := 1; n <= 2; n++ {
		if err := f.advance(); err != nil {
			t.Fatal(err)
		}
		if len(l.got) != n {
			t.Fatalf("%q", l.got)
		}
		b.derive(0, "hxo", `{"type":"hxo.note","data":{"n":2}}`+"\n")
	}
}

// The first refused line of a segment is journaled before its record's file is
// there: that is no hole.
func TestRecordsThatAreNotWrittenYetAreNoHole(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer func() { b.journal.Close() }()
	b.write("ci", `{"type":"build.done"}`+"\nno event\n")
	b.take("ci", 1)
	b.entry(&journal.Entry{Kind: journal.Input, Lane: "ci", Segment: 1, From: 22, To: 31, Lines: 1, Root: rootOf([]byte("no event\n"))})
	b.entry(&journal.Entry{Kind: journal.Derived, Lane: "quarantine/ci", Segment: 1, To: 100, Lines: 1})
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got, _, res := collect(t, e, Request{})
	if len(got) != 1 || len(res.Holes)+len(res.Damaged) > 0 {
		t.Fatalf("%q %+v %+v", got, res.Holes, res.Damaged)
	}
}
