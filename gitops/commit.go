package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// errMoved says that what a snapshot was made on is not there any more: the
// batch is staged, and its gates are asked, once more.
var errMoved = errors.New("the branch was changed meanwhile")

// commitment is a commit that was published, and what the person's index made
// of it.
type commitment struct {
	sha     string
	tree    string
	changes []Change
	kept    []string // staged by the person meanwhile
	left    []string // entries of the person's index that were left
	held    bool     // index.lock was never free
}

// message is a batch's with the trailers that lead back to the run.
func message(text, runID, batchID string) string {
	text = strings.TrimRight(text, " \t\r\n")
	paragraphs := strings.Split(text, "\n\n")
	sep := "\n\n"
	if last := paragraphs[len(paragraphs)-1]; len(paragraphs) > 1 && trailers(last) {
		sep = "\n"
	}
	return text + sep + TrailerRun + ": " + runID + "\n" + TrailerBatch + ": " + batchID + "\n"
}

// The trailers of a commit.
const (
	TrailerRun   = "Run-Id"
	TrailerBatch = "Batch-Id"
)

func trailers(paragraph string) bool {
	token := regexp.MustCompile(`^[A-Za-z0-9-]+: .`)
	for _, line := range strings.Split(paragraph, "\n") {
		if !token.MatchString(line) {
			return false
		}
	}
	return true
}

// commit publishes a snapshot as one commit. The caller holds the lock.
func (u *Runner) commit(ctx context.Context, b Batch, s *snapshot) (*commitment, error) {
	r := u.repo
	branch := r.branch
	if err := r.look(); err != nil {
		return nil, err
	}
	if r.branch != branch {
		return nil, fmt.Errorf("expected branch %s to stay checked out, found %s", or(branch, "(detached)"), or(r.branch, "(detached)"))
	}
	if what := r.underWay(); what != "" {
		return nil, fmt.Errorf("somebody began %s meanwhile", what)
	}
	c := &commitment{changes: s.changes}
	if err := u.settle(s, c); err != nil || len(c.changes) == 0 {
		return c, err
	}
	if err := u.build(b, s, c); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	published, err := u.publish(b, s, c)
	if !published {
		return nil, err
	}
	return c, err
}

// settle holds a snapshot against what became of the branch and the person's
// index since: what somebody committed just so is done, what the person staged
// is theirs, and where somebody committed something else the snapshot is old.
func (u *Runner) settle(s *snapshot, c *commitment) error {
	r := u.repo
	drop := map[string]bool{}
	if r.head != s.head {
		out, err := r.run(call{args: []string{"diff-tree", "-r", "--raw", "-z", "--no-renames", treeish(r, s.head), r.base()}, quiet: true})
		if err != nil {
			return err
		}
		moved, err := parseRaw(out)
		if err != nil {
			return err
		}
		since := byPath(moved)
		for _, x := range s.changes {
			switch m, ok := since[x.Path]; {
			case !ok:
			case m.Mode == x.Mode && m.Blob == x.Blob:
				drop[x.Path] = true
			default:
				return errMoved
			}
		}
	}
	now, err := identify(r.file("index"))
	if err != nil {
		return err
	}
	if !now.same(s.was) {
		if err := u.restaged(s, c, drop); err != nil {
			return err
		}
	}
	if len(drop) > 0 {
		c.changes = nil
		for _, x := range s.changes {
			if !drop[x.Path] {
				c.changes = append(c.changes, x)
			}
		}
	}
	return nil
}

// restaged drops what the person staged since the snapshot.
func (u *Runner) restaged(s *snapshot, c *commitment, drop map[string]bool) error {
	r := u.repo
	copied := u.tmp("look")
	if _, err := r.copyIndex(copied); err != nil {
		return err
	}
	defer os.Remove(copied)
	staged, err := r.staged(copied)
	if err != nil {
		return err
	}
	theirs := byPath(staged)
	for _, x := range s.changes {
		if m, ok := theirs[x.Path]; ok && !drop[x.Path] && (m.Mode != x.OldMode || m.Blob != x.OldBlob) {
			drop[x.Path] = true
			c.kept = append(c.kept, x.Path)
		}
	}
	return nil
}

// build makes the commit, and sees that it changes exactly what it should: the
// tree that a pure snapshot was read from, or one that is made for it.
func (u *Runner) build(b Batch, s *snapshot, c *commitment) (err error) {
	r := u.repo
	same, hooks, index := s.tree != "" && s.head == r.head && len(c.changes) == len(s.changes), r.hooks && !u.opt.NoVerify, s.index
	if !same {
		if index, err = u.rebase(c); err != nil {
			return err
		}
	}
	if hooks {
		if err := u.hook("pre-commit", index); err != nil {
			return err
		}
	}
	if c.tree = s.tree; !same || hooks {
		out, err := r.run(call{args: []string{"write-tree"}, index: index})
		if err != nil {
			return err
		}
		c.tree = trim(out)
		if err := u.exact(c); err != nil {
			return err
		}
	}
	text := message(b.Message, u.receipt.RunID, b.ID)
	if hooks {
		if text, err = u.messageHook(text, index); err != nil {
			return err
		}
	}
	args := []string{"-c", "i18n.commitEncoding=UTF-8", "commit-tree"}
	if u.signs {
		args = append(args, "-S")
	}
	if !r.unborn {
		args = append(args, "-p", r.head)
	}
	out, err := r.run(call{args: append(args, "-F", "-", c.tree), in: []byte(text), tty: u.signs})
	c.sha = trim(out)
	return err
}

// rebase makes an index of HEAD with a commit's changes in it.
func (u *Runner) rebase(c *commitment) (index string, err error) {
	r := u.repo
	index = u.tmp("tree")
	_ = os.Remove(index) // one of the batch before
	if !r.unborn {
		if _, err := r.run(call{args: []string{"read-tree", r.head}, index: index}); err != nil {
			return "", err
		}
	}
	_, err = r.run(call{args: []string{"update-index", "-z", "--index-info"}, in: indexInfo(r, c.changes), index: index})
	return index, err
}

// exact compares the tree with what the batch is about to commit, path for
// path and blob for blob.
func (u *Runner) exact(c *commitment) error {
	r := u.repo
	var more []string
	if u.hooked { // the lines that were counted may be others
		more = []string{"--numstat"}
	}
	got, err := r.between(r.base(), c.tree, more...)
	if err != nil {
		return err
	}
	sortChanges(got)
	want := byPath(c.changes)
	for i, g := range got {
		w, ok := want[g.Path]
		if !u.hooked {
			got[i].Added, got[i].Removed = w.Added, w.Removed
		}
		if !ok || !u.hooked && (w.Mode != g.Mode || w.Blob != g.Blob) {
			return fmt.Errorf("the commit would change %s, which the batch does not take", printable(g.Path))
		}
	}
	if len(got) != len(c.changes) && !u.hooked {
		return fmt.Errorf("the commit would change %d paths, expected %d", len(got), len(c.changes))
	}
	c.changes = got
	return nil
}

// hook runs one of the repository's hooks, for who opted in.
func (u *Runner) hook(name, index string, args ...string) error {
	full := append([]string{"hook", "run", "--ignore-missing", name}, args...)
	if len(args) > 0 {
		full = append([]string{"hook", "run", "--ignore-missing", name, "--"}, args...)
	}
	u.hooked = true
	_, err := u.repo.run(call{args: full, index: index})
	if err != nil {
		return fmt.Errorf("hook %s: %w", name, err)
	}
	return nil
}

// messageHook lets commit-msg see and change the message.
func (u *Runner) messageHook(text, index string) (string, error) {
	path := u.tmp("message")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		return "", fmt.Errorf("writing the message for the hook: %w", err)
	}
	defer os.Remove(path)
	if err := u.hook("commit-msg", index, path); err != nil {
		return "", err
	}
	out, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the message back from the hook: %w", err)
	}
	if !bytes.Contains(out, []byte(TrailerRun+": "+u.receipt.RunID)) {
		return "", fmt.Errorf("hook commit-msg took the trailer %s away", TrailerRun)
	}
	return string(out), nil
}
