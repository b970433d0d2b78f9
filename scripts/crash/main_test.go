package crash

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stigmergy/scripts/oracle"
)

var (
	full = flag.Bool("full", false, "the issue's own counts: minutes to hours")
	some = flag.Bool("some", false, "what CI runs: a few minutes")
	seed = flag.Uint64("seed", 1, "of everything random")
)

// scale picks a count: by default a test is a few seconds long.
func scale(tiny, middle, all int) int {
	switch {
	case *full:
		return all
	case *some:
		return middle
	}
	return tiny
}

// binaries are what TestMain built: the product and a tiny writer.
var binaries struct{ stigmergy, writer string }

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "crash-*")
	if err == nil {
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "building what is to be crashed:", err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir string) error {
	binaries.stigmergy, binaries.writer = filepath.Join(dir, "stigmergy"), filepath.Join(dir, "writer")
	todo := map[string]string{binaries.writer: "stigmergy/scripts/agents/writer", binaries.stigmergy: "stigmergy"}
	if ready := os.Getenv("STIGMERGY"); ready != "" {
		delete(todo, binaries.stigmergy)
		binaries.stigmergy = ready
	}
	for out, pkg := range todo {
		if said, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("go build %s: %w\n%s", pkg, err, said)
		}
	}
	return nil
}

// board is one board under test and what its writers know.
type board struct {
	t     testing.TB
	dir   string
	truth string
	opt   oracle.Options
	under []string // a command that runs the binary, as unshare
	read  []string // ids that a reader with a cursor has seen, in order
}

func newBoard(t testing.TB, under, segment string, settings ...string) *board {
	t.Helper()
	b := &board{t: t, dir: filepath.Join(under, "board"), truth: t.TempDir()}
	b.opt = oracle.Options{Quiet: true, Truth: b.truth, Handlers: []string{"board", "audit", "plan", "exemplar", "sign"}}
	for _, sub := range []string{"good", "bad", "tried"} {
		b.must(os.MkdirAll(filepath.Join(b.truth, sub), 0o755))
	}
	b.must(os.MkdirAll(b.dir, 0o755))
	b.ok("init", b.dir)
	text := "segment: {max_bytes: " + segment + "}\nseal: {quiet: 0s}\n" + strings.Join(settings, "\n") + "\n"
	b.must(os.WriteFile(filepath.Join(b.dir, "stigmergy.yaml"), []byte(text), 0o644))
	return b
}

func (b *board) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) lane(name string) string { return filepath.Join(b.dir, name+".jsonl") }

// know records what a writer acknowledged: sub is good, bad or tried.
func (b *board) know(sub, writer string, lines ...string) {
	b.t.Helper()
	appendFile(b.t, filepath.Join(b.truth, sub, strings.ReplaceAll(writer, "/", "_")+".jsonl"), strings.Join(lines, "\n")+"\n")
}

// write appends each line with one write and knows them.
func (b *board) write(sub, lane string, lines ...string) {
	b.t.Helper()
	b.must(os.MkdirAll(filepath.Dir(b.lane(lane)), 0o755))
	f, err := os.OpenFile(b.lane(lane), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	b.must(err)
	for _, l := range lines {
		_, err := f.WriteString(l + "\n")
		b.must(err)
	}
	b.must(f.Close())
	b.know(sub, lane, lines...)
}

func appendFile(t testing.TB, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// notes are the lines that agents write: see scripts/agents.
func notes(writer string, first, count, pad int) []string {
	out := make([]string, count)
	for i := range out {
		out[i] = fmt.Sprintf(`{"type":"agent.note","data":{"writer":"%s","n":%d,"pad":"%s"}}`, writer, first+i, strings.Repeat("x", pad))
	}
	return out
}

// result is what a command came to.
type result struct {
	code     int
	signal   syscall.Signal
	out, err string
}

func (r result) String() string {
	return fmt.Sprintf("exit %d, signal %v\n%s%s", r.code, r.signal, clip(r.out), clip(r.err))
}

func clip(s string) string { return s[max(0, len(s)-4000):] }

// patience ends what hangs: no step here takes a tenth of it.
const patience = 40 * time.Second

func (b *board) run(env []string, args ...string) result {
	b.t.Helper()
	words := append(append(append([]string{}, b.under...), binaries.stigmergy), args...)
	return b.exec(env, words[0], words[1:]...)
}

func (b *board) exec(env []string, name string, args ...string) result {
	b.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = filepath.Dir(b.dir), append(os.Environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	b.must(cmd.Start())
	stop := time.AfterFunc(patience, func() { _ = cmd.Process.Signal(syscall.SIGQUIT) })
	err := cmd.Wait()
	if !stop.Stop() {
		b.t.Fatalf("%s %v hangs:\n%s", name, args, errs.String())
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		b.t.Fatal(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errs.String()}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		r.signal = ws.Signal()
	}
	return r
}

// ok runs a command that must succeed.
func (b *board) ok(args ...string) result {
	b.t.Helper()
	r := b.run(nil, args...)
	if r.code != 0 {
		b.t.Fatalf("stigmergy %s: %v", strings.Join(args, " "), r)
	}
	return r
}

// once takes in and handles what is there.
func (b *board) once(env ...string) result { return b.run(env, "up", "--once", "-C", b.dir) }

// daemon is a running `stigmergy up`.
type daemon struct {
	cmd  *exec.Cmd
	pipe io.ReadCloser
	said said
}

// said is what it printed; written and read at the same time.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// start starts a daemon and does not wait for it.
func (b *board) start(env ...string) *daemon {
	b.t.Helper()
	words := append(append([]string{}, b.under...), binaries.stigmergy, "up", "--no-http", "-C", b.dir)
	d := &daemon{cmd: exec.Command(words[0], words[1:]...)}
	d.cmd.Env = append(os.Environ(), env...)
	r, w, err := os.Pipe()
	b.must(err)
	d.pipe, d.cmd.Stdout, d.cmd.Stderr = r, w, w
	b.must(d.cmd.Start())
	b.must(w.Close())
	return d
}

// ready waits until the daemon says that it takes in.
func (d *daemon) ready(b *board) {
	b.t.Helper()
	sc := bufio.NewScanner(d.pipe)
	ok := false
	stop := time.AfterFunc(patience, func() { _ = d.cmd.Process.Signal(syscall.SIGQUIT) })
	for !ok && sc.Scan() {
		fmt.Fprintln(&d.said, sc.Text())
		ok = strings.HasPrefix(sc.Text(), "Up in ")
	}
	stop.Stop()
	if !ok {
		b.t.Fatalf("the daemon ended before it was ready: %v\n%s", d.cmd.Wait(), d.said.String())
	}
	go func() { _, _ = io.Copy(&d.said, d.pipe) }()
}

// kill ends it as a crash does.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
	_ = d.pipe.Close()
}

// stop ends it as a user does, and gives its exit code: 143 when it drained.
func (d *daemon) stop() int {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	_ = d.cmd.Wait()
	_ = d.pipe.Close()
	return d.cmd.ProcessState.ExitCode()
}

// judge lets the daemon finish, and then holds the board to its promises.
func (b *board) judge(what string) oracle.Summary {
	b.t.Helper()
	if r := b.once(); r.code != 0 {
		b.t.Fatalf("%s: recovering: %v", what, r)
	}
	sum := b.check(what)
	b.idle(what)
	if r := b.run(nil, "replay", "-C", b.dir); r.code != 0 {
		b.t.Fatalf("%s: replay: %v", what, r)
	}
	if r := b.run(nil, "verify", "--allow-destroyed", "-C", b.dir); r.code != 0 {
		b.t.Errorf("%s: verify: %v", what, r)
		b.keep(what)
	}
	return sum
}

// follow reads on from where it read last, and holds all that it has read so
// far to what stands there (I6): nothing again, nothing left out, in order.
func (b *board) follow(what string) {
	b.t.Helper()
	all := func(args ...string) []string {
		r := b.run(nil, append([]string{"query", "**", "-o", "id", "-C", b.dir}, args...)...)
		if r.code > 1 {
			b.t.Fatalf("%s: reading: %v", what, r)
		}
		return strings.Fields(r.out)
	}
	b.read = append(b.read, all("--cursor-file", filepath.Join(b.truth, "cursor"))...)
	want := all()
	for i := range max(len(want), len(b.read)) {
		if i >= len(want) || i >= len(b.read) || want[i] != b.read[i] {
			b.t.Errorf("%s: I6: a cursor and a whole reading part at event %d of %d and %d", what, i, len(b.read), len(want))
			b.keep(what)
		}
	}
}

// idle holds a restart without anything to do to I9: it writes nothing.
func (b *board) idle(what string) {
	b.t.Helper()
	before := filepath.Join(b.t.TempDir(), "before")
	b.must(exec.Command("cp", "-a", b.dir, before).Run())
	tree := b.tree()
	if r := b.once(); r.code != 0 {
		b.t.Fatalf("%s: an idle restart: %v", what, r)
	}
	if wrote := differ(tree, b.tree()); wrote != "" {
		b.t.Errorf("%s: I9: an idle restart wrote:\n%s", what, wrote)
		b.keep(what, before)
	}
	b.must(os.RemoveAll(before))
}

func (b *board) check(what string) oracle.Summary {
	b.t.Helper()
	found, sum, err := oracle.Check(b.dir, b.opt)
	if err != nil {
		b.t.Fatalf("%s: %v", what, err)
	}
	for i, f := range found {
		if i == 20 {
			break
		}
		b.t.Errorf("%s: %v", what, f)
	}
	if len(found) > 0 {
		b.keep(what)
	}
	return sum
}

// keep saves a board that broke a promise, for whoever looks for the reason.
func (b *board) keep(what string, more ...string) {
	dir, err := os.MkdirTemp("", "crashed-board-*")
	if err == nil {
		err = exec.Command("cp", append(append([]string{"-a", b.dir, b.truth}, more...), dir)...).Run()
	}
	b.t.Fatalf("%s: the board is kept in %s (%v)", what, dir, err)
}

func (b *board) tree() map[string]string {
	out := map[string]string{}
	b.must(oracle.Tree(b.dir, func(rel, sum string) { out[rel] = sum }))
	return out
}

func differ(before, after map[string]string) string {
	var s strings.Builder
	for rel, sum := range after {
		if before[rel] != sum {
			fmt.Fprintf(&s, "  written: %s\n", rel)
		}
	}
	for rel := range before {
		if after[rel] == "" {
			fmt.Fprintf(&s, "  removed: %s\n", rel)
		}
	}
	return s.String()
}
