package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/gitops"
)

type gitopsCmd struct {
	Plan   gitopsPlan   `cmd:"" help:"Show what a run would commit: gates are asked, a bundle is written, nothing is committed."`
	Run    gitopsRun    `cmd:"" help:"Commit the working tree in the batches of .gitops/batches.json, with evidence."`
	Show   gitopsShow   `cmd:"" help:"Which run made a commit: its bundle, events and exemplar."`
	Verify gitopsVerify `cmd:"" help:"Check proof bundles, byte for byte and commit for commit."`
	Replay gitopsReplay `cmd:"" help:"Hold historical bundles to what must hold of every bundle."`
}

// gitopsFlags are those of plan and run.
type gitopsFlags struct {
	Config        string   `placeholder:"FILE" help:"The batches (default: .gitops/batches.json at the top of the working tree)."`
	Batch         []string `placeholder:"ID" help:"Only these batches."`
	Branch        string   `placeholder:"NAME" help:"The branch that must be checked out; CURRENT: whichever is (HFO_GITOPS_BRANCH)."`
	AllowStaged   bool     `help:"Run although something is staged; it stays staged and is not committed."`
	AllowDetached bool     `help:"Run although HEAD is detached."`
	FailOnDirty   bool     `help:"Exit 1 if tracked changes are left."`
	MaxFiles      int      `placeholder:"N" help:"A batch of more files is an error."`
	NoVerify      bool     `help:"With gitops.hooks run: without pre-commit, commit-msg and pre-push. Gates are asked all the same."`
}

type gitopsPlan struct{ gitopsFlags }

// Help says the rest.
func (gitopsPlan) Help() string { return "The same as gitops run --dry-run." }

// Run plans.
func (c *gitopsPlan) Run(a *app) error {
	r := &gitopsRun{gitopsFlags: c.gitopsFlags, DryRun: true, PushMode: "end"}
	return r.Run(a)
}

type gitopsRun struct {
	gitopsFlags
	DryRun   bool          `help:"Plan only; a bundle and events are written all the same."`
	Push     bool          `xor:"push" help:"Push what was committed (HFO_GITOPS_PUSH)."`
	NoPush   bool          `name:"no-push" xor:"push" help:"Do not push, whatever the file says."`
	PushMode string        `enum:"each,end" default:"end" placeholder:"WHEN" help:"Push after each commit, or once at the end."`
	Interval time.Duration `placeholder:"TIME" help:"Run again and again, at least 60s apart, until a signal."`
}

// Help says the rest.
func (gitopsRun) Help() string {
	return `Each batch is staged in a private index, shown to its gates, committed by compare and swap, and the index follows for exactly its paths: what a person has staged stays as it is. A run is refused over a staged index, a merge or rebase under way, a detached HEAD, another branch than the one to push, an absent remote, paths that leave the repository, and names that git could take for options.

Every run, planned and refused ones too, leaves a bundle in artifacts/proofs and events on lane gitops: one gitops.batch a batch, then gitops.run.

Exit 0: ok. 1: a batch, its gate or the push failed. 2: the file or the repository cannot be used. 77: refused, nothing was done.`
}

// Run runs once, or at intervals.
func (c *gitopsRun) Run(a *app) error {
	if c.Interval != 0 && c.Interval < time.Minute {
		return usage("running at intervals", "--interval of at least 60s", c.Interval.String(), "stigmergy gitops run --interval 60s")
	}
	if c.MaxFiles < 0 {
		return usage("running the batches", "--max-files of at least 0", itoa(c.MaxFiles), "")
	}
	l, err := a.board()
	if err != nil {
		return err
	}
	a.drains.Store(true) // a signal ends the run between two steps, not within one
	if c.Interval == 0 {
		return c.once(a, l)
	}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for {
		var q *quietError
		if err := c.once(a, l); err != nil && (!errors.As(err, &q) || a.ctx.Err() != nil) {
			return err
		}
		select {
		case <-a.ctx.Done():
			return a.stopped(a.ctx.Err())
		case <-tick.C:
		}
	}
}

// once does one run and prints what became of it.
func (c *gitopsRun) once(a *app, l layout.Layout) error {
	opt, err := c.options(a, l)
	if err != nil {
		return err
	}
	events, err := a.gitopsEvents(l)
	if err != nil {
		return err
	}
	defer events.close()
	opt.Emit = events.emit
	opt.Remember = a.rememberRun(l, opt.Root)
	u, err := gitops.Prepare(opt)
	if err != nil {
		return gitopsFault(err, opt.Root)
	}
	rec, err := u.Run(a.ctx)
	if rec != nil {
		if perr := printRun(a, rec); err == nil {
			err = perr
		}
	}
	switch {
	case a.ctx.Err() != nil:
		return a.stopped(a.ctx.Err())
	case err != nil:
		return gitopsFault(err, opt.Root)
	case rec.Refusal != nil:
		return refusedRun(rec)
	}
	return exitWith(rec.ExitCode)
}

// options are a run's.
func (c *gitopsRun) options(a *app, l layout.Layout) (gitops.Options, error) {
	opt, err := a.gitopsOptions(l)
	if err != nil {
		return opt, err
	}
	opt.Config, opt.Only, opt.DryRun, opt.Mode, opt.Branch = c.Config, c.Batch, c.DryRun, c.PushMode, c.Branch
	opt.AllowStaged, opt.AllowDetached, opt.FailOnDirty, opt.NoVerify, opt.MaxFiles = c.AllowStaged, c.AllowDetached, c.FailOnDirty, c.NoVerify, c.MaxFiles
	if opt.Branch == "" {
		opt.Branch = a.getenv("HFO_GITOPS_BRANCH")
	}
	if text := a.getenv("HFO_GITOPS_PUSH"); text != "" {
		switch strings.ToLower(text) {
		case "each", "end":
			on := true
			opt.Push = &on
			if c.PushMode == "end" { // each on the command line counts more
				opt.Mode = strings.ToLower(text)
			}
		case "1", "true", "yes", "on", "0", "false", "no", "off":
			on := strings.Contains("1 true yes on", strings.ToLower(text))
			opt.Push = &on
		default:
			return opt, usage("reading HFO_GITOPS_PUSH", "1 or 0, true or false, each or end", quote(text), "")
		}
	}
	if c.Push || c.NoPush {
		opt.Push = &c.Push
	}
	return opt, nil
}

// gitopsOptions are what every run on a board has.
func (a *app) gitopsOptions(l layout.Layout) (gitops.Options, error) {
	s, err := a.someSettings(l)
	if err != nil {
		return gitops.Options{}, err
	}
	cwd, err := workingDir()
	if err != nil {
		return gitops.Options{}, err
	}
	return gitops.Options{
		Dir: cwd, Root: s.Root(l.Dir), Mode: "end", Hooks: s.GitopsHooks == "run", StopOnGate: s.GitopsOnGateFailure == "stop",
		Argv: append([]string{"stigmergy"}, a.args...), Environ: a.environ, Version: buildVersion(), Now: a.now, Rand: rand.Reader,
	}, nil
}

func workingDir() (string, error) {
	cwd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	return cwd, nil
}

// printRun prints the batches; as json the whole receipt.
func printRun(a *app, rec *gitops.Receipt) error {
	if a.format() == "json" {
		return a.object(rec)
	}
	p := a.printer()
	for _, b := range rec.Batches {
		why := ""
		if b.Error != nil {
			why = *b.Error
		}
		sha := cell{"commit_sha", nil}
		if b.CommitSHA != nil {
			sha = text("commit_sha", *b.CommitSHA)
		}
		err := p.add(record{text("batch_id", b.BatchID), text("outcome", b.Outcome), sha,
			number("files", len(b.Paths)), number("insertions", b.Added), number("deletions", b.Removed), text("error", why)})
		if err != nil {
			return err
		}
	}
	if err := errors.Join(p.close(), a.out.flush()); err != nil {
		return err
	}
	for _, m := range rec.Recovered {
		a.note("Found the unfinished run %s: %s", m.RunID, m.What)
	}
	if n := len(rec.Unmatched) + rec.More; n > 0 {
		a.note("%d changed paths that no batch takes, as %s: they are left", n, rec.Unmatched[0].Path)
	}
	if rec.Index.Held {
		a.note("index.lock was held to the end, so the index does not show the commits yet; the next run brings it along, or:\n  %s", rec.Index.Command)
	}
	if rec.Push.Outcome == "failed" && rec.Push.Error != nil {
		a.note("stigmergy: pushing to %s: %s", rec.Push.Remote, *rec.Push.Error)
	}
	a.note("%s: %s", rec.Outcome, rec.ProofDir)
	return nil
}

// refusedRun is a rail's answer as an error.
func refusedRun(rec *gitops.Receipt) error {
	r := rec.Refusal
	f := &Fault{Doing: "running the batches", Err: errors.New("refused: " + r.Error()), Try: r.Try, Code: codePolicy, Path: r.File}
	if r.Line > 0 {
		f.Position = strconv.Itoa(r.Line) + ": " + r.Pointer
	}
	return f
}

// gitopsFault says what to do about an error.
func gitopsFault(err error, root string) error {
	var (
		faults  gitops.Faults
		batch   *gitops.UnknownBatch
		git     *gitops.GitError
		refusal *gitops.Refusal
		fault   *Fault
	)
	f := &Fault{Doing: "running the batches", Err: err, Code: codeUsage}
	switch {
	case diskFailed(err), errors.As(err, &fault):
		return err
	case errors.As(err, &faults):
		return faultsOf(faults)
	case errors.Is(err, gitops.ErrNotBelow):
		f.Try = "set root: in stigmergy.yaml to a folder above the repository (now " + root + ")"
	case errors.Is(err, gitops.ErrNoRepository):
		f.Try = "cd into a working tree, or git init"
	case errors.As(err, &batch):
		f.Try = "stigmergy gitops plan"
	case errors.Is(err, fs.ErrNotExist):
		f.Try = "write " + gitops.ConfigPath + `: {"version":1,"batches":[{"batch_id":"docs","message":"docs: …","paths":["docs/**"],"type":"tracked"}]}`
	case errors.As(err, &git), errors.As(err, &refusal):
	default:
		f.Code = 0
	}
	return f
}

// faultsOf tells the first fault of a file with its place, and how many there
// are.
func faultsOf(list gitops.Faults) error {
	first := list[0]
	f := &Fault{Doing: "reading the batches", Path: first.File, Position: first.Place(), Expected: first.Expected, Found: first.Found,
		Try: "mend " + first.File + "; nothing was touched", Code: codeUsage}
	if n := len(list); n > 1 {
		f.Err = fmt.Errorf("the first of %d faults", n)
	}
	return f
}
