package contracts

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// seeds are the lines of the tables, to begin fuzzing with.
func seeds(f *testing.F) {
	for _, c := range refused {
		if len(c.line) < 1000 {
			f.Add([]byte(c.line))
		}
	}
	for _, c := range accepted {
		if len(c.line) < 1000 {
			f.Add([]byte(c.line))
		}
	}
}

// FuzzScan holds Scan to encoding/json, unicode/utf8 and a token walk, and to its
// own grammar.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, line []byte) {
		mustAgree(t, line)
		var env Envelope
		if r := Scan(line, &env); r != nil && (len(r.Errors) != 1 || len(r.Error()) > 2000 || r.Errors[0].Got == "") {
			t.Fatalf("%q: %+v", line, r)
		}
		if got := Valid(line); got && !json.Valid(line) {
			t.Fatalf("%q: valid, but not for encoding/json", line)
		}
	})
}

// FuzzEnvelope holds the spans and paths of an accepted line to what encoding/json
// makes of it.
func FuzzEnvelope(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"type":"a","time":"2026-01-26T00:00:00Z","data":{"a":{"b":[{"c":"\u00e9"}]}},"ext":[1]}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var env Envelope
		if Scan(line, &env) != nil {
			return
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf")), &members); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if env.Keys != len(members) {
			t.Fatalf("%q: %d keys, want %d", line, env.Keys, len(members))
		}
		ev := Event{Line: line, Env: env}
		for name, raw := range members {
			span, known := env.Attr(name)
			if known && name != "type" && name != "topic" && !bytes.Equal(span.Raw(line), raw) {
				t.Fatalf("%q: %s is %s, want %s", line, name, span.Raw(line), raw)
			}
			if known && span.IsString(line) && span.Esc != bytes.Contains(span.Raw(line), []byte(`\`)) {
				t.Fatalf("%q: %s: Esc is %v", line, name, span.Esc)
			}
			if name != "" && !known {
				if v := ev.Get(EscapeKey(name)); !bytes.Equal(v.Raw, raw) {
					t.Fatalf("%q: path %s finds %s, want %s", line, name, v.Raw, raw)
				}
			}
			checkText(t, raw)
		}
		checkData(t, &ev, members["data"])
	})
}

func checkText(t *testing.T, raw []byte) {
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		return
	}
	if got := ValueOf(raw).Text(); got != s {
		t.Fatalf("%s is %q, want %q", raw, got, s)
	}
}

func checkData(t *testing.T, ev *Event, data json.RawMessage) {
	var members map[string]json.RawMessage
	if len(data) == 0 || data[0] != '{' || json.Unmarshal(data, &members) != nil {
		return
	}
	n := 0
	seen := map[string]bool{}
	Members(ev.Data(), func(key []byte, v Value) bool { seen[string(key)] = true; n++; return v.Exists() })
	if len(seen) != len(members) {
		t.Fatalf("%s: %d members, want %d", data, len(seen), len(members))
	}
	for name, raw := range members {
		if name != "" && !bytes.Equal(ev.Get("data."+EscapeKey(name)).Raw, raw) {
			t.Fatalf("%s: path %q finds %s, want %s", data, name, ev.Get("data."+EscapeKey(name)).Raw, raw)
		}
	}
}

// FuzzCheck: a line passes or is refused in words that fit on a screen; nothing
// panics, and what passes can be read.
func FuzzCheck(f *testing.F) {
	seeds(f)
	f.Add([]byte(`{"type":"hxo.plan","time":"2026-01-26T00:00:00Z","data":{"plan_id":1}}`))
	c := &Checker{Registry: Builtin(), MaxLine: 1 << 16, UnknownTopics: "quarantine"}
	f.Fuzz(func(t *testing.T, line []byte) {
		var ev Event
		if r := c.Check(line, &ev); r != nil {
			if len(r.Errors) == 0 || len(r.Errors) > MaxErrors || strings.ContainsAny(r.Error(), "\x1b\n\x00") {
				t.Fatalf("%q: %+v", line, r)
			}
			return
		}
		if ev.Topic == nil || !ValidTopic([]byte(ev.TopicName)) || ev.ID() == "" && ev.Env.ID.Present() {
			t.Fatalf("%q: %+v", line, ev)
		}
		ev.Time()
		ev.Get("data.x")
	})
}
