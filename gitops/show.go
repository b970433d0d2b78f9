package gitops

import (
	"errors"
	"path/filepath"
	"strings"
)

// Trace is what a commit leads back to.
type Trace struct {
	Commit   string
	RunID    string
	BatchID  string
	Bundle   string // its folder, absolute; "" if it is not here
	Receipt  *Receipt
	ProofDir string
}

// ErrNoRun says that a commit was made by no run.
var ErrNoRun = errors.New("it has no trailer " + TrailerRun + ": no GitOps run made it")

// ErrNoCommit says that a name leads to no commit.
var ErrNoCommit = errors.New("no such commit")

// Show finds the run behind a commit: by its trailers, and by its receipt
// below one of the roots of bundles.
func Show(dir, rev string, environ []string) (*Trace, error) {
	r, err := open(dir, environ, false, nil)
	if err != nil {
		return nil, err
	}
	sha, err := r.line("rev-parse", "-q", "--verify", "--end-of-options", rev+"^{commit}")
	if err != nil {
		return nil, ErrNoCommit
	}
	t := &Trace{Commit: sha}
	for key, into := range map[string]*string{TrailerRun: &t.RunID, TrailerBatch: &t.BatchID} {
		out, err := r.line("show", "-s", "--format=%(trailers:key="+key+",valueonly,unfold)", sha)
		if err != nil {
			return nil, err
		}
		list := strings.Split(strings.TrimSpace(out), "\n")
		*into = strings.TrimSpace(list[len(list)-1])
	}
	name, _, ok := cutLast(t.RunID, ".")
	if !ok || !bundleName().MatchString(name) {
		return t, ErrNoRun
	}
	for _, root := range r.proofRoots() {
		bundle := filepath.Join(r.top, filepath.FromSlash(root), name)
		text, err := readBundleFile(bundle, ReceiptFile)
		if err != nil {
			continue
		}
		rec, _, err := ReadReceipt(filepath.Join(bundle, ReceiptFile), text)
		if err == nil && rec.RunID == t.RunID {
			t.Bundle, t.Receipt, t.ProofDir = bundle, rec, root+"/"+name
			break
		}
	}
	return t, nil
}

// proofRoots are where bundles may stand: the usual place, and the
// configuration's.
func (r *repo) proofRoots() []string {
	out := []string{ProofRoot}
	text, err := readBounded(filepath.Join(r.top, filepath.FromSlash(ConfigPath)))
	if err != nil {
		return out
	}
	if c, _, err := ReadConfig(ConfigPath, text); err == nil && c.Root != ProofRoot && outside(c.Root) == "" {
		out = append(out, c.Root)
	}
	return out
}

// LastBundles are the newest n bundles of a working tree, the oldest first.
func LastBundles(dir string, environ []string, n int) ([]string, error) {
	r, err := open(dir, environ, false, nil)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, root := range r.proofRoots() {
		list, err := Bundles(filepath.Join(r.top, filepath.FromSlash(root)))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all[max(0, len(all)-n):], nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
