package blackboard_test

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// life is what happens to a board, one thing after another.
type life struct {
	name  string
	flags map[string]string
	steps []func(b *board) error
	ids   string   // what must have been taken in at the end
	kept  []string // what must stand in a quarantine once
}

func world(fn func(b *board)) func(*board) error {
	return func(b *board) error { fn(b); return nil }
}

func settled(b *board) error { return b.trySettle() }

func rotates(lane string) func(*board) error {
	return func(b *board) error { _, err := b.k.Rotate(b.Context(), lane); return err }
}

func restarts(b *board) error {
	k := b.k
	b.k = nil
	if err := k.Close(b.Context()); err != nil {
		return err
	}
	return b.tryOpen()
}

var lives = []life{
	{name: "lines, good and bad", ids: "1 2 ? 3 4 ?", steps: []func(*board) error{
		world(func(b *board) { b.append("ci", events(1, 2)+"bad\n") }), settled,
		world(func(b *board) { b.append("agents/7", events(3)); b.append("ci", events(4)+"worse\n") }), settled, restarts, settled,
	}},
	{name: "rotated and archived", ids: "1 2 3 4", steps: []func(*board) error{
		world(func(b *board) { b.append("ci", events(1, 2)) }), settled, rotates("ci"),
		world(func(b *board) { b.append("ci", events(3)) }), settled, restarts, settled,
		world(func(b *board) { b.append("ci", events(4)) }), settled,
	}},
	{name: "renamed and deleted by others", ids: "1 2 3 4", steps: []func(*board) error{
		world(func(b *board) { b.append("ci", events(1)) }), settled,
		world(func(b *board) {
			b.rename("ci.jsonl", "ci.jsonl.1")
			b.add("ci.jsonl.1", events(2))
			b.append("ci", events(3))
		}), settled,
		world(func(b *board) { b.append("ci", events(4)) }), settled, settled,
	}},
	{name: "owned lanes full", ids: "? ? ? 4", flags: map[string]string{"segment.max_bytes": "4KiB"}, steps: []func(*board) error{
		world(func(b *board) { b.append("ci", "1\n2\n3\n") }), settled,
		func(b *board) error { _, err := b.k.Rotate(b.Context(), "board"); return err }, settled,
		world(func(b *board) { b.append("ci", events(4)) }), settled,
	}},
	{name: "foreign bytes", ids: "1 ? 2", kept: []string{"FOREIGN-1", "FOREIGN-2"}, steps: []func(*board) error{
		world(func(b *board) { b.append("ci", events(1)+"bad\n") }), settled,
		world(func(b *board) { b.append("board", "FOREIGN-1\n"); b.append("ci", events(2)) }), settled,
		world(func(b *board) { b.write("hxo.jsonl", "FOREIGN-2\n") }), settled,
	}},
	{name: "an owned lane replaced and deleted", ids: "? ? 1", steps: []func(*board) error{
		world(func(b *board) { b.append("ci", "bad\n") }), settled,
		world(func(b *board) { b.over("board.jsonl", "OTHER\n"); b.append("ci", "worse\n") }), settled,
		world(func(b *board) { b.remove("quarantine/ci.jsonl"); b.append("ci", events(1)) }), settled,
	}},
	{name: "settings changed", ids: "1 2 3", steps: []func(*board) error{
		world(func(b *board) { b.append("ci", events(1)) }), settled,
		world(func(b *board) { b.write("stigmergy.yaml", "max_line: 128KiB\n"); b.append("ci", events(2)) }), settled,
		world(func(b *board) { b.write("stigmergy.yaml", "max_line: 256KiB\n") }), restarts,
		world(func(b *board) { b.append("ci", events(3)) }), settled,
	}},
}

// live goes through a life with a fail point. Where the kernel gives up, it is
// killed, the disk is whole again, a new one is started, and life goes on.
func live(t *testing.T, l life, failpoint string) (steps int64) {
	t.Helper()
	lo, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	b := &board{TB: t, layout: lo, clock: &manual{time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)}, flags: l.flags}
	if b.disk, err = durable.New(failpoint); err != nil {
		t.Fatal(err)
	}
	b.recover(b.tryOpen())
	for _, step := range l.steps {
		b.recover(step(b))
	}
	b.recover(b.trySettle())
	steps, _ = b.disk.Steps()
	b.disk = nil
	b.recover(restarts(b))
	b.settle()
	b.pass(3 * time.Second)
	b.wantIDs(l.ids)
	for _, text := range l.kept {
		if n := b.quarantined(text); n != 1 {
			t.Errorf("%s stands in quarantine %d times", text, n)
		}
	}
	b.idle()
	b.close()
	b.audit()
	return steps
}

// quarantined is how many records hold a line.
func (b *board) quarantined(line string) (n int) {
	seen := map[string]bool{}
	for _, e := range b.entries() {
		if !strings.HasPrefix(e.Lane, "quarantine/") || seen[e.Lane] {
			continue
		}
		seen[e.Lane] = true
		for _, m := range b.ownedLines(e.Lane) {
			if m["line"] == line {
				n++
			}
		}
	}
	return n
}

func (b *board) recover(err error) {
	b.Helper()
	if err == nil {
		return
	}
	if !durableError(err) {
		b.Fatalf("not the disk's error: %v", err)
	}
	if b.k != nil {
		b.crash()
	}
	b.disk = nil
	b.open()
	b.settle()
}

func durableError(err error) bool {
	return errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC)
}

var full = flag.Bool("full", false, "let every durable step fail; without it, one in seven")

// TestEveryStepMayFail: whichever durable step is the last one of a run,
// nothing is lost, nothing is taken in twice, and the history replays.
func TestEveryStepMayFail(t *testing.T) {
	for _, l := range lives {
		t.Run(l.name, func(t *testing.T) {
			n := live(t, l, "count")
			stride := int64(7)
			if *full {
				stride = 1
			}
			for i := int64(1); i <= n; i += stride {
				for _, failpoint := range []string{fmt.Sprintf("%d:EIO", i), fmt.Sprintf("%d-%d:ENOSPC", i, i+2)} {
					t.Run(failpoint, func(t *testing.T) { live(t, l, failpoint) })
				}
			}
		})
	}
}
