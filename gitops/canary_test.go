package gitops_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/gitops"
)

// full kills at every git call; without, at a sample of them.
var full = flag.Bool("full", false, "kill at every git call")

// TestCanaries: nothing that the repository's settings or names could start is
// started, nothing leaves the allowlist.
func TestCanaries(t *testing.T) {
	r := newTree(t)
	dead := filepath.Join(r.dir, "..", "canary")
	sing := "#!/bin/sh\necho \"$0 $*\" >> '" + dead + "'\n"
	for _, h := range []string{"pre-commit", "prepare-commit-msg", "commit-msg", "post-commit", "reference-transaction", "post-index-change", "pre-push", "post-checkout", "fsmonitor"} {
		r.write(".git/hooks/"+h, sing)
		must(t, os.Chmod(filepath.Join(r.dir, ".git/hooks", h), 0o755))
	}
	r.write("a/x", "1\n")
	r.write("secret/y", "1\n")
	r.git("-c", "core.hooksPath=/dev/null", "add", "-A")
	r.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "-m", "start")
	_ = os.Remove(dead)
	r.git("config", "core.fsmonitor", filepath.Join(r.dir, ".git/hooks/fsmonitor"))
	r.git("config", "remote.evil.url", "ext::sh "+filepath.Join(r.dir, ".git/hooks/pre-push"))
	r.git("config", "diff.external", filepath.Join(r.dir, ".git/hooks/fsmonitor"))
	r.write("a/x", "2\n")
	r.write("secret/y", "2\n")
	r.env = append(r.env, "GIT_DIR=/nowhere", "GIT_INDEX_FILE=/nowhere", "GIT_WORK_TREE=/", "GIT_EXTERNAL_DIFF="+dead,
		"GIT_LITERAL_PATHSPECS=1", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.hooksPath", "GIT_CONFIG_VALUE_0=.git/hooks")
	for _, c := range []struct{ config, want string }{
		{`{"scope":"t","defaults":{"remote":"evil"},"batches":[{"batch_id":"a","message":"m\n\n$(touch x) -- --amend","paths":["a","--all",":(top)secret",":/"]}]}`, "a:committed"},
		{`{"scope":"t","defaults":{"remote":"--upload-pack=touch x"},"batches":[{"batch_id":"a","paths":["a"]}]}`, "a:skipped"},
	} {
		r.config(c.config)
		on := true
		u, err := gitops.Prepare(func() gitops.Options { o := r.options(); o.Push = &on; return o }())
		must(t, err)
		rec, err := u.Run(context.Background())
		must(t, err)
		if got := outcomes(rec); got != c.want || rec.Pushed() {
			t.Errorf("%s: pushed %v, refusal %v", got, rec.Pushed(), rec.Refusal)
		}
	}
	if text, err := os.ReadFile(dead); err == nil {
		t.Errorf("it sang: %s", text)
	}
	clean := r.env[:len(r.env)-8]
	r.env = clean
	if out := r.git("-c", "core.fsmonitor=false", "-c", "diff.external=", "show", "--no-ext-diff", "--format=", "--name-only", "HEAD"); out != "a/x\n" {
		t.Errorf("committed %q", out)
	}
}

// TestHooks: who opts in gets pre-commit and commit-msg, which may refuse.
func TestHooks(t *testing.T) {
	r := newTree(t)
	r.write("a/x", "1\n")
	r.commitAll()
	r.write(".git/hooks/pre-commit", "#!/bin/sh\ngrep -q bad a/x && exit 1\ntouch ran\nexit 0\n")
	must(t, os.Chmod(filepath.Join(r.dir, ".git/hooks/pre-commit"), 0o755))
	r.config(one("a", "tracked", "a"))
	r.write("a/x", "bad\n")
	hooks := func(o *gitops.Options) { o.Hooks = true }
	if rec := r.run(hooks); outcomes(rec) != "a:error" || !strings.Contains(*rec.Batches[0].Error, "hook pre-commit") || rec.Options.Hooks != "run" {
		t.Errorf("%s", outcomes(rec))
	}
	if rec := r.run(func(o *gitops.Options) { o.Hooks, o.NoVerify = true, true }); outcomes(rec) != "a:committed" || !rec.NoVerify {
		t.Errorf("--no-verify: %s", outcomes(rec))
	}
	r.write("a/x", "good\n")
	if rec := r.run(hooks); outcomes(rec) != "a:committed" {
		t.Errorf("%s %v", outcomes(rec), rec.Batches[0].Error)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "ran")); err != nil {
		t.Error("the hook did not run")
	}
}

// TestPush: each and end push exactly the branch; a failing push is told, and
// the commits stand.
func TestPush(t *testing.T) {
	r := newTree(t)
	r.write("a/x", "1\n")
	r.write("b/x", "1\n")
	r.commitAll()
	bare := filepath.Join(r.dir, "..", "bare")
	r.git("init", "-q", "--bare", bare)
	r.git("remote", "add", "origin", bare)
	r.config(`{"scope":"t","defaults":{"push":true},"batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]}]}`)
	for _, mode := range []string{"each", "end"} {
		r.write("a/x", mode)
		r.write("b/x", mode)
		rec := r.run(func(o *gitops.Options) { o.Mode = mode })
		if outcomes(rec) != "a:committed b:committed" || !rec.Pushed() || rec.Outcome != gitops.OK {
			t.Fatalf("%s %+v", outcomes(rec), rec.Push)
		}
		if r.git("rev-parse", "HEAD") != r.git("-C", bare, "rev-parse", "main") {
			t.Errorf("%s: the remote is elsewhere", mode)
		}
	}
	if rec := r.run(nil); rec.Push.Outcome != "up_to_date" || rec.Outcome != gitops.OK {
		t.Errorf("nothing new: %+v", rec.Push)
	}
	must(t, os.RemoveAll(bare))
	r.write("a/x", "more")
	rec := r.run(nil)
	if rec.Push.Outcome != "failed" || rec.Push.Error == nil || rec.Outcome != gitops.Partial || rec.ExitCode != 1 || len(rec.Commits) != 1 {
		t.Errorf("a failed push: %+v %s", rec.Push, rec.Outcome)
	}
	r.checkEvents()
}
