package contracts

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// ours is the built-in registry with one contract more.
func ours(t testing.TB) *Registry {
	t.Helper()
	reg, faults := Builtin().With(map[string][]byte{
		"build.done": []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}}`),
	})
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return reg
}

func TestCheckTable(t *testing.T) {
	strict := &Checker{Registry: ours(t), MaxLine: 4096, UnknownTopics: "quarantine"}
	lenient := &Checker{Registry: ours(t), MaxLine: 4096, UnknownTopics: "accept"}
	for _, c := range []struct {
		name    string
		check   *Checker
		line    string
		reason  Reason
		pointer string
		hint    string
	}{
		{"smallest", lenient, `{"type":"x"}`, "", "", ""},
		{"alias", lenient, `{"topic":"x"}`, "", "", ""},
		{"contract kept", strict, `{"type":"build.done","data":{"ok":true,"more":1}}`, "", "", ""},
		{"mark and CRLF", lenient, "\xef\xbb\xbf{\"type\":\"x\"}\r", "", "", ""},
		{"nulls", lenient, `{"type":"x","id":null,"source":null,"subject":null,"time":null,"specversion":null,"datacontenttype":null}`, "", "", ""},
		{"any data", lenient, `{"type":"x","data":[1]}`, "", "", ""},
		{"base64", lenient, `{"type":"x","data_base64":"AA=="}`, "", "", ""},
		{"extensions", lenient, `{"type":"x","trace_id":"t","Ünusual":{"x":1}}`, "", "", ""},
		{"as long as can be", lenient, `{"type":"x"` + strings.Repeat(" ", 4096-12) + `}`, "", "", ""},
		{"wrong digest", lenient, `{"type":"x","linedigest":"00"}`, "", "", ""},

		{"too long", lenient, `{"type":"x"` + strings.Repeat(" ", 4096-11) + `}`, ReasonTooLong, "", "file"},
		{"too long and bad", lenient, strings.Repeat("\xff", 5000), ReasonTooLong, "", ""},
		{"not JSON", lenient, `{"type":"x",}`, ReasonNotJSON, "", "trailing comma"},
		{"no type", lenient, `{"data":{}}`, ReasonBadTopic, "/type", "names its topic"},
		{"no member", lenient, `{}`, ReasonBadTopic, "/type", "names its topic"},
		{"null type", lenient, `{"type":null}`, ReasonBadTopic, "/type", "names its topic"},
		{"no registry", &Checker{}, `{"type":"Build.Done"}`, ReasonBadTopic, "/type", "did you mean build.done?"},
		{"numeric type", lenient, `{"type":5}`, ReasonBadTopic, "/type", ""},
		{"empty type", lenient, `{"type":""}`, ReasonBadTopic, "/type", ""},
		{"upper case", lenient, `{"type":"HXO.Plan"}`, ReasonBadTopic, "/type", "did you mean hxo.plan?"},
		{"slashes", lenient, `{"topic":"hxo/shard/done"}`, ReasonBadTopic, "/topic", "did you mean hxo.shard.done?"},
		{"two dots", lenient, `{"type":"a..b"}`, ReasonBadTopic, "/type", ""},
		{"control characters", lenient, `{"type":"a\u001b[31m"}`, ReasonBadTopic, "/type", ""},
		{"long type", lenient, `{"type":"` + strings.Repeat("a", 129) + `"}`, ReasonBadTopic, "/type", "129 bytes"},
		{"both names", lenient, `{"type":"a","topic":"b"}`, ReasonBadTopic, "/topic", "another name"},
		{"no zone", lenient, `{"type":"x","time":"2026-01-26T00:00:00"}`, ReasonBadTime, "/time", "no zone"},
		{"unix time", lenient, `{"type":"x","time":1769385600}`, ReasonBadTime, "/time", "since 1970"},
		{"object time", lenient, `{"type":"x","time":{}}`, ReasonBadTime, "/time", ""},
		{"unknown", strict, `{"type":"build.dnoe","data":{"ok":true}}`, ReasonBadTopic, "/type", "did you mean build.done?"},
		{"unknown, none near", strict, `{"type":"weather.report"}`, ReasonBadTopic, "/type", "contracts/weather.report.schema.json"},
		{"unknown with bad time", strict, `{"type":"zzz","time":"x"}`, ReasonBadTime, "/time", ""},
		{"contract, no data", strict, `{"type":"build.done"}`, ReasonContract, "/data/ok", ""},
		{"contract, wrong type", strict, `{"type":"build.done","data":{"ok":"true"}}`, ReasonContract, "/data/ok", "without quotes"},
		{"contract, data null", strict, `{"type":"build.done","data":null}`, ReasonContract, "/data", ""},
		{"id a number", lenient, `{"type":"x","id":7}`, ReasonContract, "/id", ""},
		{"id empty", lenient, `{"type":"x","id":""}`, ReasonContract, "/id", "leave it out"},
		{"source an object", lenient, `{"type":"x","source":{}}`, ReasonContract, "/source", ""},
		{"subject empty", lenient, `{"type":"x","subject":""}`, ReasonContract, "/subject", "leave it out"},
		{"specversion", lenient, `{"type":"x","specversion":"0.3"}`, ReasonContract, "/specversion", "leave it out"},
		{"specversion a number", lenient, `{"type":"x","specversion":1.0}`, ReasonContract, "/specversion", "string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := Event{Seq: 7, LineNo: 3, Pos: Position{"ci", 1, 0}, JournalTime: 5, Topic: new(Topic), TopicName: "old"}
			r := c.check.Check([]byte(c.line), &ev)
			if c.reason == "" {
				if r != nil {
					t.Fatalf("refused: %v", r)
				}
				if ev.TopicName == "old" || ev.TopicName == "" || ev.Seq != 7 || ev.LineNo != 3 || ev.Pos.Lane != "ci" || ev.JournalTime != 5 {
					t.Errorf("the event is %+v", ev)
				}
				return
			}
			if r == nil {
				t.Fatal("accepted")
			}
			e := r.Errors[0]
			if r.Reason != c.reason || e.Pointer != c.pointer || !strings.Contains(e.Hint, c.hint) {
				t.Fatalf("refused as %s at %s with hint %q: %v", r.Reason, e.Pointer, e.Hint, r)
			}
			if e.Expected == "" || e.Got == "" || e.Keyword == "" || strings.ContainsFunc(r.Error(), func(r rune) bool { return r < ' ' }) {
				t.Errorf("the error says too little, or raw bytes: %+v", e)
			}
		})
	}
}

func TestCheckNamesTopicAndContract(t *testing.T) {
	c := &Checker{Registry: ours(t)}
	for _, x := range []struct{ line, topic, contract string }{
		{`{"type":"build.done"}`, "build.done", "build.done"},
		{`{"type":"x.y","id":1}`, "x.y", "cloudevents"},
		{`{"type":"build.done","time":"now"}`, "build.done", ""},
		{`{"type":"build.done","type":"x"}`, "", ""},
	} {
		var ev Event
		if r := c.Check([]byte(x.line), &ev); r == nil || r.Topic != x.topic || r.Contract != x.contract {
			t.Errorf("%s: %+v", x.line, r)
		}
	}
}

func TestCheckGathersErrors(t *testing.T) {
	c := &Checker{Registry: ours(t)}
	var ev Event
	r := c.Check([]byte(`{"type":"build.done","id":1,"source":2,"subject":3,"specversion":4,"data":{"ok":5}}`), &ev)
	if r == nil || len(r.Errors) != 5 {
		t.Fatalf("%+v", r)
	}
	if s := r.Error(); !strings.HasPrefix(s, "contract at /id: expected a string, got number 1") {
		t.Errorf("in a line: %s", s)
	}
	if s := (&Refusal{Reason: ReasonForged}).Error(); s != "forged" {
		t.Errorf("without errors: %s", s)
	}
}

// TestCheckTellsOffsetsInTheLineAsItStands counts a byte order mark.
func TestCheckTellsOffsetsInTheLineAsItStands(t *testing.T) {
	line := "\xef\xbb\xbf{\"type\":\"x\",}\r"
	var ev Event
	r := (&Checker{}).Check([]byte(line), &ev)
	if want := "} at byte " + strconv.Itoa(strings.LastIndexByte(line, '}')); r == nil || !strings.HasPrefix(r.Errors[0].Got, want) {
		t.Errorf("%v, want %s", r, want)
	}
}

func TestCheckReadsTheTime(t *testing.T) {
	c := &Checker{}
	ev := Event{JournalTime: 9}
	for _, x := range []struct {
		line string
		want int64
	}{
		{`{"type":"x","time":"1970-01-01T00:00:01Z"}`, 1e9}, {`{"type":"x"}`, 9}, {`{"type":"x","time":"1970-01-01T00:00:0\u0032Z"}`, 2e9}, {`{"type":"x","time":null}`, 9},
	} {
		if r := c.Check([]byte(x.line), &ev); r != nil || ev.Time() != x.want {
			t.Errorf("%s: %d (%v), want %d", x.line, ev.Time(), r, x.want)
		}
		if _, own := ev.OwnTime(); own != (x.want != 9) {
			t.Errorf("%s: own time %v", x.line, own)
		}
	}
}

func TestCheckDoesNotAllocate(t *testing.T) {
	c := &Checker{Registry: ours(t), MaxLine: 4096, UnknownTopics: "quarantine"}
	line := []byte(`{"specversion":"1.0","id":"i","source":"s","type":"build.done","time":"2026-01-26T00:00:00Z","data":{"ok":true}}`)
	var ev Event
	if n := testing.AllocsPerRun(100, func() {
		if r := c.Check(line, &ev); r != nil {
			t.Fatal(r)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if ev.Topic == nil || ev.TopicName != "build.done" {
		t.Errorf("topic %q", ev.TopicName)
	}
}

// TestRefusalsAreShort: what is said of a line does not grow with it.
func TestRefusalsAreShort(t *testing.T) {
	c := &Checker{Registry: ours(t), UnknownTopics: "quarantine"}
	long := strings.Repeat(`\u001bx`, 1e5)
	for _, line := range []string{
		long, `{"type":"` + long + `"}`, `{"type":"x","time":"` + long + `"}`, `{"type":"x","id":[` + strings.Repeat("1,", 1e5) + `1]}`,
		`{"type":"x","` + long + `":1,"` + long + `":2}`, `{"type":"` + strings.Repeat("a", 1e6) + `"}`, `{"type":"x","specversion":"` + long + `"}`,
		`{"type":"build.done","data":{"ok":"` + long + `"}}`, strings.Repeat("\x1b", 1e6), `{"type":"x"}` + long,
		strings.Repeat("a", 128) + strings.Repeat(".b", 200), `{"type":"x","time":"2026-01-26 ` + strings.Repeat("0", 1e6) + `"}`,
	} {
		var ev Event
		r := c.Check([]byte(line), &ev)
		if r == nil {
			t.Errorf("%.40s accepted", line)
			continue
		}
		if s := r.Error(); len(s) > 2000 || strings.Contains(s, "\x1b") {
			t.Errorf("%.40s: %d bytes: %.200q", line, len(s), s)
		}
	}
}

func TestClosest(t *testing.T) {
	reg := ours(t)
	for name, want := range map[string]string{
		"build.done": "build.done", "build.don": "build.done", "bulid.done": "build.done", "hxo.shard.don": "hxo.shard.done", "hxo.plans": "hxo.plan",
		"completely.else": "", "": "", "a": "", strings.Repeat("x", 1e6): "",
	} {
		if got := reg.Closest(name); got != want {
			t.Errorf("nearest to %.20s is %q, want %q", name, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"ab", "ba", 1}, {"abc", "abd", 1}, {"kitten", "sitting", 3}, {"abcdef", "ghijkl", 5}} {
		if got := distance(c.a, c.b, 5); got != c.want || distance(c.b, c.a, 5) != c.want {
			t.Errorf("%s and %s are %d apart, want %d", c.a, c.b, got, c.want)
		}
	}
}

// TestBadLinesOfTheFaultList has one line for each case of the list of what must
// be survived.
func TestBadLinesOfTheFaultList(t *testing.T) {
	c := &Checker{Registry: ours(t), MaxLine: 1 << 20}
	whole := `{"type":"build.done","id":"1","data":{"ok":true}}`
	deep := nest(`{"type":"x","data":`, 128, `}`)
	for _, x := range []struct {
		name, line string
		reason     Reason
		recovered  bool
	}{
		{"torn", whole[:30], ReasonNotJSON, false},
		{"torn glued to the next", whole[:21] + whole, ReasonNotJSON, true},
		{"torn in a string, glued", whole[:13] + whole, ReasonNotJSON, false},
		{"interleaved above 4 KiB", `{"type":"x","data":"` + strings.Repeat("x", 4076) + whole, ReasonNotJSON, false},
		{"the other half", strings.Repeat("x", 100) + `"}`, ReasonNotJSON, false},
		{"100 MB", `{"type":"x","data":"` + strings.Repeat("x", 1e8) + `"}`, ReasonTooLong, false},
		{"bad UTF-8", "{\"type\":\"x\",\"data\":\"\xff\"}", ReasonBadUTF8, false},
		{"NUL run", strings.Repeat("\x00", 4096), ReasonNotJSON, false},
		{"NUL run, then a record", strings.Repeat("\x00", 4096) + whole, ReasonNotJSON, false},
		{"duplicate envelope key", `{"type":"x","type":"x"}`, ReasonDuplicateKey, false},
		{"too deep", deep, ReasonTooDeep, false},
		{"two objects", whole + whole, ReasonNotJSON, true},
		{"pretty-printed", `  "type": "x",`, ReasonNotJSON, false},
	} {
		var ev Event
		r := c.Check([]byte(x.line), &ev)
		if r == nil || r.Reason != x.reason {
			t.Errorf("%s: %v", x.name, r)
		}
		if off, ok := Recover([]byte(x.line), c); ok != x.recovered || ok && x.line[off:] != whole {
			t.Errorf("%s: recovered %v at %d", x.name, ok, off)
		}
	}
	for name, line := range map[string]string{
		"width bomb": `{"type":"x","data":{` + strings.Repeat(`"a":[1],`, 1e5) + `"b":1}}`, "huge number": `{"type":"x","data":` + strings.Repeat("9", 1e6) + `}`,
		"BOM": "\xef\xbb\xbf" + whole, "CRLF": whole + "\r", "unknown topic": `{"type":"no.such.topic"}`,
	} {
		var ev Event
		if r := c.Check([]byte(line), &ev); r != nil {
			t.Errorf("%s: %v", name, r)
		}
		if trimmed := strings.TrimPrefix(strings.TrimSuffix(line, "\r"), "\xef\xbb\xbf"); !bytes.Equal(ev.Line, []byte(trimmed)) {
			t.Errorf("%s: the bytes are not kept", name)
		}
	}
}
