package gitops_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stigmergy/gitops"
)

// TestMain lets this binary be a run of its own, which can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("GITOPS_TEST_RUN"); dir != "" {
		os.Exit(runAlone(dir))
	}
	os.Exit(m.Run())
}

func runAlone(dir string) int {
	u, err := gitops.Prepare(gitops.Options{
		Dir: dir, Root: dir, Mode: "end", Environ: os.Environ(), Now: time.Now, Rand: rand.Reader, Version: "test",
		AllowStaged: os.Getenv("GITOPS_TEST_STAGED") != "", Hooks: os.Getenv("GITOPS_TEST_HOOKS") != "",
		Emit: func(e gitops.Event, again bool) error {
			path := filepath.Join(dir, "..", "events")
			if old, err := os.ReadFile(path); again && err == nil && strings.Contains(string(old), e.ID) {
				return nil
			}
			f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = fmt.Fprintf(f, "%s %s %s\n", e.ID, e.Topic, e.Subject)
			return err
		},
	})
	if err == nil {
		_, err = u.Run(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// killer makes a git that kills itself and its caller at its Nth call, before
// or after it did its work.
func killer(t *testing.T) string {
	t.Helper()
	real, err := exec.LookPath("git")
	must(t, err)
	dir := t.TempDir()
	script := `#!/bin/sh
n=1; while ! mkdir "$COUNT/$n" 2>/dev/null; do n=$((n + 1)); done # two gits at a time get two numbers
case $KILL_AT in
$n) kill -9 $PPID; kill -9 $$ ;;
$n+) ` + real + ` "$@"; kill -9 $PPID; kill -9 $$ ;;
esac
exec ` + real + ` "$@"
`
	must(t, os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755))
	return dir
}

// TestKilledAtEveryGit: a run killed before or after any of its git calls
// leaves whole commits and the index as it was; the next run finds it, says
// so, finishes its receipt, and completes the work.
func TestKilledAtEveryGit(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP runs git some thousand times")
	}
	path := killer(t)
	self, err := os.Executable()
	must(t, err)
	last := 1 << 20
	for n := 1; n <= last; n++ {
		for _, when := range []string{"", "+"} {
			r := newTree(t)
			r.write("a/x", "1\n")
			r.write("b/y", "1\n")
			r.write("b/z", "1\n")
			r.commitAll()
			r.write("a/x", "2\n")
			must(t, os.Remove(filepath.Join(r.dir, "b/y")))
			r.write("n/new", "1\n")
			r.config(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]},{"batch_id":"n","type":"untracked","paths":["n"]}]}`)
			cmd := exec.Command(self)
			count := t.TempDir()
			cmd.Env = append(slices.Clip(r.env), "GITOPS_TEST_RUN="+r.dir, "PATH="+path+":"+os.Getenv("PATH"), "COUNT="+count, "KILL_AT="+strconv.Itoa(n)+when)
			err := cmd.Run()
			if err == nil { // it has no more calls than that
				last = n
				continue
			}
			r.afterKill(n, when)
		}
		if !*full && n > 1 {
			n += 8 // a sample
		}
	}
	t.Logf("%d git calls", last-1)
}

func (r *tree) afterKill(n int, when string) {
	t := r.t
	t.Helper()
	at := fmt.Sprintf("killed at git %d%s", n, when)
	if out, err := r.tryGit("fsck", "--no-dangling"); err != nil {
		t.Fatalf("%s: fsck: %s", at, out)
	}
	for _, c := range strings.Fields(r.git("rev-list", "HEAD")) {
		names := strings.TrimSpace(r.git("show", "--format=", "--name-only", c))
		switch names {
		case "a/x", "b/y", "n/new", ".gitignore", "a/x\nb/y\nb/z":
		default:
			t.Fatalf("%s: a commit of %q", at, names)
		}
	}
	if _, err := os.Lstat(filepath.Join(r.dir, ".git/index.lock")); err == nil {
		t.Fatalf("%s: index.lock is left", at)
	}
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(slices.Clip(r.env), "GITOPS_TEST_RUN="+r.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: the next run: %v %s", at, err, out)
	}
	if got := r.git("rev-list", "--count", "HEAD"); got != "4\n" {
		t.Errorf("%s: %s commits, want 4", at, strings.TrimSpace(got))
	}
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("%s: status %q", at, out)
	}
	r.receiptsTell(at)
}

// receiptsTell: the last receipt names the unfinished run, whose own receipt
// is finished; together they hold every commit; and each run told N + 1.
func (r *tree) receiptsTell(at string) {
	t := r.t
	t.Helper()
	list, err := gitops.Bundles(filepath.Join(r.dir, gitops.ProofRoot))
	must(t, err)
	var commits, recovered int
	batches, runs := map[string]int{}, map[string]int{}
	finished := map[string]int{}
	for _, dir := range list {
		text, err := os.ReadFile(filepath.Join(dir, gitops.ReceiptFile))
		if os.IsNotExist(err) {
			continue // killed before it could write one
		}
		must(t, err)
		rec, _, err := gitops.ReadReceipt(dir, text)
		if err != nil {
			t.Errorf("%s: %v", at, err)
			continue
		}
		if rec.State != gitops.Done {
			t.Errorf("%s: the receipt of %s is unfinished", at, rec.RunID)
		}
		commits += len(rec.Commits)
		recovered += len(rec.Recovered)
		finished[rec.RunID] = len(rec.Batches)
		v, err := gitops.Verify(dir, gitops.VerifyOptions{Repo: r.dir, Environ: r.env})
		must(t, err)
		r.findings(v, true)
	}
	if commits != 3 {
		t.Errorf("%s: the receipts hold %d commits, want 3", at, commits)
	}
	if len(finished) > 1 && recovered == 0 {
		t.Errorf("%s: nobody says that a run was unfinished", at)
	}
	text, _ := os.ReadFile(filepath.Join(r.dir, "..", "events"))
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		cols := strings.Fields(line)
		if cols[1] == "gitops.batch" {
			batches[cols[2]]++
		} else {
			runs[cols[2]]++
		}
	}
	for id, n := range finished {
		if batches[id] != n || runs[id] != 1 {
			t.Errorf("%s: run %s told %d batches of %d and %d runs", at, id, batches[id], n, runs[id])
		}
	}
}

// TestEightAtOnce: eight runs at a time while a person stages and agents
// write: every commit is whole, no path is lost, and what the person staged is
// what they staged.
func TestEightAtOnce(t *testing.T) {
	r := newTree(t)
	const batches = 4
	var config strings.Builder
	config.WriteString(`{"scope":"t","batches":[`)
	for b := range batches {
		for f := range 5 {
			r.write(fmt.Sprintf("b%d/f%d", b, f), "0\n")
		}
		fmt.Fprintf(&config, `{"batch_id":"b%d","paths":["b%d"]},`, b, b)
	}
	config.WriteString(`{"batch_id":"new","type":"untracked","paths":["new"],"allow":["new/**"]}]}`)
	r.write("mine/a", "0\n")
	r.write("mine/b", "0\n")
	r.commitAll()
	r.config(config.String())
	self, err := os.Executable()
	must(t, err)

	var wg sync.WaitGroup
	for i := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for k := range 2 {
				for b := range batches {
					must(t, os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("b%d/f%d", b, i%5)), []byte(fmt.Sprintf("%d %d\n", i, k)), 0o644))
				}
				must(t, os.MkdirAll(filepath.Join(r.dir, "new"), 0o755), os.WriteFile(filepath.Join(r.dir, fmt.Sprintf("new/%d-%d", i, k)), []byte("n\n"), 0o644))
				cmd := exec.Command(self)
				cmd.Env = append(slices.Clip(r.env), "GITOPS_TEST_RUN="+r.dir, "GITOPS_TEST_STAGED=1")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("run: %v %s", err, out)
				}
			}
		}()
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		for k := range 20 {
			must(t, os.WriteFile(filepath.Join(r.dir, "mine/a"), []byte(fmt.Sprintf("staged %d\n", k)), 0o644))
			for try := 0; ; try++ { // a person whose git finds the lock held tries again
				if _, err := r.tryGit("add", "mine/a"); err == nil || try > 1000 {
					break
				}
			}
		}
	}()
	wg.Wait()
	mine := func(when string) { // between a reference and the index there is a moment: look when all is at rest
		if names := r.git("diff", "--cached", "--name-only"); names != "mine/a\n" {
			t.Errorf("%s git diff --cached names %q", when, names)
		}
		if text := r.git("show", ":mine/a"); text != "staged 19\n" {
			t.Errorf("%s %q is staged", when, text)
		}
	}
	mine("after all runs")
	r.run(func(o *gitops.Options) { o.AllowStaged = true }) // what was written last
	mine("after a last run")
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != "M  mine/a\n" {
		t.Errorf("status %q", out)
	}
	for i := range 8 {
		for k := range 2 {
			r.git("cat-file", "-e", fmt.Sprintf("HEAD:new/%d-%d", i, k))
		}
	}
	for _, c := range strings.Fields(r.git("rev-list", "HEAD")) {
		dirs := map[string]bool{}
		for _, name := range strings.Fields(r.git("show", "--format=", "--name-only", c)) {
			dirs[filepath.Dir(name)] = true
		}
		if r.git("rev-list", "--count", c) != "1\n" && len(dirs) != 1 {
			t.Errorf("%s holds more than one batch: %v", c, dirs)
		}
	}
	if out, err := r.tryGit("fsck", "--no-dangling"); err != nil {
		t.Errorf("fsck: %s", out)
	}
}

// TestUnfinishable: a dead run that cannot be finished is told, and keeps
// nobody from running; once it can be it is.
func TestUnfinishable(t *testing.T) {
	r := newTree(t)
	r.write("a/x", "1\n")
	r.commitAll()
	r.write("a/x", "2\n")
	r.config(one("a", "tracked", "a"))
	broken := func(o *gitops.Options) {
		o.Remember = func(_ context.Context, f *gitops.Finished) error {
			if f.Again || len(f.Receipt.Commits) > 0 {
				return os.ErrPermission
			}
			return nil
		}
	}
	opt := r.options()
	broken(&opt)
	u, err := gitops.Prepare(opt)
	must(t, err)
	if _, err := u.Run(t.Context()); err == nil {
		t.Fatal("a packet that is not ingested is no error")
	}
	rec := r.run(broken)
	if len(rec.Recovered) != 1 || !strings.Contains(rec.Recovered[0].What, "could not be finished yet") {
		t.Fatalf("recovered %+v", rec.Recovered)
	}
	rec = r.run(nil)
	if len(rec.Recovered) != 1 || strings.Contains(rec.Recovered[0].What, "could not") {
		t.Fatalf("recovered %+v", rec.Recovered)
	}
	if rec = r.run(nil); len(rec.Recovered) != 0 {
		t.Errorf("found again: %+v", rec.Recovered)
	}
	r.checkEvents()
}
