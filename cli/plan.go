package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/plans/view"
)

type planCmd struct {
	Submit  planSubmit  `cmd:"" help:"Ask for a plan to be run."`
	Ls      planLs      `cmd:"" help:"List the plans."`
	Status  planStatus  `cmd:"" help:"How a plan stands: its shards as a grid, durations, what is left."`
	Watch   planWatch   `cmd:"" help:"Follow a plan until it has ended."`
	Outputs planOutputs `cmd:"" help:"Fetch the outputs of a plan's shards."`
	Abort   planAbort   `cmd:"" help:"Stop a plan: nothing more of it begins, what runs is stopped."`
	Replay  planReplay  `cmd:"" help:"Run shards of a plan again."`
	Claim   planClaim   `cmd:"" help:"Claim a shard to run it yourself."`
	Beat    planBeat    `cmd:"" help:"Tell that claimed shards are still being worked on."`
	Done    planDone    `cmd:"" help:"Report a claimed shard's output: it is put into the store first."`
	Fail    planFail    `cmd:"" help:"Report that a claimed shard failed."`
}

// planArg names a plan.
type planArg struct {
	Plan string `arg:"" optional:"" name:"plan" help:"A plan_id, the beginning of one, or a plan's name (then its newest); without it the newest plan."`
}

// knownPlan is what hxo.plan says of one.
type knownPlan struct{ id, name string }

// find is the plan that the argument names.
func (p *planArg) find(a *app, e *query.Engine) (string, error) {
	var all []knownPlan
	topics, err := contracts.ParsePatterns([]string{"hxo.plan"})
	if err != nil {
		return "", err
	}
	res, err := e.Run(a.ctx, query.Request{Topics: topics, Lane: "hxo", JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		all = append(all, knownPlan{ev.Get("data.plan_id").Text(), ev.Get("data.plan_name").Text()})
		return nil
	})
	if err != nil || len(res.Damaged) > 0 {
		res.Matched = 1
		return "", a.found(res, err)
	}
	return p.among(all)
}

// shortest is how much of a plan_id is enough to name it.
const shortest = 4

func (p *planArg) among(all []knownPlan) (string, error) {
	if p.Plan == "" && len(all) > 0 {
		return all[len(all)-1].id, nil
	}
	var begins []string
	named := ""
	for _, k := range all {
		if strings.EqualFold(k.id, p.Plan) {
			return k.id, nil
		}
		if k.name == p.Plan {
			named = k.id
		}
		if len(p.Plan) >= shortest && strings.HasPrefix(strings.ToLower(k.id), strings.ToLower(p.Plan)) {
			begins = append(begins, k.id)
		}
	}
	switch {
	case named != "":
		return named, nil
	case len(begins) == 1:
		return begins[0], nil
	case len(begins) > 1:
		return "", usage("looking for a plan", "the beginning of one plan_id", fmt.Sprintf("%d that begin with %s", len(begins), quote(p.Plan)), "stigmergy plan ls")
	case p.Plan == "":
		return "", &Fault{Doing: "looking for a plan", Found: "none on this board", Try: "stigmergy plan submit FILE", Code: codeNone}
	}
	return "", &Fault{Doing: "looking for a plan", Found: "none named " + quote(p.Plan), Code: codeNone,
		Try: "stigmergy plan ls; a refused one: stigmergy query board.rejected -w plan_id=" + shellQuote(clip(p.Plan))}
}

// planRequests are the questions whose answers make up the view of a plan;
// of all plans, if id is "".
func planRequests(id string) ([]query.Request, error) {
	topics, err := contracts.ParsePatterns(view.Topics())
	if err != nil {
		return nil, err
	}
	if id == "" {
		return []query.Request{{Topics: topics, JournaledOnly: true}}, nil
	}
	// The daemon's events have the plan for their subject; an agent's heartbeat
	// has it in its data at the most.
	bySubject, err := query.ParseFilters([]string{"subject=" + id})
	if err != nil {
		return nil, err
	}
	byData, err := query.ParseFilters([]string{"plan_id=" + id})
	if err != nil {
		return nil, err
	}
	beats, err := contracts.ParsePatterns([]string{"plan.resolved", "federation.heartbeat"})
	if err != nil {
		return nil, err
	}
	return []query.Request{
		{Topics: topics, Where: bySubject, Lane: "hxo", JournaledOnly: true},
		{Topics: beats, Where: byData, JournaledOnly: true},
	}, nil
}

// viewPlans reads what the board says of a plan, or of all for "".
func (a *app) viewPlans(e *query.Engine, l layout.Layout, id string) (*view.Board, error) {
	b := view.New()
	return b, a.addPlans(b, e, l, id)
}

// addPlans adds to a view what the board says of a plan, or of all for "".
func (a *app) addPlans(b *view.Board, e *query.Engine, l layout.Layout, id string) error {
	reqs, err := planRequests(id)
	if err != nil {
		return err
	}
	for _, req := range reqs {
		res, err := e.Run(a.ctx, req, func(h *query.Hit) error {
			b.Add(h.Event())
			return nil
		})
		if err != nil || len(res.Damaged) > 0 {
			res.Matched = 1
			if err = a.found(res, err); exitCode(err) != codeUsage {
				return err
			}
		}
	}
	for _, p := range b.Plans {
		if id == "" || p.ID == id {
			knowManifest(l, p)
		}
	}
	return nil
}

// viewPlan reads what the board says of one plan.
func (a *app) viewPlan(e *query.Engine, l layout.Layout, id string) (*view.Plan, error) {
	b, err := a.viewPlans(e, l, id)
	if err != nil {
		return nil, err
	}
	p := b.Plan(id)
	if p == nil || len(b.Plans) == 0 {
		return nil, &Fault{Doing: "reading the plan " + id, Found: "no event of it", Try: "stigmergy doctor", Code: codeUsage}
	}
	return p, nil
}

// manifest reads a plan's manifest, nil if it is not to be had.
func manifest(l layout.Layout, p *view.Plan) *plan.Manifest {
	if p.Manifest == "" {
		return nil
	}
	text, err := durable.CAS{Layout: l}.Get(p.Manifest)
	m := &plan.Manifest{}
	if err != nil || json.Unmarshal(text, m) != nil {
		return nil
	}
	return m
}

func knowManifest(l layout.Layout, p *view.Plan) {
	if m := manifest(l, p); m != nil {
		p.Know(m)
	}
}

type planLs struct{}

// Help says the rest.
func (planLs) Help() string {
	return "Computed from the events of lane hxo: needs no daemon. The oldest first."
}

// Run lists the plans.
func (planLs) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	b, err := a.viewPlans(e, l, "")
	if err != nil {
		return err
	}
	out := a.printer()
	for _, p := range b.Plans {
		c := p.Counts()
		if err := out.add(record{
			text("plan_id", p.ID), text("plan_name", p.Name), text("state", p.State()), number("total", c.Total), number("done", c.Done),
			number("failed", c.Failed), flag("truth_certified", p.Certified), text("submitted_by", p.SubmittedBy), text("time", showTime(p.Begun)),
		}); err != nil {
			return err
		}
	}
	if err := out.close(); err != nil {
		return err
	}
	if len(b.Plans) == 0 {
		return exitWith(codeNone)
	}
	return nil
}
