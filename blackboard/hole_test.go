package blackboard_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
)

// holed is a board whose journal was never synced: three lanes, thirty lines,
// taken in ten steps.
func holed(t *testing.T, flags map[string]string) *board {
	flags["sync_interval"] = "1h"
	b := newBoard(t, flags)
	b.close()
	b.boot = "before"
	b.open()
	for i := range 10 {
		for _, lane := range []string{"a", "b", "c"} {
			line := fmt.Sprintf("{\"type\":\"note\",\"data\":{\"n\":%d}}\n", i)
			if i%4 == 1 {
				line = "refused\n" // owned lanes are cut too
			}
			b.append(lane, line)
		}
		b.settle()
	}
	b.crash()
	return b
}

func (b *board) damage(path string, change func([]byte) []byte) {
	b.Helper()
	text, err := os.ReadFile(path)
	b.must(err)
	b.must(os.WriteFile(path, change(text), 0o644))
}

// wholeAgain wants every line taken in once, whatever the journal lost.
func (b *board) wholeAgain() {
	b.Helper()
	b.open()
	b.settle()
	taken, cuts := map[string]int64{}, 0
	for _, e := range b.entries() {
		switch e.Kind {
		case journal.Input:
			taken[e.Lane] += e.Lines
		case journal.Cut:
			cuts++
		}
	}
	for _, lane := range []string{"a", "b", "c"} {
		if taken[lane] != 10 {
			b.Errorf("lane %s: %d of 10 lines were taken in", lane, taken[lane])
		}
	}
	if cuts != 1 {
		b.Errorf("%d cut entries, want 1", cuts)
	}
}

// hole fills the middle of a file with NULs: a page that did not reach the
// disk before a later one did.
func hole(text []byte) []byte {
	third := len(text) / 3
	clear(text[third : 2*third])
	return text
}

// TestPowerLeftAHole: pages of the journal reach the disk in any order. What
// was not said to be durable and cannot be read is cut off, kept, and taken in
// again from the lanes.
func TestPowerLeftAHole(t *testing.T) {
	b := holed(t, map[string]string{})
	b.damage(b.layout.JournalSegment(1), hole)
	b.boot = "after"
	b.wholeAgain()
}

// TestHoleWithoutPowerLoss: the same damage without a power cut is damage.
func TestHoleWithoutPowerLoss(t *testing.T) {
	b := holed(t, map[string]string{})
	whole, err := os.ReadFile(b.layout.JournalSegment(1))
	b.must(err)
	b.damage(b.layout.JournalSegment(1), hole)
	var damage *journal.DamageError
	if err := b.tryOpen(); !errors.As(err, &damage) {
		t.Fatalf("a damaged journal was opened: %v", err)
	}
	b.must(os.WriteFile(b.layout.JournalSegment(1), whole, 0o644))
	b.open()
}

// noLast makes a file's last line unreadable.
func noLast(text []byte) []byte {
	from := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	clear(text[from : len(text)-1])
	return text
}

// TestPowerTookTheLastLine: the last line cannot be read, though it ends.
func TestPowerTookTheLastLine(t *testing.T) {
	b := holed(t, map[string]string{})
	b.damage(b.layout.JournalSegment(1), noLast)
	b.boot = "after"
	b.wholeAgain()
}

// TestPowerLeftANextSegment: the next segment's name survived, the end of the
// one before it did not.
func TestPowerLeftANextSegment(t *testing.T) {
	for _, left := range []string{"empty", "entries"} {
		t.Run(left, func(t *testing.T) {
			b := holed(t, map[string]string{"segment.max_bytes": "4KiB"})
			last := uint64(2)
			for ; exists(b.layout.JournalSegment(last + 1)); last++ {
			}
			before := last - 1
			if left == "empty" {
				b.must(os.WriteFile(b.layout.JournalSegment(last+1), nil, 0o644))
				before = last
			}
			b.damage(b.layout.JournalSegment(before), func(text []byte) []byte { return text[:len(text)-5] })
			b.must(os.Remove(b.layout.Durable())) // archiving synced; here nothing is known of it
			b.boot = "after"
			if left == "empty" { // no more than a torn last line: nothing is cut
				b.open()
				b.settle()
				return
			}
			b.wholeAgain()
		})
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// TestKilledWhileSaving: what never got its name does not stay for ever.
func TestKilledWhileSaving(t *testing.T) {
	b := newBoard(t, nil)
	b.close()
	half := b.layout.Private("state", ".0000000000000007-delta.jsonl-1.tmp")
	b.must(os.MkdirAll(b.layout.State(), 0o755))
	b.must(os.WriteFile(half, []byte("{"), 0o644))
	b.open()
	if exists(half) {
		t.Error("half a snapshot is still there")
	}
}

// TestRotatedSegmentCutShort: a rotated segment that a writer still holds is
// cut short: the bytes that were taken in and are gone are told.
func TestRotatedSegmentCutShort(t *testing.T) {
	b := newBoard(t, nil)
	b.append("a", strings.Repeat("{\"type\":\"note\"}\n", 9))
	b.settle()
	w, err := os.OpenFile(b.layout.Lane("a"), os.O_APPEND|os.O_WRONLY, 0)
	b.must(err)
	defer w.Close()
	_, err = b.k.Rotate(context.Background(), "a")
	b.must(err)
	b.k.Sweep()
	b.must(b.k.Settle(context.Background(), nil))
	b.must(os.Truncate(b.layout.Segment("a", 1), 34))
	b.k.Sweep()
	b.must(b.k.Settle(context.Background(), nil))
	if got := b.alerts(); !slices.Contains(got, "destroyed") {
		t.Errorf("alerts: %v", got)
	}
	b.must(w.Close())
	b.settle()
}
