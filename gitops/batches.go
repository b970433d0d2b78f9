package gitops

import (
	"context"
	"errors"
	"fmt"
)

// maxRounds is how often a batch is staged anew because the branch moved.
const maxRounds = 20

// batches does all of them in order. One that fails does not stop the next,
// unless it is asked to; a disk that fails, and a signal, stop everything.
func (u *Runner) batches(ctx context.Context) {
	stop := ""
	for i := range u.receipt.Batches {
		res := &u.receipt.Batches[i]
		res.Started = stamp(u.opt.Now())
		switch {
		case ctx.Err() != nil:
			res.fail(errors.New("the run was stopped before it"))
		case u.fatal != nil:
			res.fail(fmt.Errorf("the run stopped before it: %w", u.fatal))
		case stop != "":
			text := stop
			res.Error = &text
		default:
			u.log.note("batch %s", res.BatchID)
			u.batch(ctx, u.find(res.BatchID), res)
			if u.opt.StopOnGate && blocked(res) {
				stop = "batch " + res.BatchID + " did not pass its gates"
			}
		}
		res.Ended = stamp(u.opt.Now())
		u.receipt.Gates = append(u.receipt.Gates, named(res)...)
		u.tell(res)
		if res.Outcome == Committed && u.push.enabled && u.push.each && u.fatal == nil {
			u.doPush(ctx)
		}
	}
}

// tell brings a batch's outcome to disk, then to the board.
func (u *Runner) tell(res *BatchResult) {
	err := u.save()
	if err == nil && u.marker.Pending != nil {
		err = u.marker.publishing(nil)
	}
	if err == nil {
		err = u.opt.Emit(u.batchEvent(u.receipt, res), false)
	}
	if err != nil && u.fatal == nil {
		u.fatal = err
		u.receipt.Errors = append(u.receipt.Errors, err.Error())
	}
}

func (u *Runner) find(id string) Batch {
	for _, b := range u.config.Batches {
		if b.ID == id {
			return b
		}
	}
	return Batch{ID: id, Type: Tracked}
}

func blocked(res *BatchResult) bool {
	for _, g := range res.Gates {
		if !g.ok() {
			return true
		}
	}
	return false
}

func named(res *BatchResult) []GateResult {
	out := make([]GateResult, len(res.Gates))
	for i, g := range res.Gates {
		out[i] = g
		out[i].BatchID = res.BatchID
	}
	return out
}

// batch does one, again and again if the branch moves under it.
func (u *Runner) batch(ctx context.Context, b Batch, res *BatchResult) {
	for round := 0; ; round++ {
		err := u.once(ctx, b, res, round == 0)
		if errors.Is(err, errMoved) && round < maxRounds {
			u.log.note("batch %s: %v; once more", b.ID, err)
			continue
		}
		if err != nil {
			res.fail(err)
			u.log.note("batch %s: error: %v", b.ID, err)
			if disk(err) {
				u.fatal = err
			}
		}
		return
	}
}

func (u *Runner) once(ctx context.Context, b Batch, res *BatchResult, first bool) error {
	s, err := u.snapshot(ctx, b)
	if err != nil {
		return err
	}
	if first {
		u.touched(b, s)
		for _, m := range s.odd {
			u.unmatched(m)
		}
	}
	res.Kept = shown(s.kept)
	res.Gates = []GateResult{}
	res.take(s.changes)
	if len(s.changes) == 0 {
		res.Outcome = Skipped
		return nil
	}
	if n := u.opt.MaxFiles; n > 0 && len(s.changes) > n {
		return fmt.Errorf("%d files, more than --max-files %d", len(s.changes), n)
	}
	wait := u.repo.count(s)
	res.Gates, err = u.gates(ctx, b, s)
	passed := err == nil && !blocked(res)
	if !passed || s.tree == "" || u.opt.DryRun {
		lines, werr := wait()
		if err = errors.Join(err, werr); err != nil {
			return err
		}
		res.take(counted(s.changes, lines))
	}
	for _, g := range res.Gates {
		if !g.ok() {
			return fmt.Errorf("gate %s: %s: %s", g.GateID, g.Outcome, or(g.Detail, "it did not pass"))
		}
	}
	if u.opt.DryRun {
		return u.plan(s, res)
	}
	err = u.publishBatch(ctx, b, s, res)
	if s.tree != "" {
		u.recount(res, wait)
	}
	return err
}

// recount takes over the lines that were counted meanwhile. A batch that is
// committed stays so, whatever comes of it.
func (u *Runner) recount(res *BatchResult, wait func() (map[string]Change, error)) {
	lines, err := wait()
	if err != nil {
		u.receipt.Errors = append(u.receipt.Errors, "counting the lines of batch "+res.BatchID+": "+err.Error())
	}
	if len(res.Paths) > 0 && !u.hooked { // a hook's were counted after it
		res.take(counted(res.Paths, lines))
	}
}

// snapshot stages under the lock: no other run is between reference and index.
func (u *Runner) snapshot(ctx context.Context, b Batch) (*snapshot, error) {
	release, err := u.repo.hold(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if u.seen.fresh {
		u.seen.fresh = false
		s, err := u.repo.takeSnapshot(b, u.tmp("index"), u.seen)
		if !errors.Is(err, errIndexMoved) {
			return s, err
		}
	}
	branch := u.repo.branch
	if err := u.repo.look(); err != nil {
		return nil, err
	}
	if u.repo.branch != branch {
		return nil, fmt.Errorf("expected branch %s to stay checked out, found %s", or(branch, "(detached)"), or(u.repo.branch, "(detached)"))
	}
	return u.repo.takeSnapshot(b, u.tmp("index"), nil)
}

// plan notes what would be committed.
func (u *Runner) plan(s *snapshot, res *BatchResult) error {
	res.Tree, res.Outcome = optional(s.tree), Planned
	return nil
}

func (u *Runner) publishBatch(ctx context.Context, b Batch, s *snapshot, res *BatchResult) error {
	release, err := u.repo.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	c, err := u.commit(ctx, b, s)
	if c == nil || c.sha == "" {
		if err == nil && c != nil {
			res.take(nil)
			res.Kept = append(res.Kept, shown(c.kept)...)
			res.Outcome = Skipped
		}
		return err
	}
	// It is published: whatever else went wrong, it is committed.
	res.Outcome, res.CommitSHA, res.Tree, res.Parent, res.Error = Committed, &c.sha, &c.tree, optional(u.repo.head), nil
	res.take(c.changes)
	res.Kept = append(res.Kept, shown(c.kept)...)
	u.receipt.Commits = append(u.receipt.Commits, c.sha)
	u.receipt.HeadAfter, u.receipt.TreeAfter = &c.sha, &c.tree
	u.follow(c, err)
	return nil
}

// follow notes how the person's index followed a commit.
func (u *Runner) follow(c *commitment, err error) {
	x := &u.receipt.Index
	x.Left = append(x.Left, shown(c.left)...)
	if err != nil {
		u.receipt.Errors = append(u.receipt.Errors, "bringing the index along: "+err.Error())
	}
	if c.held || err != nil {
		x.Held = x.Held || c.held
		x.Command = "git restore --staged -- " + shellWords(shown(paths(c.changes)))
		if e := u.repo.behind(u.receipt.RunID, c.sha); e != nil {
			u.receipt.Errors = append(u.receipt.Errors, e.Error())
		}
	}
}
