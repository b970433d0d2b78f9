package view

import (
	"fmt"
	"testing"

	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

const id = "0f8fad5b-d9cb-469f-a165-70867728950e"

// feed adds events of lane hxo, a second apart.
func feed(b *Board, at *int64, topic, data string) {
	*at += 1e9
	line := []byte(fmt.Sprintf(`{"type":%q,"data":{"plan_id":%q,%s}}`, topic, id, data))
	ev := &contracts.Event{Line: line, Pos: contracts.Position{Lane: "hxo", Segment: 1}, JournalTime: *at}
	_ = contracts.Scan(line, &ev.Env)
	ev.TopicName = ev.Env.Type.Text(line)
	b.Add(ev)
}

func shardData(stage string, n, attempt int, more string) string {
	return fmt.Sprintf(`"stage_id":%q,"cas_id":"%016x","attempt":%d%s`, stage, n, attempt, more)
}

func TestAPlansLife(t *testing.T) {
	b, at := New(), int64(0)
	want := func(state string, c Counts) {
		t.Helper()
		p := b.Plan(id)
		if got := p.Counts(); p.State() != state || got != c {
			t.Errorf("after %d events: %s %+v, want %s %+v", at/1e9, p.State(), got, state, c)
		}
	}
	feed(b, &at, "hxo.plan", `"plan_name":"x","stages":2,"shards":3`)
	want(StatePending, Counts{Total: 3, Pending: 3})
	for n := range 2 {
		feed(b, &at, "hxo.shard.created", shardData("a", n, 1, ""))
	}
	feed(b, &at, "hxo.shard.created", shardData("b", 2, 1, ""))
	b.Plan(id).Know(&plan.Manifest{Stages: []plan.Stage{{StageID: "a"}, {StageID: "b", Needs: []string{"a"}}}})
	want(StatePending, Counts{Total: 3, Pending: 3})
	feed(b, &at, "hxo.shard.claimed", shardData("a", 0, 1, `,"executor":"x"`))
	want(StateRunning, Counts{Total: 3, Pending: 2, Claimed: 1})
	feed(b, &at, "federation.heartbeat", `"executor":"x","waiting":true,"cas_ids":["0000000000000000"]`)
	want(StateRunning, Counts{Total: 3, Pending: 2, Claimed: 1})
	feed(b, &at, "federation.heartbeat", `"executor":"x","cas_ids":["0000000000000000"]`)
	want(StateRunning, Counts{Total: 3, Pending: 2, Running: 1})
	feed(b, &at, "hxo.shard.failed", shardData("a", 0, 1, `,"error":"e","final":false`))
	feed(b, &at, "hxo.shard.claimed", shardData("a", 0, 2, `,"executor":"x"`))
	feed(b, &at, "hxo.shard.done", shardData("a", 0, 1, `,"output_digest":"late"`))
	want(StateRunning, Counts{Total: 3, Pending: 2, Claimed: 1})
	feed(b, &at, "hxo.shard.done", shardData("a", 0, 2, `,"output_digest":"d","duration_ms":5`))
	// The second shard is split while it waits.
	feed(b, &at, "hxo.shard.created", shardData("a", 7, 1, `,"parent_cas_id":"0000000000000001"`))
	feed(b, &at, "hxo.shard.created", shardData("a", 8, 1, `,"parent_cas_id":"0000000000000001"`))
	want(StateRunning, Counts{Total: 4, Pending: 3, Done: 1})
	feed(b, &at, "hxo.shard.claimed", shardData("a", 7, 1, ""))
	feed(b, &at, "hxo.shard.done", shardData("a", 7, 1, `,"duration_ms":7`))
	feed(b, &at, "hxo.shard.claimed", shardData("a", 8, 1, ""))
	feed(b, &at, "hxo.shard.failed", shardData("a", 8, 1, `,"error":"e","final":true`))
	want(StateFailed, Counts{Total: 4, Pending: 1, Done: 2, Failed: 1})
	if !b.Plan(id).Ended() {
		t.Error("a plan whose stage waits for one that failed goes on")
	}
	feed(b, &at, "hxo.audit", `"operation":"plan.replay"`)
	feed(b, &at, "hxo.shard.created", shardData("a", 8, 2, ""))
	want(StateRunning, Counts{Total: 4, Pending: 2, Done: 2})
	feed(b, &at, "hxo.shard.done", shardData("a", 8, 2, `,"cached":true`))
	feed(b, &at, "hxo.shard.done", shardData("b", 2, 1, `,"duration_ms":1`))
	feed(b, &at, "hxo.aggregate.ready", `"merkle_root":"r"`)
	want(StateCertifying, Counts{Total: 4, Done: 4})
	feed(b, &at, "hxo.aggregate.finalized", `"certificate":{"certified":true}`)
	want(StateDone, Counts{Total: 4, Done: 4})
	feed(b, &at, "hxo.audit", `"operation":"plan.abort"`)
	want(StateDone, Counts{Total: 4, Done: 4})
	feed(b, &at, "hxo.shard.created", shardData("b", 2, 2, ""))
	want(StateAborted, Counts{Total: 4, Pending: 1, Done: 3})
}

func TestForeignEventsCountForNothing(t *testing.T) {
	b := New()
	line := []byte(`{"type":"hxo.plan","data":{"plan_id":"` + id + `"}}`)
	ev := &contracts.Event{Line: line, Pos: contracts.Position{Lane: "imported", Segment: 1}, TopicName: "hxo.plan"}
	_ = contracts.Scan(line, &ev.Env)
	if b.Add(ev); len(b.Plans) > 0 {
		t.Error("another bus's history is a plan of ours")
	}
}

func TestETAAndQuantiles(t *testing.T) {
	b, at := New(), int64(0)
	feed(b, &at, "hxo.plan", `"plan_name":"x","stages":1,"shards":10`)
	for n := range 10 {
		feed(b, &at, "hxo.shard.created", shardData("a", n, 1, ""))
	}
	if _, ok := b.Plan(id).ETA(at); ok {
		t.Error("an ETA from nothing")
	}
	for n := range 5 {
		feed(b, &at, "hxo.shard.done", shardData("a", n, 1, fmt.Sprintf(`,"duration_ms":%d`, n+1)))
	}
	if eta, ok := b.Plan(id).ETA(at); !ok || eta != 5 {
		t.Errorf("five shards are left, one a second: %v %v", eta, ok)
	}
	spent := b.Plan(id).Stage("a").Spent
	if Quantile(spent, 0.5) != 3 || Quantile(spent, 0.95) != 5 || Quantile(nil, 0.5) != 0 {
		t.Errorf("quantiles of %v: %v %v", spent, Quantile(spent, 0.5), Quantile(spent, 0.95))
	}
}
