package gitops

import (
	"context"
	"errors"
	"strings"
	"syscall"
)

// doPush pushes the branch as it is after the commits: one commit by its name
// to one reference, with no options from anywhere but here.
func (u *Runner) doPush(ctx context.Context) {
	r, p := u.repo, &u.receipt.Push
	if u.pushed && p.Outcome == "failed" {
		return // each: the first failure tells
	}
	u.pushed = true
	if err := r.look(); err != nil || r.branch != u.receipt.Branch || r.head == "" {
		u.pushFailed(errors.Join(err, errors.New("the branch is not checked out any more")))
		return
	}
	head := r.head
	if len(u.receipt.Commits) == 0 {
		if known, err := r.line("rev-parse", "-q", "--verify", "refs/remotes/"+u.config.Remote+"/"+r.branch); err == nil && known == head {
			p.Outcome = "up_to_date"
			return
		}
	}
	args := []string{"push", "--porcelain", "--no-follow-tags", "--recurse-submodules=no"}
	if u.opt.NoVerify || !r.hooks {
		args = append(args, "--no-verify")
	}
	args = append(args, "--", u.config.Remote, head+":refs/heads/"+r.branch)
	if _, err := r.run(call{args: args, ctx: ctx, tty: true}); err != nil {
		u.pushFailed(err)
		return
	}
	p.Outcome, p.Commit, p.Error = "pushed", &head, nil
}

func (u *Runner) pushFailed(err error) {
	text := err.Error()
	u.receipt.Push.Outcome, u.receipt.Push.Error = "failed", &text
	u.log.note("push: error: %v", err)
}

func trim(out []byte) string { return strings.TrimSpace(string(out)) }

// disk tells whether an error is the disk's: then nothing that follows can
// be trusted to be written.
func disk(err error) bool {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return false
}
