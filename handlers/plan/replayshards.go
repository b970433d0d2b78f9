package plan

// shardAt is a shard of a plan, by its numbers.
type shardAt struct{ stage, shard int }

// replayShards has shards that have ended run again: attempt + 1, created anew. What
// was published of them stands. It is how many that were. The plan goes on, and
// is completed once more when they are done.
func (c *call) replayShards(p *planRec, shards []shardAt) {
	last := shardAt{-1, -1}
	var it *item
	for _, r := range shards {
		o := c.outcome(p.N, r.stage, r.shard)
		if !o.ended() {
			continue
		}
		s := c.stage(p.N, r.stage)
		if o.done() {
			s.Done--
		} else {
			s.Failed--
		}
		o.state, o.digest = shardReplayed, [32]byte{}
		c.setOutcome(p.N, r.stage, r.shard, o)
		if it != nil && (r.stage != last.stage || r.shard != last.shard+1) {
			c.anew(p, it)
			it = nil
		}
		if it == nil {
			it = &item{Stage: r.stage, Shard: r.shard}
		}
		it.To, last = r.shard+1, r
	}
	if it != nil {
		c.anew(p, it)
	}
	c.resume(p)
}

// resume has a plan go on that had ended.
func (c *call) resume(p *planRec) {
	if p.State == planCreating {
		return
	}
	p.State = planRunning
	for i := range c.manifest(p).Stages {
		if s := c.stage(p.N, i); s.Made < s.Total && s.State == stageWaits {
			p.State = planCreating
		}
	}
	c.queue(p)
	if p.State == planRunning {
		c.advance(p)
	}
}
