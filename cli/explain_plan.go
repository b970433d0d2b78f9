package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/plans/truth"
	"stigmergy/plans/view"
)

// explainPlan says why a plan is not certified, or what it took; ok is false if
// the board has no plan with that plan_id.
func (a *app) explainPlan(e *query.Engine, l layout.Layout, id string) (ok bool, err error) {
	if len(id) != 36 || strings.Count(id, "-") != 4 {
		return false, nil
	}
	p, err := truth.Board{Engine: e, CAS: durable.CAS{Layout: l}}.Read(a.ctx, strings.ToLower(id))
	if errors.Is(err, truth.ErrNoPlan) {
		return false, nil
	}
	if err != nil {
		return true, a.stopped(queryFault(err))
	}
	out := showPlan(p)
	if f := a.format(); f != "text" && f != "table" {
		if err := a.object(out); err != nil {
			return true, err
		}
	} else if err := a.whyNot(e, l, p, out); err != nil {
		return true, err
	}
	if out.Certified && len(out.Attempts) == 1 {
		return true, exitWith(codeNone) // nothing is wrong with it
	}
	return true, nil
}

// whyNot tells people of every attempt that failed, leaf by leaf, and of what
// the plan waits for.
func (a *app) whyNot(e *query.Engine, l layout.Layout, p *truth.Plan, s *shownPlan) error {
	w := &textWriter{a: a}
	w.field("plan", s.PlanID+"  "+s.PlanName)
	for i := range s.Attempts {
		at := &s.Attempts[i]
		if at.State == "finalized" {
			continue
		}
		w.field(fmt.Sprintf("attempt %d", at.Attempt), at.State+": "+or(at.Reason, "Truth has not answered yet"))
		if at.Comparisons != nil {
			w.field("", foundText(at))
		}
		for _, b := range at.Bad[:min(len(at.Bad), 100)] {
			w.field("", b.String())
			if where := evicted(l, b.Expected, b.Found); where != "" {
				w.field("", "  kept as evidence: "+where)
			}
		}
		if len(at.Bad) > 0 && i+1 < len(s.Attempts) {
			w.field("", fmt.Sprintf("these ran again, and attempt %d followed", s.Attempts[i+1].Attempt))
		}
	}
	switch last := p.Last(); {
	case s.Certified:
		w.field("certified", s.Certificate.ID+" (stigmergy verify --plan "+s.PlanID+")")
	case last != nil:
		w.field("certified", "no: stigmergy plan replay "+s.PlanID+" runs shards again, and certification begins anew")
	default:
		v, err := a.viewPlan(e, l, p.ID)
		if err != nil {
			return err
		}
		w.field("certified", waitsFor(v))
	}
	return w.err
}

// waitsFor says why a plan has not come to its certification.
func waitsFor(v *view.Plan) string {
	c := v.Counts()
	text := fmt.Sprintf("no: it is %s, and %d of %d shards are done", v.State(), c.Done, c.Total)
	if c.Failed > 0 {
		text += fmt.Sprintf("; %d have failed: stigmergy plan replay %s --failed", c.Failed, v.ID)
	}
	return text
}

// evicted is where the bytes are that stood for an output and were not it.
func evicted(l layout.Layout, expected, found string) string {
	path := truth.Evicted(l, expected, found)
	if _, err := os.Lstat(path); err != nil {
		return ""
	}
	return path
}

// untrue tells which certifications had the shard run again, because its output
// did not hold.
func (x *explainer) untrue(out *shardStory) error {
	where, err := query.ParseFilters([]string{"plan_id=" + out.PlanID, "bad.cas_id=" + out.CASID, "comparisons"})
	if err != nil {
		return err
	}
	topics, err := contracts.ParsePatterns([]string{"truth.verdict"})
	if err != nil {
		return err
	}
	_, err = x.e.Run(x.a.ctx, query.Request{Topics: topics, Where: where, Lane: certify.LaneTruth, JournaledOnly: true}, func(h *query.Hit) error {
		var v certify.Verdict
		if err := json.Unmarshal(h.Event().Data(), &v); err != nil {
			return err
		}
		for _, b := range v.Bad {
			if b.CASID == out.CASID && b.StageID == out.StageID {
				out.Why = append(out.Why, fmt.Sprintf("Truth did not certify the plan (attempt %d) and had it run again: %s", v.Attempt, b))
			}
		}
		return nil
	})
	return err
}
