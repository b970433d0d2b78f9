package archive

import (
	"bytes"
	"crypto/sha256"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// TestIndexIsTheModel holds everything the index says of every frame against a
// reader that checks every line.
func TestIndexIsTheModel(t *testing.T) {
	reg, checker := testContracts(t)
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, checker)
		opt := WriteOptions{FrameBytes: int64(256 << rapid.IntRange(0, 5).Draw(t, "frame")), IDs: rapid.Bool().Draw(t, "ids"), Workers: rapid.IntRange(1, 2).Draw(t, "workers")}
		file, w := m.write(t, reg, checker, opt)
		r := open(t, file)
		if err := r.Damage(); err != nil {
			t.Fatal(err)
		}
		if w.RawSHA256 != sha256.Sum256(m.raw) || w.DataSHA256 != sha256.Sum256(file[:w.DataBytes]) {
			t.Fatal("sums of other bytes")
		}
		if s := r.Summary(); s.Size != int64(len(file)) || s.RawBytes != int64(len(m.raw)) || s.Lines != int64(len(m.lines)) ||
			s.Lane != testLane || s.Segment != testSegment || s.Events != w.Events || !slices.Equal(s.Topics, w.Topics) {
			t.Fatalf("summary %+v of %+v", s, w.Summary)
		}
		line := 0
		for i, f := range r.Frames() {
			line = checkFrame(t, r, m, i, &f, line)
		}
		if line != len(m.lines) {
			t.Fatalf("%d lines in the frames instead of %d", line, len(m.lines))
		}
		rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(m.raw),
			Extract: NewExtractor(Contracts{Registry: reg, Checker: checker}), DataSHA256: &w.DataSHA256, Lane: testLane, Segment: testSegment})
		if err != nil || rep.Err() != nil {
			t.Fatal(err, rep.Problems)
		}
	})
}

func sealOf(raw []byte) *Seal {
	s := newSealer()
	s.Write(raw)
	seal := s.done()
	return &seal
}

// checkFrame holds one frame against the model's lines from the line-th on.
func checkFrame(t *rapid.T, r *Reader, m *model, i int, f *Frame, line int) int {
	chunk, err := r.DecodeLines(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := m.lines[line : line+int(f.Lines)]
	end := m.raw[f.RawOffset : f.RawOffset+f.RawSize]
	if chunk.Offset != f.RawOffset || !bytes.Equal(chunk.Bytes, end) || chunk.Cut || f.FirstLine != int64(line) {
		t.Fatalf("frame %d: line %d, %d bytes at %d", i, f.FirstLine, len(chunk.Bytes), chunk.Offset)
	}
	want := Frame{Lines: f.Lines}
	topics := map[string]int64{}
	for j, l := range lines {
		if i := l.offset - f.RawOffset; !bytes.HasPrefix(end[i:], append(slices.Clone(l.text), '\n')) {
			t.Fatalf("frame %d does not hold line %d", i, line+j)
		}
		switch l.kind {
		case Blank:
			want.Blank++
		case Recovered:
			want.Recovered++
			want.Refused++
		case Refused:
			want.Refused++
		}
		if l.event() {
			want.Events++
			topics[l.ev.TopicName]++
			if !l.ev.Env.Time.IsString(l.ev.Line) && !l.at.Known {
				continue // any time
			}
			if l.ev.Time() < f.TimeMin || l.ev.Time() > f.TimeMax {
				t.Fatalf("frame %d: time %d beyond %d…%d", i, l.ev.Time(), f.TimeMin, f.TimeMax)
			}
		}
	}
	if f.Blank != want.Blank || f.Refused != want.Refused || f.Recovered != want.Recovered || f.Events != want.Events || len(f.Topics) != len(topics) {
		t.Fatalf("frame %d: %+v instead of %+v", i, f, want)
	}
	for _, c := range f.Topics {
		if topics[c.Topic] != c.Count {
			t.Fatalf("frame %d: %d of %s instead of %d", i, c.Count, c.Topic, topics[c.Topic])
		}
	}
	checkRuns(t, r, i, f, lines)
	checkOdd(t, r, i, lines)
	return line + len(lines)
}

// checkRuns holds whose lines a frame's are against the model.
func checkRuns(t *rapid.T, r *Reader, i int, f *Frame, lines []modelLine) {
	runs, err := r.Runs(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for _, run := range runs {
		if run.Line != n || run.Lines == 0 {
			t.Fatalf("frame %d: runs %+v", i, runs)
		}
		for k := range run.Lines {
			l := lines[n]
			if !l.at.Known || l.at.Seq != run.Seq || l.lineNo != run.LineNo+k || run.Timed && l.at.Time != run.Time {
				t.Fatalf("frame %d, line %d: %+v is not %+v (line %d of it)", i, n, run, l.at, l.lineNo)
			}
			if l.event() && !run.Timed && !l.ev.Env.Time.IsString(l.ev.Line) {
				t.Fatalf("frame %d, line %d: an event without time in runs without", i, n)
			}
			n++
		}
	}
	if n != f.Journaled || int(n) < len(lines) && lines[n].at.Known {
		t.Fatalf("frame %d: runs of %d lines, %d journaled", i, n, f.Journaled)
	}
}

func checkOdd(t *rapid.T, r *Reader, i int, lines []modelLine) {
	odd, err := r.Odd(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make([]LineKind, len(lines))
	for _, o := range odd {
		for k := range o.Lines {
			kinds[o.Line+k] = o.Kind
		}
	}
	for j, l := range lines {
		if kinds[j] != l.kind {
			t.Fatalf("frame %d, line %d: kind %d instead of %d", i, j, kinds[j], l.kind)
		}
	}
}

// TestAnyReader cuts what it reads in every way.
func TestAnyReader(t *testing.T) {
	raw := []byte(strings.Repeat("{\"type\":\"a\"}\n", 2000))
	var want bytes.Buffer
	if _, err := Write(&want, bytes.NewReader(raw), Source{}, WriteOptions{FrameBytes: 4096}); err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader(raw)), "half": iotest.HalfReader(bytes.NewReader(raw)),
		"data and EOF": iotest.DataErrReader(bytes.NewReader(raw)),
	} {
		var got bytes.Buffer
		if _, err := Write(&got, r, Source{}, WriteOptions{FrameBytes: 4096}); err != nil {
			t.Fatal(name, err)
		}
		if !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%s: another archive", name)
		}
	}
}

// failAfter takes so many bytes and no more.
type failAfter int

func (f *failAfter) Write(b []byte) (int, error) {
	if *f -= failAfter(len(b)); *f < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWriteErrors(t *testing.T) {
	raw := bytes.Repeat([]byte("{\"type\":\"a\"}\n"), 2000)
	src := Source{Lane: "x", Segment: 1}
	for _, n := range []failAfter{0, 10, 100} {
		if _, err := Write(&n, bytes.NewReader(raw), src, WriteOptions{FrameBytes: 4096}); err == nil {
			t.Errorf("no error from a writer that fails")
		}
	}
	bad := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader(raw)))
	if _, err := Write(io.Discard, bad, src, WriteOptions{}); err == nil {
		t.Error("no error from a reader that fails")
	}
	for name, runs := range map[string][]Run{
		"more lines": {{Seq: 1, Lines: 2001}}, "back": {{Seq: 5, Lines: 10}, {Seq: 4, Lines: 10}}, "negative": {{Seq: 5, Lines: -1}},
		"more runs": {{Seq: 1, Lines: 2000}, {Seq: 2, Lines: 1}},
	} {
		src.Runs = runs
		if _, err := Write(io.Discard, bytes.NewReader(raw), src, WriteOptions{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := Write(io.Discard, bytes.NewReader(raw), Source{}, WriteOptions{Level: "most"}); err == nil {
		t.Error("no error from an unknown level")
	}
}

// TestUnexamined is an archive of lines that nobody looks at, as the journal's.
func TestUnexamined(t *testing.T) {
	raw := bytes.Repeat([]byte("{\"seq\":1}\n"), 3000)
	var out bytes.Buffer
	if _, err := Write(&out, bytes.NewReader(raw), Source{Lane: "journal", Segment: 2, Runs: []Run{{Seq: 9, Lines: 3000}}}, WriteOptions{FrameBytes: 4096}); err != nil {
		t.Fatal(err)
	}
	r := open(t, out.Bytes())
	s := r.Summary()
	if !s.Indexed || s.Examined || !s.Entries || s.Lines != 3000 || s.Journaled != 3000 || s.Events != 0 {
		t.Errorf("%+v", s)
	}
	if n := r.Select(Want{Topics: topicSet{"a": true}, Fields: []Field{{"plan_id", "x"}}, Time: Range{1, 2}}).Len(); n != len(r.Frames()) {
		t.Errorf("%d of %d frames: excluded by what was never looked at", n, len(r.Frames()))
	}
	if n := r.Select(Want{Seq: Range{10, 20}}).Len(); n != 0 {
		t.Errorf("%d frames of other entries", n)
	}
	if _, err := r.Odd(0, nil); err != ErrNoIndex {
		t.Errorf("odd lines of an archive that nobody looked at: %v", err)
	}
	if _, known := s.Count(nil); known {
		t.Error("events are counted")
	}
	if rep, err := CheckAt(bytes.NewReader(out.Bytes()), int64(out.Len()), CheckOptions{Seal: sealOf(raw)}); err != nil || rep.Err() != nil {
		t.Error(err, rep.Problems)
	}
}

type topicSet map[string]bool

func (s topicSet) Match(topic string) bool { return s[topic] }
