package oracle

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// good is a board with a bit of everything: blank lines, a refused one, an
// archived segment, a live one, an unfinished line, derived events.
func good(t *testing.T) *mini {
	m := newMini(t)
	one := m.input("agents/7", 1, `{"type":"build.done","data":{"w":1,"n":1}}`, ``, `{"type":"build.done","data":{"w":1,"n":2}}`)
	m.derive("swarm", one, m.event("swarm", "swarm.followup", "audit", "agents/7@1:0", one, `{"kind":"audit"}`))
	bad := `{"type":"build.done",}`
	two := m.input("agents/7", 1, `{"type":"a.b"}`, bad, `{"type":"build.done","data":{"w":1,"n":3}}`)
	m.refuse("agents/7", 1, 102, two, bad, "not_json")
	m.rotate("agents/7")
	m.input("agents/7", 2, `{"type":"build.done","data":{"w":1,"n":4}}`)
	tick := m.entry(`"tick":true`)
	m.derive("swarm", tick, m.event("swarm", "swarm.followup", "audit", fmt.Sprintf("tick:%d", tick), tick, `{"kind":"rerun"}`))
	m.file("agents/7.jsonl", `{"type":"unfin`)
	m.done()
	return m
}

// truthDir writes what the board's writers know, beside the board.
func truthDir(t *testing.T, good, bad []string) string {
	dir := t.TempDir()
	for sub, lines := range map[string][]string{"good": good, "bad": bad} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, l := range lines {
			text += l + "\n"
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "w1.jsonl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func event(n int) string { return fmt.Sprintf(`{"type":"build.done","data":{"w":1,"n":%d}}`, n) }

func options(truth string) Options {
	return Options{Quiet: true, Truth: truth, Handlers: []string{"board", "audit", "plan", "exemplar", "sign"}}
}

func TestGoodBoard(t *testing.T) {
	m := good(t)
	truth := truthDir(t, []string{event(1), event(2), event(3), event(4), `{"type":"a.b"}`}, []string{`{"type":"build.done",}`})
	found, sum, err := Check(m.dir, options(truth))
	if err != nil || len(found) > 0 {
		t.Fatalf("%v\n%v", err, found)
	}
	want := "entries=11 lines=9 valid=7 blank=1 quarantined=1 recovered=0 derived=4 seals=1 truth=6"
	if sum.String() != want {
		t.Fatalf("counted %s, expected %s", sum, want)
	}
}

// TestTampered is the oracle's negative control: every promise broken once,
// by hand, and the finding it must be.
func TestTampered(t *testing.T) {
	for _, tc := range tampers {
		t.Run(tc.name, func(t *testing.T) {
			m := good(t)
			tc.do(m)
			found, _, err := Check(m.dir, options(""))
			if err != nil {
				t.Fatal(err)
			}
			if len(found) == 0 {
				t.Fatal("nothing was found")
			}
			for _, f := range found {
				if f.Rule == tc.rule && strings.Contains(f.String(), tc.says) {
					return
				}
			}
			t.Fatalf("expected %s … %s, found %v", tc.rule, tc.says, found)
		})
	}
}

type tamper struct {
	name, rule, says string
	do               func(m *mini)
}

const journalFile = ".stigmergy/journal/00000001.jsonl"

var tampers = []tamper{
	{"a byte of a lane", "root", "agents/7@2:0", edit("agents/7.jsonl", `"n":4`, `"n":5`)},
	{"a lane cut short", "I1", "agents/7@2:10", shorten("agents/7.jsonl", 10)},
	{"a lane gone", "I1", "agents/7@2:0", drop("agents/7.jsonl")},
	{"a whole line not taken in", "I1", "agents/7@2:43", edit("agents/7.jsonl", `{"type":"unfin`, `{"type":"x"}`+"\n")},
	{"a lane the journal does not know", "I1", "stray.jsonl", write("stray.jsonl", "{}\n")},
	{"an owned lane that nobody made", "owned", "genesis.jsonl", write("genesis.jsonl", "{}\n")},
	{"foreign bytes in an owned lane", "owned", "swarm@1:", write("swarm.jsonl", `{"type":"hxo.plan"}`+"\n")},
	{"half a foreign line", "owned", "swarm@1:", write("swarm.jsonl", `{"ty`)},
	{"an owned lane cut short", "I1", "swarm@1:", shorten("swarm.jsonl", 20)},
	{"an owned event changed", "root", "swarm@1:0", edit("swarm.jsonl", `"audit"}`, `"rerun"}`)},
	{"a seq left out", "journal", "expected seq 3", edit(journalFile, `{"seq":3,`, `{"seq":4,`)},
	{"a time that goes back", "journal", "time goes back", edit(journalFile, `"time":"2026-01-29T02:31:16`, `"time":"2026-01-29T02:31:10`)},
	{"elapsed_ms goes back", "journal", "elapsed_ms goes back", edit(journalFile, `"elapsed_ms":3000`, `"elapsed_ms":1`)},
	{"an unknown kind", "journal", "expected one known kind", edit(journalFile, `"tick":true`, `"tock":true`)},
	{"two kinds", "journal", "expected one known kind", edit(journalFile, `"tick":true`, `"tick":true,"open":true`)},
	{"a torn journal", "journal", "no newline", write(journalFile, `{"seq":12`)},
	{"a root", "root", "agents/7@1:0", editFirst(journalFile, `"root":"`, `"root":"00`, 2)},
	{"a count of lines", "root", "says 2 lines", edit(journalFile, `"to":87,"lines":3`, `"to":87,"lines":2`)},
	{"bytes taken in twice", "I2", "agents/7@1:80", edit(journalFile, `"from":87`, `"from":80`)},
	{"bytes taken in never", "I1", "agents/7@1:87", edit(journalFile, `"from":87`, `"from":90`)},
	{"a record gone", "I1", "quarantine/agents/7@1:0", drop("quarantine/agents/7.jsonl")},
	{"a record of another line", "I4", "sha256", resum("quarantine/agents/7.jsonl", `"length":22`, `"length":23`)},
	{"a record's bytes", "I4", "does not hold", resum("quarantine/agents/7.jsonl", `{\"type\":\"build.done\",}`, `{\"type\":\"build.done\",]`)},
	{"a wrong reason", "I4", "too_deep", resum("quarantine/agents/7.jsonl", "not_json", "too_deep")},
	{"a record of a good line", "I4", "no record says so", resum("quarantine/agents/7.jsonl", "agents/7@1:102", "agents/7@1:87")},
	{"a record of no line", "I3", "agents/7@1:103", resum("quarantine/agents/7.jsonl", "agents/7@1:102", "agents/7@1:103")},
	{"an announcement of no line", "I3", "agents/7@1:103", resum("board.jsonl", `"position":"agents/7@1:102"`, `"position":"agents/7@1:103"`)},
	{"an id twice", "I2", "stands at", resum("swarm.jsonl", "", "")},
	{"an id of no handler", "owned", "follows from cause", resum("swarm.jsonl", `"id":"`, `"id":"0`)},
	{"a cause that is no line", "I3", "agents/7@1:1 is no line", resum("swarm.jsonl", "agents/7@1:0", "agents/7@1:1")},
	{"a cause that is no tick", "owned", "no such entry", resum("swarm.jsonl", "tick:", "tick:1")},
	{"another time", "owned", "its cause was journaled", resum("swarm.jsonl", "T02:31:14", "T02:31:15")},
	{"a seal's sum", "seal", "sealed with", resum("workers/archive.jsonl", `"lines":6`, `"lines":7`)},
	{"a seal's root", "seal", "merkle_root", resum("workers/archive.jsonl", `"merkle_root":"`, `"merkle_root":"0`)},
	{"a seal twice", "I2", "sealed at", resum("workers/archive.jsonl", "segment.archived", "segment.sealed")},
	{"archived, never sealed", "I5", "never sealed", resum("workers/archive.jsonl", "segment.sealed", "segment.sworn")},
	{"an archive of other bytes", "seal", "archived as", repack("agents/7", "a.b", "a.c")},
	{"an archive gone", "I1", "agents/7@1:0", drop("archive/agents/7/00000001.jsonl.zst")},
	{"two places that differ", "seal", "different bytes", write(".stigmergy/segments/agents/7/00000001.jsonl", "{}\n")},
	{"an archive's flipped bit", "seal", "zstd", flip("archive/agents/7/00000001.jsonl.zst", -6)},
}

func edit(rel, from, to string) func(m *mini) {
	return func(m *mini) {
		b, err := os.ReadFile(m.path(rel))
		if err != nil || !bytes.Contains(b, []byte(from)) {
			m.t.Fatalf("%s holds no %s: %v", rel, from, err)
		}
		overwrite(m, rel, bytes.Replace(b, []byte(from), []byte(to), 1))
	}
}

// editFirst replaces and keeps the length, by cutting so many bytes behind.
func editFirst(rel, from, to string, cut int) func(m *mini) {
	return func(m *mini) {
		b, _ := os.ReadFile(m.path(rel))
		i := bytes.Index(b, []byte(from))
		out := append(append([]byte{}, b[:i]...), to...)
		overwrite(m, rel, append(out, b[i+len(from)+cut:]...))
	}
}

func overwrite(m *mini, rel string, b []byte) {
	if err := os.WriteFile(m.path(rel), b, 0o644); err != nil {
		m.t.Fatal(err)
	}
}

func write(rel, text string) func(m *mini) { return func(m *mini) { m.file(rel, text) } }

func drop(rel string) func(m *mini) {
	return func(m *mini) {
		if err := os.Remove(m.path(rel)); err != nil {
			m.t.Fatal(err)
		}
	}
}

func shorten(rel string, size int64) func(m *mini) {
	return func(m *mini) {
		if err := os.Truncate(m.path(rel), size); err != nil {
			m.t.Fatal(err)
		}
	}
}

func flip(rel string, at int) func(m *mini) {
	return func(m *mini) {
		b, err := os.ReadFile(m.path(rel))
		if err != nil {
			m.t.Fatal(err)
		}
		b[len(b)+at] ^= 0x10
		overwrite(m, rel, b)
	}
}

// resum is the clever liar: it edits a lane and mends the journal, so that all
// roots hold. With nothing to edit it writes the lane's first line twice.
func resum(rel, from, to string) func(m *mini) {
	return func(m *mini) {
		lane := strings.TrimSuffix(rel, ".jsonl")
		b, err := os.ReadFile(m.path(rel))
		if err != nil || !bytes.Contains(b, []byte(from)) {
			m.t.Fatalf("%s holds no %s: %v", rel, from, err)
		}
		text := strings.Replace(string(b), from, to, 1)
		lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
		lines[len(lines)-1] += "\n"
		if from == "" {
			lines[1] = lines[0]
			text = strings.Join(lines, "")
		}
		overwrite(m, rel, []byte(text))
		remend(m, lane, lines)
	}
}

// remend rewrites the lane's entries over its new lines.
func remend(m *mini, lane string, lines []string) {
	var out strings.Builder
	var at int64
	for _, e := range strings.SplitAfter(m.journal.String(), "\n") {
		if !strings.Contains(e, `"lane":"`+lane+`"`) || !strings.Contains(e, `"root"`) {
			out.WriteString(e)
			continue
		}
		var n int
		tail := e[strings.Index(e, `"lines":`):]
		if _, err := fmt.Sscanf(tail, `"lines":%d`, &n); err != nil {
			m.t.Fatal(err)
		}
		text := strings.Join(lines[:n], "")
		cause := ""
		if i := strings.Index(e, `,"cause"`); i >= 0 {
			cause = strings.TrimSuffix(e[i:], "}\n")
		}
		fmt.Fprintf(&out, `%s"lane":"%s","segment":1,"from":%d,"to":%d,"lines":%d,"root":"%s"%s}`+"\n",
			e[:strings.Index(e, `"lane"`)], lane, at, at+int64(len(text)), n, slowRoot(lines[:n]), cause)
		at += int64(len(text))
		lines = lines[n:]
	}
	overwrite(m, journalFile, []byte(out.String()))
}

// repack exchanges an archive for one of other bytes.
func repack(lane, from, to string) func(m *mini) {
	return func(m *mini) {
		path := m.path("archive/" + lane + "/00000001.jsonl.zst")
		raw, err := exec.Command("zstd", "-dcq", path).Output()
		if err != nil {
			m.t.Fatal(err)
		}
		cmd := exec.Command("zstd", "-qfo", path)
		cmd.Stdin = bytes.NewReader(bytes.Replace(raw, []byte(from), []byte(to), 1))
		if out, err := cmd.CombinedOutput(); err != nil {
			m.t.Fatalf("%v: %s", err, out)
		}
	}
}

// TestRenamed: lanes whose files changed names are found by their bytes.
func TestRenamed(t *testing.T) {
	m := newMini(t)
	m.input("a", 1, event(1), event(2))
	m.input("b", 1, event(3))
	m.input("c", 1, event(4))
	m.done()
	for _, mv := range [][2]string{{"a", "x"}, {"b", "a"}, {"x", "b"}, {"c", "d"}} {
		if err := os.Rename(m.path(mv[0]+".jsonl"), m.path(mv[1]+".jsonl")); err != nil {
			t.Fatal(err)
		}
	}
	truth := truthDir(t, []string{event(1), event(2), event(3), event(4)}, nil)
	if found, _, err := Check(m.dir, options(truth)); err != nil || len(found) > 0 {
		t.Fatal(found, err)
	}
	m.file("d.jsonl", event(5)+"\n")
	if found, _, err := Check(m.dir, options(truth)); err != nil || len(found) != 1 || found[0].Rule != "I1" {
		t.Fatal(found, err)
	}
}
