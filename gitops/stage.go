package gitops

import (
	"errors"
	"fmt"
	"os"
	"slices"
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
	tree    string   // of a pure one that changes something
}

// Unmatched is a changed path that no batch takes.
type Unmatched struct {
	Path string `json:"path"`
	Kind string `json:"kind"` // tracked or untracked
	Why  string `json:"why"`
}

// takeSnapshot stages a batch in a private index. known, if it is not nil, is
// what was seen just now.
func (r *repo) takeSnapshot(b Batch, index string, known *seen) (*snapshot, error) {
	s := &snapshot{head: r.head, index: index}
	var err error
	if s.was, err = r.copyIndex(index); err != nil {
		return nil, err
	}
	if known != nil && !known.was.same(s.was) {
		return nil, errIndexMoved
	}
	staged, err := r.stagedAt(s.was, index)
	if err != nil {
		return nil, err
	}
	s.pure = len(staged) == 0
	var some bool
	if b.Type == Tracked {
		some, err = r.stageTracked(b, s, known)
	} else {
		some, err = r.stageUntracked(b, s)
	}
	if err != nil {
		return nil, err
	}
	for _, c := range staged {
		if anySpec(b.Paths, c.Path) {
			s.kept = append(s.kept, c.Path)
		}
	}
	if some {
		err = r.gather(s, byPath(staged))
	}
	sortChanges(s.changes)
	return s, err
}

// gather reads what a snapshot would commit: of a pure one from the very tree
// of its commit, else from the index, without what is staged by the person.
func (r *repo) gather(s *snapshot, theirs map[string]Change) (err error) {
	if s.pure {
		out, err := r.run(call{args: []string{"write-tree"}, index: s.index})
		if err != nil {
			return err
		}
		s.tree = trim(out)
		s.changes, err = r.between(treeish(r, s.head), s.tree)
		return err
	}
	all, err := r.staged(s.index)
	if err != nil {
		return err
	}
	for _, c := range all {
		if _, ok := theirs[c.Path]; !ok {
			s.changes = append(s.changes, c)
		}
	}
	return nil
}

// between is how one tree differs from another; with more, a --numstat.
func (r *repo) between(from, to string, more ...string) ([]Change, error) {
	args := append([]string{"diff-tree", "-r", "--raw", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=none"}, more...)
	out, err := r.run(call{args: append(args, from, to), quiet: true})
	if err != nil {
		return nil, err
	}
	return parseRaw(out)
}

// lastStaged is what an index in one state was found to differ in from a commit.
type lastStaged struct {
	known bool
	head  string
	was   identity
	list  []Change
}

// stagedAt is staged of an index, or of a copy of it, in a known state: what
// was asked last is not asked again.
func (r *repo) stagedAt(was identity, index string) ([]Change, error) {
	if l := r.last; l.known && l.head == r.head && l.was.same(was) {
		return l.list, nil
	}
	list, err := r.staged(index)
	if err == nil {
		r.last = lastStaged{true, r.head, was, list}
	}
	return list, err
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

// count counts a snapshot's lines while its gates are asked; wait gives them by
// path. Of a pure one they may be waited for when it is long committed: its
// index, which git needs so as to read files instead of objects, has a name of
// its own.
func (r *repo) count(s *snapshot) (wait func() (map[string]Change, error)) {
	base, index := treeish(r, s.head), s.index+".count"
	var got []Change
	var err error
	done := make(chan struct{})
	_ = os.Remove(index) // one of the batch before
	if err = second(s.index, index); err != nil {
		err = fmt.Errorf("counting lines: %w", err)
		close(done)
	} else {
		go func() {
			defer close(done)
			got, err = r.stagedOn(base, index, "--numstat", "--no-ext-diff", "--no-textconv")
		}()
	}
	return func() (map[string]Change, error) {
		<-done
		return byPath(got), err
	}
}

// counted takes over how many lines of each path there are.
func counted(changes []Change, by map[string]Change) []Change {
	for i := range changes {
		if c, ok := by[changes[i].Path]; ok {
			changes[i].Added, changes[i].Removed = c.Added, c.Removed
		}
	}
	return changes
}

func specs(patterns []string) []string {
	out := make([]string, len(patterns))
	for i, p := range patterns {
		out[i] = spec(p)
	}
	return out
}

// stageTracked does what git add -u does: what git knows and what changed. It
// tells whether there was anything to stage.
func (r *repo) stageTracked(b Batch, s *snapshot, known *seen) (some bool, err error) {
	var changed []Change
	if known != nil {
		changed = slices.DeleteFunc(slices.Clone(known.changed), func(c Change) bool { return !anySpec(b.Paths, c.Path) })
	} else if changed, err = r.dirty(s.index, b.Paths); err != nil {
		return false, err
	}
	var gone, there []string
	for _, c := range changed {
		switch c.Status {
		case "U":
			return false, fmt.Errorf("%s is unmerged", c.Path)
		case "D":
			gone = append(gone, c.Path)
		default:
			there = append(there, c.Path)
		}
	}
	if len(gone) > 0 {
		if _, err := r.run(call{args: []string{"update-index", "--force-remove", "-z", "--stdin"}, in: nul(gone), index: s.index}); err != nil {
			return false, err
		}
	}
	return len(changed) > 0, r.stagePaths(there, s.index)
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
func (r *repo) stageUntracked(b Batch, s *snapshot) (some bool, err error) {
	found, err := r.untracked(s.index, b.Paths)
	if err != nil {
		return false, err
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
	return len(take) > 0, r.stagePaths(take, s.index)
}

// surface is which tracked files differ from the index, by their content: a
// file that was only touched does not count. touched is what differs by its
// time or length, as dirty found it in the person's own index.
func (r *repo) surface(index string, touched []Change) ([]Change, error) {
	if len(touched) == 0 {
		return nil, nil
	}
	if _, err := r.copyIndex(index); err != nil {
		return nil, err
	}
	_, err := r.run(call{args: []string{"update-index", "-q", "--refresh", "--ignore-submodules"}, index: index, quiet: true})
	var ge *GitError
	if err != nil && !errors.As(err, &ge) { // 1: something differs
		return nil, err
	}
	return r.dirty(index, nil)
}
