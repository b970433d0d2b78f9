package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDocs… run what the documents show. A block that begins with ```console
// holds commands ("$ …", continued by "> …") and what they print; each document
// is one shell session in a folder of its own, with the real binary. Printed
// lines are compared by shape: numbers, times and hashes may differ, a line
// "…" stands for any lines. A command ends with 0 unless it says `# exit N`.
// ```console in another terminal starts a daemon and leaves it running.
func TestDocsRun(t *testing.T) {
	docs, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if ready := os.Getenv("STIGMERGY"); ready != "" { // built already: .ci/run does so
		err = os.Symlink(ready, bin+"/stigmergy")
	} else if said, berr := exec.Command("go", "build", "-o", bin+"/stigmergy", ".").CombinedOutput(); berr != nil {
		err = fmt.Errorf("go build: %w\n%s", berr, said)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range append(docs, "README.md") {
		blocks := consoles(t, doc)
		if len(blocks) == 0 {
			continue
		}
		t.Run(filepath.Base(doc), func(t *testing.T) {
			t.Parallel()
			s := newSession(t, bin)
			for _, b := range blocks {
				s.play(doc, b)
			}
		})
	}
}

// console is one fenced block.
type console struct {
	line       int
	background bool
	steps      []step
}

type step struct {
	line     int
	command  string
	want     []string
	exitCode int
}

var exitComment = regexp.MustCompile(`#.*\bexit (\d+)`)

func consoles(t *testing.T, doc string) []console {
	t.Helper()
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	var out []console
	var in *console
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case in == nil && strings.HasPrefix(line, "```console"):
			out = append(out, console{line: i + 1, background: strings.Contains(line, "another terminal")})
			in = &out[len(out)-1]
		case in != nil && strings.HasPrefix(line, "```"):
			in = nil
		case in == nil:
		case strings.HasPrefix(line, "$ "):
			s := step{line: i + 1, command: line[2:]}
			if m := exitComment.FindStringSubmatch(line); m != nil {
				s.exitCode, _ = strconv.Atoi(m[1])
			}
			in.steps = append(in.steps, s)
		case len(in.steps) == 0:
			t.Fatalf("%s:%d: a console block begins with a command", doc, i+1)
		default:
			last := &in.steps[len(in.steps)-1]
			if more, ok := strings.CutPrefix(line, "> "); ok && len(last.want) == 0 {
				last.command += "\n" + more
			} else {
				last.want = append(last.want, line)
			}
		}
	}
	return out
}

// session is one shell that plays a document's commands in order.
type session struct {
	t     *testing.T
	dir   string
	env   []string
	in    io.WriteCloser
	out   *bufio.Reader
	shell *exec.Cmd
}

func newSession(t *testing.T, bin string) *session {
	t.Helper()
	repo, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s := &session{t: t, dir: filepath.Join(t.TempDir(), "work")}
	if err := errors.Join(os.Mkdir(s.dir, 0o755), os.Symlink(repo+"/scripts", s.dir+"/scripts")); err != nil {
		t.Fatal(err)
	}
	s.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+t.TempDir(), "LC_ALL=C", "NO_COLOR=1", "STIGMERGY_BOARD=", "STIGMERGY_LANE=")
	s.shell = exec.Command("bash", "--norc")
	s.shell.Dir, s.shell.Env = s.dir, s.env
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s.shell.Stdout, s.shell.Stderr = w, w
	if s.in, err = s.shell.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.shell.Start(); err != nil {
		t.Skipf("no bash: %v", err)
	}
	w.Close()
	s.out = bufio.NewReader(r)
	t.Cleanup(func() {
		_ = s.in.Close()
		_ = s.shell.Wait()
		_ = r.Close()
	})
	return s
}

func (s *session) play(doc string, b console) {
	if b.background {
		s.daemon(doc, b)
		return
	}
	for _, st := range b.steps {
		where := fmt.Sprintf("%s:%d", doc, st.line)
		if tool := s.missing(st.command); tool != "" {
			s.t.Skipf("%s: %s is not installed", where, tool)
		}
		got, code := s.run(where, st.command)
		if code != st.exitCode {
			s.t.Fatalf("%s: $ %s\nends with %d, expected %d:\n%s", where, st.command, code, st.exitCode, strings.Join(got, "\n"))
		}
		if len(st.want) > 0 && !alike(st.want, got) {
			s.t.Errorf("%s: $ %s\nprints\n  %s\nthe document says\n  %s", where, st.command, strings.Join(got, "\n  "), strings.Join(st.want, "\n  "))
		}
	}
}

// missing is a tool that the documents use and this machine lacks.
func (s *session) missing(command string) string {
	for _, tool := range []string{"zstd", "jq", "xxd", "rg", "node", "python3", "duckdb"} {
		if regexp.MustCompile(`(^|[|;(\s])` + tool + `\s`).MatchString(command) {
			if _, err := exec.LookPath(tool); err != nil {
				return tool
			}
		}
	}
	return ""
}

const marker = "-- that was it, exit "

// run gives the shell one command and reads until it has ended.
func (s *session) run(where, command string) (got []string, code int) {
	s.t.Helper()
	fmt.Fprintf(s.in, "%s\necho \"%s$?\"\n", command, marker)
	hang := time.AfterFunc(2*time.Minute, func() { _ = s.shell.Process.Signal(syscall.SIGKILL) })
	defer hang.Stop()
	for {
		line, err := s.out.ReadString('\n')
		if i := strings.Index(line, marker); i >= 0 {
			if i > 0 {
				got = append(got, line[:i])
			}
			code, _ = strconv.Atoi(strings.TrimSpace(line[i+len(marker):]))
			return got, code
		}
		if err != nil {
			s.t.Fatalf("%s: $ %s\nended or hung the shell:\n%s", where, command, strings.Join(got, "\n"))
		}
		got = append(got, strings.TrimSuffix(line, "\n"))
	}
}

// daemon starts the block's command beside the session, waits until it is
// ready, and ends it with the test.
func (s *session) daemon(doc string, b console) {
	st := b.steps[0]
	where := fmt.Sprintf("%s:%d", doc, st.line)
	cmd := exec.Command("bash", "-c", "exec "+st.command)
	cmd.Dir, cmd.Env = s.dir, s.env
	r, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout = cmd.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", where, err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	var got []string
	out := bufio.NewScanner(r)
	want := st.want
	for out.Scan() {
		got = append(got, out.Text())
		if strings.HasPrefix(out.Text(), "Up in ") && len(want) == 0 || len(want) > 0 && alike(want, got) {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	if len(want) > 0 && !alike(want[:min(len(want), len(got))], got) {
		s.t.Errorf("%s: $ %s\nprints\n  %s\nthe document says\n  %s", where, st.command, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var volatile = []struct {
	re *regexp.Regexp
	to string
}{
	{regexp.MustCompile(`\x1b\[[0-9;?]*[A-Za-z]`), ""},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\b[0-9a-f]{12,64}\b`), "HASH"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?`), "TIME"},
	{regexp.MustCompile(`(/[^\s:,"']*)?/work\b`), "DIR"},
	{regexp.MustCompile(`\d+(\.\d+)?\s?(ns|µs|us|ms|s|m|h|B|KiB|MiB|kB|MB)\b`), "N"},
	{regexp.MustCompile(`\d+(\.\d+)?`), "N"},
	{regexp.MustCompile(`\s+`), " "},
}

func shape(line string) string {
	for _, v := range volatile {
		line = v.re.ReplaceAllString(line, v.to)
	}
	return strings.TrimSpace(line)
}

// alike compares by shape; "…" stands for any lines, and within a line for
// anything.
func alike(want, got []string) bool {
	if len(want) == 0 {
		return len(got) == 0
	}
	if strings.TrimSpace(want[0]) == "…" {
		for i := 0; i <= len(got); i++ {
			if alike(want[1:], got[i:]) {
				return true
			}
		}
		return false
	}
	return len(got) > 0 && alikeLine(want[0], got[0]) && alike(want[1:], got[1:])
}

func alikeLine(want, got string) bool {
	parts := strings.Split(shape(want), "…")
	got = shape(got)
	if len(parts) == 1 {
		return parts[0] == got
	}
	for i, p := range parts {
		p = strings.TrimSpace(p)
		at := strings.Index(got, p)
		if at < 0 || i == 0 && at != 0 {
			return false
		}
		got = got[at+len(p):]
	}
	return parts[len(parts)-1] == "" || got == ""
}

func TestAlike(t *testing.T) {
	for _, tc := range []struct {
		want, got string
		ok        bool
	}{
		{"a 12\nb", "a 3\nb", true},
		{"a\nb", "a", false},
		{"a\n…\nb", "a\nx\ny\nb", true},
		{"a\n…", "a", true},
		{"…", "", true},
		{"took 3ms at 2026-01-01T00:00:00Z", "took 1.5s at 2027-02-02T00:00:00.123Z", true},
		{"id … lane ci", "id 0190 lane ci", true},
		{"id … lane ci", "id 0190 lane cx", false},
		{"exit", "exit now", false},
	} {
		if got := alike(strings.Split(tc.want, "\n"), strings.Split(tc.got, "\n")); got != tc.ok {
			t.Errorf("%q like %q: %v", tc.got, tc.want, got)
		}
	}
}
