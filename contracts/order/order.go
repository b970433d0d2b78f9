// Package order holds the events of plans to the order that HXO promises,
// attempt by attempt. It is fed with the events of lane hxo in the board's
// order, needs nothing else, and is what `stigmergy doctor order` runs:
//
//  1. hxo.plan, then all its hxo.shard.created (attempt 1, without
//     parent_cas_id), then execution events.
//  2. Per shard and attempt: created, then claimed, then done or failed; never
//     both.
//  3. Per plan and attempt: hxo.aggregate.ready, then certify, then exactly one
//     of finalized and failed; ready counts the shards that stand, all done.
//  4. Parts made by a split follow their signal or the heal that was asked for;
//     what they replace has no further event, but failed "split" if it was
//     claimed. Behind an abort nothing is claimed until a replay.
package order

import (
	"fmt"

	"stigmergy/contracts"
)

// Finding is an event that stands where it may not.
type Finding struct {
	Pos       string // of the event
	Guarantee int    // 1 to 4
	PlanID    string
	Shard     string // STAGE_ID/CAS_ID, "" where it is about the plan
	Attempt   int
	Problem   string
}

// String is the finding in one line.
func (f Finding) String() string {
	s := f.Pos + ": plan " + f.PlanID
	if f.Shard != "" {
		s += fmt.Sprintf(", shard %s, attempt %d", f.Shard, f.Attempt)
	}
	return fmt.Sprintf("%s: guarantee %d: %s", s, f.Guarantee, f.Problem)
}

// Checker is what it has seen of a board. Its zero value is ready.
type Checker struct {
	// Report is called for every finding.
	Report func(Finding)
	// Events, Plans and Shards count what was looked at.
	Events, Plans, Shards int

	plans map[string]*plan
	pos   string
}

type plan struct {
	id      string
	told    bool // hxo.plan
	want    int  // shards that it said it has, -1: it did not say
	first   int  // created, attempt 1, without parent
	shards  map[string]*shard
	stand   int // shards that no part replaced
	done    int // of them
	running bool
	aborted bool
	signals int // tuning signals and heals
	stage   int // of certification
	root    string
}

const (
	nothing = iota
	ready
	certify
	ended
)

type shard struct {
	attempt  int
	state    uint8
	done     bool
	replaced bool
}

const (
	created uint8 = iota + 1
	claimed
	over
)

// Add takes in the next event of lane hxo; other topics are passed over.
func (c *Checker) Add(pos, topic string, data []byte) {
	fn := c.of(topic)
	if fn == nil {
		return
	}
	id := contracts.GetString(data, "plan_id")
	if topic == "hxo.audit" {
		id = contracts.Lookup(data, "details", "plan_id").Text()
	}
	if id == "" {
		return
	}
	c.pos = pos
	c.Events++
	p := c.plans[id]
	if p == nil {
		if c.plans == nil {
			c.plans = map[string]*plan{}
		}
		p = &plan{id: id, want: -1, shards: map[string]*shard{}}
		c.plans[id] = p
		c.Plans++
	}
	fn(p, data)
}

// of is what looks at the events of a topic.
func (c *Checker) of(topic string) func(*plan, []byte) {
	switch topic {
	case "hxo.plan":
		return c.plan
	case "hxo.shard.created":
		return c.created
	case "hxo.shard.claimed":
		return c.claimed
	case "hxo.shard.done":
		return c.done
	case "hxo.shard.failed":
		return c.failed
	case "hxo.audit":
		return c.audit
	case "hxo.autotune.signal":
		return c.signal
	case "hxo.aggregate.ready":
		return c.ready
	case "hxo.aggregate.certify":
		return c.certify
	case "hxo.aggregate.finalized", "hxo.aggregate.failed":
		return c.verdict
	}
	return nil
}

func (c *Checker) tell(p *plan, guarantee int, name string, attempt int, format string, args ...any) {
	if c.Report != nil {
		c.Report(Finding{c.pos, guarantee, p.id, name, attempt, fmt.Sprintf(format, args...)})
	}
}

func (c *Checker) plan(p *plan, data []byte) {
	if p.told {
		c.tell(p, 1, "", 0, "hxo.plan for the second time")
	}
	if len(p.shards) > 0 {
		c.tell(p, 1, "", 0, "hxo.plan behind events of its shards")
	}
	p.told = true
	if n, ok := contracts.GetInt(data, "shards"); ok {
		p.want = int(n)
	}
}

// shard is the one that an event is about.
func (c *Checker) shard(p *plan, data []byte) (name string, attempt int, s *shard) {
	name = contracts.GetString(data, "stage_id") + "/" + contracts.GetString(data, "cas_id")
	n, ok := contracts.GetInt(data, "attempt")
	if !ok {
		n = 1
	}
	return name, int(n), p.shards[name]
}

func (c *Checker) created(p *plan, data []byte) {
	name, attempt, s := c.shard(p, data)
	parent := contracts.GetString(data, "parent_cas_id")
	if !p.told {
		c.tell(p, 1, name, attempt, "created before hxo.plan")
	}
	if s == nil {
		c.born(p, name, attempt, parent, data)
		return
	}
	switch {
	case s.replaced:
		c.tell(p, 4, name, attempt, "created again, but parts stand for it")
	case attempt != s.attempt+1:
		c.tell(p, 2, name, attempt, "created, but its attempt %d was the last", s.attempt)
	case s.state != over:
		c.tell(p, 2, name, attempt, "created, but its attempt %d has not ended", s.attempt)
	}
	if s.done {
		p.done--
	}
	*s = shard{attempt: attempt, state: created}
}

// born is the first event of a shard.
func (c *Checker) born(p *plan, name string, attempt int, parent string, data []byte) {
	p.shards[name] = &shard{attempt: attempt, state: created}
	p.stand++
	c.Shards++
	if attempt != 1 {
		c.tell(p, 2, name, attempt, "created, but it never had an attempt 1")
	}
	if parent == "" {
		if p.first++; p.running {
			c.tell(p, 1, name, attempt, "created behind the plan's first execution event")
		}
		return
	}
	if p.signals == 0 {
		c.tell(p, 4, name, attempt, "a part of %s, but no signal and no heal came before it", parent)
	}
	s := p.shards[contracts.GetString(data, "stage_id")+"/"+parent]
	switch {
	case s == nil:
		c.tell(p, 4, name, attempt, "a part of %s, which was never created", parent)
	case !s.replaced:
		s.replaced = true
		p.stand--
		if s.done {
			c.tell(p, 4, name, attempt, "a part of %s, which is done", parent)
			p.done--
		}
	}
}

// executes notes that the plan's execution has begun.
func (c *Checker) executes(p *plan, name string, attempt int) {
	if p.running {
		return
	}
	p.running = true
	if p.want >= 0 && p.first != p.want {
		c.tell(p, 1, name, attempt, "executed when %d of the plan's %d shards were created", p.first, p.want)
	}
}

func (c *Checker) claimed(p *plan, data []byte) {
	name, attempt, s := c.shard(p, data)
	c.executes(p, name, attempt)
	switch {
	case s == nil:
		c.tell(p, 2, name, attempt, "claimed, but never created")
		return
	case s.replaced:
		c.tell(p, 4, name, attempt, "claimed, but parts stand for it")
	case p.aborted:
		c.tell(p, 4, name, attempt, "claimed, but the plan was aborted")
	case s.attempt != attempt:
		c.tell(p, 2, name, attempt, "claimed, but its attempt %d was created last", s.attempt)
	case s.state != created:
		c.tell(p, 2, name, attempt, "claimed for the second time")
	}
	s.state = claimed
}

func (c *Checker) failed(p *plan, data []byte) { c.end(p, data, false) }
func (c *Checker) done(p *plan, data []byte)   { c.end(p, data, true) }

func (c *Checker) end(p *plan, data []byte, done bool) {
	name, attempt, s := c.shard(p, data)
	c.executes(p, name, attempt)
	word := map[bool]string{true: "done", false: "failed"}[done]
	switch {
	case s == nil:
		c.tell(p, 2, name, attempt, "%s, but never created", word)
		return
	case s.replaced && (done || s.state != claimed):
		c.tell(p, 4, name, attempt, "%s, but parts stand for it", word)
	case s.attempt != attempt:
		c.tell(p, 2, name, attempt, "%s, but its attempt %d is the one that runs", word, s.attempt)
	case s.state == over:
		c.tell(p, 2, name, attempt, "%s, but it had ended", word)
	case s.state != claimed:
		c.tell(p, 2, name, attempt, "%s, but nobody had claimed it", word)
	}
	if done && !s.done && !s.replaced {
		p.done++
	}
	s.state, s.done = over, done
}

func (c *Checker) signal(p *plan, _ []byte) { p.signals++ }

func (c *Checker) audit(p *plan, data []byte) {
	switch contracts.GetString(data, "operation") {
	case "plan.abort":
		p.aborted = true
	case "plan.replay":
		p.aborted = false
	case "plan.heal":
		p.signals++
	}
}

func (c *Checker) ready(p *plan, data []byte) {
	if p.stage != nothing && p.stage != ended {
		c.tell(p, 3, "", 0, "hxo.aggregate.ready, but the last attempt to certify has not ended")
	}
	p.stage, p.root = ready, contracts.GetString(data, "merkle_root")
	if n, ok := contracts.GetInt(data, "total_shards"); ok && int(n) != p.stand {
		c.tell(p, 3, "", 0, "hxo.aggregate.ready over %d shards, but %d stand", n, p.stand)
	}
	if p.done != p.stand {
		c.tell(p, 3, "", 0, "hxo.aggregate.ready, but %d of %d shards are done", p.done, p.stand)
	}
}

func (c *Checker) certify(p *plan, data []byte) {
	if p.stage != ready {
		c.tell(p, 3, "", 0, "hxo.aggregate.certify without a ready before it")
	} else if root := contracts.GetString(data, "merkle_root"); root != p.root {
		c.tell(p, 3, "", 0, "hxo.aggregate.certify of root %s, but %s was ready", root, p.root)
	}
	p.stage = certify
}

func (c *Checker) verdict(p *plan, _ []byte) {
	if p.stage != certify {
		c.tell(p, 3, "", 0, "a verdict that nobody waits for: finalized or failed comes once, behind certify")
	}
	p.stage = ended
}
