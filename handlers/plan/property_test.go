package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/order"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/autonomy"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
	"stigmergy/handlers/plan"
)

// move is what happened to a board: lines, or time that passed.
type move struct {
	lane  string
	lines []string
	ms    int64
}

// game is a random history, written down so that it can be played again. What
// is derived is looked at as it comes: a long history is read once.
type game struct {
	*bench
	rt     rapid.TB
	draw   func(label string, from, to int) int
	yaml   string
	most   int // plans
	rarely int // of so many restarts one is done

	moves   []move
	plans   []string
	asks    map[string][]effect // by kind, not answered yet
	claimed []string            // hxo.shard.claimed of executors outside, their data

	check   *order.Checker
	lines   int
	shards  map[string]string // the last event of each shard
	split   map[string]bool
	aborted map[string]bool
}

func newGame(t testing.TB, rt rapid.TB, yaml string, draw func(string, int, int) int) *game {
	return &game{
		bench: newCast(t, yaml), rt: rt, draw: draw, yaml: yaml, most: 4, rarely: 1, asks: map[string][]effect{},
		check:  &order.Checker{Report: func(f order.Finding) { rt.Errorf("%v", f) }},
		shards: map[string]string{}, split: map[string]bool{}, aborted: map[string]bool{},
	}
}

// look takes in what was derived, and asked for, since the last look.
func (g *game) look() {
	for _, e := range g.Started {
		if e.Kind != spec.EffectRun {
			g.asks[e.Kind] = append(g.asks[e.Kind], effect{Key: e.Key, Raw: e.Payload})
		}
	}
	for _, s := range g.Steps {
		for _, d := range s.Derived {
			if d.Lane != "hxo" {
				continue
			}
			for line := range bytes.Lines(d.Bytes) {
				g.hear(line)
			}
		}
	}
	g.Started, g.Steps = nil, nil
}

// hear takes in a line of lane hxo.
func (g *game) hear(l []byte) {
	topic, data := contracts.GetString(l, "type"), contracts.Lookup(l, "data").Raw
	g.check.Add(fmt.Sprintf("hxo@1:%d", g.lines), topic, data)
	g.lines++
	if op := contracts.GetString(data, "operation"); op == "plan.abort" || op == "plan.replay" {
		g.aborted[contracts.GetString(contracts.Lookup(data, "details").Raw, "plan_id")] = op == "plan.abort"
	}
	if !strings.HasPrefix(topic, "hxo.shard.") {
		return
	}
	if topic == "hxo.shard.claimed" && len(contracts.GetString(data, "executor")) == 1 {
		g.claimed = append(g.claimed, string(data))
	}
	key := contracts.GetString(data, "plan_id") + "/" + contracts.GetString(data, "stage_id") + "/"
	if contracts.GetBool(data, "final") {
		topic = "final"
	}
	g.shards[key+contracts.GetString(data, "cas_id")] = topic
	if parent := contracts.GetString(data, "parent_cas_id"); parent != "" {
		g.split[key+parent] = true
	}
}

// takeKind takes what was asked for.
func (g *game) takeKind(kind string) []effect {
	g.look()
	list := g.asks[kind]
	delete(g.asks, kind)
	return list
}

func (g *game) append(lane string, lines ...string) {
	g.moves = append(g.moves, move{lane: lane, lines: lines})
	g.Append(lane, lines...)
}

func (g *game) advance(ms int64) {
	g.moves = append(g.moves, move{ms: ms})
	g.Advance(ms)
}

func (g *game) num(label string, from, to int) int { return g.draw(label, from, to) }
func (g *game) pick(label string, of []string) string {
	return of[g.num(label, 0, len(of)-1)]
}
func (g *game) once(label string, in int) bool { return g.num(label, 1, in) == 1 }

func newCast(t testing.TB, yaml string) *bench {
	return &bench{Board: foldtest.NewWith(t, []byte(yaml), nil, board.New(), audit.New(), plan.New(), autonomy.New())}
}

func (g *game) submitOne() {
	id := fmt.Sprintf("0f8fad5b-d9cb-469f-a165-70867728%04d", len(g.plans))
	var stages []stageOf
	for i := range g.num("stages", 1, 3) {
		s := stageOf{id: fmt.Sprintf("s%d", i), items: g.num("items", 0, 12), conc: g.num("conc", 1, 8), tries: g.num("tries", 0, 2)}
		if i > 0 && g.once("needs", 2) {
			s.needs = []string{fmt.Sprintf("s%d", g.num("need", 0, i-1))}
		}
		stages = append(stages, s)
	}
	g.append("admiral", line("hxo.plan.submit", "", fmt.Sprintf(`{"plan_id":%q,"plan":{},"submitted_by":"kyle"}`, id)))
	for _, e := range g.takeKind(spec.EffectResolve) {
		g.append(spec.LanePlan, line("plan.resolved", e.Key, g.manifest(id, stages...)))
	}
	g.plans = append(g.plans, id)
}

// answers plays the workers of plans and Truth.
func (g *game) answers() {
	for _, e := range g.takeKind(spec.EffectCached) {
		var q spec.Cached
		_ = json.Unmarshal(e.Raw, &q)
		var some []string
		for i := range q.Digests {
			if !g.once("gone", 4) {
				some = append(some, fmt.Sprint(i))
			}
		}
		g.append(spec.LanePlan, line("plan.resolved", e.Key, fmt.Sprintf(`{"plan_id":%q,"plan_sha256":%q,"manifest_sha256":%q,"shards":1,"faults":[],"cached":[%s]}`, q.PlanID, q.Plan, q.Shape, strings.Join(some, ","))))
	}
	for _, e := range g.takeKind(spec.EffectSplit) {
		g.append(spec.LanePlan, g.parts(e))
	}
	for _, kind := range []string{certify.EffectCertify, certify.EffectBisect} {
		for _, e := range g.takeKind(kind) {
			var ask certify.Ask
			_ = json.Unmarshal(e.Raw, &ask)
			text, _ := json.Marshal(answer(ask, kind == certify.EffectCertify && !g.once("doubt", 5)))
			g.append(certify.LaneTruth, line("truth.verdict", e.Key, string(text)))
		}
	}
}

// runs plays the built-in executor: some results now, some never.
func (g *game) runs(all bool) {
	var lines []string
	for _, e := range g.M.Effects() {
		if e.Kind != spec.EffectRun || !all && g.once("not yet", 3) {
			continue
		}
		x := effect{Key: e.Key}
		_ = json.Unmarshal(e.Payload, &x.Run)
		switch {
		case all, g.num("how", 0, 9) > 2:
			lines = append(lines, x.done())
		case g.once("slow", 2):
			lines = append(lines, x.slow(14_000))
		default:
			lines = append(lines, x.failed())
		}
	}
	if len(lines) > 0 {
		g.append(spec.LaneExec, lines...)
	}
}

// outside plays executors that claim, beat, report, lie and vanish.
func (g *game) outside() {
	name := g.pick("executor", []string{"a", "b"})
	lane := "executors/" + name
	g.look()
	if len(g.claimed) == 0 || g.once("claim", 3) {
		g.append(lane, line("federation.claim", "", fmt.Sprintf(`{"executor":%q,"max":%d,"wait":"%ds"}`, name, g.num("max", 1, 4), g.num("wait", 0, 40))))
		return
	}
	data := []byte(g.pick("shard", g.claimed))
	attempt, _ := contracts.GetInt(data, "attempt")
	executor := contracts.GetString(data, "executor")
	if g.once("beat", 3) {
		g.append("executors/"+executor, line("federation.heartbeat", "", fmt.Sprintf(`{"executor":%q,"cas_ids":[%q]}`, executor, contracts.GetString(data, "cas_id"))))
		return
	}
	what := fmt.Sprintf(`"ok":true,"output_digest":%q`, spec.Sum(data))
	if g.once("bad", 3) {
		what = `"ok":false,"error":"no"`
	}
	if g.once("lie", 4) {
		lane, attempt = "executors/"+name, attempt+int64(g.num("off", -1, 1))
	} else {
		lane = "executors/" + executor
	}
	g.append(lane, line("federation.result", "", fmt.Sprintf(`{"plan_id":%q,"stage_id":%q,"cas_id":%q,"attempt":%d,"executor":%q,%s}`,
		contracts.GetString(data, "plan_id"), contracts.GetString(data, "stage_id"), contracts.GetString(data, "cas_id"), max(attempt, 1), executor, what)))
}

// orders plays people and Autonomy.
func (g *game) orders() {
	id := g.pick("plan", g.plans)
	stage := fmt.Sprintf("s%d", g.num("stage", 0, 2))
	switch g.num("order", 0, 9) {
	case 0:
		g.append("admiral", line("hxo.plan.abort", "", fmt.Sprintf(`{"plan_id":%q}`, id)))
	case 1:
		g.append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q,"all":true}`, id)))
	case 2:
		g.append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q%s}`, id, g.pick("which", []string{"", `,"failed":true`}))))
	case 3, 4:
		g.append("ops", line("genesis.heal", "", fmt.Sprintf(`{"source":"ops","plan_id":%q,"action":"split_shard","parameters":{"stage_id":%q,"split_factor":%d}}`, id, stage, g.num("factor", 2, 3))))
	case 5:
		if len(g.claimed) > 0 {
			data := []byte(g.pick("split", g.claimed))
			g.append("ops", line("genesis.heal", "", fmt.Sprintf(`{"source":"ops","plan_id":%q,"action":"split_shard","parameters":{"stage_id":%q,"split_factor":2,"cas_ids":[%q]}}`,
				contracts.GetString(data, "plan_id"), contracts.GetString(data, "stage_id"), contracts.GetString(data, "cas_id"))))
		}
	case 6:
		g.append("ops", line("genesis.heal", "", fmt.Sprintf(`{"source":"ops","plan_id":%q,"action":"increase_concurrency","parameters":{"stage_id":%q}}`, id, stage)))
	default:
		intent := g.pick("intent", []string{"pause", "resume", "drain", "resume"})
		g.append("ops", line("genesis.intent", "", fmt.Sprintf(`{"intent":%q,"plan_id":%q}`, intent, id)))
	}
}

func (g *game) step() {
	switch g.num("step", 0, 11) {
	case 0:
		if len(g.plans) < g.most {
			g.submitOne()
		}
	case 1, 2, 3:
		g.runs(false)
	case 4, 5:
		g.outside()
	case 6:
		if len(g.plans) > 0 {
			g.orders()
		}
	case 7:
		if g.once("restart", g.rarely) {
			g.Restart()
		}
	case 8:
		g.advance(int64(g.num("jump", 1000, 90_000)))
	default:
		g.advance(int64(g.num("ms", 0, 300)))
	}
	if !g.once("busy", 3) {
		g.answers()
	}
}

// finish lets everything come to its end: nobody hinders it any more.
func (g *game) finish() {
	g.append("ops", line("genesis.intent", "", `{"intent":"resume"}`))
	for _, id := range g.plans {
		g.append("ops", line("genesis.intent", "", fmt.Sprintf(`{"intent":"resume","plan_id":%q}`, id)))
	}
	for range 400 {
		g.runs(true)
		g.answers()
		g.advance(2000)
		if _, due := g.M.Due(); !due && len(g.M.Effects()) == 0 {
			return
		}
	}
	g.rt.Fatalf("it does not come to an end: %v\n%s", g.M.Effects(), g.State())
}

// holds checks what must be true of any history.
func (g *game) holds() {
	if len(g.Skips) > 0 {
		g.rt.Fatalf("skips: %v", g.Skips)
	}
	g.look()
	failed := map[string]bool{}
	for key, last := range g.shards {
		failed[key[:36]] = failed[key[:36]] || last == "final" && !g.split[key]
	}
	for key, last := range g.shards {
		id := key[:36]
		if !g.aborted[id] && !failed[id] && !g.split[key] && last != "hxo.shard.done" {
			g.rt.Errorf("shard %s ends as %s", key, last)
		}
	}
	if g.rt.Failed() {
		g.rt.Fatalf("%s\n%s", g.brief(), g.State())
	}
}

// brief is lane hxo in few words.
func (g *game) brief() string {
	var out strings.Builder
	for i, l := range g.Lane("hxo") {
		topic, data := contracts.GetString([]byte(l), "type"), contracts.Lookup([]byte(l), "data").Raw
		n, _ := contracts.GetInt(data, "attempt")
		fmt.Fprintf(&out, "%d %s %.4s %s %.4s %d %s %s %.4s %s\n", i, contracts.GetString([]byte(l), "time")[11:23], contracts.GetString(data, "plan_id")[min(32, len(contracts.GetString(data, "plan_id"))):], topic+contracts.GetString(data, "operation"), contracts.GetString(data, "cas_id"), n,
			contracts.GetString(data, "executor"), contracts.GetString(data, "error"), contracts.GetString(data, "parent_cas_id"), contracts.GetString(data, "stage_id"))
	}
	return out.String()
}

// replayed plays the moves again, without a restart, and compares every byte.
func (g *game) replayed() {
	b := newCast(g.T, g.yaml)
	b.Borrow(g.Board)
	for _, m := range g.moves {
		if m.lane == "" {
			b.Advance(m.ms)
		} else {
			b.Append(m.lane, m.lines...)
		}
		b.Started, b.Steps = nil, nil
	}
	if b.Bytes() != g.Bytes() || b.State() != g.State() {
		g.rt.Fatalf("played again:\n%s\n%s\nbefore:\n%s\n%s", b.Bytes(), b.State(), g.Bytes(), g.State())
	}
}

// TestAnyHistory: plans, splits, aborts, replays, restarts, jumps of the clock,
// executors that fail, lie and vanish: the ordering guarantees hold, everything
// ends, and the same history gives the same bytes.
func TestAnyHistory(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(label string, from, to int) int { return rapid.IntRange(from, to).Draw(rt, label) }
		g := newGame(t, rt, casts[draw("settings", 0, len(casts)-1)], draw)
		steps := g.num("steps", 1, 120)
		if *full {
			steps = 1000 // in a hundred histories
		}
		g.play(steps)
	})
}

// casts are the settings that histories are played with.
var casts = []string{
	"executor.jobs: 2", "executor.jobs: 4\nhxo: {max_rate: 0, batch_size: 7}", "executor: {jobs: 1}\nhxo: {max_rate: 60, batch_size: 5}",
	"executor: {jobs: 3}\nautotune.window: 20 results or 1m, at least 3\nautotune.hotspot: 5s\nautotune.sample_rate: 1",
}

func (g *game) play(steps int) {
	g.submitOne()
	for range steps {
		g.step()
	}
	g.finish()
	g.holds()
	g.replayed()
}

var seed = flag.Uint64("seed", 1, "of the one long history")

// TestLongHistory is one history of many steps: with -full a hundred thousand,
// over forty plans.
func TestLongHistory(t *testing.T) {
	steps := 2000
	if *full {
		steps = 100_000
	}
	dice := rand.New(rand.NewPCG(*seed, 0))
	g := newGame(t, t, casts[dice.IntN(len(casts))], func(_ string, from, to int) int { return from + dice.IntN(to-from+1) })
	g.most, g.rarely = 40, 10
	g.play(steps)
	t.Logf("%d moves, %d lines on lane hxo, %d shards", len(g.moves), g.lines, len(g.shards))
}
