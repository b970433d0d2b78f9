package gitops

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A reference and the index are two files, and whoever looks in between sees
// the commit reversed in `git diff --cached`. So all work is done before, and
// the two renames follow one another:
//
//	git update-ref --stdin   start, update, prepare: the reference is locked
//	link(NEXT, index.lock)   git's own lock of the index; stat: nobody wrote it
//	commit                   git renames the reference's lock into place
//	rename(index.lock, index)
//
// No git is started while index.lock is held. A run that is killed within it
// leaves a lock that is a second name of one of its own files, by which the
// next run knows that it may be removed.

// publish moves the branch to a commit, if it still is where that stands on,
// and lets the person's index follow in the same moment. Where index.lock is
// never to be had, the branch does not wait for ever.
func (u *Runner) publish(b Batch, s *snapshot, c *commitment) (published bool, err error) {
	r := u.repo
	if err := u.marker.publishing(&pending{BatchID: b.ID, Ref: r.ref(), Before: r.head, Commit: c.sha}); err != nil {
		return false, err
	}
	m := &move{ref: r.ref(), to: c.sha, from: or(r.head, r.zero), why: "stigmergy gitops: " + firstLine(b.Message)}
	for try := 0; ; try++ {
		next, err := u.next(s, c, try)
		if err == nil {
			published, err = r.move(m, next)
		}
		switch {
		case published:
			c.left = next.left
			return true, err
		case !errors.Is(err, errIndexLocked) && !errors.Is(err, errIndexMoved):
			return false, err
		case try == indexTries:
			c.left, c.held = paths(c.changes), true
			return r.move(m, nil)
		}
		<-time.After(indexPause)
	}
}

// next is the person's index as it is to be once the commit is published: the
// private one that the batch was staged in, where that still says it all.
func (u *Runner) next(s *snapshot, c *commitment, try int) (*nextIndex, error) {
	if try == 0 && s.pure && s.head == u.repo.head && len(c.changes) == len(s.changes) {
		return &nextIndex{path: s.index, was: s.was}, nil
	}
	return u.repo.follow(u.tmp("follow"), c.changes)
}

// move is a reference's, from one commit to another.
type move struct{ ref, to, from, why string }

// streams tells whether git answers each line of update-ref --stdin as it comes.
func (r *repo) streams() bool {
	var major, minor int
	_, err := fmt.Sscanf(r.gitVer, "%d.%d", &major, &minor)
	return err == nil && (major > 2 || major == 2 && minor >= 34)
}

// move moves a reference, and puts next (if it is not nil) in the index's place
// in the moment after. moved tells whether the reference was; then an error is
// about the index.
func (r *repo) move(m *move, next *nextIndex) (moved bool, err error) {
	args := []string{"update-ref", "--create-reflog", "-m", m.why, "--stdin", "-z"}
	if m.ref == "HEAD" {
		args = append(args[:1:1], append([]string{"--no-deref"}, args[1:]...)...)
	}
	update := []string{"update " + m.ref, m.to, m.from}
	locked := false
	lock := func() error {
		err := r.lockIndex(next)
		locked = err == nil
		return err
	}
	if r.streams() {
		c := call{args: args, said: append(append([]string{"start"}, update...), "prepare", "commit"), locked: true}
		err = r.talk(c, func(ask func(words []string, answer string) error) error {
			if err := errors.Join(ask([]string{"start"}, "start: ok"), ask(append(update, "prepare"), "prepare: ok")); err != nil {
				return err
			}
			if err := lock(); err != nil {
				return err // git puts everything back when it is told nothing more
			}
			if err := ask([]string{"commit"}, "commit: ok"); err != nil {
				return err
			}
			moved = true
			return r.installIndex(next)
		})
	} else if err = lock(); err == nil {
		if _, err = r.run(call{args: args, said: update, in: nul(update), locked: true}); err == nil {
			moved, err = true, r.installIndex(next)
		}
	}
	if moved || !locked && (errors.Is(err, errIndexLocked) || errors.Is(err, errIndexMoved)) {
		return moved, err
	}
	now := *r
	switch e := now.look(); {
	case e == nil && now.head == m.to: // it was moved, and git died over saying so
		moved, err = true, nil
		if locked {
			err = r.installIndex(next)
		}
		return moved, err
	case locked:
		err = errors.Join(err, r.unlockIndex(next))
	}
	if now.head != "" && now.head != r.head {
		err = errMoved
	}
	return false, err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
