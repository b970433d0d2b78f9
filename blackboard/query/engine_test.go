package query

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/contracts"
)

func drawBoard(t *rapid.T, dir string, tb testing.TB) *randomBoard {
	b := &randomBoard{board: newBoard(tb, dir), r: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))}
	b.wild = rapid.Bool().Draw(t, "wild")
	for i := range rapid.IntRange(1, 5).Draw(t, "lanes") {
		b.names = append(b.names, fmt.Sprintf("agents/%d", i))
	}
	b.names = append(b.names, "ci")
	for range rapid.IntRange(0, 120).Draw(t, "steps") {
		b.step()
	}
	return b
}

func drawFilter(t *rapid.T) naiveFilter {
	return naiveFilter{
		path:  rapid.SampledFrom([]string{"plan_id", "cas_id", "n", "gates", "gates.outcome", "data.plan_id", "id", "source", "subject", "time", "type", "outcome", "n.k", "nothing", "specversion"}).Draw(t, "path"),
		op:    rapid.SampledFrom([]string{"", "!", "=", "=", "=", "!=", "<", "<=", ">", ">=", "~"}).Draw(t, "op"),
		value: rapid.SampledFrom(append([]string{"8", "9", "8.0", "1e2", "12345678901234567890", "true", "null", "failed", "passed", "abc", "Zebra", "s1", "a", "2026-01-29T02:31:13Z", "1.0", "build.done"}, planIDs...)).Draw(t, "value"),
	}
}

// drawRequest makes a request and what it means to the naive reader.
func drawRequest(t *rapid.T, all []naiveEvent) (req Request, where []naiveFilter, re *regexp.Regexp) {
	if rapid.IntRange(0, 2).Draw(t, "topical") > 0 {
		ps, err := contracts.ParsePatterns(rapid.SampledFrom([][]string{
			{"build.done"}, {"build.*"}, {"test", "deploy.**"}, {"**"}, {"hxo.note"}, {"nope"}, {"*.done", "test.run"}, {"build.done.**"},
		}).Draw(t, "topics"))
		if err != nil {
			t.Fatal(err)
		}
		req.Topics = ps
	}
	for range rapid.SampledFrom([]int{0, 0, 1, 1, 2}).Draw(t, "filters") {
		f := drawFilter(t)
		w, err := ParseFilter(f.text())
		if err != nil {
			t.Fatalf("%s: %v", f.text(), err)
		}
		req.Where, where = append(req.Where, w), append(where, f)
	}
	if rapid.IntRange(0, 3).Draw(t, "grep") == 0 {
		pat := rapid.SampledFrom([]string{"plan_id", "range \\[[0-9]+\\]", "(?i)ZEBRA", "Zebra|abc", "7c9e6679", "^\\{\"t", "x?y*", "(build|test).*(8|9)"}).Draw(t, "pattern")
		g, err := NewGrep(pat, false, false, false)
		if err != nil {
			t.Fatal(err)
		}
		req.Grep, re = g, regexp.MustCompile(pat)
	}
	if len(all) > 0 && rapid.IntRange(0, 3).Draw(t, "timed") == 0 {
		req.Since = all[rapid.IntRange(0, len(all)-1).Draw(t, "since")].time
		if rapid.Bool().Draw(t, "both") {
			req.Until = req.Since.Add(time.Second)
		}
	}
	switch rapid.IntRange(0, 5).Draw(t, "shape") {
	case 0:
		req.Limit = rapid.IntRange(1, 20).Draw(t, "n")
	case 1:
		req.Last = rapid.IntRange(1, 20).Draw(t, "last")
	case 2:
		req.Reverse = true
	case 3:
		req.Reverse, req.Last = true, rapid.IntRange(1, 20).Draw(t, "last")
	}
	if rapid.IntRange(0, 5).Draw(t, "lane") == 0 {
		req.Lane = "agents/0"
	}
	req.JournaledOnly = rapid.IntRange(0, 5).Draw(t, "journaled") == 0
	return req, where, re
}

// sameLists tells the first difference.
func sameLists(t *rapid.T, got, want []string) {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%d is missing: %s\n(%d of %d)", i, want[i], len(got), len(want))
		case i >= len(want):
			t.Fatalf("%d should not be: %s\n(%d of %d)", i, got[i], len(got), len(want))
		case got[i] != want[i]:
			t.Fatalf("%d is %s\nshould be %s\n(%d, %d)", i, got[i], want[i], len(got), len(want))
		}
	}
}

func checkAnswer(t *rapid.T, e *Engine, req Request, want []naiveEvent) {
	var got []string
	res, err := e.Run(context.Background(), req, func(h *Hit) error {
		got = append(got, fmt.Sprintf("%s %d %d %v %s", h.Pos, h.Seq, h.LineNo, h.Pending, h.Line))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var exp []string
	for _, ev := range want {
		exp = append(exp, fmt.Sprintf("%s %d %d %v %s", ev.pos, ev.seq, ev.lineNo, ev.pending, ev.line))
	}
	sameLists(t, got, exp)
	if res.Matched != int64(len(exp)) || len(res.Damaged) != 0 {
		t.Fatalf("result %+v, %d matched", res, len(exp))
	}
}

func TestEngineEqualsNaiveReader(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "query")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := drawBoard(rt, dir, t)
		defer b.journal.Close()
		all := naiveEvents(t, b.board)
		e, err := Open(b.l, Options{Now: testNow, Workers: rapid.IntRange(1, 3).Draw(rt, "workers"), Budget: rapid.SampledFrom([]int{1, 4096, 1 << 20}).Draw(rt, "budget")})
		if err != nil {
			rt.Fatal(err)
		}
		defer e.Close()
		if rapid.Bool().Draw(rt, "small") {
			e.sizes = sizes{block: 700, batch: 300, piece: 150, chunk: 200, least: 1, sieve: rapid.SampledFrom([]int{1, 1000}).Draw(rt, "sieve")}
		}
		for range 4 {
			req, where, re := drawRequest(rt, all)
			from := place{}
			checkAnswer(rt, e, req, naiveAnswer(all, &req, where, re, from))
		}
	})
}
