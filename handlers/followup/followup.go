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
	"fmt"
	"strconv"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// maxSubjects bounds how many subjects are counted at a time.
const maxSubjects = 10_000

// Handler applies the rules.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "followup" }

// Topics are those that rules may be about.
func (*Handler) Topics() []string { return contracts.RuleTopics() }

const defaults = `[{"on":"gitops.batch","where":{"outcome":"committed"},"do":"audit"},` +
	`{"on":"gitops.batch","where":{"gates.outcome":["failed","error"]},"do":"rerun","times":1,"then":"escalate"}]`

// rules are the board's, else the defaults, and what is wrong with them.
func rules(raw []byte) ([]contracts.Rule, []contracts.RuleFault) {
	if raw == nil {
		raw = []byte(defaults)
	}
	return contracts.ParseRules(raw)
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
		case r.Holds(ev):
			follow(tx, ev, kind(r, tx, key))
		case ev.Get("data.outcome").Text() == "committed":
			forget(tx, key)
		}
	}
}

// kind is what a rule asks for this time.
func kind(r *contracts.Rule, tx *handlers.Tx, key string) string {
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

// Entry tells of rules that cannot be used, when settings come in force that
// were recorded before such rules were refused.
func (*Handler) Entry(tx *handlers.Tx, e *journal.Entry) {
	if e.Kind != journal.Config {
		return
	}
	_, faults := rules(tx.Settings().Raw["followup"])
	for _, f := range faults[:min(len(faults), 10)] {
		tx.Alert(handlers.Alert{Type: "bad_setting", Severity: "warning", Message: f.Error() + "; the rule is not in force"})
	}
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}
