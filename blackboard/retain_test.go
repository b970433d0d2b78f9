package blackboard_test

import (
	"os"
	"testing"
	"time"
)

func TestRetentionDeletesOnlyWhatItMayAndReplayGoesOn(t *testing.T) {
	b := newBoard(t, map[string]string{"segment.max_bytes": "4KiB", "segment.min_bytes": "1KiB", "retention": "1h"})
	for i := range 300 {
		b.append("ci", event(i))
	}
	b.append("bad", "no event\n")
	b.settle()
	old := b.layout.Archive("ci", 1)
	if err := os.Chtimes(old, b.clock.t, b.clock.t); err != nil {
		t.Fatal(err)
	}
	b.clock.t = b.clock.t.Add(3 * time.Hour)
	b.append("ci", event(301))
	b.settle()
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the archive is there: %v", err)
	}
	if a := b.alerts(); len(a) != 1 || a[0] != "pruned" {
		t.Errorf("alerts %v, want one pruned", a)
	}
	b.crash()
	b.append("bad", "no event either\n")
	b.open()
	b.settle()
	if q := b.lines("quarantine/bad"); len(q) != 2 {
		t.Errorf("quarantine: %v", q)
	}
}
