package journal

import (
	"os"
	"path/filepath"
	"testing"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
)

// TestBefore: the entry before a cursor is found in a plain segment and in a
// compressed one.
func TestBefore(t *testing.T) {
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := Create(l, nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	var ends []Cursor
	for range 2000 {
		if err := g.Append(&Entry{Kind: Tick}); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, g.End())
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		for seq := 0; seq < len(ends); seq += 333 {
			e, ok, err := Before(l, ends[seq])
			if err != nil || !ok || e.Seq != uint64(seq) {
				t.Fatalf("before %v: expected entry %d, found %d, %v, %v", ends[seq], seq, e.Seq, ok, err)
			}
		}
		if _, ok, err := Before(l, Cursor{Segment: 1, Offset: ends[len(ends)-1].Offset + 9}); ok {
			t.Fatalf("an entry before a cursor beyond the end: %v", err)
		}
		if _, ok, _ := Before(l, Cursor{Segment: 1, Offset: ends[7].Offset - 3}); ok {
			t.Fatal("an entry before a cursor in the middle of a line")
		}
	}
	check()
	raw, err := os.Open(l.JournalSegment(1))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	out, err := os.Create(filepath.Join(l.Journal(), "00000001"+layout.ArchiveExt))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := archive.Write(out, raw, archive.Source{Lane: "journal", Segment: 1}, archive.WriteOptions{FrameBytes: 16 << 10}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(l.JournalSegment(1)); err != nil {
		t.Fatal(err)
	}
	check()
}
