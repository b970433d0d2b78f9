package contracts

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Rule says which event leads to which swarm.followup; see handlers/followup.
type Rule struct {
	On    string
	Do    string
	Times int
	Then  string

	want []condition
}

// rule is one as it is written.
type rule struct {
	On    string          `json:"on"`
	Where json.RawMessage `json:"where"`
	Do    string          `json:"do"`
	Times int             `json:"times"`
	Then  string          `json:"then"`
}

type condition struct {
	path  Path
	texts []string
}

// RuleTopics are those that rules may be about.
func RuleTopics() []string {
	return []string{"gitops.batch", "gitops.run", "hxo.aggregate.finalized", "hxo.aggregate.failed", "hxo.alert", "exemplar.ingested"}
}

// MaxRules bounds the rules of a board.
const MaxRules = 100

// RuleFault is what is wrong with one rule, or with all of them.
type RuleFault struct {
	Index int    // of the rule; -1: the list
	Field string // of it, or ""
	Err   error
}

func (f RuleFault) Error() string {
	switch {
	case f.Index < 0:
		return "followup: " + f.Err.Error()
	case f.Field == "":
		return fmt.Sprintf("followup[%d]: %v", f.Index, f.Err)
	}
	return fmt.Sprintf("followup[%d]: %s: %v", f.Index, f.Field, f.Err)
}

// ParseRules reads a list of rules, and tells what is wrong with it; a rule
// that cannot be used is left out.
func ParseRules(raw []byte) (list []Rule, faults []RuleFault) {
	var texts []json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, []RuleFault{{-1, "", errors.New("expected a list of rules, as [{on: gitops.batch, where: {outcome: committed}, do: audit}]")}}
	}
	for i, text := range texts {
		if i >= MaxRules {
			return list, append(faults, RuleFault{-1, "", fmt.Errorf("more than %d rules", MaxRules)})
		}
		var in rule
		field, err := "", json.Unmarshal(text, &in)
		r := Rule{On: in.On, Do: in.Do, Times: in.Times, Then: in.Then}
		if err == nil {
			field, err = r.check()
		}
		if err == nil {
			field = "where"
			r.want, err = conditions(in.Where)
		}
		if err != nil {
			faults = append(faults, RuleFault{i, field, err})
			continue
		}
		list = append(list, r)
	}
	return list, faults
}

// UnknownInRules are the fields that no rule has, each as a fault.
func UnknownInRules(raw []byte) (faults []RuleFault) {
	known := []string{"on", "where", "do", "times", "then"}
	var texts []map[string]json.RawMessage
	if json.Unmarshal(raw, &texts) != nil {
		return nil
	}
	for i, fields := range texts {
		for name := range fields {
			if !slices.Contains(known, name) {
				faults = append(faults, RuleFault{i, name, fmt.Errorf("expected on, where, do, times or then, found %q", name)})
			}
		}
	}
	slices.SortFunc(faults, func(a, b RuleFault) int {
		return cmp.Or(cmp.Compare(a.Index, b.Index), cmp.Compare(a.Field, b.Field))
	})
	return faults
}

func (r *Rule) check() (field string, err error) {
	kinds := []string{"audit", "rerun", "escalate"}
	switch {
	case !slices.Contains(RuleTopics(), r.On):
		return "on", fmt.Errorf("expected one of %v, found %q", RuleTopics(), r.On)
	case !slices.Contains(kinds, r.Do):
		return "do", fmt.Errorf("expected audit, rerun or escalate, found %q", r.Do)
	case r.Then != "" && !slices.Contains(kinds, r.Then), r.Times > 0 && r.Then == "":
		return "then", fmt.Errorf("expected audit, rerun or escalate, found %q", r.Then)
	case r.Times < 0 || r.Times == 0 && r.Then != "":
		return "times", fmt.Errorf("expected at least 1, found %d", r.Times)
	}
	return "", nil
}

func conditions(where json.RawMessage) (want []condition, err error) {
	if v := ValueOf(where); len(where) > 0 && v.Kind != Object {
		return nil, errors.New("expected fields and their texts, as {outcome: committed}")
	}
	Members(where, func(key []byte, v Value) bool {
		var c condition
		if c.path, err = ParsePath("data." + string(key)); err == nil {
			c.texts, err = ruleTexts(v.Raw)
		}
		want = append(want, c)
		if err != nil {
			err = fmt.Errorf("%s: %w", key, err)
		}
		return err == nil
	})
	return want, err
}

// ruleTexts are the texts that a field may have.
func ruleTexts(raw json.RawMessage) ([]string, error) {
	var many []any
	if json.Unmarshal(raw, &many) != nil {
		var one any
		if err := json.Unmarshal(raw, &one); err != nil {
			return nil, err
		}
		many = []any{one}
	}
	var out []string
	for _, v := range many {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case bool:
			out = append(out, strconv.FormatBool(v))
		case float64:
			out = append(out, strconv.FormatFloat(v, 'f', -1, 64))
		default:
			return nil, errors.New("expected a text, a number or true or false, or a list of them")
		}
	}
	return out, nil
}

// Holds tells whether an event of the rule's topic has all that it asks for.
func (r *Rule) Holds(ev *Event) bool {
	for _, c := range r.want {
		found := false
		ev.Each(c.path, func(v Value) bool {
			found = slices.Contains(c.texts, v.Text())
			return !found
		})
		if !found {
			return false
		}
	}
	return true
}
