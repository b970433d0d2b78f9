package gitops

import (
	"errors"
	"fmt"
	"strings"
)

// snapshot is what a batch would commit on a commit: the files as they stood
// in one moment, already in the object store.
type snapshot struct {
	head    string // "": before the first commit
	changes []Change
	kept    []string // staged by the person, and left to them
	odd     []Unmatched
	index   string   // a private index that holds the person's and the changes
	was     identity // of the person's index that it was copied from
	pure    bool     // it holds nothing else than HEAD and the changes
}

// Unmatched is a changed path that no batch takes.
type Unmatched struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // tracked or untracked
	Why  string `json:"why"`
}

// takeSnapshot stages a batch in a private index. Objects go to the
// repository, or with objects != "" to that folder.
func (r *repo) takeSnapshot(b Batch, index string) (*snapshot, error) {
	s := &snapshot{head: r.head, index: index}
	var err error
	if s.was, err = r.copyIndex(index); err != nil {
		return nil, err
	}
	staged, err := r.staged(index)
	if err != nil {
		return nil, err
	}
	s.pure = len(staged) == 0
	if b.Type == Tracked {
		err = r.stageTracked(b, s)
	} else {
		err = r.stageUntracked(b, s)
	}
	if err != nil {
		return nil, err
	}
	all, err := r.staged(index)
	if err != nil {
		return nil, err
	}
	mine := byPath(staged)
	for _, c := range all {
		if _, theirs := mine[c.Path]; !theirs {
			s.changes = append(s.changes, c)
		}
	}
	for _, c := range staged {
		if anySpec(b.Paths, c.Path) {
			s.kept = append(s.kept, c.Path)
		}
	}
	sortChanges(s.changes)
	return s, nil
}

// staged is how an index differs from HEAD.
func (r *repo) staged(index string) ([]Change, error) { return r.stagedOn(r.base(), index) }

func (r *repo) stagedOn(base, index string, more ...string) ([]Change, error) {
	args := append([]string{"diff-index", "--cached", "--ita-invisible-in-index", "--raw", "-z", "--no-renames", "--ignore-submodules=none"}, more...)
	out, err := r.run(call{args: append(args, base, "--"), index: index, quiet: true})
	if err != nil {
		return nil, err
	}
	return parseRaw(out)
}

// count counts a snapshot's lines while its gates are asked; wait returns once
// they stand in its changes.
func (r *repo) count(s *snapshot) (wait func() error) {
	base, index := treeish(r, s.head), s.index
	var got []Change
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		got, err = r.stagedOn(base, index, "--numstat", "--no-ext-diff", "--no-textconv")
	}()
	return func() error {
		<-done
		by := byPath(got)
		for i := range s.changes {
			if c, ok := by[s.changes[i].Path]; ok && err == nil {
				s.changes[i].Added, s.changes[i].Removed = c.Added, c.Removed
			}
		}
		return err
	}
}

func specs(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = spec(p)
	}
	return out
}

// stageTracked does what git add -u does: what git knows and what changed.
func (r *repo) stageTracked(b Batch, s *snapshot) error {
	changed, err := r.dirty(s.index, b.Paths)
	if err != nil {
		return err
	}
	var gone, there []string
	for _, c := range changed {
		switch c.Status {
		case "U":
			return fmt.Errorf("%s is unmerged", c.Path)
		case "D":
			gone = append(gone, c.Path)
		default:
			there = append(there, c.Path)
		}
	}
	if len(gone) > 0 {
		if _, err := r.run(call{args: []string{"update-index", "--force-remove", "-z", "--stdin"}, in: nul(gone), index: s.index}); err != nil {
			return err
		}
	}
	return r.stagePaths(there, s.index)
}

func (r *repo) stagePaths(list []string, index string) error {
	if len(list) == 0 {
		return nil
	}
	_, err := r.run(call{args: []string{"update-index", "--add", "--remove", "-z", "--stdin"}, in: nul(list), index: index})
	return err
}

// dirty lists the tracked files that differ from an index, below patterns or
// everywhere. It looks at what git knows, and at no folder.
func (r *repo) dirty(index string, patterns []string) ([]Change, error) {
	args := append([]string{"diff-files", "--raw", "-z", "--no-renames", "--ignore-submodules=dirty", "--"}, specs(patterns)...)
	out, err := r.run(call{args: args, index: index, quiet: true})
	if err != nil {
		return nil, err
	}
	list, err := parseRaw(out)
	seen := map[string]bool{}
	uniq := list[:0]
	for _, c := range list { // an unmerged path stands there twice
		if !seen[c.Path] {
			uniq = append(uniq, c)
		}
		seen[c.Path] = true
	}
	return uniq, err
}

// untracked lists new files below patterns, and repositories of their own as
// names that end with a slash.
func (r *repo) untracked(index string, patterns []string) ([]string, error) {
	args := append([]string{"ls-files", "--others", "--exclude-standard", "-z", "--"}, specs(patterns)...)
	out, err := r.run(call{args: args, index: index, quiet: true})
	return fields(out), err
}

// stageUntracked stages the new files that allow lists, and nothing else.
func (r *repo) stageUntracked(b Batch, s *snapshot) error {
	found, err := r.untracked(s.index, b.Paths)
	if err != nil {
		return err
	}
	var take []string
	for _, name := range found {
		switch {
		case strings.HasSuffix(name, "/"):
			s.odd = append(s.odd, Unmatched{Path: name, Kind: Untracked, Why: "a repository of its own"})
		case anyGlob(b.Allow, name):
			take = append(take, name)
		default:
			s.odd = append(s.odd, Unmatched{Path: name, Kind: Untracked, Why: "not allowed by batch " + b.ID})
		}
	}
	return r.stagePaths(take, s.index)
}

// surface is how many tracked files differ from the index or HEAD, by their
// content: a file that was only touched does not count.
func (r *repo) surface(index string) ([]Change, error) {
	if _, err := r.copyIndex(index); err != nil {
		return nil, err
	}
	list, err := r.dirty(index, nil)
	if err != nil || len(list) == 0 {
		return list, err
	}
	_, err = r.run(call{args: []string{"update-index", "-q", "--refresh", "--ignore-submodules"}, index: index, quiet: true})
	var ge *GitError
	if err != nil && !errors.As(err, &ge) { // 1: something differs
		return nil, err
	}
	return r.dirty(index, nil)
}
