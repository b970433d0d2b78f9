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

// planEnded derives the exemplar of a plan's attempt. Its prompt is the plan,
// its answer the root of the outputs' tree. exemplar_path is where the store's
// worker writes the packet.
func planEnded(tx *handlers.Tx, ev *contracts.Event) {
	id := ev.Get("data.plan_id").Text()
	kept, _ := tx.Get(planKey + id)
	plan := []byte(kept)
	if kept == "" {
		plan = []byte("{}")
	}
	attempt, ok := contracts.GetInt(ev.Data(), "attempt")
	if !ok {
		attempt = 1
	}
	run := id + "#" + strconv.FormatInt(attempt, 10)
	outcome, cert := "ok", contracts.Lookup(ev.Data(), "certificate").Raw
	root := contracts.GetString(cert, "merkle_root")
	if ev.TopicName == "hxo.aggregate.failed" {
		outcome, root = "error", contracts.GetString(ev.Data(), "merkle_root")
	}
	o := new(handlers.Object).
		Str("type", packet.Type).Str("ts", tx.Time()).Str("scope", "hxo_plan__"+first(contracts.GetString(plan, "plan_name"), id)).
		Str("run_id", run).
		Str("preflight_receipt_id", run+":preflight").Str("postflight_receipt_id", run+":postflight").
		Str("outcome", outcome).
		Str("prompt_sha256", first(contracts.GetString(plan, "plan_sha256"), hash("plan_id\n"+id))).
		Str("answer_sha256", first(root, hash("no root\n"+run))).
		Raw("tags", strs("hxo", "plan", outcome)).Raw("keywords", strs(id)).Raw("sources", []byte("[]")).
		Raw("artifacts", new(handlers.Object).Str("exemplar_path", packet.Dir+"/plan_"+id+"_"+strconv.FormatInt(attempt, 10)+".json").Bytes()).
		Raw("summary", planSummary(ev, plan, cert, attempt))
	sealed, _, err := packet.Seal(o.Bytes())
	if err != nil {
		panic("sealing a plan's exemplar: " + err.Error())
	}
	tx.Emit("swarm", packet.Topic, run, sealed)
}

func planSummary(ev *contracts.Event, plan, cert []byte, attempt int64) []byte {
	s := new(handlers.Object).Int("attempt", attempt).Position("position", ev.Pos).
		OptStr("plan_position", contracts.GetString(plan, "position")).
		OptStr("plan_name", contracts.GetString(plan, "plan_name")).
		OptStr("submitted_by", contracts.GetString(plan, "submitted_by")).
		OptStr("certificate_id", contracts.GetString(cert, "certificate_id")).
		OptStr("reason", contracts.GetString(ev.Data(), "reason"))
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
