package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/plans/view"
)

// shardStory is what explain says of one shard in one plan.
type shardStory struct {
	PlanID   string   `json:"plan_id"`
	StageID  string   `json:"stage_id"`
	CASID    string   `json:"cas_id"`
	State    string   `json:"state"`
	Attempt  int      `json:"attempt"`
	Cached   bool     `json:"cached"`
	Attempts []string `json:"attempts"` // what became of each
	Why      []string `json:"why"`
	Before   string   `json:"before,omitempty"` // PLAN/STAGE/CAS_ID of the shard that it is compared with
	Differs  []string `json:"differs,omitempty"`
	Parts    []string `json:"parts,omitempty"`
	Waits    string   `json:"waits,omitempty"`
}

// explainShards says of every shard with this name what became of it, and why.
func (a *app) explainShards(e *query.Engine, l layout.Layout, id string) error {
	b, err := a.viewPlans(e, l, "")
	if err != nil {
		return err
	}
	x := &explainer{a: a, e: e, l: l, board: b}
	var out []*shardStory
	for i, p := range b.Plans {
		for _, st := range p.Stages {
			if s := st.Shard(id); s != nil {
				story, err := x.story(i, p, st, s)
				if err != nil {
					return err
				}
				out = append(out, story)
			}
		}
	}
	if len(out) == 0 {
		return &Fault{Doing: "looking for the shard " + id, Found: "none on this board", Try: "stigmergy plan status", Code: codeNone}
	}
	if f := a.format(); f != "text" && f != "table" {
		for _, story := range out {
			if err := a.object(story); err != nil {
				return err
			}
		}
		return nil
	}
	w := &textWriter{a: a}
	for _, story := range out {
		story.text(w)
	}
	return w.err
}

func (s *shardStory) text(w *textWriter) {
	w.field("shard", fmt.Sprintf("%s of stage %s, plan %s", s.CASID, s.StageID, s.PlanID))
	w.field("state", fmt.Sprintf("%s, attempt %d", s.State, s.Attempt))
	for _, t := range s.Attempts {
		w.field("attempt", t)
	}
	for _, t := range s.Why {
		w.field("why", t)
	}
	w.field("before", s.Before)
	for _, t := range s.Differs {
		w.field("differs", t)
	}
	if len(s.Parts) > 0 {
		w.field("parts", strings.Join(s.Parts, " "))
	}
	w.field("waits", s.Waits)
}

// explainer compares shards with those of earlier plans.
type explainer struct {
	a     *app
	e     *query.Engine
	l     layout.Layout
	board *view.Board
}

func (x *explainer) story(at int, p *view.Plan, st *view.Stage, s *view.Shard) (*shardStory, error) {
	out := &shardStory{PlanID: p.ID, StageID: st.ID, CASID: s.CASID, State: s.State, Attempt: s.Attempt, Cached: s.Cached, Attempts: []string{}, Why: []string{}}
	if err := x.attempts(out); err != nil {
		return nil, err
	}
	for _, other := range st.Shards {
		if other.Parent == s.CASID {
			out.Parts = append(out.Parts, other.CASID)
		}
	}
	switch {
	case s.State == view.Replaced:
		out.Why = append(out.Why, fmt.Sprintf("it was split: %d parts stand in its stead", len(out.Parts)))
	case s.Cached:
		out.Why = append(out.Why, "the same work was done before, and its output stood in the store: it did not run")
	default:
		x.compare(out, at, p, st, s)
	}
	if s.Parent != "" {
		out.Why = append(out.Why, "it is a part of shard "+s.Parent+", which was split")
	}
	if s.Attempt > 1 {
		if err := x.untrue(out); err != nil {
			return nil, err
		}
	}
	if s.State == view.Pending {
		out.Waits = waits(p, st, s)
	}
	return out, nil
}

// attempts tells what became of each attempt.
func (x *explainer) attempts(out *shardStory) error {
	where, err := query.ParseFilters([]string{"subject=" + out.PlanID, "cas_id=" + out.CASID, "stage_id=" + out.StageID})
	if err != nil {
		return err
	}
	topics, err := contracts.ParsePatterns([]string{"hxo.shard.done", "hxo.shard.failed"})
	if err != nil {
		return err
	}
	_, err = x.e.Run(x.a.ctx, query.Request{Topics: topics, Where: where, Lane: "hxo", JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		attempt, _ := ev.Get("data.attempt").Int()
		text := "done"
		if ev.TopicName == "hxo.shard.failed" {
			text = "failed: " + ev.Get("data.error").Text()
		}
		if by := ev.Get("data.executor").Text(); by != "" {
			text += " (" + by + ")"
		}
		out.Attempts = append(out.Attempts, fmt.Sprintf("%d, %s: %s", attempt, showTime(ev.Time()), text))
		return nil
	})
	return x.a.stopped(queryFault(err))
}

// compare finds the shard that did the same in an earlier plan, and what is
// different about this one.
func (x *explainer) compare(out *shardStory, at int, p *view.Plan, st *view.Stage, s *view.Shard) {
	mine, job := x.shard(p, st.ID, func(c *plan.Shard) bool { return c.CASID == s.CASID })
	if mine == nil {
		out.Why = append(out.Why, "its description is not in the store any more: nothing can be compared")
		return
	}
	for i := at - 1; i >= 0; i-- {
		old := x.board.Plans[i]
		was := old.Stage(st.ID)
		if was == nil {
			continue
		}
		if same := was.Shard(s.CASID); same != nil {
			out.Before = old.ID + "/" + st.ID + "/" + s.CASID
			out.Why = append(out.Why, again(same))
			return
		}
		theirs, theirJob := x.shard(old, st.ID, func(c *plan.Shard) bool { return alike(c, mine) })
		if theirs == nil {
			continue
		}
		out.Before = old.ID + "/" + st.ID + "/" + theirs.CASID
		out.Differs = append(differences("job", theirJob, job), differences("inputs", theirs.Inputs, mine.Inputs)...)
		out.Why = append(out.Why, "it is not the work that was done before: its description differs")
		return
	}
	out.Why = append(out.Why, "no earlier plan has a stage "+st.ID+" with this work: it is new")
}

// again says why a shard whose work was done before runs all the same.
func again(before *view.Shard) string {
	if before.State != view.Done {
		return "the same work was not done before: it is " + before.State + " there"
	}
	return "the same work was done before, but its output was not in the store when this plan began, or a replay asked for it"
}

// alike tells whether two shards are about the same inputs, whatever is in
// them.
func alike(a, b *plan.Shard) bool {
	if len(a.Inputs) != len(b.Inputs) || len(a.Inputs) == 0 && a.Index != b.Index {
		return false
	}
	for i := range a.Inputs {
		p, q := &a.Inputs[i], &b.Inputs[i]
		if p.Name != q.Name || (p.Item == nil) != (q.Item == nil) || p.Item != nil && !bytes.Equal(*p.Item, *q.Item) || (p.Shard == "") != (q.Shard == "") {
			return false
		}
		if p.Shard != "" && a.Index != b.Index {
			return false
		}
	}
	return true
}

// shard looks for one in the chunks of a stage.
func (x *explainer) shard(p *view.Plan, stage string, is func(*plan.Shard) bool) (*plan.Shard, *plan.Job) {
	m := manifest(x.l, p)
	if m == nil {
		return nil, nil
	}
	at := slices.IndexFunc(m.Stages, func(s plan.Stage) bool { return s.StageID == stage })
	if at < 0 {
		return nil, nil
	}
	for _, ch := range m.Stages[at].Chunks {
		text, err := durable.CAS{Layout: x.l}.Get(ch.SHA256)
		if err != nil {
			continue // what is not there cannot be compared
		}
		for line := range bytes.Lines(text) {
			s := &plan.Shard{}
			if json.Unmarshal(line, s) == nil && is(s) {
				return s, &m.Stages[at].Job
			}
		}
	}
	return nil, nil
}

// differences are the places in which two values differ, as JSON pointers.
func differences(name string, was, is any) []string {
	a, b := generic(was), generic(is)
	var out []string
	differ("/"+name, a, b, &out)
	return out
}

func generic(v any) (out any) {
	text, err := json.Marshal(v)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		return nil
	}
	return out
}

// mostDiffer is how many differences are told.
const mostDiffer = 20

func differ(at string, was, is any, out *[]string) {
	if len(*out) >= mostDiffer || reflect.DeepEqual(was, is) {
		return
	}
	switch w := was.(type) {
	case map[string]any:
		if i, ok := is.(map[string]any); ok {
			var keys []string
			for k := range w {
				keys = append(keys, k)
			}
			for k := range i {
				if _, both := w[k]; !both {
					keys = append(keys, k)
				}
			}
			slices.Sort(keys)
			for _, k := range keys {
				differ(at+"/"+k, w[k], i[k], out)
			}
			return
		}
	case []any:
		if i, ok := is.([]any); ok && len(i) == len(w) {
			for n := range w {
				differ(fmt.Sprintf("%s/%d", at, n), w[n], i[n], out)
			}
			return
		}
	}
	*out = append(*out, fmt.Sprintf("%s: was %s, is %s", at, brief(was), brief(is)))
}

func brief(v any) string {
	text, err := json.Marshal(v)
	if err != nil || v == nil {
		return "absent"
	}
	return clip(string(text))
}

// waits says what a pending shard waits for.
func waits(p *view.Plan, st *view.Stage, s *view.Shard) string {
	switch {
	case p.Aborted:
		return "for nothing: the plan was aborted (stigmergy plan replay)"
	case p.Paused != "":
		return "for the plan to be resumed: it is told to " + p.Paused
	}
	for _, need := range st.Needs {
		other := p.Stage(need)
		if other == nil {
			continue
		}
		if c := other.Counts(); c.Done < c.Total {
			text := fmt.Sprintf("for stage %s, of which %d of %d shards are done", need, c.Done, c.Total)
			if c.Failed > 0 {
				text += fmt.Sprintf(" and %d have failed for good (stigmergy plan replay %s --failed)", c.Failed, p.ID)
			}
			return text
		}
	}
	c := st.Counts()
	if s.Error != "" {
		return "for its next attempt, after a pause"
	}
	return fmt.Sprintf("for an executor: %d shards of its stage are claimed, %d wait", c.Claimed+c.Running, c.Pending)
}
