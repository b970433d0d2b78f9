package gitops

import (
	"fmt"
	"slices"
)

// survey looks at the repository before anything is staged.
func (u *Runner) survey() error {
	r := u.receipt
	if err := u.repo.look(); err != nil {
		return err
	}
	r.HeadBefore = optional(u.repo.head)
	signs := u.repo.meanwhile("config", "--type=bool", "--get", "commit.gpgSign")
	var err error
	if r.Refusal == nil {
		if r.Refusal, err = u.rails(); err != nil {
			return err
		}
	}
	f := &seen{fresh: true}
	u.seen = f
	if f.was, err = identify(u.repo.file("index")); err != nil {
		return err
	}
	if f.changed, err = u.repo.dirty("", nil); err != nil {
		return err
	}
	changed, err := u.differing(f)
	if err != nil {
		return err
	}
	r.DirtyBefore = len(changed)
	sign, err := signs()
	u.signs = err == nil && sign == "true"
	if r.Refusal == nil {
		r.Refusal = u.overlaps(changed)
	}
	u.untaken(changed)
	return nil
}

// seen is what survey saw.
type seen struct {
	was     identity // of the person's index
	changed []Change // tracked files that differ from it, some by their time only
	exact   bool     // none by its time only
	fresh   bool     // it was a moment ago
}

// differing leaves out what was only touched. Where every path is one batch's,
// staging will tell; else git is asked.
func (u *Runner) differing(f *seen) (changed []Change, err error) {
	f.exact = len(f.changed) == 0 || u.receipt.Refusal != nil
	for _, c := range f.changed {
		n := 0
		for _, res := range u.receipt.Batches {
			if res.Type == Tracked && anySpec(res.Pathspecs, c.Path) {
				n++
			}
		}
		f.exact = f.exact || n != 1
	}
	if !f.exact {
		return f.changed, nil
	}
	return u.repo.surface(u.tmp("surface"), f.changed)
}

// touched takes off what survey counted and staging found to be the same.
func (u *Runner) touched(b Batch, s *snapshot) {
	if b.Type != Tracked || u.seen.exact {
		return
	}
	real := byPath(s.changes)
	for _, c := range u.seen.changed {
		if _, ok := real[c.Path]; !ok && anySpec(b.Paths, c.Path) && !slices.Contains(s.kept, c.Path) {
			u.receipt.DirtyBefore--
		}
	}
}

// overlaps refuses a changed path that two batches take: which one it belongs
// to is for the file to say.
func (u *Runner) overlaps(changed []Change) *Refusal {
	for _, c := range changed {
		var first *Batch
		for i := range u.config.Batches {
			b := &u.config.Batches[i]
			if b.Type != Tracked || !anySpec(b.Paths, c.Path) {
				continue
			}
			if first != nil {
				return &Refusal{Rail: RailOverlap, Reason: fmt.Sprintf("%s is taken by batch %q and by batch %q", printable(c.Path), first.ID, b.ID),
					Try: "let one batch of " + u.config.Path + " take it", File: u.config.Path, Pointer: fmt.Sprintf("/batches/%d/paths", i), Paths: []string{printable(c.Path)}}
			}
			first = b
		}
	}
	return nil
}

// maxUnmatched is how many paths a receipt lists that no batch takes.
const maxUnmatched = 1000

// untaken reports the tracked changes that no batch of the file takes.
func (u *Runner) untaken(changed []Change) {
	for _, c := range changed {
		taken := false
		for _, b := range u.config.Batches {
			taken = taken || b.Type == Tracked && anySpec(b.Paths, c.Path)
		}
		if !taken {
			u.unmatched(Unmatched{Path: c.Path, Kind: Tracked, Why: "no batch takes it"})
		}
	}
}

func (u *Runner) unmatched(m Unmatched) {
	m.Path = printable(m.Path)
	if len(u.receipt.Unmatched) >= maxUnmatched {
		u.receipt.More++
		return
	}
	u.receipt.Unmatched = append(u.receipt.Unmatched, m)
}
