package blackboard_test

import (
	"testing"

	"stigmergy/blackboard"
)

func TestPeekSeesWhatTheKernelKnows(t *testing.T) {
	b := newBoard(t, nil)
	look := func(when, lane string, segment uint64, offset int64, ended bool) {
		t.Helper()
		s, err := blackboard.Peek(b.layout)
		if err != nil {
			t.Fatal(err)
		}
		l := s.Lanes[lane]
		if l == nil || l.Segment != segment || l.Offset != offset || l.Ended != ended {
			t.Errorf("%s: lane %s stands at %+v, want @%d:%d, ended %v", when, lane, l, segment, offset, ended)
		}
		if want := uint64(len(b.entries())); s.Next != want {
			t.Errorf("%s: next entry %d, want %d", when, s.Next, want)
		}
	}
	n := int64(len(event(1)))
	b.append("ci", event(1)+"bad\n")
	b.settle()
	look("running", "ci", 1, n+4, false)
	b.close()
	b.open()
	text := b.tree()["/board.jsonl"]
	look("from a snapshot", "ci", 1, n+4, false)
	if s, err := blackboard.Peek(b.layout); err != nil || s.Time != b.entries()[len(b.entries())-1].Time {
		t.Errorf("the newest entry's time from a snapshot: %+v %v", s, err)
	}
	look("from a snapshot", "board", 1, int64(len(text)), false)
	if _, err := b.k.Rotate(t.Context(), "ci"); err != nil {
		t.Fatal(err)
	}
	look("rotated", "ci", 1, n+4, true)
	b.append("ci", event(2))
	b.settle()
	look("next", "ci", 2, n, false)
}
