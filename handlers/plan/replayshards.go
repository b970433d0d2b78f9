package plan

// shardAt is a shard of a plan.
type shardAt struct{ stage, shard int }

// replayShards has shards run once more that are done or have failed; what is
// still to be run is left as it is. Their last outputs are not asked for: they
// are run.
func (c *call) replayShards(p *planRec, list []shardAt) {
	for _, at := range list {
		s, o := c.stage(p.N, at.stage), c.outcome(p.N, at.stage, at.shard)
		switch {
		case o.done():
			s.Done--
		case o.state == shardFailed:
			s.Failed--
		default:
			continue
		}
		o.state = shardPending
		c.setOutcome(p.N, at.stage, at.shard, o)
		data := c.shardData(p, at.stage, c.at(p, at.stage, at.shard).cas(), o.attempt+1).Str("phase", "pending")
		c.say(p, item{Kind: itemEvent, Topic: "hxo.shard.created", Data: string(data.Bytes())})
		c.again(p, at.stage, at.shard, 0, againRec{})
	}
	if p.State == planDone || p.State == planFailed {
		p.State = planRunning
	}
	c.advance(p)
}
