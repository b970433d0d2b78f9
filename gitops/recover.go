package gitops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// recover finishes what dead runs left: a commit that was published but not
// noted comes onto its receipt, the person's index follows it, the bundle is
// completed, its events are told. The caller holds the lock.
func (u *Runner) recover(ctx context.Context) error {
	list, err := u.repo.dead()
	if err != nil {
		return err
	}
	for _, m := range list {
		// One that cannot be finished must not keep everybody from running: it
		// is told, and tried again by the next run.
		if err := u.revive(ctx, m); err != nil {
			u.log.note("finishing the unfinished run %s: error: %v", m.RunID, err)
			u.receipt.Recovered = append(u.receipt.Recovered, Recovered{RunID: m.RunID, ProofDir: m.Bundle, What: "it could not be finished yet: " + err.Error()})
			_ = m.file.Close() // the marker stays
		}
	}
	return u.catchUp()
}

func (u *Runner) revive(ctx context.Context, m *marker) error {
	u.repo.release(m.RunID)
	rec := Recovered{RunID: m.RunID, ProofDir: m.Bundle, What: "it had committed nothing more than its receipt says"}
	published, err := u.published(m, &rec)
	if err != nil {
		return err
	}
	if old := u.oldReceipt(m); old != nil {
		if old.State == Running {
			old.interrupted(m, published, u.opt)
		}
		f := &Finished{Receipt: old, Dir: filepath.Join(u.repo.top, filepath.FromSlash(m.Bundle)), Top: u.repo.top, Again: true}
		f.Config = configOf(f.Dir, old)
		for i := range old.Batches {
			if err := u.opt.Emit(u.batchEvent(old, &old.Batches[i]), true); err != nil {
				return err
			}
		}
		if err := u.complete(ctx, f, nil); err != nil {
			return err
		}
	} else {
		rec.What = "it had not begun"
	}
	u.log.note("found the unfinished run %s: %s", m.RunID, rec.What)
	u.receipt.Recovered = append(u.receipt.Recovered, rec)
	u.repo.sweep(m.RunID)
	return m.end()
}

// published brings the index along for a commit that was published, and gives
// what it changed.
func (u *Runner) published(m *marker, rec *Recovered) (*commitment, error) {
	p := m.Pending
	if p == nil || !hexName(p.Commit) || p.Before != "" && !hexName(p.Before) {
		return nil, nil
	}
	known, err := u.repo.says("cat-file", "-e", p.Commit+"^{commit}")
	if err != nil || !known {
		return nil, nil // never made, so never published
	}
	in, err := u.repo.says("merge-base", "--is-ancestor", p.Commit, p.Ref)
	if err != nil || !in {
		return nil, nil
	}
	rec.Commit, rec.What = p.Commit, "its commit "+short(p.Commit)+" was published and not yet noted"
	c, err := u.repo.inspect(p.Commit)
	if err != nil {
		return nil, err
	}
	target, err := u.repo.upToNow(c)
	if err != nil {
		return nil, err
	}
	c.left, c.held, err = u.repo.bring(u.tmp("follow"), target)
	u.follow(c, err)
	return c, nil
}

// upToNow is what a commit changed, with what HEAD makes of it by now: the
// index is to follow the branch, not one commit of it.
func (r *repo) upToNow(c *commitment) ([]Change, error) {
	out, err := r.run(call{args: []string{"diff-tree", "-r", "--raw", "-z", "--no-renames", c.sha, r.base()}, quiet: true})
	if err != nil {
		return nil, err
	}
	moved, err := parseRaw(out)
	if err != nil {
		return nil, err
	}
	since := byPath(moved)
	target := append([]Change{}, c.changes...)
	for i, x := range target {
		if m, ok := since[x.Path]; ok {
			target[i].Mode, target[i].Blob = m.Mode, m.Blob
		}
	}
	return target, nil
}

func hexName(s string) bool { return len(s) >= 40 && strings.Trim(s, "0123456789abcdef") == "" }

// inspect reads back what a commit changed.
func (r *repo) inspect(sha string) (*commitment, error) {
	parent, err := r.line("rev-parse", "-q", "--verify", sha+"^1^{commit}")
	var ge *GitError
	if err != nil && !errors.As(err, &ge) {
		return nil, err
	}
	if err != nil {
		parent = ""
	}
	tree, err := r.line("rev-parse", "-q", "--verify", sha+"^{tree}")
	if err != nil {
		return nil, err
	}
	out, err := r.run(call{args: []string{"diff-tree", "-r", "--raw", "--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none", treeish(r, parent), sha}, quiet: true})
	if err != nil {
		return nil, err
	}
	changes, err := parseRaw(out)
	sortChanges(changes)
	return &commitment{sha: sha, tree: tree, changes: changes}, err
}

// oldReceipt is a dead run's, or nil.
func (u *Runner) oldReceipt(m *marker) *Receipt {
	if m.Bundle == "" || outside(m.Bundle) != "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(u.repo.top, filepath.FromSlash(m.Bundle), ReceiptFile))
	if err != nil {
		return nil
	}
	r := &Receipt{}
	if json.Unmarshal(text, r) != nil || r.RunID != m.RunID {
		return nil
	}
	return r
}

// configOf is the configuration that a bundle holds a copy of.
func configOf(dir string, r *Receipt) *Config {
	text, err := os.ReadFile(filepath.Join(dir, ConfigFile))
	if err == nil {
		if c, _, err := ReadConfig(r.Config, text); err == nil {
			return c
		}
	}
	return &Config{Path: r.Config, SHA256: r.ConfigSHA, Scope: r.Scope, Text: text}
}

// interrupted ends a dead run's receipt: what was published is committed, the
// batch that it died over is an error, those behind it were not begun.
func (r *Receipt) interrupted(m *marker, c *commitment, opt Options) {
	over := false
	for i := range r.Batches {
		b := &r.Batches[i]
		if b.Ended != "" {
			continue
		}
		switch {
		case c != nil && m.Pending.BatchID == b.BatchID:
			b.Outcome, b.CommitSHA, b.Tree, b.Parent, b.Error = Committed, &c.sha, &c.tree, optional(m.Pending.Before), nil
			b.take(c.changes)
			r.Commits = append(r.Commits, c.sha)
			r.HeadAfter, r.TreeAfter = &c.sha, &c.tree
		case !over:
			b.fail(errors.New("the run was interrupted before it was committed"))
			over = true
		default:
			b.fail(errors.New("the run was interrupted before it began"))
		}
		b.Ended = stamp(opt.Now())
	}
	if r.HeadAfter == nil {
		r.HeadAfter = r.HeadBefore
	}
	r.Broken = true
	r.conclude(false)
	now := stamp(opt.Now())
	r.Ended, r.TSEnd, r.State = &now, &now, Done
}

// behind notes a commit that the person's index could not follow.
func (r *repo) behind(runID, sha string) error {
	path := r.file("stigmergy/behind")
	if err := os.MkdirAll(path, 0o777); err != nil {
		return fmt.Errorf("noting that the index is behind: %w", err)
	}
	if err := writeFile(filepath.Join(path, sha), []byte(runID+"\n")); err != nil {
		return fmt.Errorf("noting that the index is behind: %w", err)
	}
	return nil
}

// catchUp lets the person's index follow commits that it could not follow
// when they were made.
func (u *Runner) catchUp() error {
	list, err := os.ReadDir(u.repo.file("stigmergy/behind"))
	if err != nil {
		return nil
	}
	for _, e := range list {
		if !hexName(e.Name()) {
			continue
		}
		c, err := u.repo.inspect(e.Name())
		if err != nil {
			return err
		}
		target, err := u.repo.upToNow(c)
		if err != nil {
			return err
		}
		if _, held, err := u.repo.bring(u.tmp("follow"), target); err != nil || held {
			return err
		}
		if err := os.Remove(filepath.Join(u.repo.file("stigmergy/behind"), e.Name())); err != nil {
			return fmt.Errorf("bringing the index along: %w", err)
		}
	}
	return nil
}
