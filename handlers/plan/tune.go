package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"stigmergy/handlers"
)

// Tuning signals. Of each stage the last results are kept, as the setting
// autotune.window bounds them: 256 of 8 bytes are fewer than a sketch of them
// would take, and their quantiles are exact. The quantile q of n values is the
// ⌈q·n⌉-th smallest.

// The signals and what they suggest.
const (
	signalHotspot = "hotspot"
	signalTimeout = "timeout_risk"
	signalLatency = "high_latency"
	signalDepth   = "queue_depth"

	actionSplit       = "split_shard"
	actionConcurrency = "increase_concurrency"
	actionPartition   = "change_partitioner"
)

// window are the last results of a stage as they are kept, in the order in which
// they came: for each, when, in tenths of a second, and how many milliseconds it
// took, four bytes each.
type window string

const perResult = 8

func (w window) len() int        { return len(w) / perResult }
func (w window) at(i int) uint32 { return w.word(perResult * i) }
func (w window) ms(i int) uint32 { return w.word(perResult*i + 4) }

func (w window) word(i int) uint32 {
	return uint32(w[i])<<24 | uint32(w[i+1])<<16 | uint32(w[i+2])<<8 | uint32(w[i+3])
}

// since is the window without its first n.
func (w window) since(n int) window { return w[perResult*n:] }

func windowKey(s *stageRec) string { return "a/" + stageKey(s.Plan, s.N) }

// window are the last results of a stage, with a new one.
func (c *call) window(s *stageRec, ms float64) window {
	v, _ := c.tx.Get(windowKey(s))
	was, now, first := window(v), uint32(c.tx.Now()/100), 0
	age := uint32(c.set.AutotuneWindow.Age.Milliseconds() / 100)
	for first < was.len() && now-was.at(first) > age {
		first++
	}
	was = was.since(max(first, was.len()+1-max(1, c.set.AutotuneWindow.Results)))
	var b strings.Builder
	b.Grow(len(was) + perResult)
	b.WriteString(string(was))
	var last [perResult]byte
	binary.BigEndian.PutUint32(last[:4], now)
	binary.BigEndian.PutUint32(last[4:], uint32(min(max(ms, 0), math.MaxUint32)))
	b.Write(last[:])
	c.tx.Put(windowKey(s), b.String())
	return window(b.String())
}

// forgetWindow has a stage judged by what comes from now on.
func (c *call) forgetWindow(s *stageRec) { c.tx.Delete(windowKey(s)) }

// rank is which of n sorted values, from 1, is their quantile q.
func rank(n int, q float64) int { return max(1, int(math.Ceil(q*float64(n)))) }

// quantile is the quantile q of what a window's results took.
func (w window) quantile(q float64) uint32 {
	all := make([]uint32, w.len())
	for i := range all {
		all[i] = w.ms(i)
	}
	slices.Sort(all)
	return all[rank(len(all), q)-1]
}

// beyond tells whether the quantile q is above a limit: counting costs less
// than sorting, and it is asked with every result.
func (w window) beyond(q float64, limit int64) bool {
	within := 0
	for i := range w.len() {
		if int64(w.ms(i)) <= limit {
			within++
		}
	}
	return within < rank(w.len(), q)
}

// measure looks at a stage's results with a new one, and signals.
func (c *call) measure(p *planRec, s *stageRec, sum [32]byte, ms float64) {
	w := c.window(s, ms)
	least := max(1, c.set.AutotuneWindow.Least)
	n := w.len()
	if n < least {
		return
	}
	if w.beyond(0.95, c.set.AutotuneHotspot.Milliseconds()) {
		c.signal(p, s, sum, signalHotspot, float64(w.quantile(0.95)), actionSplit)
	}
	if w.beyond(0.95, int64(s.TimeoutMS)*8/10) {
		c.signal(p, s, sum, signalTimeout, float64(w.quantile(0.95)), actionSplit)
	}
	if n >= 2*least {
		now := w.since(n - least).quantile(0.5)
		if before := w[:perResult*(n-least)]; now > 2 && !before.beyond(0.5, int64(now-1)/2) {
			c.signal(p, s, sum, signalLatency, float64(now), actionPartition)
		}
	}
	if s.Claimed+1 >= s.Slots && s.pending() > c.set.AutotuneQueueDepth*s.Slots {
		c.signal(p, s, sum, signalDepth, math.Round(100*float64(s.pending())/float64(s.Slots))/100, actionConcurrency)
	}
}

// signal publishes a signal: the first of its kind always, of the others the
// share that the shard's hash picks.
func (c *call) signal(p *planRec, s *stageRec, sum [32]byte, kind string, value float64, action string) {
	key := "z/" + stageKey(p.N, s.N) + "/" + kind
	if _, told := c.tx.Get(key); told && !sampled(p.ID, kind, sum, c.set.AutotuneSampleRate) {
		return
	}
	c.tx.Put(key, "")
	p.Signal = s.N + 1
	c.say(p, item{Kind: itemStamped, Topic: "hxo.autotune.signal", Data: string(new(handlers.Object).
		Str("plan_id", p.ID).Str("stage_id", c.manifest(p).Stages[s.N].StageID).Str("signal_type", kind).
		Raw("metric_value", strconv.AppendFloat(nil, value, 'f', -1, 64)).Str("suggested_action", action).Bytes())})
}

// sampled draws by hash, so that the same history draws the same.
func sampled(planID, kind string, sum [32]byte, rate float64) bool {
	h := sha256.Sum256(fmt.Appendf(nil, "stigmergy.signal.v1\n%s\n%s\n%x\n", planID, kind, sum))
	return float64(binary.BigEndian.Uint64(h[:8])>>11)/(1<<53) < rate
}
