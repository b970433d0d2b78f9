package plan

import (
	"encoding/json"
	"fmt"
	"strconv"

	"stigmergy/blackboard"
	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// Alerts that time brings: a stage that takes longer than stage_slo, and a plan
// of which nothing was heard for twice its longest timeout. Each is told once,
// the second one again when there was progress meanwhile; a quiet board stays
// quiet.

func sloTimer(plan, stage int) string { return "slo/" + stageKey(plan, stage) }
func stallTimer(plan int) string      { return "stall/" + planKey(plan) }
func progressKey(plan int) string     { return fmt.Sprintf("t/%06x", plan) }

// opened watches over a stage whose shards may be claimed.
func (c *call) opened(p *planRec, s *stageRec) {
	c.tx.After(sloTimer(p.N, s.N), c.set.StageSLO.Milliseconds())
	c.progress(p)
}

// slo tells of a stage that takes too long.
func (c *call) slo(rest string) {
	at := numbers(rest, 2)
	p := c.plan(at[0])
	if p == nil || p.State != planRunning {
		return
	}
	if s := c.stage(at[0], at[1]); !s.complete() {
		c.alert(p, "slo", "warning", "stage %s is not done %s after it began: %d of %d shards are",
			c.manifest(p).Stages[s.N].StageID, c.set.StageSLO, s.Done, s.standing())
	}
}

// progress notes that something happened to a plan.
func (c *call) progress(p *planRec) {
	_, watched := c.tx.Get(progressKey(p.N))
	c.tx.Put(progressKey(p.N), strconv.FormatInt(c.tx.Now(), 10))
	if !watched {
		c.tx.After(stallTimer(p.N), c.patience(p))
	}
}

// patience is how long nothing may be heard of a plan.
func (c *call) patience(p *planRec) int64 {
	longest := 0
	for i := range c.manifest(p).Stages {
		longest = max(longest, c.stage(p.N, i).TimeoutMS)
	}
	return 2 * int64(longest)
}

// stalled looks whether a plan still makes progress.
func (c *call) stalled(rest string) {
	p := c.plan(numbers(rest, 1)[0])
	if p == nil || p.State != planRunning {
		return
	}
	v, _ := c.tx.Get(progressKey(p.N))
	last, _ := strconv.ParseInt(v, 10, 64)
	if left := last + c.patience(p) - c.tx.Now(); left > 0 {
		c.tx.After(stallTimer(p.N), left)
		return
	}
	c.tx.Delete(progressKey(p.N))
	pending, claimed := 0, 0
	for i := range c.manifest(p).Stages {
		s := c.stage(p.N, i)
		pending, claimed = pending+s.pending(), claimed+s.Claimed
	}
	c.alert(p, "stalled", "warning", "nothing was heard of it for %s: %d shards are pending, %d claimed", spec.SpanText(c.patience(p)), pending, claimed)
}

// unwatch ends the watch over a plan, and forgets what only that needs: what
// came of its shards stays, for plans to come are answered from it.
func (c *call) unwatch(p *planRec) {
	c.tx.Cancel(stallTimer(p.N))
	c.tx.Delete(progressKey(p.N))
	for i := range c.manifest(p).Stages {
		c.tx.Cancel(sloTimer(p.N, i))
		c.forgetWindow(c.stage(p.N, i))
	}
}

// backlog is how many events wait for their turn, of one plan or of all (nil).
func (c *call) backlog(only *planRec) (n int) {
	c.tx.Range("w/", func(key, _ string) bool {
		p := c.plan(numbers(key, 1)[0])
		if p == nil || only != nil && p != only {
			return true
		}
		c.tx.Range(fmt.Sprintf("x/%06x/", p.N), func(_, v string) bool {
			n += weight(v)
			return true
		})
		c.tx.Range(fmt.Sprintf("j/%06x/", p.N), func(_, v string) bool {
			n += weight(v)
			return true
		})
		if p.N > 0 && p.State != planAborted {
			for i := range c.manifest(p).Stages {
				s := c.stage(p.N, i)
				n += s.Total - s.Made
			}
		}
		return true
	})
	return n
}

// Waiting tells what waits for its turn: shards to be created as the ranges that
// they are, other events by number.
func (*Handler) Waiting(tx *handlers.Tx) (list []blackboard.Waiting) {
	c := begin(tx)
	tx.Range("w/", func(key, _ string) bool {
		p := c.plan(numbers(key, 1)[0])
		if p == nil {
			return true
		}
		ranges, rest := []blackboard.Waiting(nil), c.backlog(p)
		if p.N > 0 && p.State != planAborted {
			for i, st := range c.manifest(p).Stages {
				if s := c.stage(p.N, i); s.Made < s.Total {
					ranges = append(ranges, blackboard.Waiting{PlanID: p.ID, StageID: st.StageID, From: s.Made, To: s.Total - 1, Events: s.Total - s.Made})
					rest -= s.Total - s.Made
				}
			}
		}
		if rest > 0 {
			list = append(list, blackboard.Waiting{PlanID: p.ID, Events: rest})
		}
		list = append(list, ranges...)
		return len(list) < maxWaiting
	})
	return list
}

// maxWaiting bounds what status shows.
const maxWaiting = 1000

// weight is how many events an item stands for.
func weight(text string) int {
	var it item
	if json.Unmarshal([]byte(text), &it) != nil {
		return 0
	}
	if it.Kind == itemCached {
		return 2 * (it.To - it.Shard)
	}
	return max(1, it.To-it.Shard)
}

// full tells whether so many events wait that no more plans are taken.
func (c *call) full(r request, more int) bool {
	n := c.backlog(nil)
	if n == 0 || n+more <= c.set.HXOQueueMax {
		return false
	}
	c.refuse(r, handlers.RejectThrottled, "", fmt.Sprintf("at most %d waiting events (hxo.queue_max)", c.set.HXOQueueMax),
		fmt.Sprintf("%d wait, and the plan has %d more", n, more), "submit it again later; stigmergy status shows what waits")
	return true
}

// backlogSeconds is how long a plan's events may wait before that is told.
const backlogSeconds = 60

// crowded tells of a plan whose events will wait for long.
func (c *call) crowded(p *planRec) {
	rate := c.set.HXOMaxRate
	if n := c.backlog(p); rate > 0 && n > backlogSeconds*rate {
		c.alert(p, "rate_backlog", "info", "%d events wait for their turn: at %d a second (hxo.max_rate) that takes %d s", n, rate, n/rate)
	}
}

// heard counts events that others publish on lane hxo.
func (c *call) heard(ev *contracts.Event) {
	if op := ev.Get("data.operation").Text(); ev.Pos.Lane == "hxo" && (op == "policy.refused" || op == "key.rotate") {
		c.spend(1)
	}
}
