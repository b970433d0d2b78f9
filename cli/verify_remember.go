package cli

import (
	"os"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/exemplar"
	"stigmergy/daemon"
	"stigmergy/exemplars"
)

// rememberVerified posts what a verification came to, where a daemon holds the
// board: without one a board is only looked at, and stays as it is. That it
// cannot be posted is told, and changes no verdict.
func (a *app) rememberVerified(l layout.Layout, what string, verdict blackboard.Verdict, result any) {
	if !daemon.Held(l) {
		return
	}
	outcome := "error"
	switch verdict {
	case blackboard.VerdictOK, blackboard.VerdictUnanchored, blackboard.VerdictPruned:
		outcome = "ok"
	case blackboard.VerdictDestroyed:
		outcome = "partial"
	}
	if err := a.rememberVerification(l, exemplars.Verification{
		What: what, Argv: append([]string{"stigmergy"}, a.args...), Verdict: string(verdict), Outcome: outcome, At: a.now(), Result: result,
	}); err != nil {
		a.note("stigmergy: warning: the verification is not remembered: %v", err)
	}
}

// fewFindings is a result that fits on a line: a board that is another one has as
// many findings as entries.
func fewFindings(v *blackboard.Verified) *blackboard.Verified {
	b := *v
	b.Findings = b.Findings[:min(len(b.Findings), 10)]
	return &b
}

// rememberVerification writes the packet below root and has it ingested.
func (a *app) rememberVerification(l layout.Layout, v exemplars.Verification) error {
	p, err := v.Packet()
	if err != nil {
		return err
	}
	packet, _, err := p.Build()
	if err != nil {
		return err
	}
	s, err := a.someSettings(l)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(s.Root(l.Dir))
	if err != nil {
		return err
	}
	defer root.Close()
	if err := root.MkdirAll(exemplar.Dir, 0o755); err != nil {
		return err
	}
	if err := root.WriteFile(p.Artifacts.ExemplarPath, append(packet, '\n'), 0o644); err != nil {
		return err
	}
	_, err = a.remember(l, "", packet, rememberTimeout)
	return err
}
