// Package followup is the swarm's routing: rules say which event leads to
// which swarm.followup on lane swarm, where the agents that do such work wait
// for it.
//
//	followup:
//	  - {on: gitops.batch, where: {outcome: committed}, do: audit}
//	  - {on: gitops.batch, where: {gates.outcome: [failed, error]}, do: rerun, times: 1, then: escalate}
//
// These two are the rules of a board that has none. A rule's on is one of the
// topics that Topics gives; where names fields of data and the texts that they
// may have (through an array any element may); do is audit, rerun or
// escalate. With times the rule does that so often in a row for the same
// subject (scope and batch, or run, or plan) and from then on what then says;
// a committed batch begins the count anew.
//
// A follow-up carries, beside kind, because and ref (the commit, the batch,
// the run or the plan that it is about), run_id, batch_id, commit_sha,
// proof_dir and plan_id as the event has them.
package followup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// maxSubjects bounds how many subjects are counted at a time.
const maxSubjects = 10_000

// maxRules bounds the rules of a board.
const maxRules = 100

// Handler applies the rules.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "followup" }

// Topics are those that rules may be about.
func (*Handler) Topics() []string {
	return []string{"gitops.batch", "gitops.run", "hxo.aggregate.finalized", "hxo.aggregate.failed", "hxo.alert", "exemplar.ingested"}
}

// rule is one of them.
type rule struct {
	On    string          `json:"on"`
	Where json.RawMessage `json:"where"`
	Do    string          `json:"do"`
	Times int             `json:"times"`
	Then  string          `json:"then"`

	want []condition
}

type condition struct {
	path  contracts.Path
	texts []string
}

const defaults = `[{"on":"gitops.batch","where":{"outcome":"committed"},"do":"audit"},` +
	`{"on":"gitops.batch","where":{"gates.outcome":["failed","error"]},"do":"rerun","times":1,"then":"escalate"}]`

// rules are the board's, else the defaults, and what is wrong with them.
func rules(raw []byte) (list []rule, faults []string) {
	if raw == nil {
		raw = []byte(defaults)
	}
	var texts []json.RawMessage
	if err := json.Unmarshal(raw, &texts); err != nil {
		return nil, []string{"followup: expected a list of rules, as [{on: gitops.batch, where: {outcome: committed}, do: audit}]"}
	}
	for i, text := range texts {
		var r rule
		err := json.Unmarshal(text, &r)
		if err == nil {
			err = r.compile()
		}
		switch {
		case i >= maxRules:
			return list, append(faults, fmt.Sprintf("followup: more than %d rules", maxRules))
		case err != nil:
			faults = append(faults, fmt.Sprintf("followup[%d]: %v", i, err))
		default:
			list = append(list, r)
		}
	}
	return list, faults
}

func (r *rule) compile() error {
	kinds := []string{"audit", "rerun", "escalate"}
	switch {
	case !slices.Contains(New().Topics(), r.On):
		return fmt.Errorf("on: expected one of %v, found %q", New().Topics(), r.On)
	case !slices.Contains(kinds, r.Do):
		return fmt.Errorf("do: expected audit, rerun or escalate, found %q", r.Do)
	case r.Then != "" && !slices.Contains(kinds, r.Then), r.Times > 0 && r.Then == "":
		return fmt.Errorf("then: expected audit, rerun or escalate, found %q", r.Then)
	case r.Times < 0 || r.Times == 0 && r.Then != "":
		return fmt.Errorf("times: expected at least 1, found %d", r.Times)
	}
	return r.conditions()
}

func (r *rule) conditions() (err error) {
	if v := contracts.ValueOf(r.Where); len(r.Where) > 0 && v.Kind != contracts.Object {
		return fmt.Errorf("where: expected fields and their texts, as {outcome: committed}")
	}
	contracts.Members(r.Where, func(key []byte, v contracts.Value) bool {
		var c condition
		if c.path, err = contracts.ParsePath("data." + string(key)); err == nil {
			c.texts, err = alternatives(v.Raw)
		}
		r.want = append(r.want, c)
		if err != nil {
			err = fmt.Errorf("where: %s: %w", key, err)
		}
		return err == nil
	})
	return err
}

// alternatives are the texts that a field may have.
func alternatives(raw json.RawMessage) ([]string, error) {
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
			return nil, fmt.Errorf("expected a text, a number or true or false, or a list of them")
		}
	}
	return out, nil
}

func (r *rule) holds(ev *contracts.Event) bool {
	for _, c := range r.want {
		found := false
		ev.Each(c.path, func(v contracts.Value) bool {
			found = slices.Contains(c.texts, v.Text())
			return !found
		})
		if !found {
			return false
		}
	}
	return true
}

// Handle applies every rule to an event, in their order.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	list, _ := rules(tx.Settings().Raw["followup"])
	for i := range list {
		r := &list[i]
		if r.On != ev.TopicName {
			continue
		}
		key := fmt.Sprintf("n/%d/%s", i, subject(ev))
		switch {
		case r.holds(ev):
			follow(tx, ev, r.kind(tx, key))
		case ev.Get("data.outcome").Text() == "committed":
			forget(tx, key)
		}
	}
}

// kind is what a rule asks for this time.
func (r *rule) kind(tx *handlers.Tx, key string) string {
	if r.Times == 0 {
		return r.Do
	}
	v, known := tx.Get(key)
	n, _ := strconv.Atoi(v)
	if n >= r.Times {
		return r.Then
	}
	tx.Put(key, strconv.Itoa(n+1))
	if !known {
		bound(tx)
	}
	return r.Do
}

func forget(tx *handlers.Tx, key string) {
	if _, known := tx.Get(key); known {
		tx.Delete(key)
		count(tx, -1)
	}
}

// bound lets the first counter go where there are too many.
func bound(tx *handlers.Tx) {
	if count(tx, 1) <= maxSubjects {
		return
	}
	tx.Range("n/", func(key, _ string) bool {
		forget(tx, key)
		return false
	})
}

func count(tx *handlers.Tx, more int) int {
	v, _ := tx.Get("subjects")
	n, _ := strconv.Atoi(v)
	n = max(n+more, 0)
	tx.Put("subjects", strconv.Itoa(n))
	return n
}

// subject is what is counted together.
func subject(ev *contracts.Event) string {
	s := ev.Get("data.scope").Text() + "/" + ev.Get("data.batch_id").Text()
	if plan := ev.Get("data.plan_id").Text(); plan != "" {
		s = plan
	}
	return s[:min(len(s), 512)]
}

// follow derives the follow-up.
func follow(tx *handlers.Tx, ev *contracts.Event, kind string) {
	text := func(field string) string { return ev.Get("data." + field).Text() }
	ref := ev.Pos.String()
	for _, field := range []string{"commit_sha", "batch_id", "run_id", "plan_id", "exemplar_id"} {
		if v := ev.Get("data." + field); v.Kind == contracts.String {
			ref = v.Text()
			break
		}
	}
	data := new(handlers.Object).Str("kind", kind).Position("because", ev.Pos).Str("ref", ref)
	for _, field := range []string{"run_id", "batch_id", "proof_dir", "plan_id"} {
		data.OptStr(field, text(field))
	}
	if v := ev.Get("data.commit_sha"); v.Kind == contracts.String {
		data.Str("commit_sha", v.Text())
	}
	about := text("run_id")
	if about == "" {
		about = text("plan_id")
	}
	tx.Emit("swarm", "swarm.followup", about, data.Bytes())
}

// Entry tells of rules that cannot be used, when the settings come in force.
func (*Handler) Entry(tx *handlers.Tx, e *journal.Entry) {
	if e.Kind != journal.Config {
		return
	}
	_, faults := rules(tx.Settings().Raw["followup"])
	for _, f := range faults[:min(len(faults), 10)] {
		tx.Alert(handlers.Alert{Type: "bad_setting", Severity: "warning", Message: f + "; the rule is not in force"})
	}
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}
