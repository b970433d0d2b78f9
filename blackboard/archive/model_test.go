package archive

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
)

// testContracts are the built-in ones and one of a board, with fields of odd
// names.
func testContracts(t testing.TB) (*contracts.Registry, *contracts.Checker) {
	t.Helper()
	reg, faults := contracts.Builtin().With(map[string][]byte{"odd.fields": []byte(`{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
		"properties": {"a.b": {"x-index": true}, "source": {"x-index": true}, "color": {"x-index": true}}}`)})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return reg, &contracts.Checker{Registry: reg, MaxLine: 1 << 20}
}

// modelLine is a line as a reader sees it that checks every line.
type modelLine struct {
	offset int64
	text   []byte
	at     At
	lineNo int64
	kind   LineKind
	ev     contracts.Event // of an event or a recovered one
}

// model is a segment as the plainest reader sees it.
type model struct {
	raw   []byte
	runs  []Run
	lines []modelLine
}

func newModel(raw []byte, runs []Run, c *contracts.Checker) *model {
	m := &model{raw: raw, runs: runs}
	var ats []At
	var nos []int64
	last, no := uint64(math.MaxUint64), int64(0)
	for _, r := range runs {
		for range r.Lines {
			if r.Seq != last {
				last, no = r.Seq, 0
			}
			ats, nos = append(ats, At{Seq: r.Seq, Time: r.Time, Known: true}), append(nos, no)
			no++
		}
	}
	for off := 0; ; {
		n := bytes.IndexByte(raw[off:], '\n')
		if n < 0 {
			return m
		}
		l := modelLine{offset: int64(off), text: raw[off : off+n]}
		if i := len(m.lines); i < len(ats) {
			l.at, l.lineNo = ats[i], nos[i]
		}
		l.judge(c)
		m.lines = append(m.lines, l)
		off += n + 1
	}
}

func (l *modelLine) judge(c *contracts.Checker) {
	if contracts.Blank(l.text) {
		l.kind = Blank
		return
	}
	pos := contracts.Position{Lane: testLane, Segment: testSegment, Offset: l.offset}
	r := c.Check(l.text, &l.ev)
	if r != nil {
		l.kind = Refused
		off, ok := contracts.Recover(l.text, c)
		if !ok || r.Reason != contracts.ReasonNotJSON {
			return
		}
		l.kind = Recovered
		c.Check(l.text[off:], &l.ev)
		pos.Offset += int64(off)
	}
	l.ev.Pos, l.ev.JournalTime, l.ev.Seq = pos, l.at.Time, l.at.Seq
	l.ev.TopicName = l.ev.Env.Type.Text(l.ev.Line)
}

func (l *modelLine) event() bool { return l.kind == Event || l.kind == Recovered }

// has tells whether an equality on a field finds the event.
func (l *modelLine) has(field, value string) (found bool) {
	path, err := contracts.ParsePath(field)
	if err != nil || !l.event() {
		return false
	}
	l.ev.Each(path, func(v contracts.Value) bool {
		found = found || v.Kind != contracts.Object && v.Kind != contracts.Array && v.Text() == value
		return true
	})
	return found
}

const (
	testLane    = "agents/7"
	testSegment = 3
)

// values of which fields are made, so that they repeat within and between
// frames; every one is JSON text.
var testValues = []string{`"p1"`, `"p2"`, `"long-value-with-\"quotes\""`, `"x"`, `7`, `7.0`, `true`, `null`, `""`,
	`["p1","q"]`, `[["deep"],{"plan_id":"p3"}]`, `{"plan_id":"inner"}`, `"päth"`}

var testTopics = []string{"build.done", "build.failed", "odd.fields", "a", "z.z.z"}

var testIDs = []string{"", `"id":"1",`, `"id":"01KFVVAM9PZYG9W5XYBHG48NPZ",`, `"id":"01KFVVB09PZYG9W5XYBHG48NPZ",`,
	`"id":"0192e4a0-0000-7000-8000-000000000001",`, `"id":"0192e4a1-0000-7000-8000-000000000001",`, `"id":"same",`}

var testTimes = []string{"", `"time":"2026-01-26T00:00:00Z",`, `"time":"2026-01-26T00:00:05.5+01:00",`, `"time":"2031-01-01T00:00:00Z",`, `"time":null,`}

// drawEvent makes a line that is an event, mostly.
func drawEvent(t *rapid.T) string {
	pick := func(name string, from []string) string { return rapid.SampledFrom(from).Draw(t, name) }
	keys := []string{`"plan_id"`, `"cas_id"`, `"color"`, `"a.b"`, `"source"`, `"plan\u005fid"`, `"other"`}
	var data []string
	for range rapid.IntRange(0, 3).Draw(t, "members") {
		data = append(data, pick("key", keys)+":"+pick("value", testValues))
	}
	body := "{" + strings.Join(data, ",") + "}"
	if rapid.IntRange(0, 9).Draw(t, "array") == 0 {
		body = "[" + body + `,{"cas_id":"late"}]`
	}
	ext := pick("extension", []string{"", "", "", `"plan_id":"ext",`, `"color":["e1","e2"],`, `"subject":"s1",`, `"subject":"p1",`})
	line := `{"type":"` + pick("topic", testTopics) + `",` + pick("id", testIDs) + pick("time", testTimes) + ext + `"data":` + body + `}`
	switch rapid.IntRange(0, 19).Draw(t, "dress") {
	case 0:
		line = "\xef\xbb\xbf" + line
	case 1:
		line += "\r"
	}
	return line
}

// drawSegment makes a segment: events, blank and refused lines, mangled ones,
// long ones, and sometimes an unfinished last line.
func drawSegment(t *rapid.T) []byte {
	var b bytes.Buffer
	for range rapid.IntRange(0, 60).Draw(t, "lines") {
		switch rapid.IntRange(0, 11).Draw(t, "kind") {
		case 0:
			b.WriteString(rapid.SampledFrom([]string{"", " ", "\r", "\t "}).Draw(t, "blank"))
		case 1:
			b.WriteString(rapid.SampledFrom([]string{"{", "nonsense", `{"type":"x","type":"y"}`, `{"type":"BAD"}`, `{"type":"x"}{"type":"y"}`}).Draw(t, "bad"))
		case 2:
			b.WriteString(rapid.SampledFrom([]string{`{"type":"cut.short","data":{"text":`, `{"type":"cut.short","data":{"n":12`, `{"type":"cut.short"`}).Draw(t, "cut"))
			b.WriteString(drawEvent(t))
		case 3:
			fmt.Fprintf(&b, `{"type":"long.one","data":{"color":"p1","text":"%s"}}`, strings.Repeat("x", rapid.IntRange(0, 9000).Draw(t, "long")))
		default:
			b.WriteString(drawEvent(t))
		}
		b.WriteByte('\n')
	}
	if rapid.Bool().Draw(t, "unfinished") {
		b.WriteString(`{"type":"unfinished`)
	}
	return b.Bytes()
}

// drawRuns covers all lines, or fewer.
func drawRuns(t *rapid.T, lines int) (runs []Run) {
	if rapid.IntRange(0, 5).Draw(t, "noruns") == 0 {
		return nil
	}
	left := int64(lines)
	if rapid.IntRange(0, 5).Draw(t, "fewer") == 0 {
		left -= int64(rapid.IntRange(0, lines).Draw(t, "left out"))
	}
	seq := uint64(rapid.IntRange(0, 1000).Draw(t, "seq"))
	for left > 0 {
		n := min(left, int64(rapid.IntRange(0, 12).Draw(t, "run")))
		runs = append(runs, Run{Seq: seq, Time: 1769400000e9 + int64(seq)*1e9, Lines: n})
		seq += uint64(rapid.IntRange(0, 4).Draw(t, "gap"))
		left -= n
	}
	return runs
}

// drawModel makes a segment with its journal entries and what a plain reader
// sees in it.
func drawModel(t *rapid.T, c *contracts.Checker) *model {
	raw := drawSegment(t)
	return newModel(raw, drawRuns(t, bytes.Count(raw, lf)), c)
}

// write archives a model's segment in frames of that size.
func (m *model) write(t rapid.TB, reg *contracts.Registry, c *contracts.Checker, opt WriteOptions) ([]byte, Written) {
	t.Helper()
	var out bytes.Buffer
	ex := NewExtractor(Contracts{Registry: reg, Checker: c})
	w, err := Write(&out, bytes.NewReader(m.raw), Source{Lane: testLane, Segment: testSegment, Runs: m.runs, Extract: ex}, opt)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), w
}

func open(t rapid.TB, b []byte) *Reader {
	t.Helper()
	r, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}
