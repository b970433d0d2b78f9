package gitops

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// current is the branch that is checked out, as a configuration names it.
const current = "CURRENT"

// repo is a working tree and what it is at.
type repo struct {
	*git
	dir       string // its git directory, absolute
	gitVer    string
	head      string // commit; "" before the first
	branch    string // "" when detached
	empty     string // the empty tree
	zero      string // the null object
	unborn    bool
	emptyBlob string
	last      lastStaged
}

// ErrNoRepository says that a folder is in no working tree.
var ErrNoRepository = errors.New("no git working tree")

// open finds the working tree that holds dir.
func open(dir string, environ []string, hooks bool, log *runLog) (*repo, error) {
	g := &git{top: dir, environ: scrub(environ), hooks: hooks, log: log}
	ask := g.meanwhile("version")
	out, err := g.line("rev-parse", "--show-toplevel", "--absolute-git-dir", "--show-object-format", "--is-inside-work-tree")
	version, verr := ask()
	var ge *GitError
	if errors.As(err, &ge) {
		return nil, fmt.Errorf("%w at %s: %s", ErrNoRepository, dir, strings.TrimSpace(ge.Said))
	}
	if err = errors.Join(err, verr); err != nil {
		return nil, err
	}
	// The last three lines hold no newline; a path may.
	parts := strings.Split(out, "\n")
	n := len(parts)
	if n < 4 {
		return nil, fmt.Errorf("%w at %s: git says %q", ErrNoRepository, dir, out)
	}
	r := &repo{git: g}
	half := (n - 2) / 2
	g.top, r.dir = strings.Join(parts[:half], "\n"), strings.Join(parts[half:n-2], "\n")
	r.gitVer = strings.TrimPrefix(version, "git version ")
	r.constants(parts[n-2])
	return r, r.look()
}

// constants are the names of what is empty, by the repository's hash.
func (r *repo) constants(format string) {
	if format == "sha256" {
		r.empty = "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
		r.emptyBlob = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
		r.zero = strings.Repeat("0", 64)
		return
	}
	r.empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
	r.emptyBlob = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
	r.zero = strings.Repeat("0", 40)
}

// look reads where HEAD is now.
func (r *repo) look() error {
	r.branch, r.head, r.unborn = "", "", false
	if out, err := r.line("rev-parse", "-q", "HEAD^{commit}", "--symbolic-full-name", "HEAD"); err == nil {
		head, name, _ := strings.Cut(out, "\n")
		if hexName(head) && (name == "HEAD" || strings.HasPrefix(name, "refs/heads/")) {
			r.head, r.branch = head, strings.TrimPrefix(strings.TrimPrefix(name, "HEAD"), "refs/heads/")
			return nil
		}
	}
	name, err := r.line("symbolic-ref", "-q", "HEAD")
	var ge *GitError
	switch {
	case err == nil:
		r.branch = strings.TrimPrefix(name, "refs/heads/")
	case !errors.As(err, &ge) || ge.Code != 1:
		return err
	}
	r.head, err = r.line("rev-parse", "-q", "--verify", "HEAD^{commit}")
	if errors.As(err, &ge) && r.branch != "" {
		r.unborn, r.head, err = true, "", nil
	}
	return err
}

// base is what HEAD's tree is asked for as: the empty one before the first
// commit.
func (r *repo) base() string { return treeish(r, r.head) }

func treeish(r *repo, commit string) string {
	if commit == "" {
		return r.empty
	}
	return commit
}

// ref is what a commit moves.
func (r *repo) ref() string {
	if r.branch == "" {
		return "HEAD"
	}
	return "refs/heads/" + r.branch
}

// file is a path in the git directory.
func (r *repo) file(name string) string { return filepath.Join(r.dir, name) }

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// underWay names the operation that the repository is in the middle of, or "".
func (r *repo) underWay() string {
	for _, o := range []struct{ file, name string }{
		{"MERGE_HEAD", "a merge"}, {"rebase-merge", "a rebase"}, {"rebase-apply", "a rebase or git am"},
		{"CHERRY_PICK_HEAD", "a cherry-pick"}, {"REVERT_HEAD", "a revert"}, {"BISECT_LOG", "a bisection"},
	} {
		if exists(r.file(o.file)) {
			return o.name
		}
	}
	return ""
}
