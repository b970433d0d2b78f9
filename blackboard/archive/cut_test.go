package archive

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// seen is an Extractor that keeps the lines it is shown.
type seen struct {
	lines   []string
	offsets []int64
	max     int
}

func (s *seen) Fields() []string { return nil }
func (s *seen) MaxLine() int     { return s.max }
func (s *seen) Extract(at At, line []byte, f *Facts) {
	s.lines, s.offsets = append(s.lines, string(line)), append(s.offsets, at.Offset)
	f.Topic = []byte("t")
}

// TestCuts: frames end where lines do, none is larger than it must be, and each
// takes in as many lines as fit; every line is seen once.
func TestCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := rapid.IntRange(256, 1024).Draw(t, "frame")
		var raw bytes.Buffer
		var want []string
		for i := range rapid.IntRange(0, 40).Draw(t, "lines") {
			n := rapid.SampledFrom([]int{0, 1, 40, frame - 2, frame - 1, frame, frame + 1, 3 * frame}).Draw(t, "length")
			line := strings.Repeat(string(rune('a'+i%26)), n)
			want = append(want, line)
			raw.WriteString(line + "\n")
		}
		tail := strings.Repeat("z", rapid.SampledFrom([]int{0, 1, frame, 2 * frame}).Draw(t, "tail"))
		raw.WriteString(tail)
		x := &seen{}
		var out bytes.Buffer
		if _, err := Write(&out, bytes.NewReader(raw.Bytes()), Source{Extract: x}, WriteOptions{FrameBytes: int64(frame)}); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(x.lines) != fmt.Sprint(want) {
			t.Fatalf("saw %d lines instead of %d", len(x.lines), len(want))
		}
		frames := open(t, out.Bytes()).Frames()
		for i, f := range frames {
			b := raw.Bytes()[f.RawOffset : f.RawOffset+f.RawSize]
			if i < len(frames)-1 && b[len(b)-1] != '\n' {
				t.Fatalf("frame %d ends within a line", i)
			}
			if f.RawSize > int64(frame) && bytes.IndexByte(b, '\n') < len(b)-1 && bytes.IndexByte(b, '\n') >= 0 {
				t.Fatalf("frame %d of %d bytes holds more than one line", i, f.RawSize)
			}
			if i == len(frames)-1 {
				continue
			}
			next := raw.Bytes()[f.RawOffset+f.RawSize:]
			if n := bytes.IndexByte(next, '\n'); n >= 0 && f.RawSize+int64(n)+1 <= int64(frame) {
				t.Fatalf("frame %d of %d bytes has room for the next line of %d", i, f.RawSize, n+1)
			}
		}
		for i, off := range x.offsets {
			if !bytes.HasPrefix(raw.Bytes()[off:], []byte(want[i])) {
				t.Fatalf("line %d is not at %d", i, off)
			}
		}
	})
}

// TestLongLineIsSeenIfAllowed: a line that is cut into frames is seen whole
// when it is no longer than max_line, and not at all when it is.
func TestLongLineIsSeenIfAllowed(t *testing.T) {
	long := strings.Repeat("x", holdFrame+longPiece/2)
	raw := "before\n" + long + "\nafter\n" + long
	for _, c := range []struct {
		max  int
		want []string
	}{{0, []string{"before", long, "after"}}, {len(long), []string{"before", long, "after"}}, {len(long) - 100, []string{"before", "after"}}} {
		x := &seen{max: c.max}
		var out bytes.Buffer
		w, err := Write(&out, strings.NewReader(raw), Source{Extract: x}, WriteOptions{Level: "fastest"})
		if err != nil || w.Lines != 3 || w.RawBytes != int64(len(raw)) {
			t.Fatal(err, w.Lines)
		}
		if strings.Join(x.lines, " ") != strings.Join(c.want, " ") {
			t.Errorf("max_line %d: saw %d lines", c.max, len(x.lines))
		}
		parts := ""
		for _, f := range open(t, out.Bytes()).Frames() {
			parts += fmt.Sprint(f.Part)
		}
		if parts != partsOf(raw) {
			t.Errorf("max_line %d: parts %s instead of %s", c.max, parts, partsOf(raw))
		}
	}
}

// partsOf is how lines longer than holdFrame must be cut.
func partsOf(raw string) (parts string) {
	for _, line := range strings.SplitAfter(raw, "\n") {
		n := (len(line) + longPiece - 1) / longPiece
		switch {
		case line == "":
		case len(line) <= holdFrame:
			parts += "0"
		default:
			parts += "1" + strings.Repeat("2", n-2) + "3"
		}
	}
	return parts
}

// TestFeederRefusesOtherCuts: frames that are cut within lines are not ours.
func TestFeederRefusesOtherCuts(t *testing.T) {
	for name, frames := range map[string][]string{
		"within a line, after one":  {"a\nb", "c\n"},
		"a line ends in the middle": {"aaa", "b\nc\n"},
		"an empty one in between":   {"a\n", "", "b\n"},
	} {
		fd := newFeeder(newCollector(Source{Extract: &seen{}}, false))
		var err error
		off := int64(0)
		for i, raw := range frames {
			if err == nil {
				err = fd.frame([]byte(raw), off, i == len(frames)-1)
			}
			off += int64(len(raw))
		}
		if name == "an empty one in between" {
			continue // tolerated or not: nothing may panic
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestRunsRoundTrip codes and reads the runs of one frame; any other bytes are
// refused or cover exactly the frame's lines.
func TestRunsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var runs []FrameRun
		f := Frame{timed: rapid.Bool().Draw(t, "timed"), seq0: rapid.Int64Range(0, 1000).Draw(t, "no")}
		seq := rapid.Uint64Range(0, 1<<60).Draw(t, "seq")
		for range rapid.IntRange(0, 30).Draw(t, "runs") {
			r := FrameRun{Line: f.Journaled, Lines: rapid.Int64Range(1, 1<<40).Draw(t, "lines"), Seq: seq, Timed: f.timed}
			if f.timed {
				r.Time = rapid.Int64().Draw(t, "time")
			}
			if len(runs) == 0 {
				r.LineNo, f.FirstSeq = f.seq0, seq
			}
			runs = append(runs, r)
			f.Journaled, f.LastSeq = f.Journaled+r.Lines, seq
			seq += rapid.Uint64Range(1, 1<<20).Draw(t, "step")
		}
		b := appendRuns(nil, runs, f.timed)
		got, ok := parseRuns(b, &f, nil)
		if !ok || fmt.Sprint(got) != fmt.Sprint(runs) {
			t.Fatalf("%v instead of %v", got, runs)
		}
		if len(b) > 0 {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] ^= byte(rapid.IntRange(1, 255).Draw(t, "flip"))
		}
		got, ok = parseRuns(b, &f, nil)
		lines := int64(0)
		for _, r := range got {
			lines += r.Lines
		}
		if ok && lines != f.Journaled {
			t.Fatalf("%d lines instead of %d", lines, f.Journaled)
		}
	})
}

// TestOddRoundTrip does the same for the lines that are no events.
func TestOddRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := Frame{Lines: 2000}
		var runs []OddRun
		for line := int64(0); line < 900; {
			line += rapid.Int64Range(0, 100).Draw(t, "gap")
			r := OddRun{line, rapid.Int64Range(1, 50).Draw(t, "lines"), LineKind(rapid.IntRange(1, 3).Draw(t, "kind"))}
			switch r.Kind {
			case Blank:
				f.Blank += r.Lines
			case Recovered:
				f.Recovered += r.Lines
				f.Refused += r.Lines
			default:
				f.Refused += r.Lines
			}
			runs = append(runs, r)
			line += r.Lines
		}
		b := appendOdd(nil, runs)
		if got, ok := parseOdd(b, &f, nil); !ok || fmt.Sprint(got) != fmt.Sprint(runs) {
			t.Fatalf("%v instead of %v", got, runs)
		}
		for n := range b {
			if got, ok := parseOdd(b[:n], &f, nil); ok {
				t.Fatalf("cut at %d: %v", n, got)
			}
		}
	})
}

// TestTableIsWhole: a table that is cut, or followed by anything, is none.
func TestTableIsWhole(t *testing.T) {
	_, file, _, _ := smallArchive(t)
	r := open(t, file)
	b := make([]byte, r.t.table.size)
	if err := readAt(r.f, b, r.t.tableAt); err != nil {
		t.Fatal(err)
	}
	b, err := r.t.table.unpack(r.dec, b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseTable(b, &r.t); err != nil {
		t.Fatal(err)
	}
	for n := range b {
		if _, err := parseTable(b[:n], &r.t); err == nil {
			t.Errorf("cut at %d: no error", n)
		}
	}
	if _, err := parseTable(append(b, 0), &r.t); err == nil {
		t.Error("one byte more: no error")
	}
	for i, change := range []func(t *trailer){
		func(t *trailer) { t.data++ }, func(t *trailer) { t.runs.raw++ }, func(t *trailer) { t.odd.raw-- }, func(t *trailer) { t.dir.size += 4 },
	} {
		tr := r.t
		change(&tr)
		if _, err := parseTable(b, &tr); err == nil {
			t.Errorf("trailer %d: no error", i)
		}
	}
}

// TestStream reads several frames one after the other, skippable ones too.
func TestStream(t *testing.T) {
	raw, file, _, _ := smallArchive(t)
	s, err := NewStream(bytes.NewReader(append(bytes.Clone(file), file...)))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(s)
	if err != nil || !bytes.Equal(got, append(bytes.Clone(raw), raw...)) {
		t.Errorf("%d bytes: %v", len(got), err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for name, b := range map[string][]byte{"garbage": []byte("garbage"), "cut": file[:100]} {
		s, err := NewStream(bytes.NewReader(b))
		if err == nil {
			_, err = io.Copy(io.Discard, struct{ io.Reader }{s})
			s.Close()
		}
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
