package plan_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
	spec "stigmergy/contracts/plan"
	"stigmergy/contracts/seal"
)

// hxo are the data of the events of a topic on lane hxo.
func (b *bench) hxo(topic string) (out []string) {
	for _, l := range b.Lane("hxo") {
		if contracts.GetString([]byte(l), "type") == topic {
			out = append(out, string(contracts.Lookup([]byte(l), "data").Raw))
		}
	}
	return out
}

// work runs everything that the built-in executor is given until it is given
// nothing more.
func (b *bench) work() {
	b.T.Helper()
	for range 10_000 {
		b.Advance(1000)
		list := b.takeKind(spec.EffectRun)
		if len(list) == 0 {
			return
		}
		var lines []string
		for _, e := range list {
			lines = append(lines, e.done())
		}
		b.Append(spec.LaneExec, lines...)
	}
	b.T.Fatal("the work has no end")
}

// takeKind gives the effects of a kind and leaves the others to be taken.
func (b *bench) takeKind(kind string) (out []effect) {
	var rest []int
	for i := b.seen; i < len(b.Started); i++ {
		if b.Started[i].Kind != kind {
			rest = append(rest, i)
			continue
		}
		x := effect{Key: b.Started[i].Key, Raw: b.Started[i].Payload}
		_ = json.Unmarshal(x.Raw, &x.Run)
		out = append(out, x)
	}
	kept := b.Started[:b.seen:b.seen]
	for _, i := range rest {
		kept = append(kept, b.Started[i])
	}
	b.Started = kept
	return out
}

// asked is the one question of a kind to Truth.
func (b *bench) asked(kind string) (key string, ask certify.Ask) {
	b.T.Helper()
	list := b.takeKind(kind)
	if len(list) != 1 {
		b.T.Fatalf("%d questions of the kind %s:\n%s", len(list), kind, strings.Join(b.Lane("hxo"), "\n"))
	}
	if err := json.Unmarshal(list[0].Raw, &ask); err != nil {
		b.T.Fatal(err)
	}
	return list[0].Key, ask
}

func (b *bench) says(lane, key string, v certify.Verdict) {
	text, err := json.Marshal(v)
	if err != nil {
		b.T.Fatal(err)
	}
	b.Append(lane, line("truth.verdict", key, string(text)))
}

// noteOf is a note over what is asked about; nobody signed it.
func noteOf(ask certify.Ask) string {
	root, _ := merkle.ParseHash(ask.Root)
	return seal.Checkpoint{Origin: "o", Size: uint64(ask.Shards), Root: root}.Text() + "\n"
}

func answer(ask certify.Ask, ok bool) certify.Verdict {
	v := certify.Verdict{PlanID: ask.PlanID, MerkleRoot: ask.Root, Attempt: ask.Attempt, Certified: ok}
	if ok {
		v.Note = noteOf(ask)
	} else {
		v.Reason = "proof verification failed"
	}
	return v
}

// expect is the tree over what the lane says: the last event of a shard counts.
func (b *bench) expect(planID string, stages ...string) (merkle.Levels, []certify.Leaf) {
	last := map[string]certify.Leaf{}
	for _, l := range b.Lane("hxo") {
		topic, data := contracts.GetString([]byte(l), "type"), contracts.Lookup([]byte(l), "data").Raw
		if contracts.GetString(data, "plan_id") != planID || !strings.HasPrefix(topic, "hxo.shard.") {
			continue
		}
		stage, cas := contracts.GetString(data, "stage_id"), contracts.GetString(data, "cas_id")
		key := fmt.Sprintf("%03d/%s", slices.Index(stages, stage), cas)
		delete(last, key)
		if topic == "hxo.shard.done" {
			last[key] = certify.Leaf{PlanID: planID, StageID: stage, CASID: cas, Output: contracts.GetString(data, "output_digest")}
		}
	}
	var keys []string
	for k := range last {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var leaves []certify.Leaf
	var hashes []merkle.Hash
	inputs := map[string]string{}
	for _, stage := range stages {
		for i := range len(keys) {
			sum := spec.Sum(fmt.Appendf(nil, "%s %d", stage, i))
			inputs[stage+spec.CASID(sum)] = sum
		}
	}
	for _, k := range keys {
		leaf := last[k]
		leaf.Input = inputs[leaf.StageID+leaf.CASID]
		leaves, hashes = append(leaves, leaf), append(hashes, leaf.Hash())
	}
	return merkle.LevelsOf(hashes), leaves
}

// checkClaim holds ready and certify to the tree.
func (b *bench) checkClaim(planID string, tree merkle.Levels, leaves []certify.Leaf) {
	b.T.Helper()
	ready, asked := b.hxo("hxo.aggregate.ready"), b.hxo("hxo.aggregate.certify")
	r, c := ready[len(ready)-1], asked[len(asked)-1]
	want := fmt.Sprintf(`{"plan_id":%q,"merkle_root":%q,"attempt":%d,"total_shards":%d}`, planID, tree.Root(), len(ready), len(leaves))
	if r != want {
		b.T.Fatalf("ready is %s, expected %s", r, want)
	}
	var samples []*certify.Sample
	contracts.Elements(contracts.Lookup([]byte(c), "sample_proofs").Raw, func(v contracts.Value) bool {
		s, err := certify.ParseSample(v.Raw)
		if err != nil {
			b.T.Fatal(err)
		}
		if s.Leaf != leaves[s.Index] {
			b.T.Fatalf("leaf %d is %v, expected %v", s.Index, s.Leaf, leaves[s.Index])
		}
		samples = append(samples, s)
		return true
	})
	if err := certify.CheckSamples(planID, tree.Root(), samples); err != nil {
		b.T.Fatal(err)
	}
	if contracts.GetString([]byte(c), "merkle_root") != tree.Root().String() {
		b.T.Fatal(c)
	}
}

// The traps' sizes, over stages; and beyond what one call builds.
func TestCertificateAtEverySize(t *testing.T) {
	all := [][]int{{0}, {1}, {0, 1, 0}, {2}, {3, 4}, {255}, {256}, {255, 2}, {1000, 24}}
	if *full {
		all = append(all, []int{8191, 300})
	}
	for _, sizes := range all {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}\nexecutor: {jobs: 64}")
			var stages []stageOf
			var names []string
			for i, n := range sizes {
				names = append(names, fmt.Sprintf("s%d", i))
				stages = append(stages, stageOf{id: names[i], items: n, conc: 1000})
			}
			b.submit(planID, stages...)
			b.work()
			b.want(nil)
			tree, leaves := b.expect(planID, names...)
			b.checkClaim(planID, tree, leaves)
			b.Restart()
			key, ask := b.asked(certify.EffectCertify)
			if ask.Root != tree.Root().String() || ask.Shards != len(leaves) || ask.Attempt != 1 || ask.Outputs != "all" {
				t.Fatalf("%+v", ask)
			}
			b.says(certify.LaneTruth, key, answer(ask, true))
			b.Advance(100)
			final := b.hxo("hxo.aggregate.finalized")
			if len(final) != 1 {
				t.Fatalf("finalized %d times", len(final))
			}
			stamp := contracts.GetString([]byte(final[0]), "timestamp")
			want := fmt.Sprintf(`{"plan_id":%q,"certificate":{"certified":true,"certificate_id":"cert_0f8fad5b_%s","merkle_root":%q,"tree_size":%d,"checkpoint":%q,"timestamp":%q},"attempt":1,"timestamp":%q}`,
				planID, tree.Root().String()[:12], tree.Root(), len(leaves), noteOf(ask), stamp, stamp)
			if final[0] != want || stamp == "" {
				t.Fatalf("finalized is %s\nexpected %s", final[0], want)
			}
			b.want(map[string]int{"hxo.aggregate.ready": 1, "hxo.aggregate.certify": 1, "hxo.aggregate.failed": 0, "hxo.alert": 0})
		})
	}
}

// A bad leaf: failed, bisected, exactly that shard once more, certified.
func TestBadLeafIsReplayed(t *testing.T) {
	b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}")
	b.submit(planID, stageOf{id: "one", items: 300}, stageOf{id: "two", items: 40, needs: []string{"one"}})
	b.work()
	tree, leaves := b.expect(planID, "one", "two")
	key, ask := b.asked(certify.EffectCertify)
	b.says(certify.LaneTruth, key, answer(ask, false))
	b.want(map[string]int{"hxo.aggregate.failed": 1, "hxo.aggregate.finalized": 0})
	want := fmt.Sprintf(`{"plan_id":%q,"merkle_root":%q,"attempt":1,"reason":"proof verification failed"}`, planID, tree.Root())
	if got := b.hxo("hxo.aggregate.failed")[0]; got != want {
		t.Fatalf("failed is %s, expected %s", got, want)
	}
	key, ask = b.asked(certify.EffectBisect)
	v := answer(ask, false)
	v.Comparisons = new(int)
	for _, i := range []int{7, 310} {
		v.Bad = append(v.Bad, certify.Bad{Shard: leaves[i].Shard(), Index: i, Expected: leaves[i].Output})
	}
	b.says(certify.LaneTruth, key, v)
	b.Restart()
	b.work()
	b.want(map[string]int{"hxo.shard.created": 342, "hxo.shard.claimed": 342, "hxo.shard.done": 342, "hxo.audit": 2})
	for _, d := range b.hxo("hxo.shard.created")[340:] {
		cas := contracts.GetString([]byte(d), "cas_id")
		if n, _ := contracts.GetInt([]byte(d), "attempt"); n != 2 || cas != leaves[7].CASID && cas != leaves[310].CASID {
			t.Fatalf("another shard was replayed: %s", d)
		}
	}
	b.checkClaim(planID, tree, leaves) // the same root
	key, ask = b.asked(certify.EffectCertify)
	if ask.Attempt != 2 {
		t.Fatalf("%+v", ask)
	}
	b.says(certify.LaneTruth, key, answer(ask, true))
	b.want(map[string]int{"hxo.aggregate.ready": 2, "hxo.aggregate.certify": 2, "hxo.aggregate.failed": 1, "hxo.aggregate.finalized": 1, "hxo.alert": 0})
}

// Three attempts, then a person has to look; a replay by a person begins anew.
func TestGivenUpAfterThreeAttempts(t *testing.T) {
	b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}")
	b.submit(planID, stageOf{id: "one", items: 3})
	b.work()
	for try := 1; try <= 3; try++ {
		key, ask := b.asked(certify.EffectCertify)
		if ask.Attempt != try {
			t.Fatalf("%+v", ask)
		}
		b.says(certify.LaneTruth, key, answer(ask, false))
		key, ask = b.asked(certify.EffectBisect)
		if ask.Last != (try == 3) {
			t.Fatalf("%+v", ask)
		}
		b.says(certify.LaneTruth, key, answer(ask, false))
		b.Advance(60_000)
	}
	b.want(map[string]int{"hxo.aggregate.ready": 3, "hxo.aggregate.failed": 3, "hxo.alert": 1})
	if a := b.hxo("hxo.alert")[0]; !strings.Contains(a, `"alert_type":"certification_failed","severity":"critical"`) {
		t.Fatal(a)
	}
	b.Append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q,"user":"kyle","role":"admiral","all":true}`, planID)))
	b.work()
	key, ask := b.asked(certify.EffectCertify)
	if ask.Attempt != 4 || ask.Last {
		t.Fatalf("%+v", ask)
	}
	b.says(certify.LaneTruth, key, answer(ask, true))
	b.want(map[string]int{"hxo.aggregate.ready": 4, "hxo.aggregate.failed": 3, "hxo.aggregate.finalized": 1, "hxo.alert": 1})
}

// With the built-in Truth nobody else's word counts.
func TestForgedVerdicts(t *testing.T) {
	b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}")
	b.submit(planID, stageOf{id: "one", items: 3})
	b.work()
	key, ask := b.asked(certify.EffectCertify)
	b.says("mallory", "", answer(ask, true))
	b.says("mallory", key, answer(ask, true))
	b.says(certify.LaneTruth, "truth:other/1", answer(ask, true))
	b.want(map[string]int{"hxo.aggregate.finalized": 0, "hxo.aggregate.failed": 0})
	if got := strings.Join(b.Lane("board"), "\n"); strings.Count(got, `"reason":"policy"`) != 2 || strings.Count(got, "board.quarantined") != 1 {
		t.Fatal(got)
	}
	wrong := answer(ask, true)
	wrong.Note = noteOf(certify.Ask{Root: strings.Repeat("0", 64), Shards: 3})
	b.says(certify.LaneTruth, key, wrong) // another tree's note certifies nothing
	b.want(map[string]int{"hxo.aggregate.finalized": 0, "hxo.aggregate.failed": 1})
}

func TestOutsideTruth(t *testing.T) {
	b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}\ntruth: outside\ntruth.timeout: 10s")
	b.submit(planID, stageOf{id: "one", items: 20})
	b.work()
	if n := len(b.takeKind(certify.EffectCertify)); n != 0 {
		t.Fatal("the built-in Truth was asked")
	}
	// work lets time pass: the first attempt may be over.
	_, ask := b.current()
	var reasons []string
	refused := func(v certify.Verdict, reason, pointer string) {
		t.Helper()
		n := len(b.Lane("board"))
		b.says("truth", "", v)
		got := b.Lane("board")[n:]
		if len(got) != 1 || !strings.Contains(got[0], fmt.Sprintf(`"reason":%q`, reason)) || !strings.Contains(got[0], fmt.Sprintf(`"pointer":%q`, pointer)) {
			t.Fatalf("expected %s %s, got %v", reason, pointer, got)
		}
		reasons = append(reasons, got...)
	}
	v := answer(ask, true)
	v.Note = ""
	with := func(fn func(v *certify.Verdict)) certify.Verdict { w := v; fn(&w); return w }
	refused(with(func(v *certify.Verdict) { v.Attempt += 5 }), "bad_parameter", "/data/attempt")
	refused(with(func(v *certify.Verdict) { v.MerkleRoot = strings.Repeat("0", 64) }), "bad_parameter", "/data/merkle_root")
	refused(with(func(v *certify.Verdict) { v.PlanID = strings.Replace(planID, "0f", "1f", 1) }), "unknown_plan", "/data/plan_id")
	refused(with(func(v *certify.Verdict) { v.Note = "some\nother\nnote\n\n— a b\n" }), "bad_parameter", "/data/note")
	refused(with(func(v *certify.Verdict) {
		v.Certified, v.Bad = false, []certify.Bad{{Shard: certify.Shard{StageID: "one", CASID: "0123456789abcdef"}}}
	}), "bad_parameter", "/data/bad/0")
	b.says("truth", "", v)
	refused(v, "duplicate", "/data/attempt")
	key, sign := b.asked(certify.EffectSign)
	b.says(certify.LaneTruth, key, answer(sign, true))
	b.want(map[string]int{"hxo.aggregate.finalized": 1})
	refused(v, "duplicate", "/data/attempt")
	b.Advance(100_000)
	b.want(map[string]int{"hxo.aggregate.finalized": 1})
}

// current is what the newest hxo.aggregate.ready asks.
func (b *bench) current() (string, certify.Ask) {
	r := b.hxo("hxo.aggregate.ready")
	var ask certify.Ask
	_ = json.Unmarshal([]byte(r[len(r)-1]), &ask)
	return "", ask
}

// An outside Truth names a shard; a silent one is not waited for; a late word
// is told that it is late.
func TestOutsideTruthRefusesAndIsSilent(t *testing.T) {
	b := newBench(t, "hxo: {max_rate: 100000, batch_size: 500}\ntruth: outside\ntruth.timeout: 10s")
	b.submit(planID, stageOf{id: "one", items: 20})
	b.work()
	_, leaves := b.expect(planID, "one")
	_, ask := b.current()
	v := answer(ask, false)
	v.Reason, v.Bad = "I ran it again and got something else", []certify.Bad{{Shard: leaves[3].Shard()}}
	b.says("truth", "", v)
	key, bisect := b.asked(certify.EffectBisect)
	if len(bisect.Suspect) != 1 || bisect.Suspect[0] != leaves[3].Shard() {
		t.Fatalf("%+v", bisect)
	}
	w := answer(bisect, false)
	w.Bad = []certify.Bad{{Shard: leaves[3].Shard(), Index: 3, Refused: true}}
	b.says(certify.LaneTruth, key, w)
	b.work()
	b.want(map[string]int{"hxo.shard.done": 21, "hxo.aggregate.ready": 2, "hxo.aggregate.failed": 1})
	_, ask = b.current()
	b.Advance(10_000)
	b.want(map[string]int{"hxo.aggregate.failed": 2})
	if f := b.hxo("hxo.aggregate.failed")[1]; !strings.Contains(f, "no verdict within 10s") {
		t.Fatal(f)
	}
	n := len(b.Lane("board"))
	b.says("truth", "", answer(ask, true))
	if got := b.Lane("board")[n:]; len(got) != 1 || !strings.Contains(got[0], `"reason":"duplicate"`) {
		t.Fatalf("late: %v", got)
	}
}

// Whatever comes between: one end for each attempt, and in order.
func TestAggregateOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBench(t, rapid.SampledFrom([]string{"hxo: {max_rate: 100000, batch_size: 500}", "hxo: {max_rate: 60, batch_size: 3}", "truth: outside\ntruth.timeout: 3s"}).Draw(rt, "yaml"))
		b.submit(planID, stageOf{id: "one", items: rapid.IntRange(0, 9).Draw(rt, "n"), tries: 1}, stageOf{id: "two", items: 2, needs: []string{"one"}})
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 9).Draw(rt, "step") {
			case 0, 1, 2:
				for _, e := range b.takeKind(spec.EffectRun) {
					b.Append(spec.LaneExec, e.done())
				}
			case 3, 4:
				for _, kind := range []string{certify.EffectCertify, certify.EffectSign, certify.EffectBisect} {
					for _, e := range b.takeKind(kind) {
						var ask certify.Ask
						_ = json.Unmarshal(e.Raw, &ask)
						v := answer(ask, rapid.Bool().Draw(rt, "ok"))
						if _, leaves := b.expect(planID, "one", "two"); kind == certify.EffectBisect && len(leaves) > 0 && rapid.Bool().Draw(rt, "bad") {
							v.Bad = []certify.Bad{{Shard: rapid.SampledFrom(leaves).Draw(rt, "leaf").Shard()}}
						}
						b.says(certify.LaneTruth, e.Key, v)
					}
				}
			case 5:
				b.Append("admiral", line("hxo.plan.replay", "", fmt.Sprintf(`{"plan_id":%q,"all":true}`, planID)))
			case 6:
				if rapid.IntRange(0, 9).Draw(rt, "abort") == 0 {
					b.Append("admiral", line("hxo.plan.abort", "", fmt.Sprintf(`{"plan_id":%q}`, planID)))
				}
			case 7:
				if r := b.hxo("hxo.aggregate.ready"); len(r) > 0 {
					_, ask := b.current()
					b.says("somebody", "", answer(ask, rapid.Bool().Draw(rt, "outside")))
				}
			case 8:
				b.Restart()
			case 9:
				b.Advance(int64(rapid.IntRange(0, 5000).Draw(rt, "ms")))
			}
			b.Advance(50)
		}
		b.Advance(100_000)
		if len(b.Skips) > 0 {
			rt.Fatalf("skips: %v", b.Skips)
		}
		orderly(rt, b.Lane("hxo"))
	})
}

// orderly holds lane hxo to the third guarantee: ready, certify, then one of
// finalized and failed, per attempt; and to attempts that count from 1.
func orderly(t *rapid.T, lines []string) {
	at, state := int64(0), "ended"
	for _, l := range lines {
		topic, data := contracts.GetString([]byte(l), "type"), contracts.Lookup([]byte(l), "data").Raw
		next, ok := strings.CutPrefix(topic, "hxo.aggregate.")
		if !ok {
			continue
		}
		n, _ := contracts.GetInt(data, "attempt")
		switch {
		case next == "ready" && state == "ended":
			at++
		case next == "certify" && state == "ready", (next == "finalized" || next == "failed") && state == "certify":
		default:
			t.Fatalf("%s of attempt %d after %s of attempt %d:\n%s", next, n, state, at, strings.Join(lines, "\n"))
		}
		if n != at {
			t.Fatalf("%s of attempt %d, expected %d", next, n, at)
		}
		if state = next; next == "finalized" || next == "failed" {
			state = "ended"
		}
	}
}
