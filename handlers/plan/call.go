package plan

import (
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// call is what one call of the handler works with: records that it has read,
// to be written at its end.
type call struct {
	tx    *handlers.Tx
	set   *settings.Settings
	plans map[int]*planRec
	order []planRead

	stages     map[string]*stageRec
	stageOrder []stageRead
	ready      bool // shards or slots may have become free
}

// planRead and stageRead are records as they were read, in that order; nil: new.
type (
	planRead  struct{ now, was *planRec }
	stageRead struct{ now, was *stageRec }
)

func begin(tx *handlers.Tx) *call {
	return &call{tx: tx, set: tx.Settings(), plans: map[int]*planRec{}, stages: map[string]*stageRec{}}
}

// end grants what can be granted now and writes the records.
func (c *call) end() {
	if c.ready {
		c.dispatch()
	}
	c.flush()
}

// request is what an answer to a request must name.
type request struct {
	Pos   string `json:"pos"`
	Topic string `json:"topic"`
	ID    string `json:"id"`
	Lane  string `json:"lane"`
	Plan  string `json:"plan,omitempty"`
}

func requestOf(ev *contracts.Event) request {
	return request{
		Pos: ev.Pos.String(), Topic: ev.TopicName, ID: ev.ID(), Lane: ev.Pos.Lane, Plan: ev.Get("data.plan_id").Text(),
	}
}

// reject answers a request that cannot be granted. faults is a JSON array.
func (c *call) reject(r request, reason, rule string, faults []byte) {
	data := new(handlers.Object).Str("position", r.Pos).Str("request_topic", r.Topic).Str("request_id", r.ID).
		Str("reason", reason).Raw("errors", faults).OptStr("rule", rule).OptStr("plan_id", r.Plan)
	subject := r.Plan
	if subject == "" {
		subject = r.Lane
	}
	c.tx.Emit("board", "board.rejected", subject, data.Bytes())
}

// refuse is reject with one thing that is wrong.
func (c *call) refuse(r request, reason, pointer, expected, got, hint string) {
	c.reject(r, reason, "", oneFault(pointer, reason, expected, got, hint))
}

func oneFault(pointer, keyword, expected, got, hint string) []byte {
	o := new(handlers.Object).Str("pointer", pointer).Str("keyword", keyword).Str("expected", expected).Str("got", got).OptStr("hint", hint)
	return append(append([]byte{'['}, o.Bytes()...), ']')
}
