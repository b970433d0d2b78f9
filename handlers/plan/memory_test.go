package plan_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

var full = flag.Bool("full", false, "a hundred thousand shards, a hundred thousand steps in a hundred histories and in one")

// drive is a fold whose derived lines nobody keeps.
type drive struct {
	*bench
	m       *handlers.Machine
	seq     uint64
	at      map[string]int64
	elapsed int64
	runs    []effect
	lines   int64
	other   []blackboard.Effect
}

func newDrive(t testing.TB, yaml string) *drive {
	b := newBench(t, yaml)
	return &drive{bench: b, m: b.M, at: map[string]int64{}}
}

func (d *drive) apply(e *journal.Entry, b *blackboard.Batch) {
	e.Seq, e.ElapsedMS, e.Time = d.seq, d.elapsed, foldtest.Epoch+d.elapsed*1_000_000
	step, err := d.m.Apply(e, b)
	if err != nil || len(step.Skips) > 0 {
		d.T.Fatal(err, step.Skips)
	}
	d.seq++
	for _, out := range step.Derived {
		d.lines += out.Lines
		d.seq++
	}
	for _, s := range step.Started {
		if s.Kind != spec.EffectRun {
			d.other = append(d.other, s)
			continue
		}
		x := effect{Key: s.Key}
		_ = json.Unmarshal(s.Payload, &x.Run)
		d.runs = append(d.runs, x)
	}
}

func (d *drive) append(lane string, lines ...string) {
	raw := []byte(strings.Join(lines, "\n") + "\n")
	batch := &blackboard.Batch{Lane: lane, Segment: 1, From: d.at[lane], UID: d.Config.DaemonUID, Raw: raw}
	foldtest.Cut(d.Config.Checker, batch)
	d.at[lane] += int64(len(raw))
	d.apply(&journal.Entry{Kind: journal.Input, Lane: lane, Segment: 1, From: batch.From, To: d.at[lane], Lines: int64(len(lines))}, batch)
}

// tick lets the next timer fire.
func (d *drive) tick() bool {
	due, ok := d.m.Due()
	if !ok {
		return false
	}
	d.elapsed = max(d.elapsed, due)
	d.apply(&journal.Entry{Kind: journal.Tick}, nil)
	return true
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestShardsAreSmall: what a plan's shards cost in memory when they are created
// and when all are done, and how long the fold takes over each.
func TestShardsAreSmall(t *testing.T) {
	n := 10_000
	if *full {
		n = 100_000
	}
	d := newDrive(t, "hxo: {max_rate: 0}\nexecutor: {jobs: 2}")
	resolved := d.manifest(planID, stageOf{id: "one", items: n})
	before := heap()
	begun := time.Now()
	d.append("admiral", line("hxo.plan.submit", "", fmt.Sprintf(`{"plan_id":%q,"plan":{}}`, planID)))
	d.append(spec.LanePlan, line("plan.resolved", d.other[0].Key, resolved))
	for len(d.runs) == 0 && d.tick() {
	}
	perShard := func() float64 { return float64(heap()-before) / float64(n) }
	t.Logf("created: %.0f bytes and %v a shard", perShard(), time.Since(begun)/time.Duration(n))
	begun = time.Now()
	done := 0
	for len(d.runs) > 0 {
		var lines []string
		for _, e := range d.runs {
			lines = append(lines, e.done())
		}
		done += len(lines)
		d.runs = d.runs[:0]
		d.elapsed++
		d.append(spec.LaneExec, lines...)
		for len(d.runs) == 0 && len(d.m.Effects()) == 0 && d.tick() {
		}
	}
	for range 100 {
		d.tick()
	}
	each := perShard()
	t.Logf("done: %d, %.0f bytes and %v a shard, %d lines", done, each, time.Since(begun)/time.Duration(n), d.lines)
	if done != n || d.lines < int64(3*n) {
		t.Fatalf("%d of %d shards done, %d lines", done, n, d.lines)
	}
	// What is remembered of the store is bounded, and no part of a shard.
	if each -= float64(handlers.MaxKept) / float64(n); each*1.5 > 400 {
		t.Errorf("a shard costs %.0f bytes, %.0f with the collector's half: expected less than 400", each, each*1.5)
	}
	runtime.KeepAlive(d)
}
