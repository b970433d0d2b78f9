package gitops

import (
	"fmt"
	"slices"
	"strings"
)

// The rails: what a run refuses, each time with a receipt.
const (
	RailStaged   = "staged_index"
	RailBusy     = "operation_under_way"
	RailUnmerged = "unmerged_paths"
	RailDetached = "detached_head"
	RailBranch   = "branch_mismatch"
	RailRemote   = "absent_remote"
	RailOutside  = "path_outside"
	RailOption   = "option_like"
	RailBatch    = "unknown_batch"
	RailOverlap  = "path_in_two_batches"
)

// Refusal is why a run did nothing.
type Refusal struct {
	Rail    string   `json:"rail"`
	Reason  string   `json:"reason"`
	Try     string   `json:"try"`
	File    string   `json:"file,omitempty"`
	Pointer string   `json:"pointer,omitempty"`
	Line    int      `json:"line,omitempty"`
	Paths   []string `json:"paths,omitempty"`
}

// Error says it in one sentence.
func (r *Refusal) Error() string { return r.Rail + ": " + r.Reason }

// rails looks for what a run must not begin over. The caller holds the lock.
func (u *Runner) rails() (*Refusal, error) {
	r := u.repo
	if what := r.underWay(); what != "" {
		return &Refusal{Rail: RailBusy, Reason: what + " is under way", Try: "finish or abort it: git status"}, nil
	}
	if r.branch == "" && !u.opt.AllowDetached {
		return &Refusal{Rail: RailDetached, Reason: "HEAD is detached at " + short(r.head), Try: "git switch BRANCH, or --allow-detached"}, nil
	}
	want := u.receipt.Branch
	if u.push.enabled && r.branch == "" {
		return &Refusal{Rail: RailBranch, Reason: "a detached HEAD has no branch to push", Try: "git switch BRANCH, or --no-push"}, nil
	}
	if want != r.branch {
		return &Refusal{Rail: RailBranch, Reason: fmt.Sprintf("the branch to commit to and push is %q, checked out is %q", or(want, "none"), or(r.branch, "none")),
			Try: "git switch " + shellWord(or(want, "BRANCH")) + ", or --branch " + current}, nil
	}
	if u.push.enabled {
		if ref, err := u.remote(); ref != nil || err != nil {
			return ref, err
		}
	}
	return u.stagedRail()
}

// remote sees that the remote is one that the repository names.
func (u *Runner) remote() (*Refusal, error) {
	out, err := u.repo.line("remote")
	if err != nil {
		return nil, err
	}
	name := u.config.Remote
	if strings.HasPrefix(name, "-") || !slices.Contains(strings.Split(out, "\n"), name) {
		return &Refusal{Rail: RailRemote, Reason: fmt.Sprintf("there is no remote %q", name), Try: "git remote add, or defaults.remote in " + u.config.Path}, nil
	}
	return nil, nil
}

// stagedRail refuses a staged index, unless the person says otherwise.
func (u *Runner) stagedRail() (*Refusal, error) {
	index := u.tmp("look")
	was, err := u.repo.copyIndex(index)
	if err != nil {
		return nil, err
	}
	staged, err := u.repo.stagedAt(was, index)
	if err != nil {
		return nil, err
	}
	for _, c := range staged {
		if c.Status == "U" {
			return &Refusal{Rail: RailUnmerged, Reason: "the index holds unmerged paths, as " + printable(clip(c.Path)), Try: "resolve them: git status"}, nil
		}
	}
	u.receipt.StagedBefore = len(staged)
	if len(staged) == 0 || u.opt.AllowStaged {
		return nil, nil
	}
	names := paths(staged)
	return &Refusal{
		Rail: RailStaged, Reason: fmt.Sprintf("the index holds %d staged paths, as %s", len(staged), printable(clip(names[0]))),
		Try:   "commit or unstage them, or --allow-staged, which leaves them staged and commits none of them",
		Paths: shown(names),
	}, nil
}

// shown is a list of paths, bounded and printable.
func shown(names []string) []string {
	const most = 100
	out := []string{}
	for _, n := range names[:min(len(names), most)] {
		out = append(out, printable(n))
	}
	return out
}

func short(sha string) string { return sha[:min(len(sha), 12)] }
