package contracts

import (
	"slices"
	"strings"
	"testing"
)

// scanned makes an event of a line that Scan accepts.
func scanned(t testing.TB, line string) *Event {
	t.Helper()
	ev := &Event{Line: []byte(line), Pos: Position{"agents/7", 3, 10482}, JournalTime: 1_769_385_600_000_002_000}
	if r := Scan(ev.Line, &ev.Env); r != nil {
		t.Fatalf("%s: %v", line, r)
	}
	return ev
}

func TestEventDefaults(t *testing.T) {
	for _, line := range []string{`{"type":"a"}`, `{"type":"a","id":null,"source":null,"subject":null,"time":null}`} {
		ev := scanned(t, line)
		if ev.ID() != "agents/7@3:10482" || ev.Source() != "agents/7" || ev.Subject() != "" || ev.Time() != ev.JournalTime || string(ev.Data()) != "{}" {
			t.Errorf("%s: %q %q %q %d %q", line, ev.ID(), ev.Source(), ev.Subject(), ev.Time(), ev.Data())
		}
		for path, want := range map[string]string{
			"specversion": "1.0", "id": "agents/7@3:10482", "source": "agents/7", "type": "a", "topic": "a",
			"time": "2026-01-26T00:00:00.000002000Z", "data": "{}",
		} {
			if got := ev.Get(path); got.Text() != want {
				t.Errorf("%s: %s is %q, want %q", line, path, got.Text(), want)
			}
		}
		for _, path := range []string{"subject", "linedigest", "effectkey", "data_base64", "position", "lane", "seq", "x"} {
			if got := ev.Get(path); got.Exists() {
				t.Errorf("%s: %s is %q", line, path, got.Raw)
			}
		}
	}
}

func TestEventOwn(t *testing.T) {
	ev := scanned(t, `{"topic":"a","id":"i\u0031","source":"s","subject":"\"q\"","time":"1970-01-01T00:00:01Z","data":[1]}`)
	if ev.ID() != "i1" || ev.Source() != "s" || ev.Subject() != `"q"` || ev.Time() != 1e9 || string(ev.Data()) != "[1]" {
		t.Errorf("%q %q %q %d %q", ev.ID(), ev.Source(), ev.Subject(), ev.Time(), ev.Data())
	}
	if ns, ok := ev.OwnTime(); !ok || ns != 1e9 {
		t.Errorf("own time %d %v", ns, ok)
	}
	if ns := scanned(t, `{"type":"a","time":"yesterday"}`).Time(); ns != 1_769_385_600_000_002_000 {
		t.Errorf("a time that is none is %d", ns)
	}
}

func TestEventPaths(t *testing.T) {
	const line = `{"type":"a","id":"i","source":"s","subject":"sub","priority":{"level":5},"seq":9,"data":{` +
		`"plan_id":"p","source":"own","id":7,"priority":"low","a.b":"dot","a":{"b":"deep","b.c":1,"\\":2},"lane":"l","empty":null,` +
		`"gates":[{},{"outcome":"passed","t":[1,2]},{"outcome":"failed"},7,[{"outcome":"nested"}]],"tags":["x",["y",[]]],` +
		`"twice":1,"twice":2,"esc\u0061ped":"e","data":{"x":1},"big":123456789012345678901234567890}}`
	ev := scanned(t, line)
	for path, want := range map[string][]string{
		"id": {"i"}, "data.id": {"7"}, "source": {"s"}, "data.source": {"own"}, "subject": {"sub"}, "data.subject": nil,
		"plan_id": {"p"}, "data.plan_id": {"p"}, "data.data.x": {"1"},
		"priority": {`{"level":5}`}, "priority.level": {"5"}, "data.priority": {"low"}, "seq": {"9"}, "lane": {"l"},
		"a.b": {"deep"}, `a\.b`: {"dot"}, `a.b\.c`: {"1"}, `a.\\`: {"2"}, `data.a\.b`: {"dot"}, "empty": {"null"}, "empty.x": nil,
		"gates.outcome": {"passed", "failed", "nested"}, "gates.t": {"[1,2]", "1", "2"},
		"tags": {`["x",["y",[]]]`, "x", "y"}, "tags.x": nil, "twice": {"2"}, "escaped": {"e"}, "plan_id.x": nil, "nothing": nil,
		"big": {"123456789012345678901234567890"}, "type.x": nil,
		"gates.#": nil, "gates.0": nil, "@this": nil, "a|b": nil, "*": nil, "plan_i?": nil, "gates.#(outcome==failed)": nil,
	} {
		p, err := ParsePath(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		var got []string
		ev.Each(p, func(v Value) bool { got = append(got, v.Text()); return true })
		if !slices.Equal(got, want) {
			t.Errorf("%s finds %q, want %q", path, got, want)
		}
		first := ev.Get(path)
		if first.Exists() != (len(want) > 0) || first.Exists() && first.Text() != want[0] || !slices.Equal(first.Raw, ev.At(p).Raw) {
			t.Errorf("%s: Get finds %q", path, first.Raw)
		}
		n := 0
		ev.Each(p, func(Value) bool { n++; return false })
		if n > 1 {
			t.Errorf("%s: goes on after being stopped", path)
		}
	}
}

func TestPathRefuses(t *testing.T) {
	for _, s := range []string{"", ".", "a.", ".a", "a..b", strings.Repeat("a.", 128) + "a"} {
		if p, err := ParsePath(s); err == nil {
			t.Errorf("%q was read as %q", s, p.Keys())
		}
		ev := scanned(t, `{"type":"a","data":{".a":1,"a.":2,"":3}}`)
		if v := ev.Get(s); v.Exists() {
			t.Errorf("%q finds %q", s, v.Raw)
		}
	}
}

func TestPathEscapes(t *testing.T) {
	for s, want := range map[string][]string{
		`a`: {"a"}, `a.b`: {"a", "b"}, `a\.b.c`: {"a.b", "c"}, `a\\.b`: {`a\`, "b"}, `a\\\.b`: {`a\.b`}, `a\b`: {`a\b`}, `a\`: {`a\`}, `\.`: {"."},
		`é.😀`: {"é", "😀"},
	} {
		p, err := ParsePath(s)
		if err != nil || !slices.Equal(p.Keys(), want) || p.String() != s {
			t.Errorf("%s is %q (%v), want %q", s, p.Keys(), err, want)
		}
	}
	for _, key := range []string{"a", "a.b", `a\`, `\.`, `a\.b`, "..", "é"} {
		if p, err := ParsePath(EscapeKey(key)); err != nil || !slices.Equal(p.Keys(), []string{key}) {
			t.Errorf("%q is escaped as %q, which is %q (%v)", key, EscapeKey(key), p.Keys(), err)
		}
	}
}

// TestPathAtTheDepthLimit walks the deepest line there is, through arrays and
// through objects.
func TestPathAtTheDepthLimit(t *testing.T) {
	ev := scanned(t, `{"type":"a","data":{"x":`+strings.Repeat("[", 126)+`7`+strings.Repeat("]", 126)+`}}`)
	p, _ := ParsePath("x")
	n := 0
	ev.Each(p, func(v Value) bool { n++; return true })
	if n != 2 {
		t.Errorf("%d values, want the array and a number", n)
	}
	ev = scanned(t, `{"type":"a","data":`+strings.Repeat(`{"x":`, 127)+`7`+strings.Repeat("}", 127)+`}`)
	if v := ev.Get(strings.Repeat("x.", 126) + "x"); v.Text() != "7" {
		t.Errorf("found %q", v.Raw)
	}
}

func TestEventGetDoesNotAllocate(t *testing.T) {
	ev := scanned(t, `{"type":"a","id":"i","ext":1,"data":{"plan_id":"p","gates":[{"outcome":"failed"}]}}`)
	p, _ := ParsePath("gates.outcome")
	n := testing.AllocsPerRun(100, func() {
		if !ev.Get("plan_id").Exists() || !ev.Get("id").Exists() || !ev.Get("ext").Exists() {
			t.Fatal("not found")
		}
		ev.Each(p, func(v Value) bool { return v.Kind == String })
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValues(t *testing.T) {
	for raw, kind := range map[string]Kind{
		"": Absent, "null": Null, "true": Bool, "false": Bool, "-1": Number, "0": Number, `""`: String, "{}": Object, "[]": Array,
	} {
		v := ValueOf([]byte(raw))
		if v.Kind != kind || v.Exists() != (raw != "") {
			t.Errorf("%q is %v", raw, v.Kind)
		}
		if names := []string{"absent", "null", "boolean", "number", "string", "object", "array"}; v.Kind.String() != names[kind] {
			t.Errorf("%q is called %v", raw, v.Kind)
		}
	}
	if got := ValueOf([]byte(`"a\n\u00e9\ud83d\ude00\"\\\/"`)).Text(); got != "a\né😀\"\\/" {
		t.Errorf("text is %q", got)
	}
	for raw, want := range map[string]float64{"1": 1, "-0.5": -0.5, "1e3": 1000, "123456789012345678901234567890": 123456789012345678901234567890} {
		if f, ok := ValueOf([]byte(raw)).Number(); !ok || f != want {
			t.Errorf("%s is %v %v", raw, f, ok)
		}
	}
	if f, ok := ValueOf([]byte("1e999")).Number(); !ok || f <= 1e308 {
		t.Errorf("1e999 is %v %v", f, ok)
	}
	if _, ok := ValueOf([]byte(`"1"`)).Number(); ok {
		t.Error("a string is a number")
	}
	for raw, want := range map[string]int64{"7": 7, "-9223372036854775808": -1 << 63} {
		if n, ok := ValueOf([]byte(raw)).Int(); !ok || n != want {
			t.Errorf("%s is %d %v", raw, n, ok)
		}
	}
	for _, raw := range []string{"7.0", "1e3", "9223372036854775808", `"7"`, "true", ""} {
		if n, ok := ValueOf([]byte(raw)).Int(); ok {
			t.Errorf("%s is the integer %d", raw, n)
		}
	}
	if b, ok := ValueOf([]byte("true")).Bool(); !b || !ok {
		t.Error("true is not")
	}
	if b, ok := ValueOf([]byte("1")).Bool(); b || ok {
		t.Error("1 is a boolean")
	}
}

// TestPathIsLinear walks lines made to be slow: arrays in arrays, and objects in
// arrays in objects.
func TestPathIsLinear(t *testing.T) {
	wide := strings.Repeat(`1,`, 1e5) + "1"
	for path, data := range map[string]string{
		"x":     `{"x":` + strings.Repeat("[", 126) + wide + strings.Repeat("]", 126) + `}`,
		"x.y":   `{"x":` + strings.Repeat("[", 125) + wide + `,{"y":7}` + strings.Repeat("]", 125) + `}`,
		"a.a.a": `{"a":[` + strings.Repeat(`{"a":[{"a":7}]},`, 1e4) + `0]}`,
	} {
		ev := scanned(t, `{"type":"a","data":`+data+`}`)
		p, err := ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		n, seven := 0, 0
		ev.Each(p, func(v Value) bool {
			n++
			if v.Text() == "7" {
				seven++
			}
			return true
		})
		if want := strings.Count(data, "7"); seven != want || n < want {
			t.Errorf("%s: found %d of %d", path, seven, want)
		}
	}
}
