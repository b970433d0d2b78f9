package plan

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Run is one shard as its command sees it: what argv's placeholders stand for.
type Run struct {
	PlanID, StageID, CASID string
	Index                  int
	Inputs                 []string // paths, or items as text
	Items                  []string // those of the inputs that are items
}

// Fill puts a shard into a job's argv. What a placeholder is replaced by is not
// looked at again, and braces that are none stay as they are.
func (r *Run) Fill(argv []string) ([]string, error) {
	out := make([]string, 0, len(argv)+len(r.Inputs))
	for _, arg := range argv {
		if arg == "{inputs}" {
			out = append(out, r.Inputs...)
			continue
		}
		text, err := r.fill(arg)
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

func (r *Run) fill(arg string) (string, error) {
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
		value, known, err := r.placeholder(arg[1:end])
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

func (r *Run) placeholder(name string) (value string, known bool, err error) {
	switch name {
	case "input":
		if len(r.Inputs) != 1 {
			return "", true, fmt.Errorf("argv: {input} wants one input, found %d", len(r.Inputs))
		}
		return r.Inputs[0], true, nil
	case "item":
		if len(r.Items) != 1 {
			return "", true, fmt.Errorf("argv: {item} wants one item, found %d", len(r.Items))
		}
		return r.Items[0], true, nil
	case "plan_id":
		return r.PlanID, true, nil
	case "stage_id":
		return r.StageID, true, nil
	case "cas_id":
		return r.CASID, true, nil
	case "index":
		return strconv.Itoa(r.Index), true, nil
	}
	return "", false, nil
}

// WantsInputs tells whether argv names the inputs.
func WantsInputs(argv []string) bool {
	for _, arg := range argv {
		if arg == "{inputs}" || strings.Contains(arg, "{input}") {
			return true
		}
	}
	return false
}

// ItemText is an item as a command sees it: a string's own text, anything else
// as compact JSON.
func ItemText(item Item) string {
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
