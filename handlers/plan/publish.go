package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Storm control: every event on lane hxo is published in releases of at most
// so many lines, the next one no earlier than the last one's lines take at the
// rate. What does not go out at once waits with its plan: events as records,
// shards to be created as the range that they are. Plans take turns; within
// one, events go before new shards.

// item is an event that waits for its turn.
type item struct {
	Kind  string `json:"k"` // see below
	Topic string `json:"t,omitempty"`
	Data  string `json:"d,omitempty"`

	Stage   int  `json:"s,omitempty"`
	Shard   int  `json:"i,omitempty"`
	To      int  `json:"to,omitempty"`
	Attempt int  `json:"a,omitempty"`
	Half    bool `json:"h,omitempty"` // claimed is out, done is not
}

const (
	itemEvent   = "e" // Data as it is
	itemStamped = "s" // Data and the timestamp of its publication
	itemClaimed = "c" // hxo.shard.claimed, if the grant still stands by then
	itemCached  = "h" // claimed and done of the cached shards from Shard to To
	itemDone    = "z" // every shard of the plan is done, and published
	itemCertify = "v" // hxo.aggregate.certify: Truth is asked
	itemFailed  = "n" // hxo.aggregate.failed: the bad leaves are looked for
	itemFinal   = "f" // hxo.aggregate.finalized: Data is the certificate
)

// pace is how the last release went.
type pace struct {
	at   int64 // when, in milliseconds
	used int   // lines, in that millisecond
	next int64 // when the next one may come, in microseconds
}

func (c *call) pace() (p pace) {
	v, _ := c.tx.Get("pace")
	words := strings.Fields(v)
	if len(words) == 3 {
		p.at, _ = strconv.ParseInt(words[0], 10, 64)
		p.used, _ = strconv.Atoi(words[1])
		p.next, _ = strconv.ParseInt(words[2], 10, 64)
	}
	return p
}

// size is how many lines a release carries at the most. A second holds at most
// what the rate gives in it, what was made up for at its begin, and one release:
// rate × 1.05 together, whatever the sizes of releases.
func (c *call) size() int {
	rate := c.set.HXOMaxRate
	if rate == 0 {
		return c.set.HXOBatchSize
	}
	return max(1, min(c.set.HXOBatchSize, int(int64(rate)*(50-c.hardly())/1000)))
}

// room is how many lines may be published now.
func (c *call) room() int {
	p, now := c.pace(), c.tx.Now()
	switch {
	case p.at == now && p.used > 0:
		return c.size() - p.used
	case now*1000 < p.next:
		return 0
	}
	return c.size()
}

// hardly is how late a release may be, in milliseconds, and still be in time.
// Where a twentieth of the rate is not even one line, nothing may be made up for.
func (c *call) hardly() int64 {
	if c.set.HXOMaxRate < 20 {
		return 0
	}
	return 5
}

// spend notes that lines were published.
func (c *call) spend(lines int) {
	p, now := c.pace(), c.tx.Now()
	if p.at != now || p.used == 0 {
		// A release that is hardly late keeps its place in the beat, or the
		// mean would suffer from every tick's delay. What is later than that
		// is not caught up.
		p = pace{at: now, next: max(p.next, (now-c.hardly())*1000)}
		p.next = min(p.next, now*1000)
	}
	p.used += lines
	if rate := int64(c.set.HXOMaxRate); rate > 0 {
		p.next += int64(lines) * 1_000_000 / rate
	}
	c.tx.Put("pace", fmt.Sprintf("%d %d %d", p.at, p.used, p.next))
}

// say publishes an event of a plan now, if it is its turn, or later.
func (c *call) say(p *planRec, it item) {
	if c.room() > 0 && !c.waits() {
		c.spend(c.publish(p, &it))
		return
	}
	c.later(p, it)
}

// later has an event wait for its turn.
func (c *call) later(p *planRec, it item) {
	c.putItem(fmt.Sprintf("x/%06x/%08x", p.N, p.Next), &it)
	p.Next++
	c.queue(p)
}

func (c *call) putItem(key string, it *item) {
	text, err := json.Marshal(it)
	if err != nil {
		panic(err)
	}
	c.tx.Put(key, string(text))
}

// waits tells whether anything waits.
func (c *call) waits() (some bool) {
	c.tx.Range("w/", func(string, string) bool { some = true; return false })
	return some
}

// queue has a plan take its turn.
func (c *call) queue(p *planRec) {
	c.tx.Put(fmt.Sprintf("w/%06x", p.N), "")
	c.arm()
}

// arm has the next release come when it may.
func (c *call) arm() {
	if c.set.HXOMaxRate == 0 {
		c.tx.Continue("release")
		return
	}
	wait := (c.pace().next+999)/1000 - c.tx.Now()
	if c.room() <= 0 {
		wait = max(wait, 1) // this millisecond has had its lines
	}
	c.tx.After("release", wait)
}

// release publishes what waits, as much as may be.
func (c *call) release() {
	if c.set.HXOMaxRate == 0 {
		c.tx.Put("pace", fmt.Sprintf("%d 0 0", c.tx.Now()))
	}
	room := c.room()
	share := max(1, room/max(1, c.queued()))
	for room > 0 {
		n, ok := c.turn()
		if !ok {
			return
		}
		used, more := c.drain(c.plan(n), min(share, room))
		if !more {
			c.tx.Delete(fmt.Sprintf("w/%06x", n))
		}
		c.spend(used)
		room -= used
	}
	if c.waits() {
		c.arm()
	}
}

func (c *call) queued() (n int) {
	c.tx.Range("w/", func(string, string) bool { n++; return n < 1000 })
	return n
}

// turn is the plan whose turn it is.
func (c *call) turn() (n int, ok bool) {
	last, _ := c.tx.Get("turn")
	first := -1
	c.tx.Range("w/", func(key, _ string) bool {
		n = numbers(key, 1)[0]
		if first < 0 {
			first = n
		}
		ok = key > last
		return !ok
	})
	if !ok {
		n = first
	}
	if first < 0 {
		return 0, false
	}
	c.tx.Put("turn", fmt.Sprintf("w/%06x", n))
	return n, true
}

// drain publishes up to so many lines of a plan; more tells that it has more.
func (c *call) drain(p *planRec, room int) (used int, more bool) {
	for used < room {
		key, it, ok := c.oldest(p)
		switch {
		case !ok:
			n := c.create(p, room-used)
			n += c.renew(p, room-used-n)
			if used += n; n == 0 {
				return used, false
			}
			continue
		case it.Kind == itemCached:
			used += c.cachedNext(p, key, &it, room-used)
			continue
		}
		c.tx.Delete(key)
		used += c.publish(p, &it)
	}
	return used, c.hasMore(p)
}

func (c *call) oldest(p *planRec) (key string, it item, ok bool) {
	c.tx.Range(fmt.Sprintf("x/%06x/", p.N), func(k, v string) bool {
		key = k
		ok = json.Unmarshal([]byte(v), &it) == nil
		return false
	})
	return key, it, ok
}

func (c *call) hasMore(p *planRec) bool {
	if _, _, ok := c.oldest(p); ok {
		return true
	}
	return c.toCreate(p) >= 0 || c.toRenew(p) != ""
}

// publish derives an event; it tells how many lines that were.
func (c *call) publish(p *planRec, it *item) int {
	switch it.Kind {
	case itemClaimed:
		return c.claimed(p, it)
	case itemDone:
		c.completed(p)
		return 0
	case itemCertify:
		c.certifyOut(p, it)
	case itemFailed:
		c.failedOut(p, it)
	case itemFinal:
		c.finalOut(p, it)
	case itemStamped:
		c.tx.Emit("hxo", it.Topic, p.ID, handlers.Open([]byte(it.Data)).Str("timestamp", c.tx.Time()).Bytes())
	default:
		c.tx.Emit("hxo", it.Topic, p.ID, []byte(it.Data))
	}
	return 1
}

// shardData begins the data of a shard's event.
func (c *call) shardData(p *planRec, stage int, casID string, attempt int) *handlers.Object {
	return new(handlers.Object).Grow(256).Str("plan_id", p.ID).Str("cas_id", casID).
		Str("stage_id", c.manifest(p).Stages[stage].StageID).Int("attempt", int64(attempt))
}

// toCreate is the first stage that has shards to be created, or -1.
func (c *call) toCreate(p *planRec) int {
	if p.State != planCreating && p.State != planRunning {
		return -1
	}
	for i := range c.manifest(p).Stages {
		if s := c.stage(p.N, i); s.Made < s.Total {
			return i
		}
	}
	return -1
}

// create publishes the next shards of a plan.
func (c *call) create(p *planRec, room int) (used int) {
	for used < room {
		i := c.toCreate(p)
		if i < 0 {
			break
		}
		s := c.stage(p.N, i)
		pl := c.at(p, i, s.Made)
		for ; used < room && pl.i < len(pl.c.ids); pl.i++ {
			if o := c.outcome(p.N, i, s.Made); o.state != shardReplaced {
				c.created(p, i, pl, o.attempt+1)
				used++
			}
			s.Made++
		}
	}
	if used > 0 && c.toCreate(p) < 0 {
		c.allCreated(p)
	}
	return used
}

func (c *call) created(p *planRec, stage int, pl place, attempt int) {
	data := c.shardData(p, stage, pl.cas(), attempt).Str("phase", "pending")
	data.OptStr("parent_cas_id", pl.c.parent(pl.i))
	c.tx.Emit("hxo", "hxo.shard.created", p.ID, data.Bytes())
}

// lease until is a time that lies so many milliseconds ahead.
func (c *call) ahead(ms int64) string {
	ns, _ := contracts.ParseTime([]byte(c.tx.Time()))
	return contracts.FormatTime(ns + ms*1_000_000)
}

// anew has shards created that are to be run again, in their turn: those of a
// range that are shardReplayed.
func (c *call) anew(p *planRec, it *item) {
	c.putItem(fmt.Sprintf("j/%06x/%08x", p.N, p.Next), it)
	p.Next++
	c.queue(p)
}

// toRenew is the key of the first such range, or "".
func (c *call) toRenew(p *planRec) (first string) {
	if p.State != planCreating && p.State != planRunning {
		return ""
	}
	c.tx.Range(fmt.Sprintf("j/%06x/", p.N), func(key, _ string) bool { first = key; return false })
	return first
}

// renew publishes the next of them; from then on they can be claimed.
func (c *call) renew(p *planRec, room int) (used int) {
	for key := c.toRenew(p); key != "" && used < room; key = c.toRenew(p) {
		text, _ := c.tx.Get(key)
		var it item
		if json.Unmarshal([]byte(text), &it) != nil {
			c.tx.Delete(key)
			continue
		}
		for ; it.Shard < it.To && used < room; it.Shard++ {
			o := c.outcome(p.N, it.Stage, it.Shard)
			if o.state != shardReplayed {
				continue
			}
			o.state = shardPending
			c.setOutcome(p.N, it.Stage, it.Shard, o)
			c.created(p, it.Stage, c.at(p, it.Stage, it.Shard), o.attempt+1)
			c.again(p, it.Stage, it.Shard, 0, againRec{})
			used++
		}
		if it.Shard < it.To {
			c.putItem(key, &it)
		} else {
			c.tx.Delete(key)
		}
		c.refresh(p, c.stage(p.N, it.Stage))
	}
	return used
}
