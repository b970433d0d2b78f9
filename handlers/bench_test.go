package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/all"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

// batchOf is a checked batch of n lines.
func batchOf(b *foldtest.Board, lane string, n int, line func(i int) string) *blackboard.Batch {
	var raw strings.Builder
	for i := range n {
		raw.WriteString(line(i) + "\n")
	}
	batch := &blackboard.Batch{Lane: lane, Segment: 1, Raw: []byte(raw.String())}
	foldtest.Cut(b.Config.Checker, batch)
	return batch
}

func applyAll(b *testing.B, m *handlers.Machine, batch *blackboard.Batch) {
	b.ReportAllocs()
	e := &journal.Entry{Kind: journal.Input, Lane: batch.Lane, Segment: 1, Lines: int64(len(batch.Lines)), Time: foldtest.Epoch}
	lines := 0
	for b.Loop() {
		if _, err := m.Apply(e, batch); err != nil {
			b.Fatal(err)
		}
		e.Seq++
		lines += len(batch.Lines)
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds(), "lines/s")
}

// BenchmarkApplyUnhandled folds lines that no handler wants: of the board's
// own topics kept as another bus's history, and of topics without a contract.
func BenchmarkApplyUnhandled(b *testing.B) {
	topics := []string{"hxo.plan", "hxo.shard.created", "hxo.shard.claimed", "hxo.shard.done", "hxo.audit", "build.done"}
	for name, line := range map[string]func(i int) string{
		"foreign": func(i int) string { return foreignLine(topics[i%len(topics)], i) },
		"unknown": func(i int) string { return fmt.Sprintf(`{"type":"build.step%d","data":{"i":%d}}`, i%50, i) },
	} {
		b.Run(name, func(b *testing.B) {
			t := foldtest.NewWith(b, []byte("policy.foreign_owned: record\n"), nil)
			m, err := all.New()
			if err != nil {
				b.Fatal(err)
			}
			if err := m.Configure(t.Config); err != nil {
				b.Fatal(err)
			}
			applyAll(b, m, batchOf(t, "agents/7", 10_000, line))
		})
	}
}

func foreignLine(topic string, i int) string {
	const plan, hash = "0f8fad5b-d9cb-469f-a165-70867728950e", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	data := map[string]string{
		"hxo.plan":          fmt.Sprintf(`{"plan_id":%q,"plan_name":"p","stages":3,"submitted_by":"u","plan_sha256":%q,"shards":4}`, plan, hash),
		"hxo.shard.created": fmt.Sprintf(`{"plan_id":%q,"stage_id":"s","cas_id":"%016x","phase":"pending","attempt":1}`, plan, i),
		"hxo.shard.claimed": fmt.Sprintf(`{"plan_id":%q,"stage_id":"s","cas_id":"%016x","attempt":1,"executor":"e","lease_until":"2026-01-01T00:00:00Z"}`, plan, i),
		"hxo.shard.done":    fmt.Sprintf(`{"plan_id":%q,"stage_id":"s","cas_id":"%016x","attempt":1,"output_digest":%q}`, plan, i, hash),
		"hxo.audit":         `{"user":"u","role":"admiral","operation":"plan.submit","details":{},"timestamp":"2026-01-01T00:00:00Z"}`,
	}[topic]
	if data == "" {
		data = "{}"
	}
	return fmt.Sprintf(`{"specversion":"1.0","id":"%d","source":"bench","type":%q,"time":"2026-01-01T00:00:00Z","data":%s}`, i, topic, data)
}

// BenchmarkApplyStorm folds lines that are all refused.
func BenchmarkApplyStorm(b *testing.B) {
	t := foldtest.New(b, board.New())
	line := func(i int) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"%d","type":"hxo.shard.done","data":{"plan_id":"not a uuid","stage_id":"s"},}`, i)
	}
	applyAll(b, t.M, batchOf(t, "agents/7", 5_000, line))
}

// BenchmarkApplyEcho folds lines that each change state and derive an event.
func BenchmarkApplyEcho(b *testing.B) {
	t := foldtest.New(b, board.New(), on("echo", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Put("last", ev.ID())
		tx.Emit("swarm", "toy.pong", "", ev.Data())
	}))
	applyAll(b, t.M, batchOf(t, "agents/7", 5_000, func(i int) string {
		return fmt.Sprintf(`{"specversion":"1.0","id":"%d","type":"toy.ping","data":{"i":%d}}`, i, i)
	}))
}
