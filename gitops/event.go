package gitops

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"strings"
)

// Lane is where the events of runs stand.
const Lane = "gitops"

// Event is one event to be appended to Lane. Its id follows from the run, so
// that one that is told again after a crash is the same event.
type Event struct {
	ID      string
	Topic   string
	Subject string // the run's id
	Data    []byte
}

// eventID is shaped like a UUID of version 8.
func EventID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	b := h.Sum(nil)[:16]
	b[6], b[8] = b[6]&0x0f|0x80, b[8]&0x3f|0x80
	x := hex.EncodeToString(b)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// dir is a bundle as events name it: below the board's root.
func (u *Runner) dir(proofDir string) string {
	top, err := u.below(u.repo.top)
	if err != nil {
		return proofDir
	}
	return path.Join(top, proofDir)
}

type eventGate struct {
	GateID     string  `json:"gate_id"`
	Outcome    string  `json:"outcome"`
	DurationMS float64 `json:"duration_ms"`
	ExitCode   *int    `json:"exit_code,omitempty"`
}

// batchEvent is gitops.batch.
func (u *Runner) batchEvent(r *Receipt, b *BatchResult) Event {
	gates := []eventGate{}
	for _, g := range b.Gates {
		gates = append(gates, eventGate{g.GateID, g.Outcome, g.DurationMS, g.ExitCode})
	}
	why := b.Error
	if why != nil && len(*why) > 2000 {
		cut := strings.ToValidUTF8((*why)[:2000], "") + "…"
		why = &cut
	}
	data := marshal(struct {
		RunID     string      `json:"run_id"`
		Scope     string      `json:"scope"`
		BatchID   string      `json:"batch_id"`
		Outcome   string      `json:"outcome"`
		CommitSHA *string     `json:"commit_sha"`
		ProofDir  string      `json:"proof_dir"`
		Gates     []eventGate `json:"gates"`
		Files     int         `json:"files"`
		Added     int         `json:"insertions"`
		Removed   int         `json:"deletions"`
		DryRun    bool        `json:"dry_run"`
		Error     *string     `json:"error,omitempty"`
	}{r.RunID, r.Scope, b.BatchID, b.Outcome, b.CommitSHA, u.dir(r.ProofDir), gates, len(b.Paths), b.Added, b.Removed, r.PlanOnly, why})
	return Event{ID: EventID(r.RunID, "batch", b.BatchID), Topic: "gitops.batch", Subject: r.RunID, Data: data}
}

// runEvent is gitops.run.
func (u *Runner) runEvent(r *Receipt) Event {
	type counts struct {
		Skipped   int `json:"skipped"`
		Planned   int `json:"planned"`
		Committed int `json:"committed"`
		Error     int `json:"error"`
	}
	var n counts
	n.Skipped, n.Planned, n.Committed, n.Error = r.Counts()
	var why *string
	if r.Refusal != nil {
		why = optional(r.Refusal.Error())
	} else if len(r.Errors) > 0 {
		why = &r.Errors[0]
	}
	data := marshal(struct {
		RunID        string  `json:"run_id"`
		Scope        string  `json:"scope"`
		Outcome      string  `json:"outcome"`
		Counts       counts  `json:"counts"`
		ProofDir     string  `json:"proof_dir"`
		ExemplarPath string  `json:"exemplar_path"`
		Pushed       bool    `json:"pushed"`
		DryRun       bool    `json:"dry_run"`
		Clean        bool    `json:"clean"`
		HeadBefore   *string `json:"head_before"`
		HeadAfter    *string `json:"head_after"`
		Request      *string `json:"request,omitempty"`
		Interrupted  bool    `json:"interrupted,omitempty"`
		Error        *string `json:"error,omitempty"`
	}{
		r.RunID, r.Scope, r.Outcome, n, u.dir(r.ProofDir), path.Join(u.dir(r.ProofDir), ExemplarFile), r.Pushed(), r.PlanOnly,
		r.Outcome == OK && r.DirtyAfter != nil && *r.DirtyAfter == 0, r.HeadBefore, r.HeadAfter, optional(r.Request), r.Broken, why,
	})
	return Event{ID: EventID(r.RunID, "run"), Topic: "gitops.run", Subject: r.RunID, Data: data}
}

// marshal is for values that always can be written.
func marshal(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain fields
	}
	return b
}
