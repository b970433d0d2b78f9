package cli

import (
	"errors"
	"fmt"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
	"stigmergy/plans/truth"
)

// plan verifies one plan.
func (c *verifyCmd) plan(a *app, l layout.Layout, keys []*seal.Verifier) error {
	e, err := a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	id, err := (&planArg{Plan: c.Plan}).find(a, e)
	if err != nil {
		return err
	}
	if keys, err = trusted(l, keys); err != nil {
		return err
	}
	out, err := a.checkPlan(e, l, id, keys)
	if err != nil {
		return a.stopped(&Fault{Doing: "verifying plan " + id, Err: err, Code: exitOr(err, codeUsage), Try: "stigmergy verify"})
	}
	if err := a.anchorPlan(l, out, keys); err != nil {
		return err
	}
	if err := a.printChecked(out); err != nil {
		return err
	}
	if c.Remember {
		a.rememberVerified(l, "plan", out.Verdict, map[string]any{"plan_id": id, "verdict": out.Verdict})
	}
	return c.status(out.Verdict)
}

// anchorPlan holds the line with the certificate against the board's own
// history: it is a line like any other, and a checkpoint stands over it, or will.
func (a *app) anchorPlan(l layout.Layout, out *truth.Checked, keys []*seal.Verifier) error {
	if out.Finalized == "" {
		return nil
	}
	at, err := contracts.ParsePosition(out.Finalized)
	if err != nil {
		return err
	}
	proof, checkpoint, lp, err := a.proveLine(l, at)
	var fault *Fault
	switch {
	case errors.As(err, &fault) && fault.Code == codeBusy && !lostCheckpoint(l):
		out.Find(blackboard.VerdictUnanchored, at, "the line with its certificate is not under a checkpoint of the board yet")
		return nil
	case errors.As(err, &fault) && fault.Code == codeBusy:
		out.Find(blackboard.VerdictUnsigned, at, "the line with its certificate is under no checkpoint, and this board was signed")
		return nil
	case err != nil && a.ctx.Err() != nil:
		return err
	case err == nil:
		if _, err = proof.Check(lp.EntryLeaf(), keys...); err == nil {
			err = lp.Check(proof.Index, nil)
		}
	}
	if err != nil {
		out.Find(blackboard.VerdictTampered, at, "the line with its certificate does not stand under the board's checkpoint: "+err.Error())
		return nil
	}
	out.Entry, out.Size = &proof.Index, checkpoint.Size
	return nil
}

// lostCheckpoint says whether the board was signed and holds no checkpoint.
func lostCheckpoint(l layout.Layout) bool {
	note, err := history.ReadCheckpoint(l)
	return err == nil && note == nil && history.Signs(l)
}

// trusted are the keys that count: those given and what they name, else the
// board's own. A board without any has signed nothing.
func trusted(l layout.Layout, given []*seal.Verifier) ([]*seal.Verifier, error) {
	known, err := history.Verifiers(l)
	if err != nil && !errors.Is(err, history.ErrNoKey) {
		return nil, err
	}
	return history.Trusted(known, given...)
}

// checkPlan reads a plan and checks it. What seems wrong beside a daemon is
// looked at once more: an attempt may have begun in between.
func (a *app) checkPlan(e *query.Engine, l layout.Layout, id string, keys []*seal.Verifier) (*truth.Checked, error) {
	b := truth.Board{Engine: e, CAS: durable.CAS{Layout: l}}
	for try := 0; ; try++ {
		p, err := b.Read(a.ctx, id)
		if err != nil {
			return nil, err
		}
		out, err := p.Check(a.ctx, b.CAS, keys)
		if err != nil {
			return nil, err
		}
		for _, d := range p.Result.Damaged {
			out.Findings = append(out.Findings, blackboard.Finding{Verdict: blackboard.VerdictTampered, Path: d.Path, Offset: &d.Offset, Detail: d.Err.Error()})
			out.Verdict = blackboard.VerdictTampered
		}
		if out.Verdict == blackboard.VerdictOK || try > 0 || !daemon.Held(l) {
			return out, nil
		}
	}
}

// plansAtOnce is how many shards are held in memory.
const plansAtOnce = 200_000

// verifyPlans checks every certificate of a board. A plan without one says
// nothing for or against the board.
func (a *app) verifyPlans(l layout.Layout, given []*seal.Verifier, out *blackboard.Verified) error {
	e, err := a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	b := truth.Board{Engine: e, CAS: durable.CAS{Layout: l}}
	list, err := b.List(a.ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	keys, err := trusted(l, given)
	if err != nil {
		return nil // what is wrong with the keys was found before
	}
	for len(list) > 0 {
		var ids []string
		for shards := 0; len(list) > 0 && (len(ids) == 0 || shards+list[0].Shards <= plansAtOnce); list = list[1:] {
			ids, shards = append(ids, list[0].ID), shards+list[0].Shards
		}
		plans, err := b.All(a.ctx, ids)
		if err != nil {
			return err
		}
		for _, p := range plans {
			if err := a.verifyOne(b, e, l, p, keys, out); err != nil {
				return err
			}
		}
	}
	out.Judge()
	return nil
}

func (a *app) verifyOne(b truth.Board, e *query.Engine, l layout.Layout, p *truth.Plan, keys []*seal.Verifier, out *blackboard.Verified) error {
	c, err := p.Check(a.ctx, b.CAS, keys)
	if err == nil && c.Verdict == blackboard.VerdictTampered && daemon.Held(l) {
		c, err = a.checkPlan(e, l, p.ID, keys)
	}
	if err != nil {
		return err
	}
	short := len(out.Findings) > 0 && out.Findings[0].Verdict == blackboard.VerdictTruncated
	if c.Certified {
		out.Plans++
		out.Outputs += c.Outputs
	}
	for _, f := range c.Findings {
		if f.Verdict == blackboard.VerdictUnsigned && !c.Certified {
			continue
		}
		if short && f.Verdict == blackboard.VerdictTampered && f.Path == "" {
			f.Verdict = blackboard.VerdictTruncated // its tree lacks what the board lacks
		}
		f.Detail = "plan " + c.PlanID + ": " + f.Detail
		out.Judge(f)
	}
	return nil
}

func (a *app) printChecked(c *truth.Checked) error {
	if f := a.format(); f != "text" && f != "table" {
		return a.object(c)
	}
	cert := "no certificate"
	if c.Certificate != "" {
		cert = "certificate " + c.Certificate
	}
	fmt.Fprintf(a.out, "%s: plan %s (%s): %s", c.Verdict, visible(c.PlanID), visible(c.PlanName), visible(cert))
	if c.Root != "" {
		fmt.Fprintf(a.out, ", root %s over %d shards", c.Root, c.TreeSize)
	}
	if c.Outputs > 0 {
		fmt.Fprintf(a.out, ", %d outputs hashed again (%s)", c.Outputs, humanSize(c.OutputBytes))
	}
	if len(c.Signers) > 0 {
		fmt.Fprintf(a.out, ", signed by %s", visible(strings.Join(c.Signers, ", ")))
	}
	if c.Entry != nil {
		fmt.Fprintf(a.out, "; it stands in journal entry %d, under the board's checkpoint of size %d", *c.Entry, c.Size)
	}
	fmt.Fprintln(a.out)
	for i := range c.Findings {
		f := &c.Findings[i]
		if _, err := fmt.Fprintf(a.out, "  %s: %s%s\n", f.Verdict, visible(whereFound(f)), visible(f.Detail)); err != nil {
			return err
		}
	}
	return nil
}

// shard checks the proof of a shard.
func (f *fileVerdict) shard(p *seal.Proof, keys []*seal.Verifier) error {
	sp, err := certify.ParseShardProof(p.Extra)
	if err != nil {
		return err
	}
	leaf, err := sp.Of(f.Origin)
	if err != nil {
		return err
	}
	f.Kind, f.PlanID, f.StageID, f.CASID, f.Output = "shard", leaf.PlanID, leaf.StageID, leaf.CASID, leaf.Output
	_, err = p.Check(leaf.Hash(), keys...)
	return err
}
