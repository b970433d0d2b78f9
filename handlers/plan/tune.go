package plan

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

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

// result is one in a window: when it came, and how long it took.
type measured struct{ at, ms uint32 } // at in tenths of a second

func windowKey(s *stageRec) string { return "a/" + stageKey(s.Plan, s.N) }

// window are the last results of a stage, with a new one.
func (c *call) window(s *stageRec, ms float64) []measured {
	v, _ := c.tx.Get(windowKey(s))
	now := measured{uint32(c.tx.Now() / 100), uint32(min(max(ms, 0), math.MaxUint32))}
	w := make([]measured, 0, len(v)/8+1)
	for i := 0; i+8 <= len(v); i += 8 {
		m := measured{binary.BigEndian.Uint32([]byte(v[i : i+4])), binary.BigEndian.Uint32([]byte(v[i+4 : i+8]))}
		if now.at-m.at <= uint32(c.set.AutotuneWindow.Age.Milliseconds()/100) {
			w = append(w, m)
		}
	}
	w = append(w, now)
	w = w[max(0, len(w)-max(1, c.set.AutotuneWindow.Results)):]
	b := make([]byte, 0, 8*len(w))
	for _, m := range w {
		b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, m.at), m.ms)
	}
	c.tx.Put(windowKey(s), string(b))
	return w
}

// forgetWindow has a stage judged by what comes from now on.
func (c *call) forgetWindow(s *stageRec) { c.tx.Delete(windowKey(s)) }

func quantile(sorted []uint32, q float64) uint32 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func sortedMS(w []measured) []uint32 {
	out := make([]uint32, len(w))
	for i, m := range w {
		out[i] = m.ms
	}
	slices.Sort(out)
	return out
}

// measure looks at a stage's results with a new one, and signals.
func (c *call) measure(p *planRec, s *stageRec, sum [32]byte, ms float64) {
	w := c.window(s, ms)
	least := max(1, c.set.AutotuneWindow.Least)
	if len(w) < least {
		return
	}
	all := sortedMS(w)
	p95 := quantile(all, 0.95)
	if int64(p95) > c.set.AutotuneHotspot.Milliseconds() {
		c.signal(p, s, sum, signalHotspot, float64(p95), actionSplit)
	}
	if int64(p95)*10 > int64(s.TimeoutMS)*8 {
		c.signal(p, s, sum, signalTimeout, float64(p95), actionSplit)
	}
	if len(w) >= 2*least {
		before, now := quantile(sortedMS(w[:len(w)-least]), 0.5), quantile(sortedMS(w[len(w)-least:]), 0.5)
		if now > 2*max(before, 1) {
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
