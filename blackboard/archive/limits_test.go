package archive

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// limited writes a model's segment with an index under these limits.
func limited(t rapid.TB, m *model, x Extractor, lim limits) ([]byte, *collector) {
	t.Helper()
	file, w := m.plain(t, WriteOptions{FrameBytes: 512})
	col := newCollector(Source{Lane: testLane, Segment: testSegment, Runs: m.runs, Extract: x}, true)
	col.limits = lim
	fd := newFeeder(col)
	frames := open(t, file).Frames()
	for i, f := range frames {
		if err := fd.frame(m.raw[f.RawOffset:f.RawOffset+f.RawSize], f.RawOffset, i == len(frames)-1); err != nil {
			t.Fatal(err)
		}
	}
	fd.flush()
	out := &output{w: io.Discard}
	for i, f := range frames {
		g := &col.frames[i]
		g.Offset, g.Size, g.checksum, g.crc = f.Offset, f.Size, f.checksum, f.crc
		out.frames = append(out.frames, packed{f.Offset, f.Size, f.checksum, f.crc})
	}
	out.offset = w.DataBytes
	tail := bytes.NewBuffer(bytes.Clone(file[:w.DataBytes]))
	if _, err := finish(tail, col, out); err != nil {
		t.Fatal(err)
	}
	return tail.Bytes(), col
}

// plain archives the segment unexamined.
func (m *model) plain(t rapid.TB, opt WriteOptions) ([]byte, Written) {
	t.Helper()
	var out bytes.Buffer
	w, err := Write(&out, bytes.NewReader(m.raw), Source{Lane: testLane, Segment: testSegment, Runs: m.runs}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w
}

// TestLimits: an index that had to give something up leaves out nothing that
// matches, and what it says is right.
func TestLimits(t *testing.T) {
	reg, checker := testContracts(t)
	given := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, checker)
		lim := defaultLimits()
		switch rapid.IntRange(0, 3).Draw(t, "limit") {
		case 0:
			lim.topicBytes = rapid.IntRange(0, 150).Draw(t, "bytes")
		case 1:
			lim.topicCounts = rapid.IntRange(0, 20).Draw(t, "counts")
		case 2:
			lim.pairs = rapid.IntRange(0, 40).Draw(t, "pairs")
		case 3:
			lim.postFrames = rapid.IntRange(0, 8).Draw(t, "frames")
		}
		file, col := limited(t, m, NewExtractor(Contracts{Registry: reg, Checker: checker}), lim)
		r := open(t, file)
		if err := r.Damage(); err != nil {
			t.Fatal(err)
		}
		s := r.Summary()
		if s.Examined != col.examined || s.Lines != int64(len(m.lines)) {
			t.Fatalf("%+v", s)
		}
		given[fmt.Sprint(col.examined, col.posted)]++
		for range 4 {
			want := drawWant(t)
			set := r.Select(want)
			for i, l := range m.lines {
				if l.wants(want) && (!set.Has(r.FrameAt(l.offset)) || !s.May(want)) {
					t.Fatalf("%+v leaves out line %d: %s", want, i, l.text)
				}
			}
		}
		for i := range r.Frames() {
			if _, err := r.Runs(i, nil); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Odd(i, nil); (err == nil) != s.Examined {
				t.Fatal(err)
			}
		}
		if rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(m.raw)}); err != nil || rep.Err() != nil {
			t.Fatal(err, rep.Problems)
		}
	})
	t.Log(given)
	if len(given) < 3 {
		t.Error("some limits are never met")
	}
}

// TestManyFrames has more frames than postings can name.
func TestManyFrames(t *testing.T) {
	if testing.Short() {
		t.Skip("a second of compression")
	}
	raw := bytes.Repeat([]byte(strings.Repeat("v", 255)+"\n"), maxPostFrame+2)
	var out bytes.Buffer
	w, err := Write(&out, bytes.NewReader(raw), Source{Extract: manyFields{}}, WriteOptions{FrameBytes: 256, Level: "fastest"})
	if err != nil || w.Frames != maxPostFrame+2 {
		t.Fatal(w.Frames, err)
	}
	r := open(t, out.Bytes())
	if set, indexed := r.MayMatch("k", "none"); indexed || set.Len() != w.Frames || r.Damage() != nil {
		t.Errorf("%v, %d frames, %v", indexed, set.Len(), r.Damage())
	}
}

// TestTooManyFrames walks a file of more frames than are held in memory.
func TestTooManyFrames(t *testing.T) {
	empty := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 0, 1, 0, 0}
	file := bytes.Repeat(empty, maxFrames+1)
	r, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil || len(r.Frames()) != maxFrames || r.Lost() == nil {
		t.Errorf("%d frames: %v, %v", len(r.Frames()), err, r.Lost())
	}
}

// endless gives so many bytes of one kind, then a line's end.
type endless struct {
	left int
	end  string
}

func (e *endless) Read(b []byte) (int, error) {
	n := min(e.left, len(b))
	for i := range n {
		b[i] = 'x'
	}
	if e.left -= n; n > 0 {
		return n, nil
	}
	n = copy(b, e.end)
	if e.end = e.end[n:]; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// TestHundredMegabyteLine: memory stays flat, and the line is one that was
// refused.
func TestHundredMegabyteLine(t *testing.T) {
	reg, checker := testContracts(t)
	x := NewExtractor(Contracts{Registry: reg, Checker: checker})
	for name, c := range map[string]struct {
		end     string
		lines   int64
		refused int64
	}{"ended": {"\n{\"type\":\"a\"}\n", 2, 1}, "unfinished": {"", 0, 0}} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		w, err := Write(io.Discard, &endless{100 << 20, c.end}, Source{Extract: x, Runs: []Run{{Seq: 1, Lines: c.lines}}}, WriteOptions{Level: "fastest"})
		runtime.ReadMemStats(&after)
		if err != nil || w.Lines != c.lines || w.Refused != c.refused || w.RawBytes != 100<<20+int64(len(c.end)) {
			t.Errorf("%s: %v, %+v", name, err, w.Summary)
		}
		if n := (after.TotalAlloc - before.TotalAlloc) >> 20; n > 48 {
			t.Errorf("%s: %d MiB", name, n)
		}
	}
}

// TestManyTopicsInCatalog: an archive with very many topics is listed without
// them, and opened when they matter.
func TestManyTopicsInCatalog(t *testing.T) {
	l, _ := testBoard(t)
	var raw bytes.Buffer
	for i := range catalogTopics + 1 {
		fmt.Fprintf(&raw, "{\"type\":\"t.%d\"}\n", i)
	}
	reg, checker := testContracts(t)
	file, _ := newModel(raw.Bytes(), nil, checker).write(t, reg, checker, WriteOptions{})
	e := Entry{Lane: "many", Segment: 1}
	e.Summary = open(t, file).Summary()
	e.Summary.Lane, e.Summary.Segment = e.Lane, e.Segment
	got, err := parseCatalog(appendCatalog(nil, []Entry{e}), l)
	if err != nil || got[0].Summary.Examined || !got[0].May(Want{Topics: topicSet{}}) || got[0].Summary.Lines != catalogTopics+1 {
		t.Errorf("%v, %+v", err, got)
	}
}
