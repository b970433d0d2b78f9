package cli

import (
	"fmt"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/contracts/certify"
	"stigmergy/plans/truth"
)

// shownPlan is what certify show PLAN -o json prints.
type shownPlan struct {
	PlanID      string             `json:"plan_id"`
	PlanName    string             `json:"plan_name"`
	Certified   bool               `json:"truth_certified"`
	Certificate *truth.Certificate `json:"certificate"`
	Attempts    []shownAttempt     `json:"attempts"`
}

type shownAttempt struct {
	Attempt     int           `json:"attempt"`
	State       string        `json:"state"` // certifying, finalized, failed
	MerkleRoot  string        `json:"merkle_root"`
	TotalShards int           `json:"total_shards"`
	Samples     int           `json:"samples"`
	Reason      string        `json:"reason,omitempty"`
	Bad         []certify.Bad `json:"bad,omitempty"`
	BadTotal    int           `json:"bad_total,omitempty"`
	Comparisons *int          `json:"comparisons,omitempty"`
	From        *int          `json:"from,omitempty"` // the suspect subtree's leaves
	To          *int          `json:"to,omitempty"`
	Ready       string        `json:"ready"` // positions
	Certify     string        `json:"certify,omitempty"`
	End         string        `json:"end,omitempty"`
}

// showCertification shows how a plan was certified.
func (a *app) showCertification(which *planArg) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	id, err := which.find(a, e)
	if err != nil {
		return err
	}
	p, err := truth.Board{Engine: e, CAS: durable.CAS{Layout: l}}.Read(a.ctx, id)
	if err != nil {
		return a.stopped(&Fault{Doing: "reading plan " + id, Err: err, Code: exitOr(err, codeUsage), Try: "stigmergy verify"})
	}
	out := showPlan(p)
	switch a.format() {
	case "raw":
		if out.Certificate != nil {
			_, err = a.out.Write([]byte(out.Certificate.Checkpoint))
		}
	case "text", "table":
		err = out.text(a)
	default:
		err = a.object(out)
	}
	if err == nil && !out.Certified {
		err = exitWith(codeNone)
	}
	return err
}

func showPlan(p *truth.Plan) *shownPlan {
	out := &shownPlan{PlanID: p.ID, PlanName: p.Name, Attempts: []shownAttempt{}}
	for _, at := range p.Attempts {
		s := shownAttempt{Attempt: at.Number, State: "certifying", MerkleRoot: at.Claimed.String(), TotalShards: at.Shards,
			Samples: len(at.Samples), Reason: at.Reason, Ready: at.Ready.String()}
		if at.Certify.Lane != "" {
			s.Certify = at.Certify.String()
		}
		if at.End.Lane != "" {
			s.State, s.End = "failed", at.End.String()
		}
		if at.Certificate != nil {
			s.State = "finalized"
		}
		if f := at.Found; f != nil {
			s.Bad, s.BadTotal, s.Comparisons = f.Bad, f.Total, &f.Comparisons
			if f.To > f.From {
				s.From, s.To = &f.From, &f.To
			}
		}
		out.Attempts = append(out.Attempts, s)
	}
	if last := p.Last(); last != nil && last.Certificate != nil {
		out.Certificate, out.Certified = last.Certificate, last.Certificate.Certified
	}
	return out
}

// text shows it to people.
func (s *shownPlan) text(a *app) error {
	w := &textWriter{a: a}
	w.field("plan", s.PlanID+"  "+s.PlanName)
	for _, at := range s.Attempts {
		w.field(fmt.Sprintf("attempt %d", at.Attempt), fmt.Sprintf("%s: root %s over %d shards, %d samples", at.State, at.MerkleRoot, at.TotalShards, at.Samples))
		w.field("", at.Reason)
		if at.Comparisons != nil {
			w.field("", foundText(&at))
		}
		for i := range at.Bad[:min(len(at.Bad), 10)] {
			w.field("", at.Bad[i].String())
		}
	}
	if c := s.Certificate; c != nil {
		w.field("certificate", c.ID+", "+c.Timestamp)
		for i, line := range strings.Split(strings.TrimSuffix(c.Checkpoint, "\n"), "\n") {
			name := ""
			if i == 0 {
				name = "signed"
			}
			if line != "" {
				w.field(name, line)
			}
		}
	} else {
		w.field("certificate", "none")
	}
	return w.err
}

func foundText(at *shownAttempt) string {
	if len(at.Bad) == 0 {
		return fmt.Sprintf("bisected with %d comparisons: every leaf holds", *at.Comparisons)
	}
	where := ""
	if at.From != nil && at.To != nil && *at.To-*at.From > 1 {
		where = fmt.Sprintf(", all of them in the subtree over leaves %d to %d", *at.From, *at.To-1)
	}
	return fmt.Sprintf("bisected with %d comparisons: %d of %d leaves do not hold%s", *at.Comparisons, at.BadTotal, at.TotalShards, where)
}
