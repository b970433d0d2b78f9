package cli

import (
	"strings"

	"stigmergy/gitops"
)

// gitops tells of runs that ended without ending, and of an index that could
// not follow its commits, in the working tree that holds the board's root.
func (d *doctor) gitops() {
	if d.set == nil {
		return
	}
	p, err := gitops.Feel(d.set.Root(d.l.Dir), d.a.environ)
	if err != nil {
		return // no working tree, or no git: no runs
	}
	if n := len(p.Dead); n > 0 {
		d.warn("gitops", "stigmergy gitops run", "%d unfinished runs, as %s: the next run finishes their receipts", n, p.Dead[0])
	}
	if n := len(p.Behind); n > 0 {
		words := make([]string, len(p.Paths))
		for i, name := range p.Paths {
			words[i] = shellQuote(name)
		}
		why := "index.lock was held"
		if p.Locked {
			why = "index.lock is held, or left by a git that was killed"
		}
		d.warn("gitops", "git -C "+shellQuote(p.Top)+" restore --staged -- "+strings.Join(words, " "),
			"the index does not show %d commits yet (%s): the next run brings it along; until then git status shows %d paths wrongly", n, why, len(p.Paths))
	}
}
