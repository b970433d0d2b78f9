package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"stigmergy/blackboard/archive"
	"stigmergy/contracts"
)

func TestShowFindsEveryLine(t *testing.T) {
	b, e := someBoard(t, 41, 250)
	for _, name := range b.names {
		b.rotateClean(name)
		b.packAny(name)
	}
	b.write("ci", `{"type":"build.done"}`+"\n")
	for _, ev := range naiveEvents(t, b.board) {
		s, res, err := e.Show(context.Background(), ev.pos)
		if err != nil {
			t.Fatalf("%s: %v", ev.pos, err)
		}
		if string(s.Line) != ev.line || s.Pending != ev.pending || !ev.pending && (s.Seq != ev.seq || s.LineNo != ev.lineNo || s.JournalTime != ev.time.UnixNano() && ev.top["time"] == nil) || len(res.Damaged) > 0 {
			t.Fatalf("%s: %+v %+v, want %+v", ev.pos, s, res, ev)
		}
	}
	for _, ref := range []string{"ci@1:999999999", "ci@99:0", "nowhere@2:0"} {
		if _, _, err := e.Show(context.Background(), ref); !errors.Is(err, ErrNoEvent) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

func TestShowTellsOfRefusalsAndEffects(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	b.write("ci", `{"type":"build.done","id":"the-one"}`+"\n{bad\n"+`{"type":"build.done"{"type":"build.done","id":"whole"}`+"\n")
	b.take("ci", 3)
	cause := b.seq - 1
	b.derive(cause, "hxo", `{"type":"hxo.note","cause":"ci@1:0"}`+"\n"+`{"type":"hxo.note","cause":"ci@1:9"}`+"\n")
	b.derive(cause, "board", `{"type":"board.note","cause":"ci@1:0"}`+"\n")
	b.entryTick()
	b.derive(b.seq-1, "hxo", `{"type":"hxo.note","cause":"ci@1:0"}`+"\n")
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s, _, err := e.Show(context.Background(), "the-one")
	if err != nil {
		t.Fatal(err)
	}
	if s.Pos.String() != "ci@1:0" || s.Refused || len(s.Effects) != 2 || s.EffectPos[0].String() != "hxo@1:0" || s.EffectPos[1].String() != "board@1:0" {
		t.Errorf("%+v", s)
	}
	s, _, err = e.Show(context.Background(), "ci@1:37")
	if err != nil || !s.Refused || !strings.Contains(string(s.Record), `"reason":"not_json"`) {
		t.Errorf("%+v %v", s, err)
	}
	s, _, err = e.Show(context.Background(), "hxo@1:0")
	if err != nil || s.Cause == nil || s.Cause.String() != "ci@1:0" || !s.Derived {
		t.Errorf("%+v %v", s, err)
	}
	s, _, err = e.Show(context.Background(), "whole")
	if err != nil || s.Pos.Offset != 62 || string(s.Line) != `{"type":"build.done","id":"whole"}` {
		t.Errorf("a recovered record: %+v %v", s, err)
	}
	if _, _, err := e.Show(context.Background(), "no-such-id"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestIDsAreFoundThroughTheIndex(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	id := func(i int) string { return contracts.UUIDv7(1769654000000+int64(i)*1000, [10]byte{1, byte(i)}) }
	for seg := range 5 {
		for i := range 20 {
			b.write("ci", fmt.Sprintf(`{"type":"build.done","id":%q,"data":{"text":"%s"}}`+"\n", id(seg*20+i), strings.Repeat("x", 200)))
		}
		b.take("ci", 20)
		b.rotate("ci")
		b.pack("ci", uint64(seg+1), archive.WriteOptions{FrameBytes: 1024})
	}
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	f, err := ParseFilters([]string{"id=" + id(43)})
	if err != nil {
		t.Fatal(err)
	}
	got, _, res := collect(t, e, Request{Where: f})
	if len(got) != 1 || !strings.Contains(got[0], id(43)) {
		t.Fatalf("%q", got)
	}
	if res.Stats.FramesDecoded > 2 {
		t.Errorf("%d frames were decoded for one id: %+v", res.Stats.FramesDecoded, res.Stats)
	}
}

func TestContextAroundMatches(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	for i := range 20 {
		b.write("ci", fmt.Sprintf(`{"type":"build.done","data":{"n":%d}}`+"\n", i))
	}
	b.take("ci", 20)
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, c := range []struct {
		pattern string
		limit   int
		want    string
	}{
		{`"n":(3|5|12)}`, 0, "1 2 3! 4 5! 6 | 10 11 12! 13"},
		{`"n":(3|5|12)}`, 2, "1 2 3! 4 5! 6"},
		{`"n":0}`, 0, "0! 1"},
		{`"n":19}`, 0, "17 18 19!"},
		{`nothing`, 0, ""},
	} {
		g, err := NewGrep(c.pattern, false, false, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		res, err := e.Context(context.Background(), Request{Grep: g, Limit: c.limit}, 2, 1, func(h *Hit, match, gap bool) error {
			if gap {
				got = append(got, "|")
			}
			s := h.Event().Get("n").Text()
			if match {
				s += "!"
			}
			got = append(got, s)
			return nil
		})
		if err != nil || strings.Join(got, " ") != c.want || res.Matched != int64(strings.Count(c.want, "!")) {
			t.Errorf("%s: %q %v, want %q (%d)", c.pattern, got, err, c.want, res.Matched)
		}
	}
}

func TestHolesOfNotesAndRefusedTopics(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	b.write("ci", `{"type":"build.done"}`+"\n"+`{"type":"hxo.plan","data":{}}`+"\n")
	b.take("ci", 2)
	b.derive(b.seq-1, "board", `{"type":"board.quarantined","data":{"position":"ci@1:22","lane":"ci","reason":"contract","topic":"hxo.plan"}}`+"\n")
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for topic, want := range map[string]string{"hxo.plan": "quarantined", "hxo.*": "quarantined", "test.run": ""} {
		ps, err := contracts.ParsePatterns([]string{topic})
		if err != nil {
			t.Fatal(err)
		}
		_, _, res := collect(t, e, Request{Topics: ps})
		var kinds []string
		for _, h := range res.Holes {
			kinds = append(kinds, h.Kind)
		}
		if strings.Join(kinds, " ") != want {
			t.Errorf("%s: %q, want %q", topic, kinds, want)
		}
	}
	b.noteEntry("destroyed", "agents/7", 2)
	b.noteEntry("lost", "ci", 3)
	ps, err := contracts.ParsePatterns([]string{"test.run"})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	_, _, res := collect(t, e, Request{Topics: ps})
	for _, h := range res.Holes {
		kinds = append(kinds, h.Kind+" "+h.Lane)
	}
	if !slices.Equal(kinds, []string{"destroyed agents/7", "lost ci"}) {
		t.Errorf("%q", kinds)
	}
	_, _, res = collect(t, e, Request{Topics: ps, Lane: "ci"})
	if len(res.Holes) != 1 {
		t.Errorf("%+v", res.Holes)
	}
}

func TestJQ(t *testing.T) {
	line := []byte(`{"type":"a","data":{"n":12345678901234567890,"list":[1,2,3]}}`)
	for expr, want := range map[string]string{
		`.data.n`: `12345678901234567890`, `.data.list[]`: "1|2|3", `select(.type=="b")`: "", `{t:.type}`: `{"t":"a"}`,
		`.data.list|add`: "6", `env|length`: "0", `halt`: "",
	} {
		q, err := ParseJQ(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		var got []string
		if err := q.Run(context.Background(), line, func(b []byte) error { got = append(got, string(b)); return nil }); err != nil || strings.Join(got, "|") != want {
			t.Errorf("%s: %q %v, want %q", expr, got, err, want)
		}
	}
	if _, err := ParseJQ(".["); err == nil {
		t.Error("a broken expression was taken")
	}
	for _, expr := range []string{`.data.n.x`, `error("x")`, `range(1e9)`, `last(range(1e12))`} {
		q, err := ParseJQ(expr)
		if err != nil {
			t.Fatal(err)
		}
		if err := q.Run(context.Background(), line, func([]byte) error { return nil }); !errors.Is(err, ErrJQ) {
			t.Errorf("%s: %v", expr, err)
		}
	}
}

func TestNothingBeginsInTheMiddleOfALine(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer func() { b.journal.Close() }()
	b.write("ci", `{"type":"build.done"}`+"\n"+`{"type":"build.done"}`+"\n")
	b.take("ci", 2)
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for at, ok := range map[string]bool{"ci@1:0": true, "ci@1:22": true, "ci@1:5": false, "ci@1:21": false, "ci@1:23": false} {
		if _, _, err := e.Show(context.Background(), at); (err == nil) != ok || !ok && !errors.Is(err, ErrNoEvent) {
			t.Errorf("%s: %v", at, err)
		}
	}
}
