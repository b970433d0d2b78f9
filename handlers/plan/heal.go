package plan

import (
	"fmt"
	"strconv"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// What a split may be.
const (
	defaultFactor = 4
	minFactor     = 2
	maxFactor     = 64
	maxSplit      = 1000 // shards of one heal that names none
)

// heal applies what Autonomy, or a person, recommends.
func (c *call) heal(ev *contracts.Event) {
	r := requestOf(ev)
	p := c.planOf(r)
	if p == nil {
		return
	}
	if p.State != planRunning && p.State != planFailed {
		c.refuse(r, handlers.RejectBadParameter, "/data/plan_id", "a plan that runs", "it is "+p.State, "")
		return
	}
	s, ok := c.healed(ev, r, p)
	if !ok {
		return
	}
	switch action := ev.Get("data.action").Text(); action {
	case actionSplit:
		c.split(ev, r, p, s)
	case actionConcurrency:
		c.widen(ev, r, p, s)
	case actionPartition:
		c.repartition(ev, r, p, s)
	default:
		c.refuse(r, handlers.RejectBadParameter, "/data/action", "split_shard, increase_concurrency or change_partitioner", action, "")
	}
}

func parameter(ev *contracts.Event, name string) contracts.Value {
	return contracts.Lookup(ev.Data(), "parameters", name)
}

// healed is the stage that a heal is about: the one it names, that of the plan's
// latest signal, or the only one.
func (c *call) healed(ev *contracts.Event, r request, p *planRec) (*stageRec, bool) {
	v := parameter(ev, "stage_id")
	n := p.Signal - 1
	switch {
	case v.Exists():
		n = c.stageNamed(p, v.Text())
	case n < 0 && len(c.manifest(p).Stages) == 1:
		n = 0
	}
	if n < 0 {
		got := v.Text()
		if !v.Exists() {
			got = "none, and no signal says which"
		}
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters/stage_id", "a stage of the plan: "+c.stageNames(p), got, "")
		return nil, false
	}
	return c.stage(p.N, n), true
}

// healNote begins what is audited of a heal.
func (c *call) healNote(p *planRec, r request, s *stageRec, action string) *handlers.Object {
	return details(p, r).Str("action", action).Str("stage_id", c.manifest(p).Stages[s.N].StageID)
}

// widen lets more shards of a stage be claimed at a time.
func (c *call) widen(ev *contracts.Event, r request, p *planRec, s *stageRec) {
	by := int64(1)
	if v := parameter(ev, "by"); v.Exists() {
		var ok bool
		if by, ok = v.Int(); !ok || by < 1 || by > spec.MaxConcurrency {
			c.refuse(r, handlers.RejectBadParameter, "/data/parameters/by", fmt.Sprintf("a whole number from 1 to %d", spec.MaxConcurrency), clip(v.Text()), "")
			return
		}
	}
	s.Slots = min(s.Slots+int(by), spec.MaxConcurrency)
	user, role := c.healer(ev)
	c.audit(p, user, role, "plan.heal", c.healNote(p, r, s, actionConcurrency).Int("by", by).Int("concurrency", int64(s.Slots)))
	c.refresh(p, s)
}

// healer is who is recorded: the source says who recommends.
func (c *call) healer(ev *contracts.Event) (user, role string) {
	if ev.Pos.Lane == "genesis" { // the built-in Autonomy
		return ev.Get("data.source").Text(), "autonomy"
	}
	user, role = c.who(ev)
	if user == "" {
		user = ev.Get("data.source").Text()
	}
	if role == "" {
		role = "autonomy"
	}
	return user, role
}

// split has shards cut into parts.
func (c *call) split(ev *contracts.Event, r request, p *planRec, s *stageRec) {
	factor := int64(defaultFactor)
	if v := parameter(ev, "split_factor"); v.Exists() {
		var ok bool
		if factor, ok = v.Int(); !ok || factor < minFactor || factor > maxFactor {
			c.refuse(r, handlers.RejectBadParameter, "/data/parameters/split_factor", fmt.Sprintf("a whole number from %d to %d", minFactor, maxFactor), clip(v.Text()), "")
			return
		}
	}
	var shards []int
	if ids := parameter(ev, "cas_ids"); ids.Exists() {
		var ok bool
		if shards, ok = c.splittable(r, p, s, ids); !ok {
			return
		}
	} else {
		shards = c.hot(p, s)
	}
	if len(shards) == 0 {
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters", "a stage with shards that are pending or have failed", "none, or all are parts already", "name them with cas_ids")
		return
	}
	user, role := c.healer(ev)
	c.start(spec.EffectSplit, "split:"+r.Pos, spec.Split{
		PlanID: p.ID, StageID: c.manifest(p).Stages[s.N].StageID, Plan: p.SHA256, Shape: p.Manifest,
		Factor: int(factor), Shards: c.inChunks(p, s, shards),
	}, c.hold(p, s, shards, ask{Kind: spec.EffectSplit, Req: r, User: user, Role: role, Plan: p.N, Stage: s.N}))
}

// splittable are the shards of a stage that a heal names.
func (c *call) splittable(r request, p *planRec, s *stageRec, ids contracts.Value) (shards []int, ok bool) {
	n, seen := 0, map[int]bool{}
	bad := func(reason, expected, got string) bool {
		c.refuse(r, reason, "/data/parameters/cas_ids/"+strconv.Itoa(n), expected, clip(got), "stigmergy plan status "+p.ID)
		return false
	}
	ok = contracts.Elements(ids.Raw, func(v contracts.Value) bool {
		shard, found := c.lookup(p, s.N, v.Text())
		if !found {
			return bad(handlers.RejectUnknownShard, "a shard of the stage "+c.manifest(p).Stages[s.N].StageID, v.Text())
		}
		switch o := c.outcome(p.N, s.N, shard); {
		case o.done():
			return bad(handlers.RejectBadParameter, "a shard that is not done", v.Text())
		case shard >= s.Made || o.state == shardReplayed:
			return bad(handlers.RejectBadParameter, "a shard that is created", v.Text()+" waits for that")
		case o.state == shardReplaced || o.state == shardSplitting:
			return bad(handlers.RejectBadParameter, "a shard that stands", v.Text()+" is split")
		}
		if !seen[shard] {
			shards = append(shards, shard)
		}
		seen[shard] = true
		n++
		return n <= maxSplit || bad(handlers.RejectBadParameter, fmt.Sprintf("at most %d", maxSplit), "more")
	})
	return shards, ok
}

// hot are the shards of a stage that are to be split where a heal names none:
// those that have failed or are pending, but no parts of others.
func (c *call) hot(p *planRec, s *stageRec) (shards []int) {
	base := c.manifest(p).Stages[s.N].Shards
	for shard := 0; shard < base && len(shards) < maxSplit; shard++ {
		switch o := c.outcome(p.N, s.N, shard); o.state {
		case shardFailed:
			shards = append(shards, shard)
		case shardPending:
			if _, taken := c.lease(p.N, s.N, shard); !taken && shard < s.Made {
				shards = append(shards, shard)
			}
		}
	}
	return shards
}

// inChunks names shards by the chunks that they stand in.
func (c *call) inChunks(p *planRec, s *stageRec, shards []int) (list []spec.InChunk) {
	for _, shard := range shards {
		pl := c.at(p, s.N, shard)
		if len(list) == 0 || list[len(list)-1].Chunk != pl.chunk {
			list = append(list, spec.InChunk{Chunk: pl.chunk})
		}
		last := &list[len(list)-1]
		last.CASIDs = append(last.CASIDs, pl.cas())
	}
	return list
}

// hold has nobody claim shards while their parts are made. Those that somebody
// has go on meanwhile.
func (c *call) hold(p *planRec, s *stageRec, shards []int, a ask) ask {
	for _, shard := range shards {
		a.Of = append(a.Of, shard)
		o := c.outcome(p.N, s.N, shard)
		a.Was = append(a.Was, int(o.state))
		if _, taken := c.lease(p.N, s.N, shard); taken || o.state == shardReplayed {
			continue
		}
		if o.state == shardFailed {
			s.Failed--
		}
		o.state = shardSplitting
		c.setOutcome(p.N, s.N, shard, o)
	}
	c.refresh(p, s)
	return a
}

// unhold gives a shard back that was held.
func (c *call) unhold(p *planRec, s *stageRec, shard, was int) {
	o := c.outcome(p.N, s.N, shard)
	if o.state != shardSplitting {
		return
	}
	o.state = byte(was)
	if was == shardFailed {
		s.Failed++
	} else {
		c.again(p, s.N, shard, 0, againRec{})
	}
	c.setOutcome(p.N, s.N, shard, o)
}

// repartition has the shards of a stage that nobody has claimed yet made anew.
func (c *call) repartition(ev *contracts.Event, r request, p *planRec, s *stageRec) {
	st := &c.manifest(p).Stages[s.N]
	v := parameter(ev, "partition")
	if v.Kind != contracts.Object {
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters/partition", "a partition, as a plan has it", clip(v.Text()), `{"by":"files","per_shard":10}`)
		return
	}
	for i := range c.manifest(p).Stages {
		for _, need := range c.manifest(p).Stages[i].Needs {
			if need == st.StageID {
				c.refuse(r, handlers.RejectBadParameter, "/data/parameters/stage_id", "a stage whose shards no other one needs", st.StageID+", which "+c.manifest(p).Stages[i].StageID+" needs", "split_shard keeps the order of outputs")
				return
			}
		}
	}
	var shards []int
	for shard := range s.Made {
		if o := c.outcome(p.N, s.N, shard); o.state == shardPending && o.attempt == 0 {
			if _, taken := c.lease(p.N, s.N, shard); !taken {
				shards = append(shards, shard)
			}
		}
	}
	if len(shards) == 0 || len(shards) > maxRegroup {
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters", fmt.Sprintf("a stage with 1 to %d shards that nobody has claimed yet", maxRegroup), strconv.Itoa(len(shards)), "")
		return
	}
	user, role := c.healer(ev)
	c.start(spec.EffectRepartition, "repartition:"+r.Pos, spec.Repartition{
		PlanID: p.ID, StageID: st.StageID, Plan: p.SHA256, Shape: p.Manifest,
		Partition: spec.RawJSON(v.Raw), Shards: c.inChunks(p, s, shards),
	}, c.hold(p, s, shards, ask{Kind: spec.EffectRepartition, Req: r, User: user, Role: role, Plan: p.N, Stage: s.N}))
}

// maxRegroup bounds what one effect may be about.
const maxRegroup = 50_000
