package exemplar

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"stigmergy/contracts"
	packet "stigmergy/contracts/exemplar"
	"stigmergy/handlers"
)

// planned keeps what a plan's exemplar will say of what was asked.
func planned(tx *handlers.Tx, ev *contracts.Event) {
	o := new(handlers.Object).Position("position", ev.Pos)
	for _, key := range []string{"plan_name", "submitted_by", "plan_sha256"} {
		if v := contracts.Lookup(ev.Data(), key); v.Kind == contracts.String {
			o.Str(key, v.Text())
		}
	}
	for _, key := range []string{"stages", "shards"} {
		if n, ok := contracts.GetInt(ev.Data(), key); ok {
			o.Int(key, n)
		}
	}
	tx.Put(planKey+ev.Get("data.plan_id").Text(), string(o.Bytes()))
}

// ending is how a plan, or one attempt at certifying it, came out.
type ending struct {
	run, file string // PLAN#1, plan_PLAN_1
	outcome   string
	answer    string // a SHA-256
	cert      []byte // the certificate
	attempt   int64  // 0: none
}

// certified derives the exemplar of an attempt that was finalized or failed:
// its answer is the root of the outputs' tree.
func certified(tx *handlers.Tx, ev *contracts.Event) {
	id := ev.Get("data.plan_id").Text()
	attempt, ok := contracts.GetInt(ev.Data(), "attempt")
	if !ok {
		attempt = 1
	}
	n := strconv.FormatInt(attempt, 10)
	e := ending{run: id + "#" + n, file: "plan_" + id + "_" + n, outcome: "ok", cert: contracts.Lookup(ev.Data(), "certificate").Raw, attempt: attempt}
	e.answer = contracts.GetString(e.cert, "merkle_root")
	if ev.TopicName == "hxo.aggregate.failed" {
		e.outcome, e.answer = "error", contracts.GetString(ev.Data(), "merkle_root")
	}
	tx.Delete(failedKey + id)
	remember(tx, ev, id, e)
}

// planFailed derives the exemplar of a plan of which a shard failed for the
// last time: one, however many shards do, until the plan is replayed.
func planFailed(tx *handlers.Tx, ev *contracts.Event) {
	id := ev.Get("data.plan_id").Text()
	if _, told := tx.Get(failedKey + id); told || ev.Get("data.alert_type").Text() != "retries_exhausted" {
		return
	}
	times, _ := tx.Get(timesKey + id)
	n, _ := strconv.Atoi(times) // none is 0
	times = strconv.Itoa(n + 1)
	tx.Put(timesKey+id, times)
	tx.Put(failedKey+id, "")
	remember(tx, ev, id, ending{run: id + "#failed-" + times, file: "plan_" + id + "_failed-" + times, outcome: "error", answer: hash(ev.Get("data.message").Text())})
}

// remember derives a plan's exemplar. Its prompt is the plan; exemplar_path is
// where the store's worker writes the packet.
func remember(tx *handlers.Tx, ev *contracts.Event, id string, e ending) {
	kept, _ := tx.Get(planKey + id)
	plan := []byte(kept)
	if kept == "" {
		plan = []byte("{}")
	}
	o := new(handlers.Object).
		Str("type", packet.Type).Str("ts", tx.Time()).Str("scope", "hxo_plan__"+first(contracts.GetString(plan, "plan_name"), id)).
		Str("run_id", e.run).
		Str("preflight_receipt_id", e.run+":preflight").Str("postflight_receipt_id", e.run+":postflight").
		Str("outcome", e.outcome).
		Str("prompt_sha256", first(contracts.GetString(plan, "plan_sha256"), hash("plan_id\n"+id))).
		Str("answer_sha256", first(e.answer, hash("no root\n"+e.run))).
		Raw("tags", strs("hxo", "plan", e.outcome)).Raw("keywords", strs(id)).Raw("sources", []byte("[]")).
		Raw("artifacts", new(handlers.Object).Str("exemplar_path", packet.Dir+"/"+e.file+".json").Bytes()).
		Raw("summary", planSummary(ev, plan, e))
	sealed, _, err := packet.Seal(o.Bytes())
	if err != nil {
		panic("sealing a plan's exemplar: " + err.Error())
	}
	tx.Emit("swarm", packet.Topic, e.run, sealed)
}

func planSummary(ev *contracts.Event, plan []byte, e ending) []byte {
	s := new(handlers.Object).Position("position", ev.Pos).
		OptStr("plan_position", contracts.GetString(plan, "position")).
		OptStr("plan_name", contracts.GetString(plan, "plan_name")).
		OptStr("submitted_by", contracts.GetString(plan, "submitted_by")).
		OptStr("certificate_id", contracts.GetString(e.cert, "certificate_id")).
		OptStr("reason", first(contracts.GetString(ev.Data(), "reason"), contracts.GetString(ev.Data(), "message")))
	if e.attempt > 0 {
		s.Int("attempt", e.attempt)
	}
	for _, key := range []string{"stages", "shards"} {
		if n, ok := contracts.GetInt(plan, key); ok {
			s.Int(key, n)
		}
	}
	return s.Bytes()
}

// first is a, or b where a is empty.
func first(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func strs(words ...string) []byte {
	b := []byte{'['}
	for i, w := range words {
		if i > 0 {
			b = append(b, ',')
		}
		b = contracts.AppendString(b, w)
	}
	return append(b, ']')
}
