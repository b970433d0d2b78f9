package plan_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts/certify"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// TestGolden plays a fixed history of plans. What it derives is fixed for ever
// under one fold version: UPDATE=1 go test ./handlers/plan -run TestGolden
func TestGolden(t *testing.T) {
	b := newCast(t, "executor.jobs: 2\nautotune.window: 8 results or 1m, at least 3\nlease: 20s")
	goldenPlans(b)
	b.want(nil)
	b.inOrder()
	got := b.Bytes() + "== state\n" + b.State()
	path := filepath.Join("testdata", "golden", fmt.Sprintf("%d.jsonl", handlers.FoldVersion))
	if os.Getenv("UPDATE") != "" {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("fold version %d has no golden history of plans: %v", handlers.FoldVersion, err)
	}
	if got != string(want) {
		g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
		for i := range min(len(g), len(w)) {
			if g[i] != w[i] {
				t.Fatalf("the fold derives other bytes than version %d did: boards in use are checked byte for byte.\nline %d\nnow    %s\nbefore %s", handlers.FoldVersion, i+1, g[i], w[i])
			}
		}
		t.Fatalf("%d lines now, %d before", len(g), len(w))
	}
}

func goldenPlans(b *bench) {
	b.Append("admiral", line("blueprint.events", "", `{"kind":"deploy.pack","command":["gzip","-c","{input}"],"timeout":"5s"}`))
	b.submit(planID, stageOf{id: "one", items: 12, tries: 1, conc: 6}, stageOf{id: "two", items: 3, needs: []string{"one"}})
	b.Advance(200)
	for i, e := range b.takeKind(spec.EffectRun) {
		switch i {
		case 0:
			b.Append(spec.LaneExec, e.failed())
		default:
			b.Append(spec.LaneExec, e.slow(9000))
		}
	}
	for _, e := range b.takeKind(spec.EffectSplit) {
		b.Append(spec.LanePlan, b.parts(e))
	}
	b.Append("executors/a", line("federation.claim", "", `{"executor":"a","max":2}`), line("federation.claim", "", `{"executor":"a","wait":"1s","kinds":["x"]}`))
	b.Advance(3000)
	b.Append("executors/a", line("federation.result", "", fmt.Sprintf(`{"plan_id":%q,"stage_id":"one","cas_id":"0123456789abcdef","attempt":1,"executor":"a","ok":false,"error":"e"}`, planID)))
	b.workFor(60_000)
	second := strings.Replace(planID, "0f", "1f", 1)
	b.submit(second, stageOf{id: "one", items: 14})
	for _, e := range b.takeKind(spec.EffectCached) {
		b.Append(spec.LanePlan, line("plan.resolved", e.Key, fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":1,"faults":[],"cached":[0,1,3]}`, second, strings.Repeat("a", 64), strings.Repeat("b", 64))))
	}
	b.Advance(20)
	b.Append("ops", line("genesis.intent", "", fmt.Sprintf(`{"intent":"tune","plan_id":%q,"parameters":{"stage_id":"one","setting":"concurrency","value":3}}`, second)))
	b.Append("admiral", line("hxo.plan.abort", "", fmt.Sprintf(`{"plan_id":%q,"user":"kyle","role":"admiral"}`, second)))
	b.Advance(1000)
	b.Append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q,"failed":true}`, second)), line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q}`, second)))
	for _, e := range b.takeKind(spec.EffectCached) {
		b.Append(spec.LanePlan, line("plan.resolved", e.Key, fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":1,"faults":[],"cached":[0,1,3]}`, second, strings.Repeat("a", 64), strings.Repeat("b", 64))))
	}
	b.workFor(20_000)
	for _, e := range b.takeKind(certify.EffectCertify) {
		b.Append(certify.LaneTruth, line("truth.verdict", e.Key, fmt.Sprintf(`{"plan_id":%q,"merkle_root":%q,"attempt":1,"certified":false,"reason":"golden"}`, planID, strings.Repeat("0", 64))))
	}
	b.Advance(200_000)
}
