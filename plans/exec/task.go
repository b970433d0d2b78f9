package exec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// argv fills in the placeholders. What they are replaced by is not looked at
// again, and braces that are none stay as they are.
func (t *Task) argv(inputs []string) ([]string, error) {
	out := make([]string, 0, len(t.Job.Argv)+len(inputs))
	for _, arg := range t.Job.Argv {
		if arg == "{inputs}" {
			out = append(out, inputs...)
			continue
		}
		text, err := t.fill(arg, inputs)
		if err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	if len(out) == 0 || out[0] == "" {
		return nil, fmt.Errorf("argv: expected a command, found none")
	}
	return out, nil
}

func (t *Task) fill(arg string, inputs []string) (string, error) {
	var b strings.Builder
	for arg != "" {
		i := strings.IndexByte(arg, '{')
		if i < 0 {
			break
		}
		b.WriteString(arg[:i])
		arg = arg[i:]
		end := strings.IndexByte(arg, '}')
		if end < 0 {
			break
		}
		value, known, err := t.placeholder(arg[1:end], inputs)
		if err != nil {
			return "", err
		}
		if !known {
			b.WriteByte('{')
			arg = arg[1:]
			continue
		}
		b.WriteString(value)
		arg = arg[end+1:]
	}
	b.WriteString(arg)
	return b.String(), nil
}

func (t *Task) placeholder(name string, inputs []string) (value string, known bool, err error) {
	switch name {
	case "input":
		if len(inputs) != 1 {
			return "", true, fmt.Errorf("argv: {input} wants one input, found %d", len(inputs))
		}
		return inputs[0], true, nil
	case "item":
		var items []string
		for i := range t.Inputs {
			if item := t.Inputs[i].Item; item != nil {
				items = append(items, ItemText(*item))
			}
		}
		if len(items) != 1 {
			return "", true, fmt.Errorf("argv: {item} wants one item, found %d", len(items))
		}
		return items[0], true, nil
	case "plan_id":
		return t.PlanID, true, nil
	case "stage_id":
		return t.StageID, true, nil
	case "cas_id":
		return t.CASID, true, nil
	case "index":
		return strconv.Itoa(t.Index), true, nil
	}
	return "", false, nil
}

// wants tells whether argv names the inputs' paths.
func (t *Task) wants() bool {
	for _, arg := range t.Job.Argv {
		if arg == "{inputs}" || strings.Contains(arg, "{input}") {
			return true
		}
	}
	return false
}

// ItemText is an item as a command sees it: a string's own text, anything else
// as compact JSON.
func ItemText(item plan.Item) string {
	var s string
	if json.Unmarshal(item, &s) == nil {
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, item) != nil {
		return string(item)
	}
	return b.String()
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
