package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Strict out: what post writes is complete CloudEvents 1.0, linedigest last.
func TestPostWritesACompleteEvent(t *testing.T) {
	b := onBoard(t)
	b.run("post", "build.done", `{ "ok" : true, "n": 1.50 }`, "--subject", "ci", "-s", "robot")
	line := strings.TrimSuffix(b.read("me"), "\n")
	var ev map[string]any
	must(t, json.Unmarshal([]byte(line), &ev))
	for key, want := range map[string]any{"specversion": "1.0", "source": "robot", "type": "build.done", "subject": "ci"} {
		if ev[key] != want {
			t.Errorf("%s is %v, want %v", key, ev[key], want)
		}
	}
	if !strings.Contains(line, `"data":{"ok":true,"n":1.50}`) {
		t.Errorf("the data's numbers changed: %s", line)
	}
	at := strings.LastIndex(line, `,"linedigest":"`)
	sum := sha256.Sum256([]byte(line[:at]))
	if line[at:] != `,"linedigest":"`+hex.EncodeToString(sum[:])+`"}` {
		t.Errorf("the digest is not that of what stands before it: %s", line)
	}
	if _, err := time.Parse(time.RFC3339Nano, ev["time"].(string)); err != nil {
		t.Error(err)
	}
}

// The seed has timestamp in data and time in the envelope: they must agree.
func TestPostTakesTheDataTimestampOver(t *testing.T) {
	b := onBoard(t)
	must(t, os.MkdirAll(b.l.Contracts(), 0o755))
	must(t, os.WriteFile(filepath.Join(b.l.Contracts(), "my.topic.schema.json"),
		[]byte(`{"type":"object","properties":{"timestamp":{"type":"string","format":"date-time"}}}`), 0o644))
	b.run("post", "my.topic", `{"timestamp":"2026-01-29T02:31:13+01:00"}`)
	b.run("post", "no.contract", `{"timestamp":"2026-01-29T02:31:13+01:00"}`)
	lines := strings.Split(b.read("me"), "\n")
	if !strings.Contains(lines[0], `"time":"2026-01-29T02:31:13+01:00"`) {
		t.Errorf("with a contract: %s", lines[0])
	}
	if strings.Contains(lines[1], `"time":"2026-01-29`) {
		t.Errorf("without one the data means nothing: %s", lines[1])
	}
}

func TestPostIDsAreUUIDv7OfNow(t *testing.T) {
	b := onBoard(t)
	before := time.Now().UnixMilli()
	id, _, _ := strings.Cut(b.run("post", "a.b"), " ")
	var ms int64
	_, err := fmt.Sscanf(strings.ReplaceAll(id, "-", "")[:12], "%x", &ms)
	if err != nil || ms < before || ms > time.Now().UnixMilli() || id[14] != '7' {
		t.Errorf("%s: %d, %v", id, ms, err)
	}
}

func TestPostRefusesLanes(t *testing.T) {
	b := onBoard(t)
	for lane, want := range map[string]int{
		"../x": 2, "a/../../x": 2, "/abs": 2, ".stigmergy/x": 2, "a/.hidden/x": 2, "archive/x": 2, "contracts/x": 2,
		"": 0, "a//b": 2, "a/": 2, "x\x00y": 2, strings.Repeat("x", 2000): 2,
		"hxo": 77, "genesis": 77, "swarm": 77, "board": 77, "quarantine/x": 77, "workers/plan": 77, "workers/x": 77,
		"plain": 0, "deep/er/lane": 0, "lane.jsonl": 0, "ünïcode": 0, "with space": 0, "-rf": 0,
	} {
		_, errs, code := b.try("", "post", "a.b", "--lane="+lane)
		if code != want {
			t.Errorf("lane %q: exit %d, want %d: %s", lane, code, want, errs)
		}
	}
	if out := b.run("post", "a.b", "-l", "with space"); !strings.Contains(out, " with%20space@1:") {
		t.Errorf("positions escape lanes: %s", out)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(b.l.Dir), "*"))
	if err != nil || len(found) != 1 {
		t.Errorf("something stands beside the board: %v", found)
	}
}

// Any mixture of good lines, bad lines and blanks: the good ones are appended,
// in order, bytes unchanged, and each is told where it stands.
func TestPostLines(t *testing.T) {
	good := rapid.Custom(func(t *rapid.T) string {
		data, _ := json.Marshal(rapid.MapOfN(rapid.StringMatching(`[a-z]{1,5}`), rapid.String(), 0, 3).Draw(t, "data"))
		return fmt.Sprintf(`{"type":"a.%s","data":%s}`, rapid.StringMatching(`[a-z]{1,5}`).Draw(t, "topic"), data)
	})
	bad := rapid.SampledFrom([]string{`{"type":"A"}`, `{`, `[]`, `{"type":"a.b"}x`, `{"type":"hxo.plan"}`, "\xff", `{"data":1}`})
	blank := rapid.SampledFrom([]string{"", " ", "\r"})
	rapid.Check(t, func(rt *rapid.T) {
		b := onBoard(t)
		var in, want []string
		refused := false
		for range rapid.IntRange(0, 12).Draw(rt, "n") {
			switch rapid.IntRange(0, 3).Draw(rt, "kind") {
			case 0:
				in = append(in, bad.Draw(rt, "bad"))
				refused = true
			case 1:
				in = append(in, blank.Draw(rt, "blank"))
			default:
				in = append(in, good.Draw(rt, "good"))
				want = append(want, in[len(in)-1])
			}
		}
		text := strings.Join(in, "\n")
		if rapid.Bool().Draw(rt, "last newline") {
			text += "\n"
		}
		out, errs, code := b.try(text, "post", "--lines")
		if (code != 0) != refused || refused && code != 65 && code != 77 {
			rt.Fatalf("exit %d for %q: %s", code, text, errs)
		}
		got := ""
		if len(want) > 0 {
			got = b.read("me")
		}
		if joined := strings.Join(append(want, ""), "\n"); got != joined {
			rt.Fatalf("appended %q, want %q", got, joined)
		}
		told := strings.Fields(out)
		if len(told) != 2*len(want) {
			rt.Fatalf("told %q of %d lines", out, len(want))
		}
		for i, line := range want {
			pos, err := contracts.ParsePosition(told[2*i+1])
			if err != nil || !strings.HasPrefix(got[pos.Offset:], line+"\n") {
				rt.Fatalf("line %d is said to stand at %s", i, told[2*i+1])
			}
		}
	})
}

func TestLineReaderCutsLikeSplit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`([ab]{0,9}\n?){0,6}`).Draw(rt, "text")
		most := rapid.IntRange(1, 9).Draw(rt, "max")
		want := strings.Split(text, "\n")
		if want[len(want)-1] == "" {
			want = want[:len(want)-1]
		}
		r := newLineReader(strings.NewReader(text), most)
		for i, line := range want {
			got, err := r.next()
			if len(line) > most {
				if exitCode(err) != codeRefused {
					rt.Fatalf("line %d has %d bytes: %v", i, len(line), err)
				}
				continue
			}
			if err != nil || string(got) != line {
				rt.Fatalf("line %d is %q, %v; want %q", i, got, err, line)
			}
		}
		if line, err := r.next(); err == nil {
			rt.Fatalf("one more line: %q", line)
		}
	})
}

func TestDataOnOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"{\n \"a\": 1\n}\n":      `{"a":1}`,
		"1e3":                    "1e3",
		`"x\u0041"`:              `"x\u0041"`,
		"[1, 2 , 3]":             "[1,2,3]",
		"{\"a\":1,\"a\":2}":      `{"a":1,"a":2}`,
		"12345678901234567890.0": "12345678901234567890.0",
	} {
		if got, err := compactJSON([]byte(in), "x"); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{"{", "{}{}", "nope", "{'a':1}", "\"a\nb\"", "NaN"} {
		if got, err := compactJSON([]byte(in), "x"); exitCode(err) != codeRefused {
			t.Errorf("%q became %q, %v", in, got, err)
		}
	}
}

// A lane that is rotated under an open file: the position names the segment in
// which the line really stands.
func TestPositionOfARotatedLane(t *testing.T) {
	b := onBoard(t)
	f := mustOpen(t, b.l, "ci")
	if _, err := f.append([]byte(`{"type":"a.b"}`)); err != nil {
		t.Fatal(err)
	}
	must(t, os.MkdirAll(b.l.Segments("ci"), 0o755))
	must(t, os.Rename(b.l.Lane("ci"), b.l.Segment("ci", 4)))
	off, err := f.append([]byte(`{"type":"a.c"}`))
	must(t, err)
	if seg, err := segmentOf(b.l, f); err != nil || seg != 4 || off != 15 {
		t.Errorf("segment %d, offset %d, %v", seg, off, err)
	}
}

// What is written in many --lines goes on in the new file after a rotation,
// so that the old segment can be sealed.
func TestPosterLetsGoOfARotatedFile(t *testing.T) {
	b := onBoard(t)
	a, _ := testApp(t, "", false)
	a.line.Board, a.now = b.l.Dir, time.Now
	p, err := (&postCmd{Lane: "ci"}).open(a)
	must(t, err)
	if _, err := p.append([]byte(`{"type":"a.b"}`)); err != nil {
		t.Fatal(err)
	}
	must(t, os.MkdirAll(b.l.Segments("ci"), 0o755))
	must(t, os.Rename(b.l.Lane("ci"), b.l.Segment("ci", 1)))
	if _, err := p.append([]byte(`{"type":"a.c"}`)); err != nil {
		t.Fatal(err)
	}
	if got := b.read("ci"); got != "{\"type\":\"a.c\"}\n" {
		t.Errorf("the new file holds %q", got)
	}
}

func TestSyncReachesTheFolders(t *testing.T) {
	b := onBoard(t)
	b.run("post", "a.b", "--sync", "-l", "deep/er/lane")
	f := mustOpen(t, b.l, "deep/er/lane")
	if err := f.sync(); err != nil || !f.named {
		t.Errorf("%v, folders synced: %v", err, f.named)
	}
}

// Whatever is retried is still an event, with the same members and one more,
// and a digest that holds where it had one.
func TestRetryOf(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		data, _ := json.Marshal(rapid.String().Draw(rt, "data"))
		b := contracts.Build{ID: rapid.StringMatching(`[a-z]{1,4}`).Draw(rt, "id"), Source: "s", Type: "a.b",
			Time: sampleTime, Data: data, Digest: rapid.Bool().Draw(rt, "digest")}
		line := b.Append(nil)
		var env contracts.Envelope
		if r := contracts.Scan(line, &env); r != nil {
			rt.Fatal(r)
		}
		out := withRetryOf(line, &env, "agents/7@3:10482")
		var again contracts.Envelope
		if r := contracts.Scan(out, &again); r != nil {
			rt.Fatalf("%s: %v", out, r)
		}
		if has, ok := contracts.CheckDigest(out, &again); has != b.Digest || has && !ok {
			rt.Fatalf("digest %v %v: %s", has, ok, out)
		}
		var was, is map[string]any
		must(t, json.Unmarshal(line, &was))
		must(t, json.Unmarshal(out, &is))
		if is["retryof"] != "agents/7@3:10482" || fmt.Sprint(is["data"]) != fmt.Sprint(was["data"]) {
			rt.Fatalf("%s became %s", line, out)
		}
	})
}

// Nobody is told where to write by a link: a swarm of odd entries in a board.
func TestLanesOfAHostileBoard(t *testing.T) {
	b := onBoard(t)
	must(t, os.Symlink("/etc", filepath.Join(b.l.Dir, "etc")))
	must(t, os.Symlink(b.l.Dir, filepath.Join(b.l.Dir, "loop")))
	for _, lane := range []string{"etc/passwd", "loop/x", "loop/loop/x"} {
		if _, errs, code := b.try("", "post", "a.b", "-l", lane); code != 2 || !strings.Contains(errs, "link") {
			t.Errorf("%s: exit %d: %s", lane, code, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(b.l.Dir, "x"+layout.LaneExt)); err == nil {
		t.Error("a lane was written through a link")
	}
}

// Near the journal's end or from the snapshot: the same number, which is the
// one under which the daemon takes the line in.
func TestSegmentIsTheDaemons(t *testing.T) {
	b := onBoard(t)
	for i := range 4 {
		out := b.run("post", "a.b", "-l", "ci", "--id", fmt.Sprint("e", i))
		pos := strings.Fields(out)[1]
		b.run("up", "--once")
		if got := b.run("query", "-w", fmt.Sprint("id=e", i), "--fields", "id", "-o", "jsonl"); got == "" {
			t.Fatalf("e%d is not there", i)
		}
		var shown map[string]any
		must(t, json.Unmarshal([]byte(b.run("show", fmt.Sprint("e", i))), &shown))
		if shown["position"] != pos {
			t.Errorf("post said %s, it stands at %s", pos, shown["position"])
		}
		if i%2 == 1 {
			b.run("rotate", "ci")
		}
		f := mustOpen(t, b.l, "ci")
		near, ok := recentSegment(b.l, "ci")
		s, err := blackboard.Peek(b.l)
		must(t, err)
		if far := currentSegment(s.Lanes["ci"]); !ok || near != far || near != uint64(1+(i+1)/2) {
			t.Errorf("after %d: %d near the end (%v), %d from the snapshot", i, near, ok, far)
		}
		f.close()
	}
	if n, ok := recentSegment(b.l, "nobody"); ok {
		t.Errorf("segment %d of a lane that never was", n)
	}
}
