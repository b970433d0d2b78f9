package plan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// result takes what an executor reports.
func (c *call) result(ev *contracts.Event) {
	r := requestOf(ev)
	p := c.planOf(r)
	if p == nil {
		return
	}
	stageID, casID := ev.Get("data.stage_id").Text(), ev.Get("data.cas_id").Text()
	stage, shard, ok := c.stageNamed(p, stageID), 0, false
	if stage >= 0 {
		shard, ok = c.lookup(p, stage, casID)
	}
	if !ok {
		c.refuse(r, handlers.RejectUnknownShard, "/data/cas_id", "a shard of the plan", stageID+"/"+casID, "stigmergy plan status "+p.ID)
		return
	}
	l, ok := c.lease(p.N, stage, shard)
	if why := c.unbound(ev, l, ok); why != nil {
		if ev.Pos.Lane != spec.LaneExec { // of the built-in executor: late, and nobody waits for an answer
			c.reject(r, handlers.RejectNoLease, "", why)
		}
		return
	}
	c.letGo(p, stage, shard, &l)
	ms, timed := ev.Get("data.duration_ms").Number()
	if timed && l.Executor == spec.ExecutorBuiltin {
		c.timed(ms)
	}
	if timed {
		c.measure(p, c.stage(p.N, stage), c.at(p, stage, shard).sum(), ms)
	}
	if good, _ := ev.Get("data.ok").Bool(); good {
		c.doneBy(p, stage, shard, &l, ev.Get("data.output_digest").Text(), ms)
	} else {
		c.failedBy(p, stage, shard, &l, ev.Get("data.error").Text())
	}
}

// unbound says why a result does not count: a lease binds lane, executor and
// attempt. nil if it does.
func (c *call) unbound(ev *contracts.Event, l lease, ok bool) []byte {
	attempt, _ := ev.Get("data.attempt").Int()
	executor := ev.Get("data.executor").Text()
	lane := l.Lane
	if l.Executor == spec.ExecutorBuiltin {
		lane = spec.LaneExec
	}
	switch {
	case !ok || !l.Out:
		return oneFault("/data/cas_id", "lease", "a shard that the executor has claimed", "nobody has it", "it was recorded, not counted: claim the shard first")
	case int64(l.Attempt) != attempt:
		return oneFault("/data/attempt", "lease", strconv.Itoa(l.Attempt), strconv.FormatInt(attempt, 10), "it was recorded, not counted: another attempt has begun")
	case l.Executor != executor:
		return oneFault("/data/executor", "lease", l.Executor, executor, "it was recorded, not counted: another executor has the shard")
	case lane != ev.Pos.Lane:
		return oneFault("", "lease", "a result on the lane that claimed the shard: "+lane, ev.Pos.Lane, "it was recorded, not counted")
	}
	return nil
}

// letGo ends a lease.
func (c *call) letGo(p *planRec, stage, shard int, l *lease) {
	c.tx.Delete("l/" + shardKey(p.N, stage, shard))
	c.stage(p.N, stage).Claimed--
	if l.Executor == spec.ExecutorBuiltin {
		c.tx.Put("builtin", strconv.Itoa(max(0, c.builtin()-1)))
		c.ready = true
	}
}

// doneBy takes a result that is good.
func (c *call) doneBy(p *planRec, stage, shard int, l *lease, digest string, ms float64) {
	pl := c.at(p, stage, shard)
	o := outcome{state: shardDone, attempt: l.Attempt}
	_, _ = hex.Decode(o.digest[:], []byte(digest)) // its contract says that it is one
	c.setOutcome(p.N, stage, shard, o)
	c.remember(pl, p.N, stage, shard)
	s := c.stage(p.N, stage)
	s.Done++
	data := c.shardData(p, stage, pl.cas(), l.Attempt).Str("output_digest", digest).Str("executor", l.Executor)
	if ms > 0 {
		data.Raw("duration_ms", strconv.AppendFloat(nil, ms, 'f', -1, 64))
	}
	c.say(p, item{Kind: itemEvent, Topic: "hxo.shard.done", Data: string(data.Bytes())})
	c.goOn(p, s)
}

// goOn sees what a stage's shard makes possible that ended.
func (c *call) goOn(p *planRec, s *stageRec) {
	if p.State != planRunning {
		return
	}
	c.progress(p)
	if s.complete() || s.Failed > 0 {
		c.advance(p)
		return
	}
	c.refresh(p, s)
}

// failedBy takes a result that is bad: the shard is tried again after a pause,
// if it has tries left.
func (c *call) failedBy(p *planRec, stage, shard int, l *lease, why string) {
	tries := l.Tries + 1
	final := tries > c.stage(p.N, stage).Retries
	c.endAttempt(p, stage, shard, l, why, final)
	if final {
		c.exhausted(p, stage, shard, l, why)
	} else {
		pause := min(int64(1000)<<min(tries-1, 10), 60_000)
		c.again(p, stage, shard, pause, againRec{Tries: tries, Lost: l.Lost})
	}
	c.goOn(p, c.stage(p.N, stage))
}

// endAttempt publishes that an attempt has failed, and that the next one is to
// come, if it is.
func (c *call) endAttempt(p *planRec, stage, shard int, l *lease, why string, final bool) {
	o := outcome{state: shardPending, attempt: l.Attempt}
	if final {
		o.state = shardFailed
		c.stage(p.N, stage).Failed++
	}
	c.setOutcome(p.N, stage, shard, o)
	pl := c.at(p, stage, shard)
	data := c.shardData(p, stage, pl.cas(), l.Attempt).Str("error", why).Str("executor", l.Executor).Bool("final", final)
	c.say(p, item{Kind: itemEvent, Topic: "hxo.shard.failed", Data: string(data.Bytes())})
	if final {
		return
	}
	next := c.shardData(p, stage, pl.cas(), l.Attempt+1).Str("phase", "pending")
	c.say(p, item{Kind: itemEvent, Topic: "hxo.shard.created", Data: string(next.Bytes())})
}

// exhausted tells of a shard that nobody tries any more.
func (c *call) exhausted(p *planRec, stage, shard int, l *lease, why string) {
	c.alert(p, "retries_exhausted", "critical", "shard %s of stage %s failed %d times: %s",
		c.at(p, stage, shard).cas(), c.manifest(p).Stages[stage].StageID, l.Tries+l.Lost+1, clip(why))
}

// again has a shard run once more, after a pause.
func (c *call) again(p *planRec, stage, shard int, pauseMS int64, rec againRec) {
	text, err := json.Marshal(rec)
	if err != nil {
		panic(err)
	}
	key := shardKey(p.N, stage, shard)
	if pauseMS <= 0 {
		c.tx.Put("g/"+key, string(text))
		return
	}
	c.tx.Put(fmt.Sprintf("b/%012x/%s", c.tx.Now()+pauseMS, key), string(text))
	c.armFirst("again", "b/")
}

// againDue has shards run whose pause is over.
func (c *call) againDue() {
	recs := map[string]string{}
	c.tx.Range("b/", func(key, value string) bool {
		recs[key] = value
		return len(recs) < 1<<16
	})
	c.due("again", "b/", func(key string) {
		at := numbers(key, 3)
		c.tx.Put("g/"+shardKey(at[0], at[1], at[2]), recs[key])
		if p := c.plan(at[0]); p != nil {
			c.refresh(p, c.stage(at[0], at[1]))
		}
	})
}

// heartbeat has leases run on.
func (c *call) heartbeat(ev *contracts.Event) {
	if ev.Pos.Lane == spec.LaneExec {
		return // as long as the built-in executor is asked, it is at work
	}
	executor := ev.Get("data.executor").Text()
	until := c.tx.Now() + c.set.Lease.Milliseconds()
	wanted := map[string]bool{}
	contracts.Elements(ev.Get("data.cas_ids").Raw, func(v contracts.Value) bool {
		wanted[v.Text()] = true
		return true
	})
	plan := c.planByID(ev.Get("data.plan_id").Text())
	found := false
	c.tx.Range("l/", func(key, value string) bool {
		var l lease
		if json.Unmarshal([]byte(value), &l) != nil || !l.Out || l.Executor != executor || l.Lane != ev.Pos.Lane {
			return true
		}
		at := numbers(key, 3)
		p := c.plan(at[0])
		if p == nil || plan != nil && plan != p || !wanted[c.at(p, at[1], at[2]).cas()] {
			return true
		}
		l.Until, found = until, true
		c.setLease(at[0], at[1], at[2], &l)
		return true
	})
	if !found {
		c.refuse(requestOf(ev), handlers.RejectNoLease, "/data/cas_ids", "shards that "+clip(executor)+" has claimed on lane "+ev.Pos.Lane, "none of them", "claim the shards first; those whose lease ended run elsewhere")
	}
}

// leases looks at those that may have ended.
func (c *call) leases() {
	c.due("leases", "e/", func(key string) {
		at := numbers(key, 3)
		l, ok := c.lease(at[0], at[1], at[2])
		if !ok || !l.Out || l.Executor == spec.ExecutorBuiltin {
			return
		}
		if due := min(l.Until, l.Deadline); due > c.tx.Now() {
			c.tx.Put(fmt.Sprintf("e/%012x/%s", due, shardKey(at[0], at[1], at[2])), "")
			return
		}
		c.lost(c.plan(at[0]), at[1], at[2], &l)
	})
}

// maxLost is how often a shard's lease may end without a result before it is
// the shard that is to blame.
const maxLost = 20

// lost puts a shard back whose lease has ended.
func (c *call) lost(p *planRec, stage, shard int, l *lease) {
	c.letGo(p, stage, shard, l)
	if l.Deadline <= c.tx.Now() {
		c.measure(p, c.stage(p.N, stage), c.at(p, stage, shard).sum(), float64(c.stage(p.N, stage).TimeoutMS))
		c.failedBy(p, stage, shard, l, "timeout after "+spec.SpanText(int64(c.stage(p.N, stage).TimeoutMS)))
		return
	}
	final := l.Lost+1 >= maxLost
	c.endAttempt(p, stage, shard, l, "lease ended: "+l.Executor+" was silent for "+c.set.Lease.String(), final)
	if final {
		c.exhausted(p, stage, shard, l, "its lease ended without a result, again and again")
	} else {
		c.again(p, stage, shard, 0, againRec{Tries: l.Tries, Lost: l.Lost + 1})
	}
	c.goOn(p, c.stage(p.N, stage))
}

// clip shortens what a message quotes.
func clip(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}
