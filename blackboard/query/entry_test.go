package query

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/journal"
)

func drawEntry(t *rapid.T) journal.Entry {
	e := journal.Entry{
		Seq:       rapid.Uint64Range(0, 999_999_999_999_999_999).Draw(t, "seq"),
		Time:      rapid.Int64Range(0, 4e18).Draw(t, "time"),
		ElapsedMS: rapid.Int64Range(0, 999_999_999_999_999_999).Draw(t, "elapsed"),
		Kind:      journal.Kind(rapid.IntRange(0, 1).Draw(t, "kind")),
		Lane:      rapid.StringMatching(`[a-z%/.0-9_-]{1,30}`).Draw(t, "lane"),
		Segment:   rapid.Uint64Range(1, 1<<40).Draw(t, "segment"),
		From:      rapid.Int64Range(0, 1<<50).Draw(t, "from"),
		Lines:     rapid.Int64Range(1, 1<<30).Draw(t, "lines"),
	}
	e.To = e.From + rapid.Int64Range(1, 1<<30).Draw(t, "length")
	if e.Kind == journal.Derived {
		e.Cause = rapid.Uint64Range(0, 999_999_999_999_999_999).Draw(t, "cause")
	}
	return e
}

func TestQuickReadsWhatTheJournalWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawEntry(t)
		line := want.Append(nil)
		var e entry
		if !e.quick(line) {
			t.Fatalf("not read: %s", line)
		}
		if e.kind != want.Kind || e.seq != want.Seq || e.segment != want.Segment || e.from != want.From ||
			e.to != want.To || e.lines != want.Lines || string(e.lane) != want.Lane || entryTime(e.time) != want.Time {
			t.Fatalf("read %+v from %s", e, line)
		}
	})
}

// What quick reads, the careful parser reads the same; what it does not, it
// leaves to the careful one.
func FuzzQuickEntry(f *testing.F) {
	e := journal.Entry{Seq: 17, Time: 1, Lane: "agents/7", Segment: 1, To: 2048, Lines: 8}
	f.Add(e.Append(nil))
	e.Kind, e.Cause = journal.Derived, 9
	f.Add(e.Append(nil))
	f.Add([]byte(`{"seq":1,"time":"2026-01-29T02:31:13.000000000Z","elapsed_ms":0,"tick":true}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var q entry
		if !q.quick(line) {
			return
		}
		j, err := journal.Parse(line)
		if err != nil {
			t.Skip() // a root or time that only the careful one looks into
		}
		if j.Kind != q.kind || j.Seq != q.seq || j.Lane != string(q.lane) || j.Segment != q.segment || j.From != q.from || j.To != q.to || j.Lines != q.lines {
			t.Fatalf("quick %+v, parsed %+v", q, j)
		}
	})
}

func TestEntryTimeIsTheCalendars(t *testing.T) {
	for _, s := range []string{"1970-01-01T00:00:00.000000000Z", "2000-02-29T23:59:59.999999999Z", "2100-03-01T00:00:00.000000001Z", "2026-11-21T09:08:07.123456789Z"} {
		want, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			t.Fatal(err)
		}
		if got := entryTime([]byte(s)); got != want.UnixNano() {
			t.Errorf("%s: %d, want %d", s, got, want.UnixNano())
		}
	}
}

func BenchmarkScanEntries(b *testing.B) {
	var text []byte
	for i := range 5000 {
		e := journal.Entry{Seq: uint64(1000000 + i), Time: 1769654000e9 + int64(i), Lane: "agents/7", Segment: 3, From: int64(i) * 300, To: int64(i)*300 + 300, Lines: 1}
		text = append(e.Append(text), '\n')
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		n := 0
		scanEntries(text, func(*entry) { n++ }, func(int, error) {})
		if n != 5000 {
			b.Fatal(n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5000, "ns/entry")
}
