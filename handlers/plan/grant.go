package plan

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// lease binds a shard to the lane, the executor and the attempt that have it.
type lease struct {
	Attempt  int    `json:"a"`
	Lane     string `json:"l,omitempty"` // of an executor outside
	Executor string `json:"x"`
	Claim    string `json:"c,omitempty"` // position of the request
	Out      bool   `json:"o,omitempty"` // claimed is published
	Until    int64  `json:"u,omitempty"` // milliseconds of the board's clock
	Deadline int64  `json:"d,omitempty"` // of the attempt
	Turn     int    `json:"n,omitempty"` // of the shards that its claim was granted
	Tries    int    `json:"t,omitempty"` // that have failed before
	Lost     int    `json:"z,omitempty"` // that have ended without a result
}

func (c *call) lease(plan, stage, shard int) (l lease, ok bool) {
	v, ok := c.tx.Get("l/" + shardKey(plan, stage, shard))
	return l, ok && json.Unmarshal([]byte(v), &l) == nil
}

func (c *call) setLease(plan, stage, shard int, l *lease) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	c.tx.Put("l/"+shardKey(plan, stage, shard), string(text))
}

// claimRec is a claim that waits for shards.
type claimRec struct {
	Req      request  `json:"req"`
	Executor string   `json:"x"`
	Kinds    []string `json:"kinds,omitempty"`
	Max      int      `json:"max"`
	Plan     int      `json:"plan,omitempty"` // 0: any
	Until    int64    `json:"u"`
}

const (
	defaultWait = 30_000     // milliseconds
	maxWait     = 86_400_000 // a day
	maxGrant    = 1000       // shards of one claim
)

// claim has an executor wait for shards.
func (c *call) claim(ev *contracts.Event) {
	r := claimRec{Req: requestOf(ev), Executor: ev.Get("data.executor").Text(), Max: 1}
	if n, ok := ev.Get("data.max").Int(); ok {
		r.Max = int(min(n, maxGrant))
	}
	wait, ok := spec.Milliseconds(ev.Get("data.wait"), defaultWait)
	if !ok || wait > maxWait {
		c.refuse(r.Req, handlers.RejectBadParameter, "/data/wait", "a duration up to 24h, such as 30s, or milliseconds", ev.Get("data.wait").Text(), "")
		return
	}
	if r.Executor == spec.ExecutorBuiltin || r.Executor == spec.ExecutorCache {
		c.refuse(r.Req, handlers.RejectBadParameter, "/data/executor", "another name than that of the daemon's own executor", r.Executor, "")
		return
	}
	contracts.Elements(ev.Get("data.kinds").Raw, func(v contracts.Value) bool {
		r.Kinds = append(r.Kinds, v.Text())
		return true
	})
	if r.Req.Plan != "" {
		p := c.planOf(r.Req)
		if p == nil {
			return
		}
		r.Plan = p.N
	}
	r.Until = c.tx.Now() + wait
	v, _ := c.tx.Get("claims")
	n, _ := strconv.Atoi(v)
	c.tx.Put("claims", strconv.Itoa(n+1))
	text, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	key := fmt.Sprintf("%012x", n)
	c.tx.Put("c/"+key, string(text))
	c.tx.Put(fmt.Sprintf("d/%012x/%s", r.Until, key), "")
	c.armFirst("claims", "d/")
	c.ready = true
}

// armFirst sets a timer for the first key of those that begin with when they
// are due.
func (c *call) armFirst(timer, prefix string) {
	c.tx.Range(prefix, func(key, _ string) bool {
		due, _ := strconv.ParseInt(strings.SplitN(key, "/", 3)[1], 16, 64)
		c.tx.After(timer, due-c.tx.Now())
		return false
	})
}

// atOnce is how many timers of a kind one call looks at.
const atOnce = 200

// due calls fn for the keys that are due, and sets the timer for the others.
func (c *call) due(timer, prefix string, fn func(key string)) {
	n := 0
	c.tx.Range(prefix, func(key, _ string) bool {
		due, _ := strconv.ParseInt(strings.SplitN(key, "/", 3)[1], 16, 64)
		if n++; due > c.tx.Now() || n > atOnce {
			return false
		}
		c.tx.Delete(key)
		fn(key)
		return true
	})
	c.armFirst(timer, prefix)
}

// claimsEnd answers the claims that have waited long enough.
func (c *call) claimsEnd() {
	c.due("claims", "d/", func(key string) {
		id := key[strings.LastIndexByte(key, '/')+1:]
		v, ok := c.tx.Get("c/" + id)
		var r claimRec
		if !ok || json.Unmarshal([]byte(v), &r) != nil {
			return
		}
		c.tx.Delete("c/" + id)
		c.refuse(r.Req, handlers.RejectNoShard, "", "a shard to run", "none became free while the claim stood", "claim again")
	})
}

// dispatch gives shards to the claims that wait, in the order in which they
// came, and what is left to the built-in executor.
func (c *call) dispatch() {
	c.ready = false
	c.tx.Range("c/", func(key, value string) bool {
		var r claimRec
		if json.Unmarshal([]byte(value), &r) != nil {
			c.tx.Delete(key)
			return true
		}
		granted := 0
		for granted < r.Max && c.grantNext(&r, granted) {
			granted++
		}
		if granted > 0 {
			c.tx.Delete(key)
			c.tx.Delete(fmt.Sprintf("d/%012x/%s", r.Until, strings.TrimPrefix(key, "c/")))
		}
		return c.anyRunnable()
	})
	if !c.set.ExecutorEnabled {
		return
	}
	for busy := c.builtin(); busy < c.prefetch() && c.grantNext(nil, 0); busy++ {
		c.tx.Put("builtin", strconv.Itoa(busy+1))
	}
}

func (c *call) anyRunnable() (some bool) {
	c.tx.Range("r/", func(string, string) bool { some = true; return false })
	return some
}

// builtin is how many shards the built-in executor has.
func (c *call) builtin() int {
	v, _ := c.tx.Get("builtin")
	n, _ := strconv.Atoi(v)
	return n
}

// prefetch is how many shards it may have: so many that it never idles, and no
// more than it runs in a fifth of a second, for what is claimed can no longer be
// split, or be given to somebody who waits.
func (c *call) prefetch() int {
	each := 8
	if v, ok := c.tx.Get("mean"); ok {
		us, _ := strconv.Atoi(v)
		each = min(max(200_000/max(us, 1), 2), 32)
	}
	return each * max(1, c.set.ExecutorJobs)
}

// timed takes what a shard took into the mean, in microseconds, of late.
func (c *call) timed(ms float64) {
	us := int(min(max(ms, 0), 1e9) * 1000)
	if v, ok := c.tx.Get("mean"); ok {
		mean, _ := strconv.Atoi(v)
		us = (7*mean + us) / 8
	}
	c.tx.Put("mean", strconv.Itoa(us))
}

// grantNext gives one shard to a claim, or to the built-in executor (nil). The
// stages that have some take turns.
func (c *call) grantNext(r *claimRec, turn int) bool {
	for {
		key := c.nextStage(r)
		if key == "" {
			return false
		}
		c.tx.Put("stage", key)
		at := numbers(key, 2)
		if c.grant(c.plan(at[0]), c.stage(at[0], at[1]), r, turn) {
			return true
		}
	}
}

// nextStage is the key of the stage whose turn it is; "" if none suits.
func (c *call) nextStage(r *claimRec) string {
	last, _ := c.tx.Get("stage")
	var first, next string
	c.tx.Range("r/", func(key, _ string) bool {
		at := numbers(key, 2)
		if !c.suits(r, at[0], at[1]) {
			return true
		}
		if first == "" {
			first = key
		}
		if key > last {
			next = key
		}
		return next == ""
	})
	if next == "" {
		return first
	}
	return next
}

// suits tells whether a claim asks for shards of a stage.
func (c *call) suits(r *claimRec, plan, stage int) bool {
	st := &c.manifest(c.plan(plan)).Stages[stage]
	if r == nil {
		return len(st.Job.Argv) > 0
	}
	return (r.Plan == 0 || r.Plan == plan) && (len(r.Kinds) == 0 || slices.Contains(r.Kinds, st.Kind))
}

// grant gives a stage's next shard away.
func (c *call) grant(p *planRec, s *stageRec, r *claimRec, turn int) bool {
	shard, again, ok := c.take(p, s)
	if !ok {
		c.refresh(p, s) // not listed any more
		return false
	}
	o := c.outcome(p.N, s.N, shard)
	l := lease{Attempt: o.attempt + 1, Executor: spec.ExecutorBuiltin, Turn: turn, Tries: again.Tries, Lost: again.Lost}
	if r != nil {
		l.Lane, l.Executor, l.Claim = r.Req.Lane, r.Executor, r.Req.Pos
	}
	c.setLease(p.N, s.N, shard, &l)
	s.Claimed++
	c.refresh(p, s)
	c.say(p, item{Kind: itemClaimed, Stage: s.N, Shard: shard, Attempt: l.Attempt})
	return true
}

// againRec is a shard that is to be run again.
type againRec struct {
	Tries int `json:"t,omitempty"`
	Lost  int `json:"z,omitempty"`
}

// take is the next shard of a stage that can be claimed.
func (c *call) take(p *planRec, s *stageRec) (shard int, again againRec, ok bool) {
	c.tx.Range("g/"+stageKey(p.N, s.N)+"/", func(key, value string) bool {
		shard = numbers(key, 1)[0]
		ok = c.outcome(p.N, s.N, shard).state == shardPending && !c.leased(p, s, shard)
		again = againRec{}
		_ = json.Unmarshal([]byte(value), &again) // it was written by again
		c.tx.Delete(key)
		return !ok
	})
	if ok || !c.hasNext(p, s) {
		return shard, again, ok
	}
	s.Next++
	return s.Next - 1, againRec{}, true
}

// claimed publishes that a shard is claimed: its lease begins, and the built-in
// executor starts.
func (c *call) claimed(p *planRec, it *item) int {
	l, ok := c.lease(p.N, it.Stage, it.Shard)
	if !ok || l.Attempt != it.Attempt || l.Out {
		return 0
	}
	pl := c.at(p, it.Stage, it.Shard)
	span, timeout := c.set.Lease.Milliseconds(), int64(c.stage(p.N, it.Stage).TimeoutMS)
	l.Out, l.Until = true, c.tx.Now()+span
	data := c.shardData(p, it.Stage, pl.cas(), l.Attempt).Str("executor", l.Executor).Str("lease_until", c.ahead(span))
	if l.Executor != spec.ExecutorBuiltin {
		l.Deadline = c.tx.Now() + timeout*int64(l.Turn+1) + min(c.set.Beat().Milliseconds(), timeout/4)
		c.tx.Put(fmt.Sprintf("e/%012x/%s", min(l.Until, l.Deadline), shardKey(p.N, it.Stage, it.Shard)), "")
		c.armFirst("leases", "e/")
		c.describe(data, p, it.Stage, pl, &l)
	}
	c.setLease(p.N, it.Stage, it.Shard, &l)
	c.tx.Emit("hxo", "hxo.shard.claimed", p.ID, data.Bytes())
	c.progress(p)
	if l.Executor == spec.ExecutorBuiltin {
		c.run(p, it.Stage, pl, l.Attempt)
	}
	return 1
}

// runKey names one attempt for ever.
func runKey(p *planRec, stageID, casID string, attempt int) string {
	return fmt.Sprintf("run:%s/%s/%s/%d", p.ID, stageID, casID, attempt)
}

// run has the built-in executor run a shard.
func (c *call) run(p *planRec, stage int, pl place, attempt int) {
	run, _ := c.runOf(p, stage, pl, attempt)
	c.tx.Effect(spec.EffectRun, runKey(p, run.StageID, run.CASID, attempt), jsonText(run))
}
