package query

import (
	"bytes"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

// naiveEvent is an event as the slow reader finds it: it reads everything,
// parses with encoding/json, and knows nothing of indexes or prefilters.
type naiveEvent struct {
	line    string
	pos     string
	seq     uint64
	lineNo  int64
	time    time.Time
	pending bool
	topic   string
	top     map[string]any
}

type naiveEntry struct {
	Seq     uint64
	Time    time.Time
	Lane    string
	Segment uint64
	From    int64
	To      int64
	Lines   int64
	Rotate  bool
	Next    uint64
}

func naiveJournal(t testing.TB, b *board) []naiveEntry {
	segs, err := journal.Segments(b.l)
	if err != nil {
		t.Fatal(err)
	}
	var all []naiveEntry
	for _, s := range segs {
		r, err := s.Open()
		if err != nil {
			t.Fatal(err)
		}
		d := json.NewDecoder(r)
		for d.More() {
			var e naiveEntry
			if err := d.Decode(&e); err != nil {
				t.Fatal(err)
			}
			all = append(all, e)
		}
		r.Close()
	}
	return all
}

// naiveEvents is the board's history and what is pending.
func naiveEvents(t testing.TB, b *board) []naiveEvent {
	entries := naiveJournal(t, b)
	active, end := map[string]uint64{}, map[string]int64{}
	for _, e := range entries {
		switch {
		case e.Rotate:
			active[e.Lane], end[e.Lane] = e.Next, 0
		case e.Lines > 0 && e.Segment >= active[e.Lane]:
			active[e.Lane], end[e.Lane] = e.Segment, e.To
		}
	}
	cache := map[segKey][]byte{}
	bytesOf := func(lane string, n uint64) []byte {
		k := segKey{lane, n}
		if _, ok := cache[k]; !ok {
			cache[k] = readSegment(t, b.l, lane, n, active[lane] == n)
		}
		return cache[k]
	}
	refused := map[string]int64{}
	for _, e := range entries {
		if strings.HasPrefix(e.Lane, "quarantine/") && e.Lines > 0 {
			for line := range bytes.Lines(bytesOf(e.Lane, e.Segment)[e.From:e.To]) {
				var rec struct{ Position, Recovered string }
				if err := json.Unmarshal(line, &rec); err != nil {
					t.Fatal(err)
				}
				pos, _ := contracts.ParsePosition(rec.Position)
				refused[rec.Position] = -1
				if r, err := contracts.ParsePosition(rec.Recovered); err == nil {
					refused[rec.Position] = r.Offset - pos.Offset
				}
			}
		}
	}
	var all []naiveEvent
	for _, e := range entries {
		if e.Lines == 0 || strings.HasPrefix(e.Lane, "quarantine/") {
			continue
		}
		off, n := e.From, int64(0)
		for line := range bytes.Lines(bytesOf(e.Lane, e.Segment)[e.From:e.To]) {
			pos := contracts.Position{Lane: e.Lane, Segment: e.Segment, Offset: off}
			rec, bad := refused[pos.String()]
			if bad && rec > 0 {
				all = append(all, naiveOf(t, line[rec:], contracts.Position{Lane: e.Lane, Segment: e.Segment, Offset: off + rec}, e, n, false))
			} else if !bad && strings.Trim(string(line), " \t\r\n\ufeff") != "" {
				all = append(all, naiveOf(t, line, pos, e, n, false))
			}
			off += int64(len(line))
			n++
		}
	}
	return append(all, naivePending(t, b, active, end)...)
}

// naiveRecords are the records of refused lines, in the board's order.
func naiveRecords(t testing.TB, b *board) (all []string) {
	for _, e := range naiveJournal(t, b) {
		if e.Lines == 0 || !strings.HasPrefix(e.Lane, "quarantine/") {
			continue
		}
		off := e.From
		for line := range bytes.Lines(readSegment(t, b.l, e.Lane, e.Segment, b.lane(e.Lane).segment == e.Segment)[e.From:e.To]) {
			pos := contracts.Position{Lane: e.Lane, Segment: e.Segment, Offset: off}
			all = append(all, pos.String()+" "+string(bytes.TrimSuffix(line, newline)))
			off += int64(len(line))
		}
	}
	return all
}

func naivePending(t testing.TB, b *board, active map[string]uint64, end map[string]int64) []naiveEvent {
	var names []string
	err := filepath.WalkDir(b.l.Dir, func(path string, d os.DirEntry, err error) error {
		rel, _ := filepath.Rel(b.l.Dir, path)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") || rel == "archive" || rel == "quarantine") {
			return filepath.SkipDir
		}
		if lane, ok := strings.CutSuffix(rel, ".jsonl"); ok && !d.IsDir() {
			names = append(names, lane)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(names)
	var all []naiveEvent
	for _, name := range names {
		if name == "hxo" || name == "board" {
			continue
		}
		raw := readSegment(t, b.l, name, 0, true)
		off := end[name]
		for line := range bytes.Lines(raw[off:]) {
			at := off
			off += int64(len(line))
			if line[len(line)-1] != '\n' || contracts.Blank(line[:len(line)-1]) {
				continue
			}
			var ev contracts.Event
			body := line[:len(line)-1]
			skip := 0
			if why := b.checker.Check(body, &ev); why != nil {
				if why.Reason != contracts.ReasonNotJSON {
					continue
				}
				var ok bool
				if skip, ok = contracts.Recover(body, b.checker); !ok || b.checker.Check(body[skip:], &ev) != nil {
					continue
				}
			}
			if b.policy.Forged(ev.Topic, name) {
				continue
			}
			pos := contracts.Position{Lane: name, Segment: max(1, active[name]), Offset: at + int64(skip)}
			all = append(all, naiveOf(t, line[skip:], pos, naiveEntry{Lane: name}, 0, true))
		}
	}
	return all
}

func naiveOf(t testing.TB, line []byte, pos contracts.Position, e naiveEntry, n int64, pending bool) naiveEvent {
	line = bytes.TrimSuffix(line, []byte("\n"))
	ev := naiveEvent{line: string(line), pos: pos.String(), seq: e.Seq, lineNo: n, time: e.Time, pending: pending}
	d := json.NewDecoder(bytes.NewReader(trim(line)))
	d.UseNumber()
	if err := d.Decode(&ev.top); err != nil {
		t.Fatalf("%s: %v: %s", pos, err, line)
	}
	if topic, ok := ev.top["topic"]; ok {
		ev.top["type"] = topic
	}
	ev.topic, _ = ev.top["type"].(string)
	if s, ok := ev.top["time"].(string); ok {
		ev.time, _ = time.Parse(time.RFC3339Nano, s)
	} else {
		if pending {
			ev.time = testNow()
		}
		ev.top["time"] = ev.time.UTC().Format(time.RFC3339Nano)
	}
	for k, v := range map[string]any{"specversion": "1.0", "id": ev.pos, "source": pos.Lane, "data": map[string]any{}} {
		if _, ok := ev.top[k]; !ok {
			ev.top[k] = v
		}
	}
	return ev
}

// naiveValues are all values at a path of plain keys.
func (ev *naiveEvent) values(path string) []any {
	keys := strings.Split(path, ".")
	switch keys[0] {
	case "specversion", "id", "source", "type", "topic", "subject", "time", "data", "cause":
		v, ok := ev.top[keys[0]]
		if !ok {
			return nil
		}
		return descend(v, keys[1:])
	}
	if v, ok := ev.top[keys[0]]; ok {
		return descend(v, keys[1:])
	}
	return descend(ev.top["data"], keys)
}

func descend(v any, keys []string) []any {
	if list, ok := v.([]any); ok {
		var all []any
		if len(keys) == 0 {
			all = append(all, v)
		}
		for _, el := range list {
			all = append(all, descend(el, keys)...)
		}
		return all
	}
	if len(keys) == 0 {
		return []any{v}
	}
	if m, ok := v.(map[string]any); ok {
		if next, ok := m[keys[0]]; ok {
			return descend(next, keys[1:])
		}
	}
	return nil
}

// naiveFilter is a filter and what it means.
type naiveFilter struct{ path, op, value string }

func (f naiveFilter) text() string {
	switch f.op {
	case "":
		return f.path
	case "!":
		return "!" + f.path
	}
	return f.path + f.op + f.value
}

func (f naiveFilter) match(ev *naiveEvent) bool {
	found := false
	for _, v := range ev.values(f.path) {
		found = found || f.one(v)
	}
	if f.op == "!" || f.op == "!=" {
		return !found
	}
	return found
}

func (f naiveFilter) one(v any) bool {
	if f.op == "" || f.op == "!" {
		return true
	}
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = map[bool]string{true: "true", false: "false"}[v]
	case nil:
		text = "null"
	default:
		return false
	}
	switch f.op {
	case "=", "!=":
		return text == f.value
	case "~":
		return regexp.MustCompile(f.value).MatchString(text)
	}
	if v == nil {
		return false
	}
	c := strings.Compare(text, f.value)
	a, okA := number(text)
	b, okB := number(f.value)
	ta, errA := time.Parse(time.RFC3339Nano, text)
	tb, errB := time.Parse(time.RFC3339Nano, f.value)
	switch {
	case okA && okB:
		c = a.Cmp(b)
	case errA == nil && errB == nil:
		c = ta.Compare(tb)
	}
	return f.op == "<" && c < 0 || f.op == "<=" && c <= 0 || f.op == ">" && c > 0 || f.op == ">=" && c >= 0
}

func number(s string) (*big.Rat, bool) {
	if !json.Valid([]byte(s)) || s == "" || strings.ContainsAny(s[:1], `"tfn[{ `) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// naiveAnswer filters a history as a request asks.
func naiveAnswer(all []naiveEvent, req *Request, where []naiveFilter, re *regexp.Regexp, from place) []naiveEvent {
	var out []naiveEvent
	for i := range all {
		ev := &all[i]
		ok := req.Topics.Match(ev.topic) && (re == nil || re.MatchString(string(trim([]byte(ev.line)))))
		for _, f := range where {
			ok = ok && f.match(ev)
		}
		if !req.Since.IsZero() && ev.time.Before(req.Since) || !req.Until.IsZero() && ev.time.After(req.Until) {
			ok = false
		}
		if !ev.pending && (place{ev.seq, ev.lineNo}).less(from) || ev.pending && req.JournaledOnly {
			ok = false
		}
		if req.Lane != "" && !strings.HasPrefix(ev.pos, req.Lane+"@") {
			ok = false
		}
		if ok {
			out = append(out, *ev)
		}
	}
	if req.Last > 0 {
		out = out[max(0, len(out)-req.Last):]
	}
	if req.Reverse {
		slices.Reverse(out)
	}
	if req.Limit > 0 {
		out = out[:min(len(out), req.Limit)]
	}
	return out
}

// testNow is the time of pending lines.
func testNow() time.Time { return time.Unix(1769655000, 5).UTC() }
