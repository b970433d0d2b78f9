package query

import (
	"encoding/json"
	"strings"
	"testing"

	"stigmergy/contracts"
)

func eventOf(t testing.TB, line string) *contracts.Event {
	t.Helper()
	ev := &contracts.Event{Line: []byte(line), Pos: contracts.Position{Lane: "ci", Segment: 1, Offset: 7}, JournalTime: 1769654000e9}
	if why := contracts.Scan(ev.Line, &ev.Env); why != nil {
		t.Fatal(why)
	}
	ev.TopicName = ev.Env.Type.Text(ev.Line)
	return ev
}

func TestFilters(t *testing.T) {
	ev := eventOf(t, `{"type":"gitops.batch","subject":"run-1","data":{"n":8,"f":8.50,"big":12345678901234567890,"s":"a=b<c","t":"2026-01-29T03:31:13+01:00","ok":true,"none":null,"gates":[{"id":"P5","outcome":"passed"},{"id":"mermaid","outcome":"failed"}],"tags":["x","y"],"o":{"a.b":1},"u:v:w":1,"p=q":2,"source":"inner","e":""}}`)
	for text, want := range map[string]bool{
		"n=8": true, "n=8.0": false, "n>=8.0": true, "n>7.999": true, "n<8": false, "n<=8": true, "n!=8": false, "n!=9": true,
		"n:gt:7": true, "n:ge:8": true, "n:lt:9": true, "n:le:7": false, "n:eq:8": true, "n:ne:8": false, "n:re:^8$": true,
		"f>8.4999": true, "f=8.50": true, "f=8.5": false, "big>12345678901234567889": true, "big<12345678901234567891": true,
		"s=a=b<c": true, "s:eq:a=b<c": true, "s~^a=": true, "ok=true": true, "ok": true, "none": true, "none=null": true, "none>0": false, "none<0": false,
		"absent": false, "!absent": true, "!n": false, "absent!=1": true, "absent=": false, "e=": true, "e!=": false,
		"t=2026-01-29T03:31:13+01:00": true, "t<=2026-01-29T02:31:13Z": true, "t>2026-01-29T02:31:12Z": true, "t<2026-01-29T02:31:13Z": false,
		"gates.outcome=failed": true, "gates.outcome=error": false, "gates.outcome!=failed": false, "gates.outcome!=error": true, "gates=failed": false,
		"tags=x": true, "tags=z": false, "o.a\\.b=1": true, "o.a.b=1": false, "o": true, "o=1": false, `u\:v\:w`: true, `u\:v\:w=1`: true, `p\=q>1`: true,
		"source=ci": true, "data.source=inner": true, "id=ci@1:7": true, "specversion=1.0": true, "type=gitops.batch": true, "topic~^gitops": true, "subject=run-1": true,
		"time=2026-01-29T02:33:20.000000000Z": true, "time>2026-01-29T02:33:19Z": true,
	} {
		f, err := ParseFilter(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.Match(ev); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestWrongFiltersSayWhatToWrite(t *testing.T) {
	for text, say := range map[string]string{
		"": "names no path", "=8": "names no path", "!": "names no path", "n==8": "written =", "n<>8": "written !=", "n:equ:8": "expected eq, ne", "n::8": "expected eq, ne", "n~[": "missing closing", "a..b=1": "empty",
	} {
		if _, err := ParseFilter(text); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if f, err := ParseFilter("n:eq:=8"); err != nil || f.op != Equal || string(f.want.text) != "=8" {
		t.Errorf("%+v %v", f, err)
	}
}

// Whatever filter on whatever event: the two complements never agree, nothing
// panics, and the prefilter's literals stand in every line that matches.
func FuzzFilter(f *testing.F) {
	f.Add("plan_id=7c9e6679-7425-40de-944b-e07fc1f90ae7", `{"type":"hxo.plan","data":{"plan_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7"}}`)
	f.Add("gates.outcome~fail", `{"type":"a","data":{"gates":[{"outcome":"failed"},{}]}}`)
	f.Add("n:gt:1e3", `{"type":"a","data":{"n":12345678901234567890}}`)
	f.Add("a\\.b=x", `{"type":"a","a.b":"\u0078"}`)
	f.Add("s=pl\"ain/text that is long", `{"type":"a","data":{"s":"pl\"ain\/text that is long"}}`)
	f.Add("time<2026-01-29T02:31:13Z", `{"type":"a","time":"2026-01-29T02:31:12Z"}`)
	f.Add("!data", `{"type":"a"}`)
	f.Add("id=ci@1:7", `{"type":"a"}`)
	f.Fuzz(func(t *testing.T, text, line string) {
		fl, err := ParseFilter(text)
		if err != nil || !json.Valid([]byte(line)) {
			return
		}
		ev := contracts.Event{Line: []byte(line), Pos: contracts.Position{Lane: "ci", Segment: 1, Offset: 7}}
		if contracts.Scan(ev.Line, &ev.Env) != nil {
			return
		}
		ok := fl.Match(&ev)
		if not, has := map[Op]Op{Equal: Differs, Exists: Absent}[fl.op]; has {
			g := fl
			if g.op = not; g.Match(&ev) == ok {
				t.Fatalf("%s and its complement agree on %s", text, line)
			}
		}
		m := newMatcher(&Request{Where: []Filter{fl}})
		found := false
		m.candidates(newScratch(m), append([]byte(line), '\n'), false, func(int, int) bool { found = true; return true })
		if ok && !found {
			t.Fatalf("the prefilter of %q loses %s", text, line)
		}
	})
}
