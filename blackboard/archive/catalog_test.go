package archive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/layout"
)

// testBoard is a board with some archives, of lanes with odd names too.
func testBoard(t testing.TB) (layout.Layout, *Decoder) {
	t.Helper()
	l, _, err := layout.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for i, lane := range []string{"agents/7", "agents/7", "ci", "odd%20name", "a/b/c"} {
		addArchive(t, l, lane, uint64(i+1), 20+i)
	}
	return l, NewDecoder()
}

func addArchive(t testing.TB, l layout.Layout, lane string, segment uint64, lines int) string {
	t.Helper()
	reg, checker := testContracts(t)
	var raw bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&raw, "{\"type\":\"build.%d\",\"time\":\"2026-01-26T00:00:%02dZ\",\"data\":{\"plan_id\":\"p%d\"}}\n", i%3, lines, i/7)
	}
	path := l.Archive(lane, segment)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	src := Source{Lane: lane, Segment: segment, Extract: NewExtractor(Contracts{Registry: reg, Checker: checker}),
		Runs: []Run{{Seq: segment * 10, Lines: int64(lines)}}}
	if _, err := Write(f, &raw, src, WriteOptions{FrameBytes: 512}); err != nil {
		t.Fatal(err)
	}
	return path
}

func catalog(t testing.TB, l layout.Layout, d *Decoder) *Catalog {
	t.Helper()
	c, err := OpenCatalog(l, d)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// truth opens every archive.
func truth(t testing.TB, l layout.Layout, d *Decoder) []Entry {
	t.Helper()
	if err := os.Remove(l.Catalog()); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return catalog(t, l, d).Entries()
}

func TestCatalog(t *testing.T) {
	l, d := testBoard(t)
	c := catalog(t, l, d)
	if !c.Dirty() || len(c.Entries()) != 5 {
		t.Fatalf("%d archives", len(c.Entries()))
	}
	var order []string
	for _, e := range c.Entries() {
		order = append(order, fmt.Sprintf("%s@%d", e.Lane, e.Segment))
		if e.Err != nil || !e.Summary.Examined || e.Path != l.Archive(e.Lane, e.Segment) || e.Summary.Lines != int64(19+e.Segment) {
			t.Errorf("%+v", e)
		}
	}
	if fmt.Sprint(order) != "[a/b/c@5 agents/7@1 agents/7@2 ci@3 odd%20name@4]" {
		t.Error(order)
	}
	if err := c.Save(nil); err != nil || c.Dirty() {
		t.Fatal(err)
	}
	again := catalog(t, l, d)
	if again.Dirty() || !reflect.DeepEqual(again.Entries(), c.Entries()) {
		t.Errorf("read back: %+v\ninstead of %+v", again.Entries(), c.Entries())
	}
	fi, _ := os.Stat(l.Catalog())
	if err := again.Save(nil); err != nil {
		t.Fatal(err)
	}
	if now, _ := os.Stat(l.Catalog()); !os.SameFile(fi, now) {
		t.Error("written again without need")
	}
	e := &c.Entries()[1]
	if n, known := e.Summary.Count(topicSet{"build.0": true}); n != 7 || !known {
		t.Errorf("%d of the topic", n)
	}
	if e.May(Want{Topics: topicSet{"none": true}}) || e.May(Want{Seq: Range{11, 19}}) || !e.May(Want{Seq: Range{10, 10}}) {
		t.Error("not what the archive holds")
	}
}

// TestCatalogFollows: whatever is done to the archives, the catalog says what
// opening all of them would.
func TestCatalogFollows(t *testing.T) {
	l, d := testBoard(t)
	c := catalog(t, l, d)
	if err := c.Save(nil); err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(l.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	step := func(name string, do func() error) {
		t.Helper()
		if err := do(); err != nil {
			t.Fatal(name, err)
		}
		if err := c.Refresh(); err != nil {
			t.Fatal(name, err)
		}
		fresh := catalog(t, l, d)
		if want := truth(t, l, d); !sameEntries(fresh.Entries(), want) || !sameEntries(c.Entries(), want) {
			t.Errorf("%s: %+v\ninstead of %+v", name, fresh.Entries(), want)
		}
		if err := os.WriteFile(l.Catalog(), saved, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	step("nothing", func() error { return nil })
	step("one more", func() error { addArchive(t, l, "ci", 9, 30); return nil })
	step("one less", func() error { return os.Remove(l.Archive("agents/7", 2)) })
	step("another in its place", func() error { addArchive(t, l, "agents/7", 1, 33); return nil })
	step("swapped", func() error { return os.Rename(l.Archive("ci", 3), l.Archive("agents/7", 1)) })
	step("touched", func() error { return os.Chtimes(l.Archive("ci", 9), time.Unix(1, 0), time.Unix(1, 0)) })
	step("damaged", func() error { return os.WriteFile(l.Archive("ci", 9), []byte("garbage"), 0o644) })
	step("none of ours beside", func() error {
		return os.WriteFile(filepath.Join(l.Dir, "archive", "ci", "notes.jsonl.zst"), nil, 0o644)
	})
	step("a link", func() error { return os.Symlink(l.Archive("agents/7", 1), l.Archive("ci", 10)) })
	step("all gone", func() error { return os.RemoveAll(filepath.Join(l.Dir, "archive")) })
}

// sameEntries compares but for the errors' identity.
func sameEntries(a, b []Entry) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		if (x.Err == nil) != (y.Err == nil) {
			return false
		}
		x.Err, y.Err = nil, nil
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

// TestSwappedArchive: an archive under another's name says nothing of itself.
func TestSwappedArchive(t *testing.T) {
	l, d := testBoard(t)
	if err := os.Rename(l.Archive("ci", 3), l.Archive("agents/7", 1)); err != nil {
		t.Fatal(err)
	}
	for _, e := range catalog(t, l, d).Entries() {
		if swapped := e.Lane == "agents/7" && e.Segment == 1; e.Summary.Indexed == swapped || swapped && !e.May(Want{Topics: topicSet{}}) {
			t.Errorf("%+v", e)
		}
	}
}

// TestDamagedCatalog flips every bit and cuts at every length of the catalog's
// file: the entries stay the same.
func TestDamagedCatalog(t *testing.T) {
	l, d := testBoard(t)
	c := catalog(t, l, d)
	b := appendCatalog(nil, c.Entries())
	if got, err := parseCatalog(b, l); err != nil || !sameEntries(got, c.Entries()) {
		t.Fatal(err, got)
	}
	for bit := range len(b) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		if _, err := parseCatalog(b, l); err == nil {
			t.Errorf("bit %d is believed", bit)
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	for n := range b {
		if _, err := parseCatalog(b[:n], l); err == nil {
			t.Errorf("%d bytes are believed", n)
		}
	}
	if err := os.WriteFile(l.Catalog(), b[:len(b)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	if again := catalog(t, l, d); !again.Dirty() || !sameEntries(again.Entries(), c.Entries()) {
		t.Error("other entries")
	}
}

// TestCatalogModel: what is written is read, for any summaries.
func TestCatalogModel(t *testing.T) {
	l := layout.Layout{Dir: "/board"}
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry
		for i := range rapid.IntRange(0, 6).Draw(t, "entries") {
			entries = append(entries, drawEntry(t, l, uint64(i+1)))
		}
		got, err := parseCatalog(appendCatalog(nil, entries), l)
		if err != nil || !sameEntries(got, entries) {
			t.Fatalf("%v: %+v\ninstead of %+v", err, got, entries)
		}
	})
}

func drawEntry(t *rapid.T, l layout.Layout, segment uint64) Entry {
	num := func(name string, most int64) int64 { return rapid.Int64Range(0, most).Draw(t, name) }
	s := Summary{Size: num("size", 1<<40), DataBytes: num("data", 1<<40), RawBytes: num("raw", 1<<40), Frames: int(num("frames", 1<<20))}
	e := Entry{Lane: rapid.SampledFrom([]string{"a", "b/c"}).Draw(t, "lane"), Segment: segment, Size: s.Size, MTime: rapid.Int64().Draw(t, "mtime")}
	e.Path = l.Archive(e.Lane, e.Segment)
	if s.Indexed = rapid.Bool().Draw(t, "indexed"); s.Indexed {
		s.Lane, s.Segment = e.Lane, e.Segment
		s.Lines = num("lines", s.RawBytes)
		s.Journaled = num("journaled", s.Lines)
		s.FirstSeq = uint64(num("first", 1<<50))
		s.LastSeq = s.FirstSeq + uint64(num("seqs", 1<<50))
		s.Entries = rapid.Bool().Draw(t, "entries known")
		s.Examined = rapid.Bool().Draw(t, "examined")
	}
	if s.Examined {
		s.TimeMin = rapid.Int64().Draw(t, "from")
		s.TimeMax = rapid.Int64Range(s.TimeMin, 1<<63-1).Draw(t, "to")
		s.Topics = []TopicCount{}
		for _, topic := range []string{"t1", "t2", "t3"} {
			if n := num(topic, (s.Lines-s.Events)/2); n > 0 {
				s.Topics = append(s.Topics, TopicCount{topic, n})
				s.Events += n
			}
		}
		s.Blank = s.Lines - s.Events
	}
	e.Summary = s
	return e
}
