package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

// numbered is a board with n events t.even and t.odd, half of them taken in.
func numbered(t testing.TB, n int) *testBoard {
	b := onBoard(t)
	for i := range n {
		topic := []string{"t.even", "t.odd"}[i%2]
		b.append("agents/"+strconv.Itoa(i%3), fmt.Sprintf(`{"type":%q,"id":"%d","subject":"s%d","time":"2026-01-29T02:%02d:00Z","data":{"n":%d}}`+"\n", topic, i, i%5, i, i))
		if i == n/2 {
			b.run("up", "--once")
		}
	}
	return b
}

func ids(out string) []string { return strings.Fields(out) }

// Every way to ask for some of the events gives the same ones as picking them
// from all of them.
func TestSelections(t *testing.T) {
	b := numbered(t, 30)
	all := ids(b.run("query", "t.*", "-o", "id"))
	if len(all) != 30 {
		t.Fatalf("%d events: %v", len(all), all)
	}
	reversed := slices.Clone(all)
	slices.Reverse(reversed)
	for args, want := range map[string][]string{
		"query t.* -n 4":                   all[:4],
		"query t.* --last 4":               all[26:],
		"query t.* -r":                     reversed,
		"query t.* -r -n 4":                reversed[:4],
		"tail t.*":                         all[20:],
		"tail t.* -n 3":                    all[27:],
		"tail t.* -S 2026-01-01T00:00:00Z": all,
		"tail t.* --cursor start":          all,
		"tail -m 2 t.* --cursor start":     all[:2],
		"grep t[.]":                        all,
		"grep -F t. -m 5":                  all[:5],
	} {
		if got := ids(b.run(append(strings.Fields(args), "-o", "id")...)); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", args, got, want)
		}
	}
	for args, want := range map[string]int{
		"query t.even": 15, "query t.*": 30, "query t.* -w n>=10": 20, "query t.* -w n>=10 -w n<12": 2,
		"query t.* -w subject=s1": 6, "query t.* --lane agents/0": 10, "query t.* -S 2026-01-29T02:10:00Z -U 2026-01-29T02:19:00Z": 10,
		"query t.* -w !absent": 30, "query t.* -w id~^1": 11,
	} {
		if got := len(ids(b.run(append(strings.Fields(args), "-o", "id")...))); got != want {
			t.Errorf("%s: %d events, want %d", args, got, want)
		}
		if got := b.run(append(strings.Fields(args), "--count")...); got != strconv.Itoa(want)+"\n" {
			t.Errorf("%s --count: %s, want %d", args, got, want)
		}
	}
}

// Every format is made of the same events.
func TestEventFormats(t *testing.T) {
	b := numbered(t, 4)
	var list []map[string]any
	must(t, json.Unmarshal([]byte(b.run("query", "t.*", "-o", "json")), &list))
	lines := strings.Split(strings.TrimSuffix(b.run("query", "t.*"), "\n"), "\n")
	if len(list) != 4 || len(lines) != 4 {
		t.Fatalf("%d and %d events", len(list), len(lines))
	}
	stored := b.read("agents/0") + b.read("agents/1") + b.read("agents/2")
	for _, l := range lines {
		if !strings.Contains(stored, l+"\n") {
			t.Errorf("not as it is stored: %s", l)
		}
	}
	if got := b.run("query", "t.even", "-n", "1", "-o", "csv"); !strings.HasPrefix(got, "time,position,type,subject,data\n2026-01-29T02:00:00.000Z,agents/0@1:0,t.even,s0,\"{\"\"n\"\":0}\"") {
		t.Errorf("csv: %s", got)
	}
	if got := b.run("query", "t.even", "-n", "1", "--fields", "n,absent,subject", "-o", "jsonl"); got != `{"n":0,"absent":null,"subject":"s0"}`+"\n" {
		t.Errorf("fields: %s", got)
	}
	if got := b.run("query", "t.*", "--jq", "select(.data.n > 1) | .data.n"); got != "2\n3\n" {
		t.Errorf("jq: %s", got)
	}
	if got := b.run("query", "t.*", "--by", "type", "--agg", "count,sum(n),max(n)"); got != `{"type":"t.even","count":2,"sum(n)":2,"max(n)":2}`+"\n"+`{"type":"t.odd","count":2,"sum(n)":4,"max(n)":3}`+"\n" {
		t.Errorf("by: %s", got)
	}
}

func TestTailHidesWhatTheDaemonSaysToItself(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b","id":"mine"}`+"\n")
	b.run("up", "--once")
	b.run("rotate", "ci")
	b.run("compact")
	if got := ids(b.run("tail", "-o", "id")); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("%v", got)
	}
	if got := ids(b.run("tail", "a.b", "board.lane.*", "board.segment.*", "-o", "id")); len(got) != 4 {
		t.Errorf("'**' shows all: %v", got)
	}
	if got := ids(b.run("tail", "--lane", "workers/archive", "-o", "id")); len(got) != 3 {
		t.Errorf("a lane that was asked for is shown: %v", got)
	}
}

func TestLongRunsOfRefusalsAreFolded(t *testing.T) {
	b := onBoard(t)
	b.append("ci", strings.Repeat("broken\n", 20)+`{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	out := b.run("tail", "-n", "50", "-o", "text")
	if n := strings.Count(out, "board.quarantined"); n != runShown || !strings.Contains(out, "… and 17 more refused lines") {
		t.Errorf("%d shown:\n%s", n, out)
	}
	if n := strings.Count(b.run("tail", "-n", "50"), "board.quarantined"); n != 20 {
		t.Errorf("programs are shown all: %d", n)
	}
}

// A cursor handed from one call to the next sees every event once, in order,
// however the calls are cut.
func TestCursorsSeeEverythingOnce(t *testing.T) {
	b := numbered(t, 24)
	b.run("up", "--once")
	all := ids(b.run("query", "-o", "id"))
	rapid.Check(t, func(rt *rapid.T) {
		file := filepath.Join(t.TempDir(), "cursor")
		var got []string
		for len(got) < len(all) {
			n := rapid.IntRange(1, 9).Draw(rt, "n")
			out, _, code := b.try("", "query", "-o", "id", "-n", strconv.Itoa(n), "--cursor-file", file)
			if code != 0 {
				rt.Fatalf("exit %d after %d of %d", code, len(got), len(all))
			}
			got = append(got, ids(out)...)
		}
		if !slices.Equal(got, all) {
			rt.Fatalf("%v, want %v", got, all)
		}
		if _, _, code := b.try("", "query", "--cursor-file", file); code != 1 {
			rt.Fatalf("exit %d where nothing is left", code)
		}
	})
}

func TestWaitNeeds(t *testing.T) {
	topics := func(s ...string) contracts.Patterns {
		p, err := contracts.ParsePatterns(s)
		must(t, err)
		return p
	}
	for _, c := range []struct {
		cmd    waitCmd
		topics []string
		seen   string
		printed,
		done string
	}{
		{waitCmd{Count: 1}, []string{"a.*"}, "b.x a.x a.y", "a.x", "a.x"},
		{waitCmd{Count: 2}, []string{"a.*", "b.x"}, "b.x a.x a.y", "b.x a.x", "a.x"},
		{waitCmd{Count: 1, All: true}, []string{"a.*", "b.x"}, "a.x a.y b.x", "a.x b.x", "b.x"},
		{waitCmd{Count: 2, All: true}, []string{"a.x", "a.*"}, "a.x a.y a.x", "a.x a.y a.x", "a.x"},
		{waitCmd{Count: 1, All: true}, []string{"a.x", "b.x"}, "a.x a.x", "a.x", ""},
	} {
		n := c.cmd.needs(topics(c.topics...))
		var printed []string
		done := ""
		for _, topic := range strings.Fields(c.seen) {
			if n.take(topic) {
				printed = append(printed, topic)
			}
			if n.done() {
				done = topic
				break
			}
		}
		if got := strings.Join(printed, " "); got != c.printed || done != c.done {
			t.Errorf("%+v %v: printed %s, done at %q", c.cmd, c.topics, got, done)
		}
	}
}

func TestFoundIsTheExitStatus(t *testing.T) {
	hole := []query.Hole{{Kind: "destroyed", Lane: "ci", Segment: 2, From: 5, To: 9, Detail: "why"}}
	damage := []query.Damage{{Path: "p", Err: os.ErrInvalid}}
	for _, c := range []struct {
		res  query.Result
		err  error
		want int
		say  string
	}{
		{query.Result{Matched: 1}, nil, 0, ""},
		{query.Result{}, nil, 1, ""},
		{query.Result{Matched: 1, Damaged: damage}, nil, 2, "p: offset 0"},
		{query.Result{Damaged: damage, Holes: hole}, nil, 2, "p: offset 0"},
		{query.Result{Holes: hole}, nil, 3, "destroyed ci@2:5 to 9 (why)"},
		{query.Result{Matched: 1, Holes: hole}, nil, 0, ""},
		{query.Result{}, query.ErrCursor, 2, ""},
		{query.Result{}, &query.LostError{Why: "power"}, 2, ""},
	} {
		a, read := testApp(t, "", false)
		if got := exitCode(a.found(c.res, c.err)); got != c.want || !strings.Contains(read(), c.say) {
			t.Errorf("%+v: exit %d, want %d; said %q", c.res, got, c.want, read())
		}
	}
}

func TestEventCount(t *testing.T) {
	for in, want := range map[string]int{"0": 0, "7": 7, "2147483647": 2147483647} {
		var c eventCount
		if err := c.UnmarshalText([]byte(in)); err != nil || c.n != want || !c.set {
			t.Errorf("%s: %+v %v", in, c, err)
		}
	}
	for _, in := range []string{"", "+5", "-1", "1.5", "many", "2147483648", " 1"} {
		var c eventCount
		if err := c.UnmarshalText([]byte(in)); err == nil || c.set {
			t.Errorf("%q was read as %+v", in, c)
		}
	}
}

func TestLaneArg(t *testing.T) {
	for in, want := range map[string]string{"ci": "ci", "ci.jsonl": "ci", "a b": "a%20b", "a%20b": "a%20b", "agents/7": "agents/7"} {
		if got := laneArg(in); got != want {
			t.Errorf("%q is %q, want %q", in, got, want)
		}
	}
}

// show finds by position and by id, and tells a refused line from nothing.
func TestShow(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b","id":"x1"}`+"\nbroken\n")
	b.run("up", "--once")
	var byPos, byID, refused map[string]any
	must(t, json.Unmarshal([]byte(b.run("show", "ci@1:0")), &byPos))
	must(t, json.Unmarshal([]byte(b.run("show", "x1")), &byID))
	must(t, json.Unmarshal([]byte(b.run("show", "ci@1:25")), &refused))
	if byPos["position"] != "ci@1:0" || byID["position"] != "ci@1:0" || fmt.Sprint(byPos["event"]) != "map[id:x1 type:a.b]" {
		t.Errorf("%v\n%v", byPos, byID)
	}
	if refused["refused"] != true || refused["line"] != "broken" || len(refused["effects"].([]any)) != 1 {
		t.Errorf("%v", refused)
	}
	if got := b.run("show", "ci@1:0", "-o", "raw"); got != `{"type":"a.b","id":"x1"}`+"\n" {
		t.Errorf("raw: %q", got)
	}
	for _, what := range []string{"ci@9:0", "nobody@1:0", "no-such-id"} {
		if _, errs, code := b.try("", "show", what); code == 0 || code == 70 {
			t.Errorf("%s: exit %d: %s", what, code, errs)
		}
	}
}
