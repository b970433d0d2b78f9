package gitops

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
)

// ReadReceipt reads a receipt of this program or, told by origin, of the
// program that receipts were first written by. What is wrong is Faults, with
// lines.
func ReadReceipt(name string, text []byte) (r *Receipt, origin bool, err error) {
	d, err := parse(name, text)
	if err != nil {
		return nil, false, err
	}
	if _, ours := d.at["/contract"]; !ours {
		r, err = readOrigin(d)
		return r, true, err
	}
	if faults := d.check("gitops_receipt.v1"); len(faults) > 0 {
		return nil, false, faults
	}
	r = &Receipt{}
	if err := json.Unmarshal(text, r); err != nil {
		return nil, false, Faults{d.fault("", "a receipt", err.Error())}
	}
	return r, false, nil
}

// originReceipt is what is read of the origin's receipts; how it counted what
// was dirty is not known to be the same in all of them.
type originReceipt struct {
	RunID    string          `json:"run_id"`
	Start    string          `json:"ts_utc_start"`
	End      string          `json:"ts_utc_end"`
	Config   string          `json:"config_path"`
	Branch   string          `json:"branch"`
	Remote   string          `json:"remote"`
	Push     bool            `json:"push_enabled"`
	PushMode string          `json:"push_mode"`
	PlanOnly bool            `json:"plan_only"`
	NoVerify bool            `json:"no_verify"`
	Prev     json.RawMessage `json:"git_status_show_untracked_prev"`
	Batches  []struct {
		ID      string   `json:"id"`
		Type    string   `json:"type"`
		Message string   `json:"message"`
		Paths   []string `json:"paths"`
		SHA     *string  `json:"commit_sha"`
		Outcome string   `json:"outcome"`
		Error   *string  `json:"error"`
		Sample  []string `json:"staged_files_sample"`
	} `json:"batches"`
	Exit int `json:"exit_code"`
}

func readOrigin(d *document) (*Receipt, error) {
	var faults Faults
	for _, field := range []string{"run_id", "ts_utc_start", "ts_utc_end", "batches", "exit_code"} {
		if _, ok := d.at["/"+field]; !ok {
			faults = append(faults, d.fault("/"+field, "a receipt: the contract gitops_receipt.v1, or the origin's field "+field, "neither"))
		}
	}
	if len(faults) > 0 {
		return nil, faults
	}
	var o originReceipt
	if err := json.Unmarshal(d.text, &o); err != nil {
		at := ""
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			at = "/" + strings.ReplaceAll(te.Field, ".", "/")
		}
		return nil, Faults{d.fault(at, "a receipt in the origin's shape", err.Error())}
	}
	r := &Receipt{
		RunID: o.RunID, State: Done, Started: o.Start, TSStart: o.Start, Ended: &o.End, TSEnd: &o.End, Config: o.Config, Branch: o.Branch, Remote: o.Remote,
		PushEnabled: o.Push, PushMode: o.PushMode, PlanOnly: o.PlanOnly, NoVerify: o.NoVerify, ExitCode: o.Exit, Outcome: OK,
	}
	for i, b := range o.Batches {
		res := BatchResult{BatchID: b.ID, ID: b.ID, Type: or(b.Type, Tracked), Message: b.Message, Pathspecs: b.Paths, CommitSHA: b.SHA, Outcome: b.Outcome, Error: b.Error, Sample: b.Sample}
		if b.ID == "" || b.SHA != nil && !hexName(*b.SHA) {
			return nil, Faults{d.fault(fmt.Sprintf("/batches/%d", i), "an id, and a commit_sha of 40 hex digits or null", "something else")}
		}
		if b.Outcome == "" {
			res.Outcome = Skipped
			if b.SHA != nil {
				res.Outcome = Committed
			}
		}
		if b.SHA != nil {
			r.Commits = append(r.Commits, *b.SHA)
		}
		r.Batches = append(r.Batches, res)
	}
	if o.Exit != 0 {
		r.Outcome = Error
		if len(r.Commits) > 0 {
			r.Outcome = Partial
		}
	}
	return r, nil
}

// bundleName is how the folder of a bundle is called.
func bundleName() *regexp.Regexp {
	return regexp.MustCompile(`^gitops_[0-9]{8}T[0-9]{6}Z__[A-Za-z0-9][A-Za-z0-9._-]*$`)
}

// Bundles are the bundles below a folder, the oldest first.
func Bundles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the bundles: %w", err)
	}
	name := bundleName()
	var out []string
	for _, e := range entries {
		if e.IsDir() && name.MatchString(e.Name()) {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	sort.Strings(out)
	return out, nil
}
