package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Replay holds a historical bundle to what must hold of every bundle, for
// ever: its receipt has its contract, its name and files are where they
// belong, the rails were enforced, and the run, planned once more on a clone
// at HEAD-before, takes the same paths with the same content. The repository
// is only read; gates are not asked again.
func Replay(ctx context.Context, dir string, opt VerifyOptions) (*Verdict, error) {
	v, err := Verify(dir, opt)
	if err != nil || v.receipt == nil {
		return v, err
	}
	v.railsHeld()
	v.again(ctx, opt)
	return v, nil
}

// railsHeld looks for what a receipt must never say.
func (v *Verdict) railsHeld() {
	r := v.receipt
	_, _, committed, _ := r.Counts()
	bad := func(format string, args ...any) { v.failed("rails", format, args...) }
	if r.Refusal != nil && (committed > 0 || r.Outcome != Error || r.ExitCode == 0) {
		bad("it was refused (%s), and yet it says outcome %s with %d commits", r.Refusal.Rail, r.Outcome, committed)
	}
	if r.StagedBefore > 0 && !r.Options.AllowStaged && r.Refusal == nil {
		bad("%d paths were staged, it was neither refused nor allowed", r.StagedBefore)
	}
	if r.PlanOnly && committed > 0 {
		bad("a plan has %d commits", committed)
	}
	if r.Push.Outcome == "pushed" && (!r.PushEnabled || r.PlanOnly) {
		bad("it pushed, which it was not asked to")
	}
	if len(r.Commits) != committed {
		bad("it lists %d commits, its batches have %d", len(r.Commits), committed)
	}
	for i := range r.Batches {
		v.batchRails(&r.Batches[i], bad)
	}
	if (r.Outcome == OK) != (r.ExitCode == 0) {
		bad("outcome %s with exit code %d", r.Outcome, r.ExitCode)
	}
	if v.last("rails") {
		v.ok("rails", "")
	}
}

func (v *Verdict) batchRails(b *BatchResult, bad func(string, ...any)) {
	if (b.Outcome == Committed) != (b.CommitSHA != nil) {
		bad("batch %s: outcome %s with commit_sha %s", b.BatchID, b.Outcome, or(value(b.CommitSHA), "null"))
	}
	if !slices.Contains([]string{Skipped, Planned, Committed, Failed}, b.Outcome) {
		bad("batch %s: outcome %q", b.BatchID, b.Outcome)
	}
	if blocked(b) && (b.Outcome == Committed || b.Outcome == Planned) {
		bad("batch %s: %s although a gate did not pass", b.BatchID, b.Outcome)
	}
	if v.origin {
		return
	}
	for _, c := range b.Paths {
		switch {
		case b.Type == Tracked && !anySpec(b.Pathspecs, c.Path):
			bad("batch %s took %s, which its paths do not name", b.BatchID, c.Path)
		case b.Type == Untracked && (!anyGlob(b.Allow, c.Path) || c.Status != "A"):
			bad("batch %s took %s, which is not allowed", b.BatchID, c.Path)
		}
	}
}

// again plans the run anew on a clone.
func (v *Verdict) again(ctx context.Context, opt VerifyOptions) {
	r := v.receipt
	switch {
	case v.origin:
		v.unchecked("plan", "the origin's receipts do not say which blobs were committed")
		return
	case r.Refusal != nil:
		v.unchecked("plan", "the run was refused")
		return
	case len(r.Commits) == 0:
		v.unchecked("plan", "the run committed nothing that could be laid out again")
		return
	}
	tmp, err := os.MkdirTemp("", "stigmergy-replay-")
	if err == nil {
		defer os.RemoveAll(tmp)
		err = v.planOn(ctx, tmp, opt)
	}
	if err != nil {
		v.failed("plan", "%v", err)
		return
	}
	v.ok("plan", "the same %d commits", len(r.Commits))
}

// planOn clones, lays out what the commits hold, plans, compares.
func (v *Verdict) planOn(ctx context.Context, tmp string, opt VerifyOptions) error {
	src, err := v.repository(opt)
	if err != nil {
		return err
	}
	top := filepath.Join(tmp, "clone")
	clone := &repo{git: &git{top: tmp, environ: src.environ}}
	if _, err := clone.run(call{args: []string{"clone", "-q", "-s", "-n", "--", src.dir, top}, ctx: ctx}); err != nil {
		return err
	}
	clone.top = top
	if err := v.layOut(clone); err != nil {
		return err
	}
	text, err := readBundleFile(v.dir, ConfigFile)
	if err != nil {
		return err
	}
	config := filepath.Join(tmp, "batches.json")
	if err := os.WriteFile(config, text, 0o600); err != nil {
		return err
	}
	off := false
	u, err := Prepare(Options{
		Dir: top, Root: tmp, Config: config, Only: v.receipt.Options.Batches, DryRun: true, Push: &off, Branch: current, AllowDetached: true,
		Environ: opt.Environ, Now: time.Now, Rand: zeros{}, Version: "replay", Emit: func(Event, bool) error { return nil }, noGates: true,
	})
	if err != nil {
		return err
	}
	got, err := u.Run(ctx)
	if err != nil {
		return err
	}
	return v.compare(got)
}

type zeros struct{}

// Read gives zeros: the name of a replay's own bundle, which is thrown away.
func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// layOut makes the working tree what the run met: HEAD-before, and in it what
// each commit was going to hold.
func (v *Verdict) layOut(clone *repo) error {
	begin := []string{"symbolic-ref", "HEAD", "refs/heads/before-the-first-commit"}
	if before := value(v.receipt.HeadBefore); before != "" {
		begin = []string{"checkout", "-q", "--detach", before}
	}
	if _, err := clone.run(call{args: begin}); err != nil {
		return err
	}
	clone.constants(word(len(value(v.receipt.HeadAfter)) == 64, "sha256", "sha1"))
	index := filepath.Join(clone.top, ".git", "layout")
	for _, b := range v.receipt.Batches {
		if b.Outcome != Committed {
			continue
		}
		var there []Change
		for _, c := range b.Paths {
			if outside(c.Path) != "" {
				return fmt.Errorf("the receipt names %q", c.Path)
			}
			if c.Mode == "" {
				if _, err := clone.run(call{args: []string{"update-index", "--force-remove", "-z", "--stdin"}, in: nul([]string{c.Path}), index: index}); err != nil {
					return err
				}
				if err := removeBelow(clone.top, c.Path); err != nil {
					return err
				}
				continue
			}
			if c.Mode != "160000" { // another repository's, which is not in the clone
				there = append(there, c)
			}
		}
		if len(there) == 0 {
			continue
		}
		if _, err := clone.run(call{args: []string{"update-index", "-z", "--index-info"}, in: indexInfo(clone, there), index: index}); err != nil {
			return err
		}
		if _, err := clone.run(call{args: []string{"checkout-index", "-f", "-z", "--stdin"}, in: nul(paths(there)), index: index}); err != nil {
			return err
		}
	}
	return nil
}

// removeBelow removes a file below top, following no link.
func removeBelow(top, name string) error {
	root, err := os.OpenRoot(top)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// compare holds a new plan to the old run.
func (v *Verdict) compare(got *Receipt) error {
	if got.Refusal != nil {
		return fmt.Errorf("planned again it is refused: %w", got.Refusal)
	}
	for i, b := range v.receipt.Batches {
		if b.Outcome != Committed {
			continue
		}
		if i >= len(got.Batches) || got.Batches[i].BatchID != b.BatchID || got.Batches[i].Outcome != Planned {
			return fmt.Errorf("batch %s: planned again it is not taken: %s", b.BatchID, why(got, i))
		}
		want, have := lines(b.Paths), lines(got.Batches[i].Paths)
		if !bytes.Equal(want, have) {
			return fmt.Errorf("batch %s: planned again it takes\n%s\ninstead of\n%s", b.BatchID, clip(string(have)), clip(string(want)))
		}
	}
	return nil
}

func why(got *Receipt, i int) string {
	if i < len(got.Batches) {
		return got.Batches[i].Outcome + " " + value(got.Batches[i].Error)
	}
	return "no such batch"
}

// lines are changes by what they come to.
func lines(list []Change) []byte {
	var out []string
	for _, c := range list {
		if c.Mode == "160000" || c.OldMode == "160000" {
			continue
		}
		out = append(out, c.Mode+" "+c.Blob+" "+c.Path)
	}
	slices.Sort(out)
	return []byte(strings.Join(out, "\n"))
}
