package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/blackboard/layout"
)

// board is a board of a test's own, and the program run on it in this process.
type testBoard struct {
	t testing.TB
	l layout.Layout
	// env is what the program sees beside the lane it posts to.
	env []string
}

func onBoard(t testing.TB) *testBoard {
	return &testBoard{t: t, l: newBoard(t), env: []string{"STIGMERGY_LANE=me"}}
}

// try runs one command line.
func (b *testBoard) try(stdin string, args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	dir := b.t.TempDir()
	file := func(name, text string) *os.File {
		path := filepath.Join(dir, name)
		must(b.t, os.WriteFile(path, []byte(text), 0o644))
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		must(b.t, err)
		b.t.Cleanup(func() { f.Close() })
		return f
	}
	in, out, errs := file("in", stdin), file("out", ""), file("err", "")
	args = append([]string{"-C", b.l.Dir}, args...)
	code = Main(args, b.env, in, out, errs)
	o, err := os.ReadFile(out.Name())
	must(b.t, err)
	e, err := os.ReadFile(errs.Name())
	must(b.t, err)
	return string(o), string(e), code
}

// run is try for what must go well; it gives standard output.
func (b *testBoard) run(args ...string) string {
	b.t.Helper()
	out, errs, code := b.try("", args...)
	if code != 0 {
		b.t.Fatalf("stigmergy %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// append adds to a lane what a writer with a mere >> would.
func (b *testBoard) append(lane, text string) {
	b.t.Helper()
	path := b.l.Lane(lane)
	must(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
	must(b.t, err)
	_, err = f.WriteString(text)
	must(b.t, err)
	must(b.t, f.Close())
}

// read is a lane's active file.
func (b *testBoard) read(lane string) string {
	b.t.Helper()
	raw, err := os.ReadFile(b.l.Lane(lane))
	must(b.t, err)
	return string(raw)
}
