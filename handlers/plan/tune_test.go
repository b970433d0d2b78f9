package plan_test

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	spec "stigmergy/contracts/plan"
	"stigmergy/handlers/autonomy"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
	"stigmergy/handlers/plan"
)

// slow is a result that took so long.
func (e effect) slow(ms int) string {
	return strings.Replace(e.done(), `"duration_ms":1.5`, fmt.Sprintf(`"duration_ms":%d`, ms), 1)
}

// parts plays the worker that splits: so many parts of each shard.
func (b *bench) parts(e effect) string {
	var ask spec.Split
	if err := json.Unmarshal(e.Raw, &ask); err != nil {
		b.T.Fatal(err)
	}
	var shards []spec.Shard
	for _, in := range ask.Shards {
		for _, id := range in.CASIDs {
			for i := range ask.Factor {
				sum := spec.Sum(fmt.Appendf(nil, "part %d of %s", i, id))
				shards = append(shards, spec.Shard{CASID: spec.CASID(sum), SHA256: sum, Index: 1_000_000 + i, Parent: id})
			}
		}
	}
	sort.Slice(shards, func(i, j int) bool { return shards[i].CASID < shards[j].CASID })
	var text []byte
	for _, s := range shards {
		line, _ := json.Marshal(s)
		text = append(append(text, line...), '\n')
	}
	return line("plan.resolved", e.Key, fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":%d,"faults":[],"parts":[{"sha256":%q,"first":%q,"shards":%d}]}`,
		ask.PlanID, ask.Plan, ask.Shape, len(shards), b.Keep(text), shards[0].CASID, len(shards)))
}

// TestHotspot is flow 4: a slow stage is signalled, healed by Autonomy, its
// pending shards are split, and the plan ends over the parts.
func TestHotspot(t *testing.T) {
	b := &bench{Board: foldtest.NewWith(t, []byte("executor.jobs: 8"), nil, board.New(), plan.New(), autonomy.New())}
	b.submit(planID, stageOf{id: "one", items: 100, conc: 25})
	b.Advance(1000)
	runs := b.takeKind(spec.EffectRun)
	for _, e := range runs[:22] {
		b.Append(spec.LaneExec, e.slow(12500))
	}
	b.Advance(100)
	signals := b.hxo("hxo.autotune.signal")
	if len(signals) == 0 || !strings.Contains(signals[0], `"signal_type":"hotspot","metric_value":12500,"suggested_action":"split_shard","timestamp":"`) {
		t.Fatal(signals)
	}
	if got := b.Lane("genesis"); len(got) != 1 || !strings.Contains(got[0], `{"source":"autonomy","plan_id":"`+planID+`","action":"split_shard","parameters":{"stage_id":"one","split_factor":4}}`) {
		t.Fatal(got)
	}
	b.Restart()
	asked := b.takeKind(spec.EffectSplit)
	if len(asked) != 1 {
		t.Fatal(b.Lane("board"))
	}
	b.Append(spec.LanePlan, b.parts(asked[0]))
	for _, e := range runs[22:] {
		b.Append(spec.LaneExec, e.done())
	}
	b.workFor(5000)
	n := b.topics()
	if parts := n["hxo.shard.created"] - 100; parts == 0 || parts%4 != 0 || n["hxo.shard.done"] != 100-parts/4+parts {
		t.Fatal(n)
	}
	if n["hxo.audit"] != 2 || n["hxo.aggregate.ready"] != 1 {
		t.Fatal(n)
	}
	b.inOrder()
}

// TestSplitOfClaimed: what somebody works on ends as failed, split, when its
// parts are there, and its result does not count any more.
func TestSplitOfClaimed(t *testing.T) {
	b := newBench(t, "autonomy: off")
	b.submit(planID, stageOf{id: "one", items: 2}, stageOf{id: "two", items: 1, needs: []string{"one"}})
	b.Advance(100)
	runs := b.takeKind(spec.EffectRun)
	heal := fmt.Sprintf(`{"source":"ops","plan_id":%q,"action":"split_shard","parameters":{"stage_id":"one","split_factor":2,"cas_ids":[%q]}}`, planID, runs[0].Run.CASID)
	b.Append("ops", line("genesis.heal", "", heal))
	asked := b.takeKind(spec.EffectSplit)
	b.Append(spec.LanePlan, b.parts(asked[0]))
	b.Append(spec.LaneExec, runs[1].done())
	b.workFor(1000)
	if f := b.hxo("hxo.shard.failed"); len(f) != 1 || !strings.Contains(f[0], `"error":"split"`) {
		t.Fatal(f)
	}
	b.want(map[string]int{"hxo.shard.created": 5, "hxo.shard.done": 4, "hxo.aggregate.ready": 1})
	b.inOrder()
}

func TestHealsThatCannotBe(t *testing.T) {
	b := newBench(t, "executor.enabled: false")
	b.submit(planID, stageOf{id: "one", items: 3}, stageOf{id: "two", items: 1, needs: []string{"one"}})
	b.Advance(100)
	for heal, want := range map[string]string{
		`"action":"dance","parameters":{"stage_id":"one"}`:                                         "/data/action",
		`"action":"split_shard","parameters":{}`:                                                   "/data/parameters/stage_id",
		`"action":"split_shard","parameters":{"stage_id":"three"}`:                                 "/data/parameters/stage_id",
		`"action":"split_shard","parameters":{"stage_id":"one","split_factor":1}`:                  "/data/parameters/split_factor",
		`"action":"split_shard","parameters":{"stage_id":"one","split_factor":65}`:                 "/data/parameters/split_factor",
		`"action":"split_shard","parameters":{"stage_id":"one","split_factor":"4"}`:                "/data/parameters/split_factor",
		`"action":"split_shard","parameters":{"stage_id":"one","cas_ids":["0123456789abcdef"]}`:    "/data/parameters/cas_ids/0",
		`"action":"increase_concurrency","parameters":{"stage_id":"one","by":0}`:                   "/data/parameters/by",
		`"action":"increase_concurrency","parameters":{"stage_id":"one","by":1e99}`:                "/data/parameters/by",
		`"action":"change_partitioner","parameters":{"stage_id":"one","partition":{"by":"items"}}`: "/data/parameters/stage_id",
		`"action":"change_partitioner","parameters":{"stage_id":"two"}`:                            "/data/parameters/partition",
	} {
		n := len(b.Lane("board"))
		b.Append("ops", line("genesis.heal", "", fmt.Sprintf(`{"source":"ops","plan_id":%q,%s}`, planID, heal)))
		got := b.Lane("board")[n:]
		if len(got) != 1 || !strings.Contains(got[0], `"pointer":"`+want+`"`) {
			t.Errorf("%s: %s", heal, got)
		}
	}
	b.Append("ops", line("genesis.heal", "", `{"source":"ops","plan_id":"1f8fad5b-d9cb-469f-a165-70867728950e","action":"split_shard","parameters":{}}`))
	if got := b.Lane("board"); !strings.Contains(got[len(got)-1], "unknown_plan") {
		t.Error(got)
	}
	if n := b.topics()["hxo.audit"]; n != 1 {
		t.Errorf("%d audits", n)
	}
}
