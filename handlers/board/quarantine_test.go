package board_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"stigmergy/contracts"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

// record is a line of quarantine/LANE as a stranger reads it.
type record struct {
	Position   string                 `json:"position"`
	Lane       string                 `json:"lane"`
	Length     int64                  `json:"length"`
	SHA256     string                 `json:"sha256"`
	Reason     string                 `json:"reason"`
	Topic      string                 `json:"topic"`
	Contract   string                 `json:"contract"`
	Errors     []contracts.FieldError `json:"errors"`
	Text       string                 `json:"text"`
	Recovered  any                    `json:"recovered"`
	Time       string                 `json:"time"`
	Line       *string                `json:"line"`
	LineBase64 *string                `json:"line_base64"`
}

func (r record) bytes(t *testing.T) string {
	t.Helper()
	switch {
	case r.Line != nil && r.LineBase64 == nil:
		return *r.Line
	case r.LineBase64 != nil && r.Line == nil:
		b, err := base64.StdEncoding.DecodeString(*r.LineBase64)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	t.Fatalf("record %+v holds no line, or two", r)
	return ""
}

func fold(t *testing.T, yaml string) *foldtest.Board {
	t.Helper()
	return foldtest.NewWith(t, []byte(yaml), nil, board.New(), audit.New())
}

func records(t *testing.T, b *foldtest.Board, lane string) []record {
	t.Helper()
	var out []record
	for _, l := range b.Lane("quarantine/" + lane) {
		var r record
		if err := json.Unmarshal([]byte(l), &r); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		out = append(out, r)
	}
	return out
}

// event is a derived line as a stranger reads it.
type event struct {
	ID, Source, Type, Subject, Time, Cause string
	Data                                   map[string]any
}

func events(t *testing.T, b *foldtest.Board, lane, topic string) []event {
	t.Helper()
	var out []event
	for _, l := range b.Lane(lane) {
		var e event
		if err := json.Unmarshal([]byte(l), &e); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		if e.Type == topic {
			out = append(out, e)
		}
	}
	return out
}

// TestRefusedLines: each is one record with its exact bytes, and one event.
func TestRefusedLines(t *testing.T) {
	long := `{"type":"a","data":"` + strings.Repeat("ä", 600_000) + `"}`
	cases := []struct{ line, reason string }{
		{`oops`, "not_json"},
		{`{"type":"a"} {"type":"b"}`, "not_json"},
		{`{"type":"a",}`, "not_json"},
		{"{\"type\":\"a\",\"data\":\"\xff\"}", "bad_utf8"},
		{`{"type":"a","data":"\ud800"}`, "bad_utf8"},
		{strings.Repeat("\x00", 100), "not_json"},
		{`{"type":"a","type":"a"}`, "duplicate_key"},
		{`{"type":"a","data":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, "too_deep"},
		{`{"type":"a","time":"yesterday"}`, "bad_time"},
		{`{"type":"No Topic"}`, "bad_topic"},
		{`{"type":"hxo.plan.abort","data":{}}`, "contract"},
		{`{"type":"hxo.audit","data":{"user":"u","role":"r","operation":"plan.abort","details":{},"timestamp":"2026-01-01T00:00:00Z"}}`, "forged"},
		{long, "too_long"},
	}
	b := fold(t, "")
	for i, c := range cases {
		lane := fmt.Sprintf("agents/%d", i)
		b.Append(lane, `{"type":"fine"}`, c.line)
		rs := records(t, b, lane)
		if len(rs) != 1 {
			t.Fatalf("%s: %d records of %.60s", c.reason, len(rs), c.line)
		}
		checkRecord(t, rs[0], lane, c.line, c.reason)
	}
	es := events(t, b, "board", "board.quarantined")
	if len(es) != len(cases) || len(b.Lane("board")) != len(cases) {
		t.Fatalf("%d events of %d lines", len(es), len(cases))
	}
	for i, e := range es {
		r := records(t, b, fmt.Sprintf("agents/%d", i))[0]
		if e.Data["position"] != r.Position || e.Data["sha256"] != r.SHA256 || e.Subject != r.Lane || e.Cause != r.Position || e.Time != r.Time {
			t.Errorf("event %+v of record %+v", e, r)
		}
	}
}

func checkRecord(t *testing.T, r record, lane, line, reason string) {
	t.Helper()
	kept := line
	if reason == "too_long" {
		kept = line[:1024]
	}
	if r.bytes(t) != kept && reason != "too_long" {
		t.Errorf("%s: the record holds %.80q, expected %.80q", reason, r.bytes(t), kept)
	}
	sum := sha256.Sum256([]byte(line))
	if r.Reason != reason || r.Position != lane+"@1:16" || r.Lane != lane || r.Length != int64(len(line)) || r.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("%s: record %+v of %.80q", reason, r, line)
	}
	if len(r.Errors) == 0 && reason != "too_long" {
		t.Errorf("%s: no error is named", reason)
	}
	if n := utf8.RuneCountInString(r.Text); n > 1024 || !strings.HasPrefix(strings.ToValidUTF8(line, "\ufffd"), strings.ReplaceAll(r.Text, "\ufffd\ufffd", "\ufffd")) && reason != "bad_utf8" {
		t.Errorf("%s: text %.80q", reason, r.Text)
	}
}

// TestTextEndsWithACharacter: the first KiB is not cut within one.
func TestTextEndsWithACharacter(t *testing.T) {
	b := fold(t, "")
	b.Append("ci", "x"+strings.Repeat("ä", 1000), strings.Repeat("\x80", 2000))
	r := records(t, b, "ci")
	if r[0].Text != "x"+strings.Repeat("ä", 511) {
		t.Errorf("%q", r[0].Text)
	}
	if n := utf8.RuneCountInString(r[1].Text); n != 1024 {
		t.Errorf("%d characters", n)
	}
}

// TestRecovered: a record at the end of a mangled line is an event, at the
// position of its first byte.
func TestRecovered(t *testing.T) {
	b := fold(t, "")
	torn := `{"type":"ci.torn","data":{"x":1`
	abort := `{"type":"hxo.plan.abort","id":"1","data":{"plan_id":"no"}}`
	b.Append("ci", torn+`{"type":"ci.fine","data":{}}`, torn, torn+abort)
	rs := records(t, b, "ci")
	if len(rs) != 3 {
		t.Fatalf("%d records", len(rs))
	}
	if want := fmt.Sprintf("ci@1:%d", len(torn)); rs[0].Recovered != want {
		t.Errorf("recovered %v, expected %v", rs[0].Recovered, want)
	}
	if rs[1].Recovered != nil || rs[2].Recovered != nil {
		t.Errorf("recovered %v and %v", rs[1].Recovered, rs[2].Recovered)
	}
}

// TestForged: with refuse a forgery is quarantined, with record it is kept as
// another bus's history and nothing acts on it.
func TestForged(t *testing.T) {
	line := `{"type":"hxo.alert","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e","alert_type":"slo","severity":"info","message":"m"}}`
	b := fold(t, "")
	b.Append("ci", line)
	r := records(t, b, "ci")
	if len(r) != 1 || r[0].Reason != "forged" || r[0].Topic != "hxo.alert" || r[0].Errors[0].Expected != "lane hxo" {
		t.Fatalf("%+v", r)
	}
	b = fold(t, "policy.foreign_owned: record\n")
	if s := b.Append("ci", line); len(s.Derived) != 0 {
		t.Fatalf("derived %s", b.Bytes())
	}
}

// TestOddLanes: the names of lanes are escaped everywhere.
func TestOddLanes(t *testing.T) {
	lane := contracts.EscapeLane("a\n\"b\xff")
	b := fold(t, "")
	b.Append(lane, "oops")
	if r := records(t, b, lane); len(r) != 1 || r[0].Lane != "a%0A%22b%FF" || r[0].Position != lane+"@1:0" {
		t.Fatalf("%+v", r)
	}
}
