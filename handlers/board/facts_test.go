package board_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/handlers/foldtest"
)

func note(kind string) journal.Entry {
	return journal.Entry{Kind: journal.Note, Note: kind, Lane: "ci", Segment: 2, From: 10, To: 30, Path: "ci.jsonl", Errno: "EIO", Detail: "told"}
}

// TestNotes: what each kind of note is told as.
func TestNotes(t *testing.T) {
	for kind, want := range map[string]string{
		"lost": "lost critical", "destroyed": "destroyed critical", "foreign": "foreign_bytes critical",
		"rewritten": "rewritten warning", "unfinished": "unfinished warning", "not_a_lane": "not_a_lane warning",
		"unreadable": "unreadable warning", "overflow": "overflow warning", "skip": "skip critical",
		"bad_contract": "bad_contract warning", "bad_setting": "bad_setting warning", "disk": "disk critical", "fork": "fork critical",
		"replaced": "", "renamed": "", "deleted": "", "truncated": "", "something else": "",
	} {
		b := fold(t, "")
		b.Fact(note(kind))
		alerts := events(t, b, "board", "board.alert")
		if want == "" {
			if len(b.Lanes()) != 0 {
				t.Errorf("%s: derived %s", kind, b.Bytes())
			}
			continue
		}
		if len(alerts) != 1 {
			t.Fatalf("%s: %d alerts", kind, len(alerts))
		}
		d := alerts[0].Data
		if got := fmt.Sprint(d["alert_type"], " ", d["severity"]); got != want {
			t.Errorf("%s: %s, expected %s", kind, got, want)
		}
		if d["lane"] != "ci" || d["segment"] != 2.0 || d["offset"] != 10.0 || d["length"] != 20.0 || d["errno"] != "EIO" || alerts[0].Cause != "entry:0" {
			t.Errorf("%s: %+v", kind, alerts[0])
		}
		if m := d["message"].(string); !strings.HasSuffix(m, ": told") || len(m) < 20 {
			t.Errorf("%s: message %q", kind, m)
		}
	}
}

// TestNoteWithoutPlace: no lane, no range, no errno.
func TestNoteWithoutPlace(t *testing.T) {
	b := fold(t, "")
	b.Fact(journal.Entry{Kind: journal.Note, Note: "lost", Lane: "ci", Segment: 1})
	b.Fact(journal.Entry{Kind: journal.Note, Note: "overflow"})
	for _, e := range events(t, b, "board", "board.alert") {
		for _, field := range []string{"offset", "length", "errno"} {
			if _, ok := e.Data[field]; ok {
				t.Errorf("%s stands in %v", field, e.Data)
			}
		}
	}
}

func keys(es []blackboard.Effect) string {
	var k []string
	for _, e := range es {
		k = append(k, e.Key+" "+e.Kind)
	}
	return strings.Join(k, ", ")
}

func worker(topic, key, data string) string {
	return fmt.Sprintf(`{"type":%q,"effectkey":%q,"data":%s}`, topic, key, data)
}

const (
	hash     = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	rotated  = `{"lane":"agents/7","segment":3,"bytes":100,"reason":"size"}`
	sealed   = `{"lane":"agents/7","segment":3,"bytes":100,"lines":2,"sha256":"` + hash + `","merkle_root":"` + hash + `","time_first":"2026-01-01T00:00:00Z","time_last":"2026-01-01T00:00:00Z"}`
	archived = `{"lane":"agents/7","segment":3,"path":"archive/agents/7/00000003.jsonl.zst","raw_bytes":100,"archive_bytes":50,"frames":1,"archive_sha256":"` + hash + `"}`
)

// TestLifeOfASegment: rotated, sealed, archived, forgotten.
func TestLifeOfASegment(t *testing.T) {
	b := fold(t, "")
	s := b.Fact(journal.Entry{Kind: journal.Rotate, Lane: "agents/7", Segment: 3, Next: 4, To: 90, Reason: "size"})
	if keys(s.Started) != "rotated:agents/7@3 archive.rotated" || string(s.Started[0].Payload) != `{"lane":"agents/7","segment":3,"reason":"size","bytes":90}` {
		t.Fatalf("started %s %s", keys(s.Started), s.Started[0].Payload)
	}
	b.Fact(journal.Entry{Kind: journal.Note, Note: "renamed", Lane: "agents/7", Segment: 3}) // told twice
	s = b.Append("workers/archive", worker("board.lane.rotated", "rotated:agents/7@3", rotated))
	if keys(s.Started) != "sealed:agents/7@3 archive.sealed" || len(s.Done) != 1 || string(s.Started[0].Payload) != rotated {
		t.Fatalf("started %s done %v", keys(s.Started), s.Done)
	}
	b.Restart()
	s = b.Append("workers/archive", worker("board.segment.sealed", "sealed:agents/7@3", sealed))
	if keys(s.Started) != "archived:agents/7@3 archive.archived" || string(s.Started[0].Payload) != sealed {
		t.Fatalf("started %s", keys(s.Started))
	}
	if keys(b.M.Effects()) != "archived:agents/7@3 archive.archived" {
		t.Fatalf("outstanding %s", keys(b.M.Effects()))
	}
	b.Append("workers/archive", worker("board.segment.archived", "archived:agents/7@3", archived))
	if len(b.M.Effects()) != 0 || b.State() != "" || len(b.Lanes()) != 0 {
		t.Fatalf("left: %s %s %s", keys(b.M.Effects()), b.State(), b.Bytes())
	}
}

// TestGoneSegment: where no bytes are left, there is nothing to seal.
func TestGoneSegment(t *testing.T) {
	b := fold(t, "")
	s := b.Fact(journal.Entry{Kind: journal.Note, Note: "truncated", Lane: "agents/7", Segment: 3, To: 100, Next: 4, Reason: "gone"})
	if want := `{"lane":"agents/7","segment":3,"reason":"truncated","bytes":100,"gone":true}`; string(s.Started[0].Payload) != want {
		t.Fatalf("started %s", s.Started[0].Payload)
	}
	s = b.Append("workers/archive", worker("board.lane.rotated", "rotated:agents/7@3", strings.Replace(rotated, "size", "truncated", 1)))
	if len(s.Started) != 0 || len(s.Done) != 1 || b.State() != "" {
		t.Fatalf("started %s, left %s", keys(s.Started), b.State())
	}
}

// TestCutSegment: a segment that ended with power loss is archived under a
// reason that its contract knows.
func TestCutSegment(t *testing.T) {
	b := fold(t, "")
	s := b.Fact(journal.Entry{Kind: journal.Rotate, Lane: "agents/7", Segment: 3, Next: 4, To: 100, Base: 100, Reason: "cut"})
	if want := `{"lane":"agents/7","segment":3,"reason":"truncated","bytes":100}`; string(s.Started[0].Payload) != want {
		t.Fatalf("started %s", s.Started[0].Payload)
	}
}

// TestForeignWithoutBytes is told, and records nothing.
func TestForeignWithoutBytes(t *testing.T) {
	b := fold(t, "")
	b.Fact(journal.Entry{Kind: journal.Note, Note: "foreign", Lane: "hxo", Segment: 1, Path: "hxo.jsonl", Detail: "replaced"})
	if m := events(t, b, "board", "board.alert")[0].Data["message"]; m != "lane hxo is the daemon's own and was changed by somebody else: replaced" || len(b.Lanes()) != 1 {
		t.Errorf("%v", m)
	}
}

func TestEndedByOthers(t *testing.T) {
	for _, kind := range []string{"replaced", "renamed", "deleted", "truncated"} {
		b := fold(t, "")
		s := b.Fact(journal.Entry{Kind: journal.Note, Note: kind, Lane: "ci", Segment: 2, Next: 3, To: 90})
		if want := `{"lane":"ci","segment":2,"reason":"` + kind + `","bytes":90}`; len(s.Started) != 1 || string(s.Started[0].Payload) != want {
			t.Errorf("%s: started %+v", kind, s.Started)
		}
	}
}

// TestOwnedLaneRotates: what follows stands in the next segment, from 0.
func TestOwnedLaneRotates(t *testing.T) {
	b := fold(t, "")
	b.Append("ci", "oops")
	seg, off := b.M.Head("board")
	if seg != 1 || off == 0 {
		t.Fatalf("head %d %d", seg, off)
	}
	b.Fact(journal.Entry{Kind: journal.Rotate, Lane: "board", Segment: 1, Next: 2, To: off})
	b.Restart()
	if seg, off := b.M.Head("board"); seg != 2 || off != 0 {
		t.Fatalf("head %d %d", seg, off)
	}
	b.Append("ci", "oops")
	var heads []string
	b.M.Heads(func(lane string, segment uint64, offset int64) { heads = append(heads, fmt.Sprint(lane, "@", segment)) })
	if fmt.Sprint(heads) != "[board@2 quarantine/ci@1]" || len(b.Lane("board")) != 2 {
		t.Fatalf("heads %v", heads)
	}
}

// TestForeignBytes: what somebody wrote into an owned lane is recorded, line
// for line, however much it is, and never obeyed.
func TestForeignBytes(t *testing.T) {
	for _, n := range []int{1, 400, 401, 1000} {
		b := fold(t, "")
		var raw bytes.Buffer
		for i := range n {
			fmt.Fprintf(&raw, `{"type":"hxo.plan","data":{"i":%d}}`+"\n", i)
		}
		raw.WriteString("\n torn")
		e := journal.Entry{Kind: journal.Note, Note: "foreign", Lane: "hxo", Segment: 1, From: 50, To: 50 + int64(raw.Len()), SHA256: b.Keep(raw.Bytes())}
		b.Fact(e)
		b.Restart()
		b.Advance(0)
		rs := records(t, b, "hxo")
		if len(rs) != n+1 || len(events(t, b, "board", "board.quarantined")) != n+1 {
			t.Fatalf("%d records of %d lines", len(rs), n+1)
		}
		checkForeign(t, rs, raw.String())
		if a := events(t, b, "board", "board.alert"); len(a) != 1 || a[0].Data["length"] != float64(raw.Len()) {
			t.Errorf("alerts %+v", a)
		}
		if len(b.Lane("hxo")) != 0 || strings.Contains(b.State(), "foreign") {
			t.Errorf("it left %s", b.State())
		}
	}
}

func checkForeign(t *testing.T, rs []record, raw string) {
	t.Helper()
	for i, r := range rs {
		var off int
		if _, err := fmt.Sscanf(r.Position, "hxo@1:%d", &off); err != nil {
			t.Fatal(err)
		}
		if r.Reason != "foreign" || !strings.HasPrefix(raw[off-50:], r.bytes(t)) || r.bytes(t) == "" {
			t.Fatalf("record %d: %+v", i, r)
		}
	}
}

// TestForeignInQuarantine does not make quarantine/quarantine/….
func TestForeignInQuarantine(t *testing.T) {
	b := fold(t, "")
	b.Fact(journal.Entry{Kind: journal.Note, Note: "foreign", Lane: "quarantine/ci", Segment: 1, To: 5, SHA256: b.Keep([]byte("oops\n"))})
	if got := fmt.Sprint(b.Lanes()); got != "[board quarantine/ci]" {
		t.Fatalf("lanes %s", got)
	}
}

// TestMissingObjectEndsTheFold: without it the answer would be another one.
func TestMissingObjectEndsTheFold(t *testing.T) {
	b := fold(t, "")
	e := note("foreign")
	e.SHA256 = strings.Repeat("0", 64)
	if _, err := b.M.Apply(&e, nil); err == nil || !strings.Contains(err.Error(), "no object") {
		t.Fatalf("err %v", err)
	}
	_ = foldtest.Epoch
}
