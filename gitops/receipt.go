package gitops

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// The outcomes of a batch.
const (
	Skipped   = "skipped"   // nothing of it changed, or the run ended before it
	Planned   = "planned"   // it would be committed
	Committed = "committed" //
	Failed    = "error"     // a gate, a rail or git said no: it is not committed
)

// The outcomes of a run.
const (
	OK      = "ok"
	Partial = "partial" // something was done, something was not
	Error   = "error"   // nothing was done, and something should have been
)

// Receipt is gitops_receipt.json, contract gitops_receipt.v1: a superset of
// the origin's. Paths are below the repository's top.
type Receipt struct {
	Contract  string  `json:"contract"`
	Version   int     `json:"version"`
	RunID     string  `json:"run_id"`
	Scope     string  `json:"scope"`
	State     string  `json:"state"` // running or done
	Outcome   string  `json:"outcome"`
	ExitCode  int     `json:"exit_code"`
	Started   string  `json:"started"`
	Ended     *string `json:"ended"`
	TSStart   string  `json:"ts_utc_start"`
	TSEnd     *string `json:"ts_utc_end"`
	Tool      Tool    `json:"tool"`
	Git       string  `json:"git_version"`
	RepoRoot  string  `json:"repo_root"` // always "."
	ProofDir  string  `json:"proof_dir"`
	Config    string  `json:"config_path"`
	ConfigSHA string  `json:"config_sha256"`
	Request   string  `json:"request,omitempty"` // position of the gitops.run.request

	Branch       string  `json:"branch"`
	Remote       string  `json:"remote"`
	PushEnabled  bool    `json:"push_enabled"`
	PushMode     string  `json:"push_mode"`
	PlanOnly     bool    `json:"plan_only"`
	NoVerify     bool    `json:"no_verify"`
	ShowPrev     *string `json:"git_status_show_untracked_prev"` // the origin's; always null: nothing is set
	Options      Shown   `json:"options"`
	HeadBefore   *string `json:"head_before"` // null: no commit yet
	HeadAfter    *string `json:"head_after"`
	TreeAfter    *string `json:"tree_after"`
	DirtyBefore  int     `json:"dirty_tracked_before"`
	DirtyAfter   *int    `json:"dirty_tracked_after"`
	StagedBefore int     `json:"staged_before"`

	Batches   []BatchResult `json:"batches"`
	Commits   []string      `json:"commits"`
	Gates     []GateResult  `json:"gates"`
	Push      PushResult    `json:"push"`
	Unmatched []Unmatched   `json:"unmatched"`
	More      int           `json:"unmatched_more,omitempty"` // beyond those listed
	Refusal   *Refusal      `json:"refusal"`
	Index     IndexResult   `json:"index"`
	Recovered []Recovered   `json:"recovered"` // runs found unfinished, and finished
	Broken    bool          `json:"interrupted"`
	Errors    []string      `json:"errors,omitempty"`
	Files     []FileHash    `json:"files"`
}

// Tool is what made a receipt.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Shown is the options of a run as they were in force.
type Shown struct {
	Argv          []string `json:"argv"`
	Batches       []string `json:"batches"` // chosen; empty: all
	DryRun        bool     `json:"dry_run"`
	AllowStaged   bool     `json:"allow_staged"`
	AllowDetached bool     `json:"allow_detached"`
	FailOnDirty   bool     `json:"fail_on_dirty"`
	MaxFiles      int      `json:"max_files"`
	Hooks         string   `json:"hooks"` // off or run
	OnGateFailure string   `json:"on_gate_failure"`
	SecretGate    bool     `json:"secret_gate"`
}

// BatchResult is what became of one batch.
type BatchResult struct {
	BatchID   string       `json:"batch_id"`
	ID        string       `json:"id"` // the origin's name of batch_id
	Type      string       `json:"type"`
	Message   string       `json:"message"`
	Pathspecs []string     `json:"pathspecs"`
	Allow     []string     `json:"allow,omitempty"`
	Outcome   string       `json:"outcome"`
	CommitSHA *string      `json:"commit_sha"`
	Parent    *string      `json:"parent_sha"`
	Tree      *string      `json:"tree_sha"`
	Paths     []Change     `json:"paths"`
	Added     int          `json:"insertions"`
	Removed   int          `json:"deletions"`
	Gates     []GateResult `json:"gates"`
	Kept      []string     `json:"left_staged,omitempty"` // staged by the person: theirs
	Tracked   int          `json:"planned_tracked_changes"`
	New       int          `json:"planned_untracked_files"`
	Staged    int          `json:"staged_files_count"`
	Sample    []string     `json:"staged_files_sample"`
	Error     *string      `json:"error"`
	Started   string       `json:"started,omitempty"`
	Ended     string       `json:"ended,omitempty"`
}

// PushResult is what became of the push.
type PushResult struct {
	Outcome string  `json:"outcome"` // none, pushed, up_to_date, failed
	Remote  string  `json:"remote"`
	Branch  string  `json:"branch"`
	Mode    string  `json:"mode"`
	Commit  *string `json:"commit_sha"`
	Error   *string `json:"error"`
}

// IndexResult is how the person's index followed the commits.
type IndexResult struct {
	Left    []string `json:"left"` // entries that were somebody's, and left
	Held    bool     `json:"held"` // index.lock was never free
	Command string   `json:"command,omitempty"`
}

// Recovered is a run that had ended without ending.
type Recovered struct {
	RunID    string `json:"run_id"`
	ProofDir string `json:"proof_dir"`
	Commit   string `json:"commit_sha,omitempty"` // found published, and now on its receipt
	What     string `json:"what"`
}

// FileHash is one file of a bundle.
type FileHash struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// The states of a receipt.
const (
	Running = "running"
	Done    = "done"
)

// encode is the receipt as it stands on disk.
func (r *Receipt) encode() ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(r); err != nil {
		return nil, fmt.Errorf("writing the receipt: %w", err)
	}
	return out.Bytes(), nil
}

// Counts are the batches by outcome.
func (r *Receipt) Counts() (skipped, planned, committed, failed int) {
	for _, b := range r.Batches {
		switch b.Outcome {
		case Skipped:
			skipped++
		case Planned:
			planned++
		case Committed:
			committed++
		default:
			failed++
		}
	}
	return skipped, planned, committed, failed
}

// Pushed tells whether the run's commits are on the remote.
func (r *Receipt) Pushed() bool { return r.Push.Outcome == "pushed" }

// stamp is a time as receipts write it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// shortSample is how many paths the origin's sample shows.
const shortSample = 20

// take notes what a batch would do, or did.
func (b *BatchResult) take(changes []Change) {
	b.Paths, b.Added, b.Removed, b.Tracked, b.New = changes, 0, 0, 0, 0
	if changes == nil {
		b.Paths = []Change{}
	}
	b.Sample = []string{}
	for i, c := range changes {
		if c.Added > 0 {
			b.Added += c.Added
		}
		b.Removed += c.Removed
		if b.Type == Untracked {
			b.New++
		} else {
			b.Tracked++
		}
		if i < shortSample {
			b.Sample = append(b.Sample, printable(c.Path))
		}
	}
	b.Staged = len(changes)
}

func (b *BatchResult) fail(err error) {
	text := err.Error()
	b.Outcome, b.Error = Failed, &text
}
