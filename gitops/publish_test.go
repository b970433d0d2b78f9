package gitops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stigmergy/gitops"
)

// hook installs a hook of the repository.
func (r *tree) hook(name, script string) {
	r.t.Helper()
	path := filepath.Join(r.dir, ".git/hooks", name)
	r.write(".git/hooks/"+name, "#!/bin/sh\n"+script)
	must(r.t, os.Chmod(path, 0o755))
}

// TestLockedOverTheReference: nobody else writes the index between the
// reference's move and the index's, and index.lock is free while git works at
// what comes before. A git that does not answer line by line is locked around.
func TestLockedOverTheReference(t *testing.T) {
	t.Run("pure", func(t *testing.T) { lockedOver(t, false, "prepared free\ncommitted locked\n") })
	t.Run("staged", func(t *testing.T) { lockedOver(t, true, "prepared free\ncommitted locked\n") })
	t.Run("old", func(t *testing.T) {
		real, err := exec.LookPath("git")
		must(t, err)
		dir := t.TempDir()
		script := "#!/bin/sh\ncase \"$*\" in *' version') echo git version 2.30.2 ;; *) exec " + real + " \"$@\" ;; esac\n"
		must(t, os.WriteFile(filepath.Join(dir, "git"), []byte(script), 0o755))
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		lockedOver(t, false, "prepared locked\ncommitted locked\n")
	})
}

func lockedOver(t *testing.T, staged bool, want string) {
	r := newTree(t)
	r.write("a/x", "1\n")
	r.write("mine", "1\n")
	r.commitAll()
	r.write("a/x", "2\n")
	if staged {
		r.write("mine", "2\n")
		r.git("add", "mine")
	}
	r.config(one("a", "tracked", "a"))
	before := r.git("diff", "--cached")
	r.hook("reference-transaction", `if [ -e .git/index.lock ]; then echo "$1 locked"; else echo "$1 free"; fi >> seen`)
	rec := r.run(func(o *gitops.Options) { o.Hooks, o.AllowStaged = true, true })
	if rec.Outcome != gitops.OK || len(rec.Commits) != 1 {
		t.Fatalf("outcome %s, %d commits", rec.Outcome, len(rec.Commits))
	}
	seen, err := os.ReadFile(filepath.Join(r.dir, "seen"))
	must(t, err)
	if string(seen) != want {
		t.Errorf("the reference's move saw\n%s", seen)
	}
	if got := r.git("diff", "--cached"); got != before {
		t.Errorf("git diff --cached shows\n%s", got)
	}
}

// TestKilledBetweenReferenceAndIndex: the lock that a run leaves which dies in
// the one moment in which it holds it is removed by the next, which brings the
// index along.
func TestKilledBetweenReferenceAndIndex(t *testing.T) {
	r := newTree(t)
	r.write("a/x", "1\n")
	r.commitAll()
	r.write("a/x", "2\n")
	r.config(one("a", "tracked", "a"))
	r.hook("reference-transaction", `[ "$1" != committed ] || kill -9 $(ps -o ppid= -p $PPID)`)
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(slices.Clip(r.env), "GITOPS_TEST_RUN="+r.dir, "GITOPS_TEST_HOOKS=1")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("it was not killed: %s", out)
	}
	if _, err := os.Lstat(filepath.Join(r.dir, ".git/index.lock")); err != nil {
		t.Fatalf("it died at another moment: %v", err)
	}
	rec := r.run(nil)
	if len(rec.Recovered) != 1 || rec.Recovered[0].Commit == "" || rec.Index.Held {
		t.Errorf("recovered %+v, index %+v", rec.Recovered, rec.Index)
	}
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("status %q", out)
	}
	if got := strings.TrimSpace(r.git("rev-list", "--count", "HEAD")); got != "2" {
		t.Errorf("%s commits, want 2", got)
	}
}
