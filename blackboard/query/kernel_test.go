package query

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/handlers/all"
)

// runKernel runs a real daemon's kernel on a board until the stop function is
// called, which drains it.
func runKernel(t *testing.T, l layout.Layout) (k *blackboard.Kernel, stop func()) {
	t.Helper()
	m, err := all.New()
	if err != nil {
		t.Fatal(err)
	}
	k, err = blackboard.Open(blackboard.Options{Layout: l, Fold: m, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "test",
		Sources: blackboard.Sources{UID: uint32(os.Geteuid())}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return k, func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := k.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}
}

// TestOnBoardsThatAKernelMade asks a board while writers append, lanes rotate
// and segments are archived, over two runs of a real kernel; a follower sees
// what the naive reader finds in the end, in order, once.
func TestOnBoardsThatAKernelMade(t *testing.T) {
	dir := t.TempDir()
	l, _, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	settings := "segment: {max_bytes: 64KiB, min_bytes: 4KiB}\narchive: {frame_bytes: 64KiB}\n"
	if err := os.WriteFile(l.Settings(), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	checker, policy, err := boardRules(l)
	if err != nil {
		t.Fatal(err)
	}
	b := &randomBoard{board: &board{t: t, l: l, checker: checker, policy: policy, now: time.Now().UnixNano()}, wild: true, names: []string{"ci", "agents/1", "agents/2"}}
	e, err := Open(l, Options{Daemon: func() bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancel(context.Background())
	followed, done := newLog(), make(chan error, 1)
	go func() {
		_, err := e.Follow(ctx, Request{}, followed.add)
		done <- err
	}()
	for run := range 2 {
		k, stop := runKernel(t, l)
		var wg sync.WaitGroup
		for i, name := range b.names {
			w := &randomBoard{board: b.board, r: rand.New(rand.NewPCG(uint64(run), uint64(i))), wild: true, names: b.names}
			wg.Add(1)
			go func() {
				defer wg.Done()
				for range 300 {
					w.write(name, w.line()+"\n")
				}
			}()
		}
		for i := range 20 {
			askWhileItRuns(t, e)
			if i%5 == 4 {
				err := k.Do(context.Background(), func() error { _, err := k.Rotate(context.Background(), "ci"); return err })
				if err != nil && !errors.Is(err, blackboard.ErrNothing) {
					t.Error(err)
				}
			}
		}
		wg.Wait()
		stop()
	}
	want := naiveJournaled(t, b.board)
	followed.wait(len(want))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	got, _, res := collect(t, e, Request{JournaledOnly: true})
	if !slices.Equal(got, want) || len(res.Damaged) > 0 {
		t.Fatalf("%d events, want %d, %+v", len(got), len(want), res.Damaged)
	}
	if !slices.Equal(followed.got, want) {
		k := 0
		for k < len(want) && k < len(followed.got) && want[k] == followed.got[k] {
			k++
		}
		t.Fatalf("followed %d events, want %d; they differ at %d: %s, not %s", len(followed.got), len(want), k, followed.got[k:min(k+2, len(followed.got))], want[k:min(k+2, len(want))])
	}
	refusedOf(t, e, b)
	c, err := archive.OpenCatalog(l, archive.NewDecoder())
	if err != nil || len(c.Entries()) == 0 {
		t.Fatalf("nothing was archived: %v", err)
	}
}

// askWhileItRuns holds an answer against what must be so at any time.
func askWhileItRuns(t *testing.T, e *Engine) {
	t.Helper()
	var last Hit
	seen := map[string]bool{}
	res, err := e.Run(context.Background(), Request{}, func(h *Hit) error {
		if seen[h.Pos.String()] {
			return fmt.Errorf("%s came twice", h.Pos)
		}
		seen[h.Pos.String()] = true
		if !h.Pending && (h.Seq < last.Seq || h.Seq == last.Seq && h.LineNo <= last.LineNo && last.Seq > 0 || last.Pending) {
			return fmt.Errorf("%s came after %s", h.Pos, last.Pos)
		}
		last = *h
		return nil
	})
	if err != nil || len(res.Damaged) > 0 || len(res.Holes) > 0 {
		t.Errorf("%v %+v %+v", err, res.Damaged, res.Holes)
	}
}

// refusedOf holds the quarantine against what the checker says of every line.
func refusedOf(t *testing.T, e *Engine, b *randomBoard) {
	t.Helper()
	want := map[string]bool{}
	for _, x := range naiveJournal(t, b.board) {
		if x.Lines == 0 || layout.Owned(x.Lane) || layout.Worker(x.Lane) {
			continue
		}
		raw := readAnywhere(t, b.l, x)
		off := x.From
		for line := range strings.Lines(string(raw)) {
			var ev contracts.Event
			body := []byte(strings.TrimSuffix(line, "\n"))
			if !contracts.Blank(body) && (b.checker.Check(body, &ev) != nil || b.policy.Forged(ev.Topic, x.Lane)) {
				want[contracts.Position{Lane: x.Lane, Segment: x.Segment, Offset: off}.String()] = true
			}
			off += int64(len(line))
		}
	}
	got := map[string]bool{}
	if _, err := e.Run(context.Background(), Request{Quarantined: true}, func(h *Hit) error {
		got[contracts.GetString(h.Line, "position")] = true
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for p := range want {
		if !got[p] {
			t.Fatalf("no record of %s", p)
		}
	}
}

// readAnywhere is an entry's bytes, from wherever its segment stands.
func readAnywhere(t *testing.T, l layout.Layout, x naiveEntry) []byte {
	t.Helper()
	if raw := readSegment(t, l, x.Lane, x.Segment, false); int64(len(raw)) >= x.To {
		return raw[x.From:x.To]
	}
	return readSegment(t, l, x.Lane, x.Segment, true)[x.From:x.To]
}
