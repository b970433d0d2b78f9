package exec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stigmergy/contracts/plan"
)

// Task is one attempt at one shard.
type Task struct {
	PlanID  string
	StageID string
	CASID   string
	Attempt int
	Index   int
	Job     plan.Job
	Inputs  []plan.Input
	Root    string        // absolute: where input names resolve
	Timeout time.Duration // 0: none
	// Outputs gives the digests of what stands for the shard whose description
	// has this SHA-256: its output, or those of its parts.
	Outputs func(description string) (digests []string, ok bool)
}

// Result is what came of a task.
type Result struct {
	OK       bool
	Digest   string // of the output, if OK
	Error    string // else
	Bytes    int64  // of output
	Duration time.Duration
}

// fail is a result that says why.
func fail(format string, args ...any) Result { return Result{Error: fmt.Sprintf(format, args...)} }

// argv is the command with the shard in it.
func (t *Task) argv(inputs []string) ([]string, error) {
	run := plan.Run{PlanID: t.PlanID, StageID: t.StageID, CASID: t.CASID, Index: t.Index, Inputs: inputs}
	for i := range t.Inputs {
		if item := t.Inputs[i].Item; item != nil {
			run.Items = append(run.Items, plan.ItemText(*item))
		}
	}
	return run.Fill(t.Job.Argv)
}

// command finds the executable: below root if it has a slash, else in PATH.
func command(name, root string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(root, name)
		}
		return name, executable(name)
	}
	path := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			path = v
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) && executable(filepath.Join(dir, name)) == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("no such command in PATH=%s", path)
}

// executable tells why a file cannot be run, or nil.
func executable(path string) error {
	fi, err := os.Stat(path)
	switch {
	case err != nil:
		return errors.Unwrap(err)
	case fi.IsDir() || fi.Mode()&0o111 == 0:
		return errors.New("not an executable file: " + path)
	}
	return nil
}
