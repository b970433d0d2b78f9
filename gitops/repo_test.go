package gitops_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stigmergy/contracts"
	"stigmergy/gitops"
)

// tree is a working tree to run in.
type tree struct {
	t   testing.TB
	dir string
	env []string

	mu     sync.Mutex // guards events
	events []gitops.Event
}

func newTree(t testing.TB) *tree {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIP no git")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	r := &tree{t: t, dir: filepath.Join(dir, "repo")}
	r.env = append(os.Environ(), "HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL="+filepath.Join(dir, "gitconfig"))
	r.write("../gitconfig", "[user]\n\tname = me\n\temail = me@example.org\n[init]\n\tdefaultBranch = main\n[protocol \"file\"]\n\tallow = always\n")
	if err := os.Mkdir(r.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	r.git("init", "-q", "-b", "main")
	return r
}

// git runs git as the person does.
func (r *tree) git(args ...string) string {
	r.t.Helper()
	out, err := r.tryGit(args...)
	if err != nil {
		r.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (r *tree) tryGit(args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = r.dir, r.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r *tree) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// config writes .gitops/batches.json, which is no part of any batch.
func (r *tree) config(text string) { r.write(gitops.ConfigPath, text) }

func (r *tree) commitAll() {
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", "start")
}

func (r *tree) options() gitops.Options {
	return gitops.Options{
		Dir: r.dir, Root: r.dir, Mode: "end", Environ: r.env, Now: time.Now, Rand: rand.Reader, Version: "test", Argv: []string{"test"},
		Emit: func(e gitops.Event, again bool) error {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, old := range r.events {
				if again && old.ID == e.ID {
					return nil
				}
			}
			r.events = append(r.events, e)
			return nil
		},
	}
}

// run runs once.
func (r *tree) run(change func(*gitops.Options)) *gitops.Receipt {
	r.t.Helper()
	opt := r.options()
	if change != nil {
		change(&opt)
	}
	u, err := gitops.Prepare(opt)
	if err != nil {
		r.t.Fatal(err)
	}
	rec, err := u.Run(context.Background())
	if err != nil {
		r.t.Fatal(err)
	}
	r.whole(rec)
	return rec
}

// whole checks what holds of every run's receipt.
func (r *tree) whole(rec *gitops.Receipt) {
	r.t.Helper()
	path := filepath.Join(r.dir, rec.ProofDir, gitops.ReceiptFile)
	text, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if _, origin, err := gitops.ReadReceipt(path, text); err != nil || origin {
		r.t.Errorf("the receipt breaks its contract: %v", err)
	}
	if strings.Contains(string(text), r.dir) {
		r.t.Errorf("the receipt holds an absolute path")
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, ".git/stigmergy/runs/"+rec.RunID+"*")); len(left) > 0 {
		r.t.Errorf("left behind: %v", left)
	}
}

// checkEvents holds the events to their contracts, N + 1 a run.
func (r *tree) checkEvents() {
	r.t.Helper()
	batches, runs := map[string]int{}, map[string]int{}
	for _, e := range r.events {
		if errs := contracts.Builtin().Topic([]byte(e.Topic)).CheckData(e.Data); len(errs) > 0 {
			r.t.Errorf("%s: %v\n%s", e.Topic, errs, e.Data)
		}
		if e.Topic == "gitops.batch" {
			batches[e.Subject]++
			continue
		}
		runs[e.Subject]++
		var d struct{ Counts map[string]int }
		if err := json.Unmarshal(e.Data, &d); err != nil {
			r.t.Fatal(err)
		}
		n := 0
		for _, c := range d.Counts {
			n += c
		}
		if n != batches[e.Subject] {
			r.t.Errorf("run %s tells of %d batches, %d events came", e.Subject, n, batches[e.Subject])
		}
	}
	for id := range batches {
		if runs[id] != 1 {
			r.t.Errorf("run %s has %d gitops.run", id, runs[id])
		}
	}
}

func outcomes(rec *gitops.Receipt) string {
	var out []string
	for _, b := range rec.Batches {
		out = append(out, b.BatchID+":"+b.Outcome)
	}
	return strings.Join(out, " ")
}

func one(id, typ string, paths ...string) string {
	list, _ := json.Marshal(paths)
	return fmt.Sprintf(`{"version":1,"scope":"t","batches":[{"batch_id":%q,"type":%q,"message":"m","paths":%s}]}`, id, typ, list)
}
