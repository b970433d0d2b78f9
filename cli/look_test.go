package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func statusOf(t testing.TB, b *testBoard) *boardStatus {
	t.Helper()
	var s boardStatus
	must(t, json.Unmarshal([]byte(b.run("status", "-o", "json")), &s))
	return &s
}

func TestStatusSeesLanes(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	b.append("ci", `{"type":"a.b"}`+"\nhalf a li")
	b.append("new", "{}\n")
	s := statusOf(t, b)
	if s.Up || len(s.BoardID) != 32 || s.Seq == 0 || s.Pending != 24+3 || len(s.Lanes) != 3 || s.Disk.Free <= 0 {
		t.Errorf("%+v", s)
	}
	ci := s.Lanes[0]
	if ci.Lane != "ci" || ci.Segment != 1 || ci.Offset != 15 || ci.Size != 39 || ci.UnfinishedBytes != 9 {
		t.Errorf("%+v", ci)
	}
	if v := s.Settings["lease"]; v.Value != "60s" || v.Origin != "default" {
		t.Errorf("%+v", v)
	}
	b.append("ci", "ne\n")
	b.run("rotate", "ci")
	b.append("ci", "{}\n")
	for _, l := range statusOf(t, b).Lanes {
		if l.Lane == "ci" && (l.Segment != 2 || l.Offset != 0 || l.Pending != 3) {
			t.Errorf("after a rotation: %+v", l)
		}
	}
}

// The unfinished end of a file is what stands behind its last newline.
func TestUnfinished(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Repeat(rapid.SampledFrom([]string{"", "a", "long line ", "\n"}).Draw(rt, "head"), rapid.IntRange(0, 9000).Draw(rt, "times"))
		text += rapid.StringMatching(`([ab]{0,5}\n?){0,4}`).Draw(rt, "tail")
		must(t, os.WriteFile(path, []byte(text), 0o644))
		look := laneLook{Size: int64(len(text))}
		look.unfinished(path)
		if want := int64(len(text) - strings.LastIndexByte(text, '\n') - 1); look.UnfinishedBytes != want {
			rt.Fatalf("%d bytes of %d, want %d", look.UnfinishedBytes, len(text), want)
		}
	})
}

func doctorOf(t testing.TB, b *testBoard) (findings map[string]string, code int) {
	t.Helper()
	out, errs, code := b.try("", "doctor", "-o", "tsv")
	if code != 0 && code != 1 {
		t.Fatalf("exit %d: %s", code, errs)
	}
	findings = map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(out), "\n")[1:] {
		level, rest, _ := strings.Cut(line, "\t")
		what, rest, _ := strings.Cut(rest, "\t")
		finding, repair, _ := strings.Cut(rest, "\t")
		if level != "OK" && repair == "" {
			t.Errorf("no repair for: %s", line)
		}
		findings[level+" "+what] += finding + "\n"
	}
	return findings, code
}

func TestDoctor(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testBoard)
		level string
		say   string
	}{
		"nothing":    {func(b *testBoard) {}, "OK journal", "none missing"},
		"setting":    {func(b *testBoard) { must(t, os.WriteFile(b.l.Settings(), []byte("leese: 1s\n"), 0o644)) }, "FAIL settings", "did you mean lease"},
		"variable":   {func(b *testBoard) { b.env = append(b.env, "STIGMERGY_LEASSE=1s") }, "WARN settings", "STIGMERGY_LEASE was probably meant"},
		"contract":   {func(b *testBoard) { writeFile(t, b.l.Contracts()+"/x.y.schema.json", `{"type":7}`) }, "FAIL contracts", "x.y.schema.json"},
		"keys":       {func(b *testBoard) { must(t, os.Chmod(b.l.Private("keys"), 0o755)) }, "FAIL permissions", "others may look"},
		"link":       {func(b *testBoard) { must(t, os.Symlink("/etc/passwd", b.l.Lane("link"))) }, "WARN lanes", "it is a link"},
		"fifo":       {func(b *testBoard) { must(t, unix.Mkfifo(b.l.Lane("pipe"), 0o644)) }, "WARN lanes", "it is a FIFO"},
		"twin":       {func(b *testBoard) { must(t, os.Link(b.l.Lane("ci"), b.l.Lane("twin"))) }, "WARN lanes", "second name of ci.jsonl"},
		"unfinished": {func(b *testBoard) { b.append("ci", "half"); old(t, b.l.Lane("ci")) }, "WARN lanes", "waits for its newline"},
		"journal":    {func(b *testBoard) { spoilFile(t, b.l.JournalSegment(1)) }, "FAIL journal", ""},
		"object":     {func(b *testBoard) { spoilFile(t, anyObject(t, b)) }, "FAIL objects", "its bytes do not have its SHA-256"},
		"identity":   {func(b *testBoard) { must(t, os.WriteFile(b.l.BoardID(), []byte("x"), 0o644)) }, "FAIL identity", "32 hex digits"},
		"archive":    {func(b *testBoard) { writeFile(t, b.l.Archive("lost", 1), "no zstd") }, "FAIL archives", "lost"},
	} {
		t.Run(name, func(t *testing.T) {
			b := onBoard(t)
			b.append("ci", `{"type":"a.b"}`+"\n")
			b.run("up", "--once")
			c.spoil(b)
			got, code := doctorOf(t, b)
			if finding, ok := got[c.level]; !ok || !strings.Contains(finding, c.say) {
				t.Errorf("no %s with %q in %v", c.level, c.say, got)
			}
			if want := strings.HasPrefix(c.level, "FAIL"); (code == 1) != want {
				t.Errorf("exit %d", code)
			}
		})
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

// spoilFile changes a byte in the middle of a file.
func spoilFile(t testing.TB, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	must(t, err)
	raw[len(raw)/2] ^= 0x55
	must(t, os.Chmod(path, 0o644))
	must(t, os.WriteFile(path, raw, 0o644))
}

func anyObject(t testing.TB, b *testBoard) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.l.CAS(), "*", "*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no object: %v", err)
	}
	return found[0]
}

func old(t testing.TB, path string) {
	t.Helper()
	past := time.Now().Add(-10 * time.Minute)
	must(t, os.Chtimes(path, past, past))
}

func TestCAS(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	named := strings.TrimSpace(b.run("cas", "ls", "-o", "id"))
	if len(named) != 64 {
		t.Fatalf("%q", named)
	}
	if got := b.run("cas", "cat", named); !json.Valid([]byte(got)) {
		t.Errorf("the configuration is no JSON: %s", got)
	}
	loose := "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" // of one zero byte
	writeFile(t, b.l.Blob(loose), "\x00")
	if got := b.run("cas", "gc", "-o", "id"); got != "" {
		t.Errorf("what is young goes: %s", got)
	}
	if got := b.run("cas", "gc", "--grace", "0s", "--dry-run", "-o", "id"); strings.TrimSpace(got) != loose {
		t.Errorf("dry run: %s", got)
	}
	b.run("cas", "gc", "--grace", "0s")
	if got := strings.TrimSpace(b.run("cas", "ls", "-o", "id")); got != named {
		t.Errorf("left: %s, want %s", got, named)
	}
	if _, _, code := b.try("", "cas", "cat", loose); code != 1 {
		t.Errorf("exit %d for one that is gone", code)
	}
	if _, _, code := b.try("", "cas", "cat", "../../etc/passwd"); code != 2 {
		t.Errorf("exit %d for no name", code)
	}
}

func TestDropNamed(t *testing.T) {
	re := regexp.MustCompile(`[0-9a-f]{64}`)
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[0-9a-f]{64}`).Draw(rt, "name")
		other := rapid.StringMatching(`[0-9a-f]{64}`).Draw(rt, "other")
		text := rapid.SampledFrom([]string{`{"sha256":"` + name + `"}`, "f" + name, name + "0", name[:63], name[:32] + "x" + name[32:]}).Draw(rt, "text")
		loose := map[string]int64{name: 1, other: 1}
		dropNamed(loose, []byte(text))
		want := strings.Contains(text, name)
		if _, left := loose[name]; left == want {
			rt.Fatalf("%q: left %v", text, left)
		}
		if _, left := loose[other]; !left && !re.MatchString(strings.ReplaceAll(text, name, "")) && other != name && !strings.Contains(text, other) {
			rt.Fatalf("%q: the other one went", text)
		}
	})
}

// What is made up for a pattern matches the pattern.
func TestMatching(t *testing.T) {
	for _, p := range []string{`^[0-9a-f]{16}$`, `^[0-9a-f]{64}$`, `^(a|b)+c?$`, `^[A-Z][a-z]*$`, `x{2,5}`, `^\d+\.\d+$`, `^[^/]+/.+$`, `^$`, `^a\.b$`, `(?i)abc`} {
		re, err := syntax.Parse(p, syntax.Perl)
		must(t, err)
		if s := matching(re.Simplify()); !regexp.MustCompile(p).MatchString(s) {
			t.Errorf("%s: %q", p, s)
		}
	}
}

func TestSegmentArg(t *testing.T) {
	for in, want := range map[string]string{"ci@3": "ci 3 true", "agents/7@12": "agents/7 12 true", "a@b@2": "a%40b 2 true", "ci": " 0 false", "ci@": "ci 0 false", "ci@0": "ci 0 false", "@3": " 0 false", "ci@-1": "ci 0 false"} {
		lane, n, ok := segmentArg(in)
		if got := fmt.Sprint(lane, " ", n, " ", ok); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestHuman(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 64 << 20: "64.0 MiB", 1 << 40: "1.0 TiB", 1 << 51: "2048.0 TiB"} {
		if got := humanSize(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Second: "in the future", 0: "now", 90 * time.Second: "90s", 5 * time.Minute: "5m", 30 * time.Hour: "30h", 80 * time.Hour: "3d"} {
		if got := humanAge(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
