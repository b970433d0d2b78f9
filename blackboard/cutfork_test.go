package blackboard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// cutBoard is a board that lost its journal's last entry to the power, with
// two segments' worth of new lines on one lane.
func cutBoard(t *testing.T) *board {
	b := holed(t, map[string]string{"segment.max_bytes": "16KiB"})
	b.damage(b.layout.JournalSegment(1), noLast)
	for i := range 600 {
		b.append("a", event(i))
	}
	b.boot = "after"
	return b
}

// nothingLost wants all lines of a cutBoard taken in, and none called gone.
func (b *board) nothingLost() {
	b.Helper()
	if alerts := b.alerts(); slices.Contains(alerts, "destroyed") || slices.Contains(alerts, "lost") {
		b.Errorf("alerts %q, want nothing destroyed", alerts)
	}
	if n := countInputs(b); n != 630 {
		b.Errorf("%d lines were taken in, want 630", n)
	}
}

// TestCutForgotWhereLanesStand: power took the last entry and, with it, the
// cache that says which file a segment stands in. What was taken in stands in
// the lanes' files nevertheless, and is archived from there.
func TestCutForgotWhereLanesStand(t *testing.T) {
	b := cutBoard(t)
	b.must(os.RemoveAll(b.layout.State()))
	b.open()
	b.settle()
	b.nothingLost()
}

// TestCutAndRenameLeft: power took a rotation's entry, left its rename, and took
// the cache of which file is whose.
func TestCutAndRenameLeft(t *testing.T) {
	b := cutBoard(t)
	for _, lane := range []string{"a", "b"} {
		b.must(os.MkdirAll(filepath.Dir(b.layout.Segment(lane, 1)), 0o755))
		b.must(os.Rename(b.layout.Lane(lane), b.layout.Segment(lane, 1)))
	}
	b.must(os.RemoveAll(b.layout.State()))
	b.open()
	b.settle()
	b.close()
	b.open()
	b.settle()
	b.nothingLost()
}

// TestCutThenKilled: a cut ends segments in the middle of their files. A daemon
// that is killed at any moment after that loses track of none of them.
func TestCutThenKilled(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 5, 8, 13, 21} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := cutBoard(t)
			b.open()
			b.k.Sweep()
			for range n {
				if _, err := b.k.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			b.crash()
			b.open()
			b.close()
			b.open()
			b.settle()
			b.nothingLost()
		})
	}
}
