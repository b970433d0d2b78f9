package plan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	spec "stigmergy/contracts/plan"
)

// allCreated goes on when every shard of a plan has been created.
func (c *call) allCreated(p *planRec) {
	if p.State == planCreating {
		p.State = planRunning
	}
	if p.State == planRunning {
		c.advance(p)
	}
}

// advance opens the stages whose turn has come, and ends the plan.
func (c *call) advance(p *planRec) {
	m := c.manifest(p)
	left := false
	for i := range m.Stages {
		s := c.stage(p.N, i)
		if s.State == stageWaits && c.needsDone(p, m, i) {
			s.State = stageChecking
			c.check(p, i)
		}
		c.refresh(p, s)
		if left = left || !s.complete(); s.complete() {
			c.tx.Cancel(sloTimer(p.N, i))
		}
	}
	if !left && p.State == planRunning {
		p.State = planDone
		c.unwatch(p)
		c.say(p, item{Kind: itemDone})
		return
	}
	if p.State == planRunning && c.stuck(p, m) {
		p.State = planFailed
		c.unwatch(p)
	}
}

func (c *call) needsDone(p *planRec, m *spec.Manifest, stage int) bool {
	for _, id := range m.Stages[stage].Needs {
		at := slices.IndexFunc(m.Stages, func(s spec.Stage) bool { return s.StageID == id })
		if at < 0 || !c.stage(p.N, at).complete() {
			return false
		}
	}
	return true
}

// stuck tells that a shard has failed and nothing else can go on.
func (c *call) stuck(p *planRec, m *spec.Manifest) bool {
	failed := false
	for i := range m.Stages {
		s := c.stage(p.N, i)
		failed = failed || s.Failed > 0
		if s.Claimed > 0 || s.State == stageChecking || s.State == stageOpen && s.pending() > 0 {
			return false
		}
	}
	return failed
}

// refresh notes whether a stage has shards to be claimed.
func (c *call) refresh(p *planRec, s *stageRec) {
	key := "r/" + stageKey(p.N, s.N)
	_, listed := c.tx.Get(key)
	ok := p.State == planRunning && s.State == stageOpen && s.Claimed < s.Slots && !c.paused(p) &&
		c.needsDone(p, c.manifest(p), s.N) && c.hasNext(p, s)
	switch {
	case ok && !listed:
		c.tx.Put(key, "")
	case !ok && listed:
		c.tx.Delete(key)
	}
	c.ready = c.ready || ok
}

// hasNext tells whether a shard of a stage can be claimed. Those that were done
// before, or replaced, are passed over.
func (c *call) hasNext(p *planRec, s *stageRec) (ok bool) {
	c.tx.Range("g/"+stageKey(p.N, s.N)+"/", func(string, string) bool { ok = true; return false })
	for ; !ok && s.Next < s.Made; s.Next++ {
		if ok = c.fresh(p, s, s.Next); ok {
			break
		}
	}
	return ok
}

// fresh tells that a shard was never claimed and is listed nowhere else.
func (c *call) fresh(p *planRec, s *stageRec, shard int) bool {
	if o := c.outcome(p.N, s.N, shard); o.state != shardPending || o.attempt > 0 {
		return false
	}
	key := shardKey(p.N, s.N, shard)
	_, again := c.tx.Get("g/" + key)
	_, leased := c.tx.Get("l/" + key)
	return !again && !leased
}

// A stage's shards are looked up by chunks: which of them were done before?
const checksAtOnce = 8

// check looks up the next shards of a stage that is about to be opened.
func (c *call) check(p *planRec, stage int) {
	s := c.stage(p.N, stage)
	for range checksAtOnce {
		if s.Check >= s.Total {
			s.State = stageOpen
			c.opened(p, s)
			c.refresh(p, s)
			if s.complete() {
				c.advance(p)
			}
			return
		}
		if c.checkChunk(p, s) {
			return // goes on with the answer
		}
	}
	c.tx.Continue("check/" + stageKey(p.N, stage))
}

// checkChunk asks whether the outputs of a chunk's shards still stand; false if
// none was done before.
func (c *call) checkChunk(p *planRec, s *stageRec) bool {
	pl := c.at(p, s.N, s.Check)
	a := ask{Kind: spec.EffectCached, Plan: p.N, Stage: s.N, From: s.Check}
	payload := spec.Cached{PlanID: p.ID, StageID: c.manifest(p).Stages[s.N].StageID, Plan: p.SHA256, Shape: p.Manifest}
	for ; pl.i < len(pl.c.ids); pl.i++ {
		if digest, ok := c.known(pl.sum()); ok && c.outcome(p.N, s.N, s.Check).state == shardPending {
			a.Of = append(a.Of, s.Check)
			payload.Digests = append(payload.Digests, hex.EncodeToString(digest[:]))
		}
		s.Check++
	}
	a.To = s.Check
	if len(a.Of) == 0 {
		return false
	}
	c.start(spec.EffectCached, fmt.Sprintf("cached:%s/%s/%d", p.ID, payload.StageID, a.From), payload, a)
	return true
}

// checkMore goes on with a check that took too long for one call.
func (c *call) checkMore(rest string) {
	at := numbers(rest, 2)
	if p := c.plan(at[0]); p != nil && p.State == planRunning && c.stage(p.N, at[1]).State == stageChecking {
		c.check(p, at[1])
	}
}

// cachedKnown takes the outputs that still stand for results.
func (c *call) cachedKnown(a ask, data *spec.Resolved) {
	p := c.plan(a.Plan)
	if p == nil {
		return
	}
	s := c.stage(p.N, a.Stage)
	if p.State != planRunning {
		s.State, s.Check = stageWaits, a.From // looked up again if it goes on
		return
	}
	some := false
	for _, i := range data.Cached {
		if i < 0 || i >= len(a.Of) {
			continue
		}
		shard := a.Of[i]
		o := c.outcome(p.N, s.N, shard)
		digest, ok := c.known(c.at(p, s.N, shard).sum())
		if !ok || o.state != shardPending {
			continue
		}
		o.state, o.digest = shardHit, digest
		o.attempt++
		c.setOutcome(p.N, s.N, shard, o)
		s.Done++
		some = true
	}
	if some {
		c.later(p, item{Kind: itemCached, Stage: s.N, Shard: a.From, To: a.To})
	}
	c.check(p, s.N)
}

// cachedNext publishes the next lines of cached shards, so many at the most. The
// item stays until a call finds nothing left of it.
func (c *call) cachedNext(p *planRec, key string, it *item, room int) (used int) {
	var pl place
	for ; it.Shard < it.To; it.Shard++ {
		o := c.outcome(p.N, it.Stage, it.Shard)
		if o.state != shardHit {
			continue
		}
		if pl.c == nil || it.Shard >= pl.first+len(pl.c.ids) {
			pl = c.at(p, it.Stage, it.Shard)
		}
		pl.i = it.Shard - pl.first
		if !it.Half {
			c.cachedLine(p, it, pl, &o, false)
			it.Half = true
			if used++; used == room {
				c.putItem(key, it)
				return used
			}
		}
		c.cachedLine(p, it, pl, &o, true)
		it.Half = false
		o.state = shardCached
		c.setOutcome(p.N, it.Stage, it.Shard, o)
		if used++; used == room {
			it.Shard++
			c.putItem(key, it)
			return used
		}
	}
	c.tx.Delete(key)
	return used
}

// cachedLine publishes one of a cached shard's two lines.
func (c *call) cachedLine(p *planRec, it *item, pl place, o *outcome, done bool) {
	data := c.shardData(p, it.Stage, pl.cas(), o.attempt)
	if done {
		data.Str("output_digest", hex.EncodeToString(o.digest[:])).Bool("cached", true).Str("executor", spec.ExecutorCache)
		c.tx.Emit("hxo", "hxo.shard.done", p.ID, data.Bytes())
		return
	}
	data.Str("executor", spec.ExecutorCache).Str("lease_until", c.tx.Time())
	c.tx.Emit("hxo", "hxo.shard.claimed", p.ID, data.Bytes())
}

// unhit takes back what was found in the store and is not published yet: the
// plan was aborted.
func (c *call) unhit(p *planRec) {
	c.tx.Range(fmt.Sprintf("x/%06x/", p.N), func(key, text string) bool {
		var it item
		if json.Unmarshal([]byte(text), &it) != nil || it.Kind != itemCached {
			return true
		}
		c.tx.Delete(key)
		s := c.stage(p.N, it.Stage)
		for shard := it.Shard; shard < it.To; shard++ {
			o := c.outcome(p.N, s.N, shard)
			if o.state != shardHit {
				continue
			}
			s.Done--
			if it.Half && shard == it.Shard { // claimed is out
				c.endAttempt(p, s.N, shard, &lease{Attempt: o.attempt, Executor: spec.ExecutorCache}, "aborted", true)
				continue
			}
			c.setOutcome(p.N, s.N, shard, outcome{attempt: o.attempt - 1})
			c.again(p, s.N, shard, 0, againRec{})
		}
		return true
	})
}
