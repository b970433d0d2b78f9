package plan_test

import (
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"testing"

	"stigmergy/contracts"
	"stigmergy/contracts/order"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
	"stigmergy/handlers/plan"
)

// bench is a board with workers that the test plays.
type bench struct {
	*foldtest.Board
	seen int // effects that were looked at
}

func newBench(t testing.TB, yaml string) *bench {
	t.Helper()
	if !strings.Contains(yaml, "jobs") { // the machine's, otherwise
		yaml += "\nexecutor.jobs: 8\n"
	}
	return &bench{Board: foldtest.NewWith(t, []byte(yaml), nil, board.New(), audit.New(), plan.New())}
}

const planID = "0f8fad5b-d9cb-469f-a165-70867728950e"

// stageOf is a stage of a test's plan: its shards are items.
type stageOf struct {
	id    string
	items int
	needs []string
	conc  int
	tries int
	argv  []string
}

func (b *bench) manifest(id string, stages ...stageOf) (resolved string) {
	m := spec.Manifest{V: 1, PlanID: id, PlanName: "test", PlanSHA256: strings.Repeat("a", 64), Root: "/"}
	for _, s := range stages {
		st := spec.Stage{StageID: s.id, Kind: "exec", Needs: s.needs, TimeoutMS: 15000, Retries: s.tries, Concurrency: max(s.conc, 1), Job: spec.Job{Argv: s.argv}}
		if s.argv == nil {
			st.Job.Argv = []string{"true", "{item}"}
		}
		if s.conc == 0 {
			st.Concurrency = 64
		}
		st.Chunks, st.Shards = b.chunks(s.id, s.items)
		m.Shards += st.Shards
		m.Stages = append(m.Stages, st)
	}
	text, _ := json.Marshal(m)
	sum := b.Keep(text)
	return fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":%d,"faults":[]}`, id, m.PlanSHA256, sum, m.Shards)
}

func (b *bench) chunks(name string, items int) (out []spec.Chunk, n int) {
	var shards []spec.Shard
	for i := range items {
		sum := spec.Sum([]byte(fmt.Sprintf("%s %d", name, i)))
		item := spec.RawJSON(fmt.Sprint(i))
		shards = append(shards, spec.Shard{CASID: spec.CASID(sum), SHA256: sum, Index: i, Inputs: []spec.Input{{Item: &item}}})
	}
	sort.Slice(shards, func(i, j int) bool { return shards[i].CASID < shards[j].CASID })
	for len(shards) > 0 {
		var text []byte
		k := min(len(shards), spec.ChunkShards)
		for _, s := range shards[:k] {
			line, _ := json.Marshal(s)
			text = append(append(text, line...), '\n')
		}
		out = append(out, spec.Chunk{SHA256: b.Keep(text), First: shards[0].CASID, Shards: k})
		shards = shards[k:]
	}
	return out, items
}

func line(topic, key, data string) string {
	ext := ""
	if key != "" {
		ext = fmt.Sprintf(`"effectkey":%q,`, key)
	}
	return fmt.Sprintf(`{"type":%q,%s"data":%s}`, topic, ext, data)
}

// submit submits a plan and plays the resolver.
func (b *bench) submit(id string, stages ...stageOf) {
	b.T.Helper()
	b.Append("admiral", line("hxo.plan.submit", "", fmt.Sprintf(`{"plan_id":%q,"plan":{},"submitted_by":"kyle","role":"admiral"}`, id)))
	e := b.take(spec.EffectResolve)
	b.Append(spec.LanePlan, line("plan.resolved", e[0].Key, b.manifest(id, stages...)))
}

type effect struct {
	Key string
	Run spec.ExecRun
	Raw []byte
}

// take gives the effects of a kind that were started since the last look.
func (b *bench) take(kind string) (out []effect) {
	for _, e := range b.Started[b.seen:] {
		if e.Kind == kind {
			x := effect{Key: e.Key, Raw: e.Payload}
			_ = json.Unmarshal(e.Payload, &x.Run)
			out = append(out, x)
		}
	}
	b.seen = len(b.Started)
	return out
}

func (e effect) done() string {
	return line("federation.result", e.Key, fmt.Sprintf(`{"plan_id":%q,"stage_id":%q,"cas_id":%q,"attempt":%d,"executor":"builtin","ok":true,"output_digest":%q,"duration_ms":1.5}`,
		e.Run.PlanID, e.Run.StageID, e.Run.CASID, e.Run.Attempt, spec.Sum([]byte(e.Run.CASID))))
}

func (e effect) failed() string {
	return line("federation.result", e.Key, fmt.Sprintf(`{"plan_id":%q,"stage_id":%q,"cas_id":%q,"attempt":%d,"executor":"builtin","ok":false,"error":"exit status 1"}`,
		e.Run.PlanID, e.Run.StageID, e.Run.CASID, e.Run.Attempt))
}

// topics counts the events of lane hxo.
func (b *bench) topics() map[string]int {
	n := map[string]int{}
	for _, l := range b.Lane("hxo") {
		n[contracts.GetString([]byte(l), "type")]++
	}
	return n
}

func (b *bench) want(topics map[string]int) {
	b.T.Helper()
	got := b.topics()
	for t, n := range topics {
		if got[t] != n {
			b.T.Fatalf("%d of %s, expected %d:\n%s", got[t], t, n, strings.Join(b.Lane("hxo"), "\n"))
		}
	}
	if len(b.Skips) > 0 {
		b.T.Fatalf("skips: %v", b.Skips)
	}
}

func TestPlanRuns(t *testing.T) {
	b := newBench(t, "")
	b.submit(planID, stageOf{id: "one", items: 5}, stageOf{id: "two", items: 3, needs: []string{"one"}})
	b.Advance(1000)
	b.want(map[string]int{"hxo.plan": 1, "hxo.audit": 1, "hxo.shard.created": 8, "hxo.shard.claimed": 5})
	for _, e := range b.take(spec.EffectRun) {
		b.Append(spec.LaneExec, e.done())
	}
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.done": 5, "hxo.shard.claimed": 8})
	for _, e := range b.take(spec.EffectRun) {
		b.Append(spec.LaneExec, e.done())
	}
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.done": 8})
}

func TestRetries(t *testing.T) {
	b := newBench(t, "")
	b.submit(planID, stageOf{id: "one", items: 1, tries: 2})
	b.Advance(100)
	for range 3 {
		for _, e := range b.take(spec.EffectRun) {
			b.Append(spec.LaneExec, e.failed())
		}
		b.Advance(5000)
	}
	b.want(map[string]int{"hxo.shard.created": 3, "hxo.shard.claimed": 3, "hxo.shard.failed": 3, "hxo.alert": 1})
}

func TestOutsideExecutor(t *testing.T) {
	b := newBench(t, "executor.enabled: false")
	b.submit(planID, stageOf{id: "one", items: 2})
	b.Advance(100)
	b.Append("executors/a", line("federation.claim", "", `{"executor":"a"}`))
	b.Append("executors/b", line("federation.claim", "", `{"executor":"b"}`), line("federation.claim", "", `{"executor":"b"}`))
	b.Advance(100)
	b.want(map[string]int{"hxo.shard.claimed": 2})
	b.Advance(31000)
	b.want(map[string]int{"hxo.shard.claimed": 2, "hxo.shard.failed": 2})
	if n := len(b.Lane("board")); n != 1 {
		t.Fatalf("%d rejections: %s", n, b.Lane("board"))
	}
}

func TestCached(t *testing.T) {
	b := newBench(t, "")
	b.submit(planID, stageOf{id: "one", items: 30})
	b.Advance(1000)
	for _, e := range b.take(spec.EffectRun) {
		b.Append(spec.LaneExec, e.done())
	}
	b.Advance(1000)
	second := strings.Replace(planID, "0f", "1f", 1)
	b.submit(second, stageOf{id: "one", items: 31})
	b.Advance(1000)
	asked := b.take(spec.EffectCached)
	if len(asked) != 1 {
		t.Fatalf("%d questions", len(asked))
	}
	var q spec.Cached
	_ = json.Unmarshal(asked[0].Raw, &q)
	if len(q.Digests) != 30 {
		t.Fatalf("%d candidates", len(q.Digests))
	}
	var all []string
	for i := range 29 {
		all = append(all, fmt.Sprint(i))
	}
	b.Append(spec.LanePlan, line("plan.resolved", asked[0].Key, fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":31,"faults":[],"cached":[%s]}`,
		second, q.Plan, q.Shape, strings.Join(all, ","))))
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.done": 30 + 29, "hxo.shard.claimed": 30 + 31})
	b.Restart()
	for _, e := range b.take(spec.EffectRun) {
		b.Append(spec.LaneExec, e.done())
	}
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.done": 30 + 31, "hxo.shard.claimed": 30 + 31})
}

// inOrder holds everything on lane hxo to the ordering guarantees.
func (b *bench) inOrder() {
	b.T.Helper()
	check := &order.Checker{Report: func(f order.Finding) { b.T.Error(f) }}
	for i, l := range b.Lane("hxo") {
		data := contracts.Lookup([]byte(l), "data")
		check.Add(fmt.Sprintf("hxo@1:%d", i), contracts.GetString([]byte(l), "type"), data.Raw)
	}
	if b.T.Failed() {
		b.T.Fatal(strings.Join(b.Lane("hxo"), "\n"))
	}
}

// workFor has the built-in executor do what it is asked, for so long.
func (b *bench) workFor(ms int64) {
	for range ms / 100 {
		for _, e := range b.take(spec.EffectRun) {
			b.Append(spec.LaneExec, e.done())
		}
		b.Advance(100)
	}
}

func TestAbortAndReplay(t *testing.T) {
	b := newBench(t, "")
	b.submit(planID, stageOf{id: "one", items: 100})
	b.Advance(1000)
	asked := b.take(spec.EffectRun)
	b.Append(spec.LaneExec, asked[0].done())
	b.Append("admiral", line("hxo.plan.abort", "", fmt.Sprintf(`{"plan_id":%q,"user":"kyle"}`, planID)))
	b.Advance(1000)
	b.Append(spec.LaneExec, asked[1].done()) // it had not heard of that
	b.want(map[string]int{"hxo.shard.done": 1, "hxo.shard.failed": 64, "hxo.audit": 2, "hxo.shard.claimed": 65, "hxo.alert": 0})
	if got := b.Lane("board"); len(got) != 0 {
		t.Fatal(got)
	}
	if n := len(b.M.Effects()); n != 0 {
		t.Fatalf("%d effects are outstanding", n)
	}
	replay := func(more string) {
		b.Append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q%s}`, planID, more)))
		b.workFor(3000)
	}
	replay("") // those that failed
	b.want(map[string]int{"hxo.shard.done": 100, "hxo.shard.created": 164, "hxo.audit": 3})
	replay(`,"failed":true`) // none has
	b.want(map[string]int{"hxo.shard.done": 100, "hxo.audit": 3})
	replay("") // all, then
	b.want(map[string]int{"hxo.shard.done": 200, "hxo.shard.created": 264, "hxo.audit": 4})
	replay(`,"all":true`)
	b.want(map[string]int{"hxo.shard.done": 300, "hxo.shard.created": 364})
	b.inOrder()
}

func TestAbortWhileCreating(t *testing.T) {
	b := newBench(t, "")
	b.submit(planID, stageOf{id: "one", items: 2500})
	b.Advance(1000)
	b.Append("admiral", line("hxo.plan.abort", "", fmt.Sprintf(`{"plan_id":%q}`, planID)))
	b.Advance(5000)
	if n := b.topics()["hxo.shard.created"]; n < 900 || n > 1100 {
		t.Fatalf("%d created", n)
	}
	b.Append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q,"all":true}`, planID)))
	b.workFor(20000)
	b.want(map[string]int{"hxo.shard.created": 2500, "hxo.shard.done": 2500})
	b.inOrder()
}

func TestIntents(t *testing.T) {
	b := newBench(t, "")
	intent := func(data string) { b.Append("genesis-agent", line("genesis.intent", "", data)) }
	intent(`{"intent":"pause","source":"ops"}`)
	b.submit(planID, stageOf{id: "one", items: 10, conc: 2})
	b.workFor(1000)
	b.want(map[string]int{"hxo.shard.created": 10, "hxo.shard.claimed": 0})
	intent(`{"intent":"resume","source":"ops"}`)
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.claimed": 2})
	intent(fmt.Sprintf(`{"intent":"tune","plan_id":%q,"stage_id":"one","setting":"concurrency","value":5}`, planID))
	b.Advance(1000)
	b.want(map[string]int{"hxo.shard.claimed": 5, "hxo.audit": 4})
	intent(`{"intent":"dance"}`)
	intent(fmt.Sprintf(`{"intent":"tune","plan_id":%q,"parameters":{"stage_id":"one","setting":"concurrency","value":0}}`, planID))
	if n := len(b.Lane("board")); n != 2 {
		t.Fatalf("%d rejections: %s", n, b.Lane("board"))
	}
	b.workFor(1000)
	b.want(map[string]int{"hxo.shard.done": 10})
	b.inOrder()
}

func TestKinds(t *testing.T) {
	b := newBench(t, "")
	b.Append("admiral", line("blueprint.events", "", `{"kind":"deploy.pack","command":["gzip","-c","{input}"],"timeout":"5s"}`), line("blueprint.events", "", `{"kind":"exec"}`))
	b.Advance(100)
	b.want(map[string]int{"blueprint.events": 2})
	if n := len(b.Lane("board")); n != 1 {
		t.Fatalf("%d rejections: %s", n, b.Lane("board"))
	}
}

func TestFaults(t *testing.T) {
	b := newBench(t, "")
	b.Append("admiral", line("hxo.plan.submit", "", `{"plan":"oops"}`))
	e := b.take(spec.EffectResolve)
	var r spec.Resolve
	_ = json.Unmarshal(e[0].Raw, &r)
	b.Append(spec.LanePlan, line("plan.resolved", e[0].Key, fmt.Sprintf(`{"plan_id":%q,"shards":0,"faults":[{"pointer":"/stages","keyword":"required","expected":"stages","got":"none","line":1,"column":1}]}`, r.PlanID)))
	b.Advance(100)
	got := b.Lane("board")
	if len(got) != 1 || !strings.Contains(got[0], `"reason":"plan_fault"`) || !strings.Contains(got[0], `"line":1`) || len(b.Lane("hxo")) != 0 {
		t.Fatal(got, b.Lane("hxo"))
	}
}

func TestAlertsOfTime(t *testing.T) {
	b := newBench(t, "executor.enabled: false\nhxo: {max_rate: 20, queue_max: 5000}\nstage_slo: 200s")
	b.submit(planID, stageOf{id: "one", items: 1800})
	b.Advance(80_000)
	var kinds []string
	for _, a := range b.hxo("hxo.alert") {
		kinds = append(kinds, contracts.GetString([]byte(a), "alert_type"))
	}
	if fmt.Sprint(kinds) != "[rate_backlog]" {
		t.Fatal(kinds, b.topics(), b.Lane("board"))
	}
	b.Append("admiral", line("hxo.plan.submit", "", `{"plan":{}}`))
	e := b.take(spec.EffectResolve)
	b.Append(spec.LanePlan, line("plan.resolved", e[0].Key, b.manifest(strings.Replace(planID, "0f", "2f", 1), stageOf{id: "one", items: 6000})))
	if got := b.Lane("board"); len(got) != 1 || !strings.Contains(got[0], `"reason":"throttled"`) {
		t.Fatal(got)
	}
	b.Advance(300_000)
	kinds = nil
	for _, a := range b.hxo("hxo.alert") {
		kinds = append(kinds, contracts.GetString([]byte(a), "alert_type"))
	}
	if fmt.Sprint(kinds) != "[rate_backlog stalled slo]" {
		t.Fatal(kinds, b.hxo("hxo.alert"))
	}
	if _, due := b.M.Due(); due {
		t.Fatal("a quiet board has a timer")
	}
	b.inOrder()
}

// TestResolving: a plan that is being resolved is not there yet, for anybody.
func TestResolving(t *testing.T) {
	b := newBench(t, "")
	b.submit(strings.Replace(planID, "0f", "1f", 1), stageOf{id: "one", items: 1})
	b.Append("admiral", line("hxo.plan.submit", "", fmt.Sprintf(`{"plan_id":%q,"plan":{}}`, planID)))
	for topic, data := range map[string]string{
		"hxo.plan.abort": ``, "hxo.plan.replay": `,"all":true`, "genesis.heal": `,"source":"s","action":"split_shard","parameters":{}`,
		"genesis.intent": `,"intent":"pause"`, "federation.claim": `,"executor":"a"`, "truth.verdict": `,"merkle_root":"` + strings.Repeat("0", 64) + `","attempt":1,"certified":true`,
		"federation.result": `,"stage_id":"one","cas_id":"0123456789abcdef","attempt":1,"executor":"a","ok":false,"error":"e"`,
	} {
		n := len(b.Lane("board"))
		b.Append("admiral", line(topic, "", fmt.Sprintf(`{"plan_id":%q%s}`, planID, data)))
		if got := b.Lane("board")[n:]; len(got) != 1 || !strings.Contains(got[0], "unknown_plan") {
			t.Errorf("%s: %s", topic, got)
		}
	}
	b.Append("admiral", line("hxo.plan.submit", "", fmt.Sprintf(`{"plan_id":%q,"plan":{}}`, strings.ToUpper(planID))))
	if got := b.Lane("board"); !strings.Contains(got[len(got)-1], `"reason":"duplicate"`) {
		t.Error(got)
	}
	b.want(nil)
}
