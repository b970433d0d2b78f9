package gitops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/gitops"
)

// nasty are names that have broken tools before.
func nasty() []string {
	return []string{"a b", `q"uo'te`, "new\nline", "-rf", "--", ":(exclude)x", ":!y", "*", "[a]", `back\slash`, "tab\tx", "\xff\xfe", "ünïcode", "d/-x/:(top)"}
}

// TestNasty: whatever a file is called and whatever it is, a tracked batch
// commits exactly the tree that git add -u would.
func TestNasty(t *testing.T) {
	r := newTree(t)
	for _, n := range nasty() {
		r.write("w/"+n, "one\n")
	}
	for _, n := range []string{"w/gone", "w/type", "w/mode", "w/file-to-dir", "w/x.lfs", "w/touched"} {
		r.write(n, "one\n")
	}
	r.write(".gitattributes", "*.lfs filter=up\n")
	r.git("config", "filter.up.clean", "tr a-z A-Z")
	r.git("config", "filter.up.smudge", "tr A-Z a-z")
	sub := newTree(t)
	sub.commitAll()
	r.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", sub.dir, "w/sub")
	if err := os.Symlink("nowhere", filepath.Join(r.dir, "w/link")); err != nil {
		t.Fatal(err)
	}
	r.commitAll()

	for _, n := range nasty() {
		r.write("w/"+n, "two\n")
	}
	must(t, os.Remove(filepath.Join(r.dir, "w/gone")), os.Remove(filepath.Join(r.dir, "w/type")), os.Symlink("a b", filepath.Join(r.dir, "w/type")),
		os.Chmod(filepath.Join(r.dir, "w/mode"), 0o755), os.Remove(filepath.Join(r.dir, "w/file-to-dir")),
		os.Remove(filepath.Join(r.dir, "w/link")), os.Symlink("elsewhere", filepath.Join(r.dir, "w/link")))
	r.write("w/file-to-dir/new", "untracked\n")
	r.write("w/x.lfs", "three\n")
	r.write("w/touched", "one\n")
	r.write("w/new", "untracked\n")
	cmd := exec.Command("git", "commit", "-q", "--allow-empty", "-m", "x")
	cmd.Dir, cmd.Env = filepath.Join(r.dir, "w/sub"), r.env
	must(t, cmd.Run())

	// What git add -u would make of it, in an index of its own.
	index := filepath.Join(t.TempDir(), "index")
	copied, err := os.ReadFile(filepath.Join(r.dir, ".git/index"))
	must(t, err, os.WriteFile(index, copied, 0o600))
	// Its time is kept: by it git tells which entries may have changed since
	// within the same second.
	was, err := os.Stat(filepath.Join(r.dir, ".git/index"))
	must(t, err, os.Chtimes(index, was.ModTime(), was.ModTime()))
	keep := r.env
	r.env = append(r.env[:len(r.env):len(r.env)], "GIT_INDEX_FILE="+index)
	r.git("add", "-u", "--", "w")
	want := strings.TrimSpace(r.git("write-tree"))
	r.env = keep

	r.config(one("all", "tracked", "w"))
	rec := r.run(nil)
	if outcomes(rec) != "all:committed" {
		t.Fatalf("%s %v", outcomes(rec), rec.Batches[0].Error)
	}
	if got := strings.TrimSpace(r.git("rev-parse", "HEAD^{tree}")); got != want {
		t.Errorf("another tree than git add -u makes:\n%s", r.git("diff", "--stat", want, got))
	}
	if out := r.git("diff", "--cached", "--name-only"); out != "" {
		t.Errorf("the index did not follow: %q", out)
	}
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("status %q", out)
	}
	r.verify(rec, true)
	r.replay(rec)
}

// TestNastyNew: an untracked batch takes what allow lists, and nothing else.
func TestNastyNew(t *testing.T) {
	r := newTree(t)
	r.commitAll()
	for _, n := range nasty() {
		r.write("new/"+n, "one\n")
		r.write("other/"+n, "one\n")
	}
	r.write("new/ignored.o", "x")
	r.write(".gitignore", "*.o\n")
	must(t, os.Symlink("/etc", filepath.Join(r.dir, "new/etc")), os.MkdirAll(filepath.Join(r.dir, "new/inner"), 0o755))
	inner := &tree{t: t, dir: filepath.Join(r.dir, "new/inner"), env: r.env}
	inner.git("init", "-q")
	inner.git("commit", "-q", "--allow-empty", "-m", "x")
	r.config(`{"version":1,"scope":"t","batches":[{"batch_id":"new","type":"untracked","paths":["new"],"allow":["new/*"]}]}`)
	rec := r.run(nil)
	if outcomes(rec) != "new:committed" {
		t.Fatalf("%s %v", outcomes(rec), *rec.Batches[0].Error)
	}
	var names []string
	for _, c := range rec.Batches[0].Paths {
		names = append(names, strings.TrimPrefix(c.Path, "new/"))
	}
	if got, want := len(names), len(nasty())-1+1; got != want { // d/… is a folder deeper, etc is a link
		t.Errorf("%d paths, want %d: %q", got, want, names)
	}
	for _, n := range names {
		if strings.Contains(n, "/") || n == "ignored.o" || n == "inner" {
			t.Errorf("took %q", n)
		}
	}
	if out := r.git("ls-tree", "HEAD", "new/etc"); !strings.HasPrefix(out, "120000") {
		t.Errorf("the link: %q", out)
	}
	why := map[string]string{}
	for _, m := range rec.Unmatched {
		why[m.Path] = m.Why
	}
	if why["new/inner/"] != "a repository of its own" || why["new/d/-x/:(top)"] == "" {
		t.Errorf("unmatched %v", why)
	}
	r.verify(rec, true)
	r.replay(rec)
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// verify checks a bundle; without a packet that is the one thing amiss.
func (r *tree) verify(rec *gitops.Receipt, ok bool) {
	r.t.Helper()
	v, err := gitops.Verify(filepath.Join(r.dir, rec.ProofDir), gitops.VerifyOptions{Repo: r.dir, Environ: r.env})
	must(r.t, err)
	r.findings(v, ok)
}

func (r *tree) findings(v *gitops.Verdict, ok bool) {
	r.t.Helper()
	bad := 0
	for _, f := range v.Findings {
		if f.Result == gitops.CheckFailed && f.Check != "exemplar" {
			bad++
			if ok {
				r.t.Errorf("%s: %s", f.Check, f.Detail)
			}
		}
	}
	if !ok && bad == 0 {
		r.t.Error("nothing was found")
	}
}

func (r *tree) replay(rec *gitops.Receipt) {
	r.t.Helper()
	v, err := gitops.Replay(r.t.Context(), filepath.Join(r.dir, rec.ProofDir), gitops.VerifyOptions{Repo: r.dir, Environ: r.env})
	must(r.t, err)
	r.findings(v, true)
}

// TestRails: each refuses with a receipt that names it, and touches nothing.
func TestRails(t *testing.T) {
	for _, c := range []struct {
		rail   string
		before func(r *tree)
		option func(o *gitops.Options)
	}{
		{gitops.RailStaged, func(r *tree) { r.write("src/s", "staged"); r.git("add", "src/s") }, nil},
		{gitops.RailBusy, func(r *tree) { r.write(".git/MERGE_HEAD", strings.TrimSpace(r.git("rev-parse", "HEAD"))+"\n") }, nil},
		{gitops.RailBusy, func(r *tree) { must(r.t, os.Mkdir(filepath.Join(r.dir, ".git/rebase-merge"), 0o755)) }, nil},
		{gitops.RailDetached, func(r *tree) { r.git("checkout", "-q", "--detach") }, nil},
		{gitops.RailBranch, nil, func(o *gitops.Options) { o.Branch = "other" }},
		{gitops.RailRemote, nil, func(o *gitops.Options) { on := true; o.Push = &on }},
		{gitops.RailOutside, func(r *tree) { r.config(one("b", "tracked", "../x")) }, nil},
		{gitops.RailOutside, func(r *tree) { r.config(one("b", "untracked", "/etc/passwd")) }, nil},
		{gitops.RailOption, func(r *tree) { r.config(one("-rf", "tracked", "src")) }, nil},
		{gitops.RailOption, func(r *tree) {
			r.config(`{"batches":[{"batch_id":"b","message":"--amend","paths":["src"]}]}`)
		}, nil},
		{gitops.RailOverlap, func(r *tree) {
			r.config(`{"batches":[{"batch_id":"a","paths":["s*"]},{"batch_id":"b","paths":["*a"]}]}`)
		}, nil},
	} {
		r := newTree(t)
		r.write("src/a", "1")
		r.commitAll()
		r.write("src/a", "2")
		r.config(one("b", "tracked", "src"))
		if c.before != nil {
			c.before(r)
		}
		head, index := r.git("rev-parse", "HEAD"), r.git("ls-files", "-s")
		rec := r.run(c.option)
		if rec.Refusal == nil || rec.Refusal.Rail != c.rail || rec.Outcome != gitops.Error || rec.ExitCode != gitops.ExitRefused || rec.Refusal.Try == "" {
			t.Errorf("%s: refusal %+v, outcome %s", c.rail, rec.Refusal, rec.Outcome)
		}
		if r.git("rev-parse", "HEAD") != head || r.git("ls-files", "-s") != index {
			t.Errorf("%s: something was touched", c.rail)
		}
		r.verify(rec, true)
		r.checkEvents()
	}
}

// TestAllowed: what is staged stays staged exactly so, also a path of the
// batch; the rest is committed.
func TestAllowed(t *testing.T) {
	r := newTree(t)
	r.write("src/a", "1")
	r.write("src/b", "1")
	r.commitAll()
	r.write("src/a", "staged")
	r.git("add", "src/a")
	r.write("src/a", "and more")
	r.write("src/b", "2")
	r.write("src/ita", "intended")
	r.git("add", "-N", "src/ita")
	r.config(one("b", "tracked", "src"))
	before := r.git("diff", "--cached")
	rec := r.run(func(o *gitops.Options) { o.AllowStaged = true })
	if outcomes(rec) != "b:committed" || len(rec.Batches[0].Kept) != 1 || !rec.Options.AllowStaged || rec.StagedBefore != 1 {
		t.Fatalf("%s kept %v staged %d", outcomes(rec), rec.Batches[0].Kept, rec.StagedBefore)
	}
	if got := r.git("diff", "--cached"); got != before {
		t.Errorf("git diff --cached shows\n%s\nbefore\n%s", got, before)
	}
	if got := r.git("show", "--name-only", "--format=", "HEAD"); got != "src/b\nsrc/ita\n" {
		t.Errorf("committed %q", got)
	}
	r.git("checkout", "-q", "--detach")
	r.git("reset", "-q", "--hard")
	r.write("src/b", "3")
	rec = r.run(func(o *gitops.Options) { o.AllowDetached = true })
	if outcomes(rec) != "b:committed" {
		t.Errorf("detached: %s", outcomes(rec))
	}
}

// TestFirst: a run may make the first commit there is.
func TestFirst(t *testing.T) {
	r := newTree(t)
	r.write("new/a", "1")
	r.config(one("b", "untracked", "new"))
	rec := r.run(nil)
	if outcomes(rec) != "b:committed" || rec.HeadBefore != nil || r.git("rev-list", "--count", "HEAD") != "1\n" {
		t.Fatalf("%s before %v", outcomes(rec), rec.HeadBefore)
	}
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("status %q", out)
	}
	v, err := gitops.Replay(t.Context(), filepath.Join(r.dir, rec.ProofDir), gitops.VerifyOptions{Repo: r.dir, Environ: r.env})
	must(t, err)
	r.findings(v, true)
	r.verify(rec, true)
}

// TestGates: a batch whose gate fails, errs or takes too long is not
// committed; the others are, or not, as asked.
func TestGates(t *testing.T) {
	r := newTree(t)
	for _, f := range []string{"a/x", "b/x.md", "c/x", "d/x"} {
		r.write(f, "1")
	}
	r.commitAll()
	for _, f := range []string{"a/x", "b/x.md", "c/x", "d/x"} {
		r.write(f, "2")
	}
	text := `{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]},{"batch_id":"c","paths":["c"]},{"batch_id":"d","paths":["d"]}],
	"gates":[{"gate_id":"id","argv":["sh","-c","test \"$GITOPS_BATCH_ID\" = \"$0\" && tr '\\0' '\\n' <\"$GITOPS_PATHS\" | grep -q x","{batch_id}"]},
	{"gate_id":"mermaid","argv":["sh","-c","echo no; exit 3"],"paths":["**/*.md"]},{"gate_id":"slow","argv":["sleep","60"],"timeout":"50ms","paths":["c/**"]}]}`
	r.config(text)
	rec := r.run(func(o *gitops.Options) { o.StopOnGate = true })
	if got := outcomes(rec); got != "a:committed b:error c:skipped d:skipped" || rec.Outcome != gitops.Partial || rec.ExitCode != 1 {
		t.Errorf("%s %s", got, rec.Outcome)
	}
	rec = r.run(nil)
	if got := outcomes(rec); got != "a:skipped b:error c:error d:committed" {
		t.Errorf("%s", got)
	}
	var gates []string
	for _, g := range rec.Gates {
		code := "-"
		if g.ExitCode != nil {
			code = string(rune('0' + *g.ExitCode))
		}
		gates = append(gates, g.BatchID+"/"+g.GateID+":"+g.Outcome+":"+code)
	}
	want := "b/secrets:passed:- b/id:passed:0 b/mermaid:failed:3 b/slow:skipped:- c/secrets:passed:- c/id:passed:0 c/mermaid:skipped:- c/slow:error:- " +
		"d/secrets:passed:- d/id:passed:0 d/mermaid:skipped:- d/slow:skipped:-"
	if got := strings.Join(gates, " "); got != want {
		t.Errorf("gates\n%s\nwant\n%s", got, want)
	}
	r.checkEvents()
}

// TestSecrets: what is shaped like a secret blocks its batch and is shown
// nowhere; what stood there before does not, nor with the gate switched off.
func TestSecrets(t *testing.T) {
	secret := "AKIA" + "ABCDEFGHIJKLMNOP"
	r := newTree(t)
	r.write("a", "x\n")
	r.write("old", secret+"\n")
	r.commitAll()
	r.write("a", "x\nkey = "+secret+"\n")
	r.write("old", "more\n"+secret+"\n")
	r.config(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"old","paths":["old"]}]}`)
	rec := r.run(nil)
	if got := outcomes(rec); got != "a:error old:committed" || rec.Gates[0].Findings[0] != "a:2: AWS access key" {
		t.Errorf("%s %v", got, rec.Gates)
	}
	if text := *rec.Batches[0].Error; !strings.Contains(text, "as a:2: AWS access key") {
		t.Errorf("the error %q does not say where", text)
	}
	files, err := filepath.Glob(filepath.Join(r.dir, rec.ProofDir, "*"))
	must(t, err)
	for _, f := range files {
		text, err := os.ReadFile(f)
		must(t, err)
		if strings.Contains(string(text), secret) {
			t.Errorf("%s shows the secret", f)
		}
	}
	for _, e := range r.events {
		if strings.Contains(string(e.Data), secret) {
			t.Error("an event shows the secret")
		}
	}
	r.config(`{"scope":"t","defaults":{"secretGate":false},"batches":[{"batch_id":"a","paths":["a"]}]}`)
	if rec = r.run(nil); outcomes(rec) != "a:committed" || rec.Options.SecretGate {
		t.Errorf("switched off: %s", outcomes(rec))
	}
}

// TestIndexLocked: where index.lock is never free the commit stands, receipt
// and doctor say what lags behind and how it is brought along, and the next
// run does it.
func TestIndexLocked(t *testing.T) {
	t.Parallel()
	r := newTree(t)
	r.write("a/x", "1")
	r.write("b/x", "1")
	r.commitAll()
	r.write("a/x", "2")
	r.write("b/x", "2")
	r.config(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]}]}`)
	r.write(".git/index.lock", "")
	rec := r.run(nil)
	if outcomes(rec) != "a:committed" || !rec.Index.Held || rec.Index.Command != "git restore --staged -- a/x" {
		t.Fatalf("%s %+v", outcomes(rec), rec.Index)
	}
	p, err := gitops.Feel(r.dir, r.env)
	must(t, err)
	if len(p.Behind) != 1 || !p.Locked || strings.Join(p.Paths, " ") != "a/x" {
		t.Errorf("doctor sees %+v", p)
	}
	must(t, os.Remove(filepath.Join(r.dir, ".git/index.lock")))
	rec = r.run(nil)
	if rec.Refusal != nil || outcomes(rec) != "a:skipped" {
		t.Errorf("the next run: %v %s", rec.Refusal, outcomes(rec))
	}
	if out := r.git("status", "--porcelain", "--untracked-files=no"); out != " M b/x\n" {
		t.Errorf("status %q", out)
	}
	if p, err = gitops.Feel(r.dir, r.env); err != nil || len(p.Behind)+len(p.Dead) != 0 {
		t.Errorf("doctor still sees %+v %v", p, err)
	}
}

// TestLimits: --max-files and --fail-on-dirty, and what no batch takes.
func TestLimits(t *testing.T) {
	r := newTree(t)
	for _, f := range []string{"a/1", "a/2", "b/1", "z"} {
		r.write(f, "1")
	}
	r.commitAll()
	for _, f := range []string{"a/1", "a/2", "b/1", "z"} {
		r.write(f, "2")
	}
	r.write("outside/new", "not looked at")
	r.config(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]}]}`)
	rec := r.run(func(o *gitops.Options) { o.MaxFiles, o.FailOnDirty = 1, true })
	if outcomes(rec) != "a:error b:committed" || rec.Outcome != gitops.Partial || rec.DirtyBefore != 4 || *rec.DirtyAfter != 3 {
		t.Errorf("%s %s %d %d", outcomes(rec), rec.Outcome, rec.DirtyBefore, *rec.DirtyAfter)
	}
	if len(rec.Unmatched) != 1 || rec.Unmatched[0].Path != "z" {
		t.Errorf("unmatched %v", rec.Unmatched)
	}
	rec = r.run(func(o *gitops.Options) { o.FailOnDirty, o.Only = true, []string{"a"} })
	if outcomes(rec) != "a:committed" || rec.ExitCode != 1 || rec.Outcome != gitops.Partial {
		t.Errorf("%s %s %d", outcomes(rec), rec.Outcome, rec.ExitCode)
	}
}

// TestUnmerged: paths in conflict are refused although no merge is under way.
func TestUnmerged(t *testing.T) {
	r := newTree(t)
	r.write("a", "1")
	r.commitAll()
	r.git("checkout", "-q", "-b", "other")
	r.write("a", "2")
	r.git("commit", "-qam", "2")
	r.git("checkout", "-q", "main")
	r.write("a", "3")
	r.git("commit", "-qam", "3")
	_, _ = r.tryGit("merge", "other")
	must(t, os.Remove(filepath.Join(r.dir, ".git/MERGE_HEAD")))
	r.config(one("a", "tracked", "a"))
	if rec := r.run(nil); rec.Refusal == nil || rec.Refusal.Rail != gitops.RailUnmerged {
		t.Errorf("refusal %v", rec.Refusal)
	}
}

// TestCannotSign: a commit that git cannot sign is none, and the error names
// what failed.
func TestCannotSign(t *testing.T) {
	r := newTree(t)
	r.write("a", "1")
	r.commitAll()
	r.write("a", "2")
	r.config(one("a", "tracked", "a"))
	r.git("config", "commit.gpgSign", "true")
	r.git("config", "gpg.program", "false")
	rec := r.run(nil)
	if outcomes(rec) != "a:error" || !strings.HasPrefix(*rec.Batches[0].Error, "git commit-tree: ") || r.git("rev-list", "--count", "HEAD") != "1\n" {
		t.Errorf("%s: %s", outcomes(rec), *rec.Batches[0].Error)
	}
}
