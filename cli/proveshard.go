package cli

import (
	"errors"
	"strings"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/plan"
	"stigmergy/contracts/seal"
	"stigmergy/plans/truth"
)

// shardName reads CAS_ID or STAGE/CAS_ID. A position has an @ and a colon.
func shardName(s string) (stage, cas string, ok bool) {
	cas = s
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		stage, cas = s[:i], s[i+1:]
	}
	if len(cas) != plan.CASIDLen || strings.ContainsAny(s, "@:") {
		return "", "", false
	}
	for _, c := range cas {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return "", "", false
		}
	}
	return stage, cas, true
}

// shard prints the proof of a shard.
func (c *proveCmd) shard(a *app, l layout.Layout, stage, cas string) error {
	e, err := a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	ids, err := c.plansWith(a, e, cas)
	if err != nil {
		return err
	}
	b := truth.Board{Engine: e, CAS: durable.CAS{Layout: l}}
	fault := &Fault{Doing: "proving the shard " + c.What, Expected: "one of a plan that is certified", Found: "none", Try: "stigmergy certify show; stigmergy plan ls", Code: codeNone}
	for i := len(ids) - 1; i >= 0; i-- {
		p, err := b.Read(a.ctx, ids[i])
		if err != nil {
			return err
		}
		proof, sp, err := p.Prove(stage, cas)
		switch {
		case errors.Is(err, truth.ErrNotCertified):
			fault.Found = "plan " + ids[i] + ", which has no certificate yet"
			continue
		case errors.Is(err, truth.ErrNoShard):
			continue
		case err != nil:
			return &Fault{Doing: "proving the shard " + c.What + " of plan " + ids[i], Err: err, Try: "stigmergy verify --plan " + ids[i], Code: codeUsage}
		}
		return a.printShardProof(proof, sp)
	}
	return fault
}

// plansWith are the plans in which a shard of that name was done, in order.
func (c *proveCmd) plansWith(a *app, e *query.Engine, cas string) ([]string, error) {
	if c.Plan != "" {
		id, err := (&planArg{Plan: c.Plan}).find(a, e)
		return []string{id}, err
	}
	topics, err := contracts.ParsePatterns([]string{"hxo.shard.done"})
	if err != nil {
		return nil, err
	}
	where, err := query.ParseFilters([]string{"cas_id:eq:" + cas})
	if err != nil {
		return nil, err
	}
	var ids []string
	seen := map[string]bool{}
	res, err := e.Run(a.ctx, query.Request{Topics: topics, Where: where, Lane: "hxo", JournaledOnly: true}, func(h *query.Hit) error {
		if id := h.Event().Get("data.plan_id").Text(); !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
		return nil
	})
	if err == nil && len(ids) == 0 {
		return nil, a.found(res, nil)
	}
	return ids, err
}

func (a *app) printShardProof(p *seal.Proof, sp *certify.ShardProof) error {
	if a.format() != "json" {
		_, err := a.out.Write(p.Text())
		return err
	}
	cp, err := seal.PeekCheckpoint(p.Checkpoint)
	if err != nil {
		return err
	}
	out := proofOf(p, cp, merkle.LeafHash([]byte(sp.Leaf)))
	out.Shard = sp.Leaf
	return a.object(out)
}
