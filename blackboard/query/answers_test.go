package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

// someBoard is a fixed board with everything on it.
func someBoard(t testing.TB, seed uint64, steps int) (*randomBoard, *Engine) {
	t.Helper()
	b := &randomBoard{board: newBoard(t, t.TempDir()), r: rand.New(rand.NewPCG(seed, 3)), names: []string{"ci", "agents/1", "agents/2"}, wild: true}
	for range steps {
		b.step()
	}
	e, err := Open(b.l, Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.Close()
		_ = b.journal.Close()
	})
	return b, e
}

func collect(t testing.TB, e *Engine, req Request) (lines []string, cursors []Cursor, res Result) {
	t.Helper()
	res, err := e.Run(context.Background(), req, func(h *Hit) error {
		lines = append(lines, fmt.Sprintf("%s %s", h.Pos, h.Line))
		cursors = append(cursors, h.Cursor())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines, cursors, res
}

// Whatever cursor an answer gave, reading on from it gives exactly the rest.
func TestCursorsGoOnWithTheRest(t *testing.T) {
	b, e := someBoard(t, 5, 250)
	all, cursors, res := collect(t, e, Request{})
	journaled := len(naiveJournaled(t, b.board))
	if journaled < 50 || journaled == len(all) {
		t.Fatalf("a poor board: %d of %d are journaled", journaled, len(all))
	}
	for i := 0; i < len(all); i += 1 + i/10 {
		c, err := ParseCursor(cursors[i].String())
		if err != nil {
			t.Fatal(err)
		}
		rest, _, _ := collect(t, e, Request{From: c})
		want := all[min(i+1, journaled):]
		if !slices.Equal(rest, want) {
			t.Fatalf("after %d: %d, want %d", i, len(rest), len(want))
		}
		if i >= journaled {
			continue
		}
		pos, _, _ := strings.Cut(all[i], " ")
		at, err := ParseCursor(pos)
		if err != nil {
			t.Fatal(err)
		}
		if rest, _, _ := collect(t, e, Request{From: at}); !slices.Equal(rest, want) {
			t.Fatalf("after the position of %d: %d, want %d", i, len(rest), len(want))
		}
		first, _, half := collect(t, e, Request{Limit: i + 1})
		if !slices.Equal(first, all[:i+1]) || half.Cursor != cursors[i] {
			t.Fatalf("the first %d: %d, cursor %s", i+1, len(first), half.Cursor)
		}
	}
	now, err := ParseCursor("now")
	if err != nil {
		t.Fatal(err)
	}
	if rest, _, _ := collect(t, e, Request{From: now, JournaledOnly: true}); len(rest) != 0 {
		t.Fatal("now is not behind everything")
	}
	if rest, _, _ := collect(t, e, Request{From: res.Cursor, JournaledOnly: true}); len(rest) != 0 {
		t.Fatal("the result's cursor is not behind everything")
	}
}

func TestCursorsOfALostTailAreRefused(t *testing.T) {
	b, e := someBoard(t, 6, 40)
	_, _, res := collect(t, e, Request{})
	future := res.Cursor
	future.seq += 3
	var lost *LostError
	if _, err := e.Run(context.Background(), Request{From: future}, nil); !errors.As(err, &lost) || lost.Go != res.Cursor {
		t.Fatalf("a cursor of entries that never were: %v", err)
	}
	b.entry(&journal.Entry{Kind: journal.Cut, PowerEpoch: 1, CutSeq: b.seq})
	for range 5 {
		b.entryTick()
	}
	if _, err := e.Run(context.Background(), Request{From: future}, nil); !errors.As(err, &lost) || lost.Go.seq != res.Cursor.seq || lost.Go.epoch != 1 {
		t.Fatalf("a cursor of a lost tail: %v", err)
	}
	if _, err := e.Run(context.Background(), Request{From: res.Cursor}, func(*Hit) error { return nil }); err != nil {
		t.Fatalf("a cursor before the cut: %v", err)
	}
	other := res.Cursor
	other.board++
	if _, err := e.Run(context.Background(), Request{From: other}, nil); !errors.As(err, &lost) {
		t.Fatalf("another board's cursor: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	for _, s := range []string{"start", "now", "ci@1:0", "agents/7@3:10482", Cursor{kind: cursorPlace, board: 7, epoch: 1, seq: 1 << 40, line: 9}.String(), "c1-", "c1-AAAA"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCursor(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Fatalf("%q is written %q", s, c)
		}
	})
}

// Rows of random aggregations equal those computed from all events in memory.
func TestAggregatesEqualNaiveOnes(t *testing.T) {
	b, e := someBoard(t, 9, 400)
	all := naiveEvents(t, b.board)
	rapid.Check(t, func(t *rapid.T) {
		req, where, re := drawRequest(t, all)
		by := rapid.SampledFrom([]string{"", "type", "n", "outcome", "gates.outcome", "nothing"}).Draw(t, "by")
		spec := rapid.SampledFrom([]string{"count", "count,count(n)", "count,sum(n),min(n),max(n)", "last(plan_id),count", "p50(n),p95(n),avg(n)"}).Draw(t, "aggs")
		aggs, err := ParseAggs(spec)
		if err != nil {
			t.Fatal(err)
		}
		table, err := NewTable(by, aggs)
		if err != nil {
			t.Fatal(err)
		}
		res, err := e.Aggregate(context.Background(), req, table)
		if err != nil {
			t.Fatal(err)
		}
		req.Reverse = req.Reverse && req.Limit > 0
		want := naiveTable(naiveAnswer(all, &req, where, re, place{}), by, spec)
		var got []string
		for _, r := range table.Rows() {
			got = append(got, string(table.AppendJSON(nil, r)))
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d: %q %q", len(got), len(want), got, want)
		}
		for i := range got {
			if !sameRow(got[i], want[i]) {
				t.Fatalf("row %d is %s, want %s", i, got[i], want[i])
			}
		}
		if by == "" && res.Matched == 0 && table.Rows()[0].Count != 0 {
			t.Fatal("rows of nothing")
		}
	})
}

// sameRow compares rows; sums of floats may differ in their last digits.
func sameRow(a, b string) bool {
	var x, y map[string]any
	if a == b {
		return true
	}
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil || len(x) != len(y) {
		return false
	}
	for k, v := range x {
		f, ok := v.(float64)
		g, ok2 := y[k].(float64)
		if fmt.Sprint(v) != fmt.Sprint(y[k]) && !(ok && ok2 && math.Abs(f-g) <= 1e-9*math.Abs(f)) {
			return false
		}
	}
	return true
}

// naiveTable is Table by maps and floats.
func naiveTable(events []naiveEvent, by, spec string) []string {
	type bucket struct {
		key    string
		events []naiveEvent
	}
	groups := map[string]*bucket{}
	add := func(key string, ev naiveEvent) {
		if groups[key] == nil {
			groups[key] = &bucket{key: key}
		}
		groups[key].events = append(groups[key].events, ev)
	}
	for _, ev := range events {
		seen := map[string]bool{}
		for _, v := range ev.values(by) {
			_, list := v.([]any)
			if _, object := v.(map[string]any); !list && !object && by != "" {
				raw, _ := json.Marshal(v)
				if !seen[string(raw)] {
					add(string(raw), ev)
				}
				seen[string(raw)] = true
			}
		}
		if len(seen) == 0 {
			add("null", ev)
		}
	}
	if by == "" && len(groups) == 0 {
		groups["null"] = &bucket{key: "null"}
	}
	var order []*bucket
	for _, g := range groups {
		order = append(order, g)
	}
	sort.Slice(order, func(i, j int) bool {
		if len(order[i].events) != len(order[j].events) {
			return len(order[i].events) > len(order[j].events)
		}
		return order[i].key < order[j].key
	})
	var rows []string
	for _, g := range order {
		var cells []string
		if by != "" {
			cells = append(cells, fmt.Sprintf("%q:%s", by, g.key))
		}
		for _, a := range strings.Split(spec, ",") {
			cells = append(cells, fmt.Sprintf("%q:%s", a, naiveCell(g.events, a)))
		}
		rows = append(rows, "{"+strings.Join(cells, ",")+"}")
	}
	return rows
}

func TestQuarantinedShowsTheRecords(t *testing.T) {
	b, e := someBoard(t, 11, 300)
	want := naiveRecords(t, b.board)
	if len(want) < 20 {
		t.Fatalf("only %d lines were refused", len(want))
	}
	got, _, _ := collect(t, e, Request{Quarantined: true})
	if !slices.Equal(got, want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	broken, err := ParseFilters([]string{"reason=contract", "topic=hxo.plan"})
	if err != nil {
		t.Fatal(err)
	}
	topics, err := contracts.ParsePatterns([]string{"hxo.*"})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, w := range want {
		if strings.Contains(w, `"topic":"hxo.plan"`) {
			n++
		}
	}
	for _, req := range []Request{{Quarantined: true, Where: broken}, {Quarantined: true, Topics: topics}} {
		if got, _, _ := collect(t, e, req); n == 0 || len(got) != n {
			t.Errorf("%d of the topic, want %d", len(got), n)
		}
	}
	if got, _, _ := collect(t, e, Request{Quarantined: true, Lane: "ci"}); len(got) == 0 || len(got) >= len(want) {
		t.Errorf("%d of the lane", len(got))
	}
}

func TestOrderByTime(t *testing.T) {
	b, e := someBoard(t, 13, 400)
	all := naiveEvents(t, b.board)
	byTime := slices.Clone(all)
	sort.SliceStable(byTime, func(i, j int) bool { return byTime[i].time.Before(byTime[j].time) })
	text := func(evs []naiveEvent) (out []string) {
		for _, ev := range evs {
			out = append(out, ev.pos+" "+ev.line)
		}
		return out
	}
	falling := slices.Clone(byTime)
	slices.Reverse(falling)
	for _, sortBytes := range []int{8 << 20, 3000} {
		e.sizes.sort = sortBytes
		for name, c := range map[string]struct {
			req  Request
			want []naiveEvent
		}{
			"all": {Request{}, byTime}, "reverse": {Request{Reverse: true}, falling},
			"first": {Request{Limit: 7}, byTime[:7]}, "last": {Request{Last: 9}, byTime[len(byTime)-9:]},
			"last reverse": {Request{Last: 9, Reverse: true}, falling[:9]}, "first reverse": {Request{Limit: 4, Reverse: true}, falling[:4]},
			"both": {Request{Last: 9, Limit: 3}, byTime[len(byTime)-9 : len(byTime)-6]},
			"many": {Request{Limit: 5000}, byTime}, "last many": {Request{Last: 5000}, byTime},
		} {
			c.req.Order = TimeOrder
			got, _, res := collect(t, e, c.req)
			if !slices.Equal(got, text(c.want)) || res.Matched != int64(len(c.want)) {
				t.Errorf("%s with %d bytes: %d, want %d", name, sortBytes, len(got), len(c.want))
			}
		}
	}
}

func TestLastOfManyReadsTwice(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	for i := range 30 {
		var text strings.Builder
		for k := range 300 {
			fmt.Fprintf(&text, `{"type":"build.done","data":{"n":%d}}`+"\n", i*300+k)
		}
		b.write("ci", text.String())
		b.take("ci", 300)
	}
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	all, _, _ := collect(t, e, Request{})
	got, _, res := collect(t, e, Request{Last: 6000})
	if len(all) != 9000 || !slices.Equal(got, all[3000:]) || res.Matched != 6000 {
		t.Fatalf("%d of %d", len(got), len(all))
	}
}

func TestMain(m *testing.M) { os.Exit(m.Run()) }
