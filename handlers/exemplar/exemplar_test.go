package exemplar_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	packet "stigmergy/contracts/exemplar"
	"stigmergy/handlers"
	"stigmergy/handlers/board"
	"stigmergy/handlers/exemplar"
	"stigmergy/handlers/foldtest"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// event is a line with a packet of run n.
func event(n int, id string) string {
	line := fmt.Sprintf(`{"type":"hfo.exemplar","data":{"type":"hfo_exemplar_event","ts":"2026-01-29T02:31:13Z","scope":"gitops_run__main","run_id":"%d",`+
		`"preflight_receipt_id":"a","postflight_receipt_id":"b","outcome":"ok","prompt_sha256":"%s","answer_sha256":"%s","tags":[],"keywords":[],"sources":[],`+
		`"artifacts":{"exemplar_path":"x"}}}`, n, sum, sum)
	if id != "" {
		line = strings.Replace(line, `"type"`, `"id":"`+id+`","source":"s","type"`, 1)
	}
	return line
}

// nameOf is the exemplar_id of run n's packet.
func nameOf(t testing.TB, n int) string {
	t.Helper()
	var ev struct{ Data json.RawMessage }
	if err := json.Unmarshal([]byte(event(n, "")), &ev); err != nil {
		t.Fatal(err)
	}
	id, _, err := packet.ID(ev.Data)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func ingested(id string) string {
	return fmt.Sprintf(`{"type":"exemplar.ingested","effectkey":"exemplar:%s","data":{"exemplar_id":"%s","scope":"s","outcome":"ok","receipt_path":"r","new":true}}`, id, id)
}

func refused(id string) string {
	return fmt.Sprintf(`{"type":"exemplar.refused","effectkey":"exemplar:%s","data":{"exemplar_id":"%s","position":"ci@1:0","reason":"bad_parameter",`+
		`"errors":[{"pointer":"/data/source_hashes/0","keyword":"sha256","expected":"run.log","got":"5 bytes","hint":"h"}]}}`, id, id)
}

func newBoard(t testing.TB) *foldtest.Board { return foldtest.New(t, board.New(), exemplar.New()) }

// TestOnce: a packet is one effect, however often and wherever it is posted,
// before and after it was ingested and across restarts.
func TestOnce(t *testing.T) {
	b := newBoard(t)
	for i := range 50 {
		b.Append(fmt.Sprintf("agents/%d", i), event(1, ""), event(1, fmt.Sprint("id-", i)))
	}
	id := nameOf(t, 1)
	if len(b.Started) != 1 || b.Started[0].Key != "exemplar:"+id || b.Started[0].Kind != "exemplar.ingest" {
		t.Fatalf("effects %+v", b.Started)
	}
	var payload struct {
		Position, Source, ID string
		Packet               json.RawMessage
	}
	if err := json.Unmarshal(b.Started[0].Payload, &payload); err != nil || payload.Position != "agents/0@1:0" || payload.Source != "agents/0" || payload.ID != "agents/0@1:0" {
		t.Fatalf("%s %v", b.Started[0].Payload, err)
	}
	step := b.Append(exemplar.Lane, ingested(id))
	if len(step.Done) != 1 {
		t.Errorf("done %v", step.Done)
	}
	b.Restart()
	b.Append("ci", event(1, ""))
	if len(b.Started) != 1 || len(b.Lane("board")) != 0 {
		t.Errorf("effects %d, said %s", len(b.Started), b.Bytes())
	}
}

// TestRefused: whoever posted a packet that the store does not take is told
// with the store's own words, and may post it again.
func TestRefused(t *testing.T) {
	b := newBoard(t)
	b.Append("ci", event(1, "e1"))
	b.Append(exemplar.Lane, refused(nameOf(t, 1)))
	said := b.Lane("board")
	if len(said) != 1 || !strings.Contains(said[0], `"type":"board.rejected"`) || !strings.Contains(said[0], `"position":"ci@1:0","request_topic":"hfo.exemplar","request_id":"e1","reason":"bad_parameter"`) ||
		!strings.Contains(said[0], "run.log") {
		t.Fatalf("%q", said)
	}
	b.Append("ci", event(1, "e1"))
	if len(b.Started) != 2 {
		t.Errorf("%d effects", len(b.Started))
	}
}

// TestBad: what the fold itself sees is wrong with a packet.
func TestBad(t *testing.T) {
	b := newBoard(t)
	b.Append("ci", strings.Replace(event(1, ""), `"run_id"`, `"exemplar_id":"`+sum+`","run_id"`, 1))
	b.Append("ci", strings.Replace(event(1, ""), `"run_id"`, `"odd":{"a":1,"a":2},"run_id"`, 1))
	b.Append("ci", event(1, "one"), event(2, "one"))
	said := b.Lane("board")
	if len(said) != 3 || len(b.Started) != 1 {
		t.Fatalf("%d effects, %q", len(b.Started), said)
	}
	for i, want := range []string{`"pointer":"/data/exemplar_id","keyword":"exemplar_id","expected":"` + nameOf(t, 1), "stands twice", `"reason":"duplicate"`} {
		if !strings.Contains(said[i], want) {
			t.Errorf("%s\nwant %s", said[i], want)
		}
	}
}

// TestPlans: a finalized plan and a failed certification leave an exemplar
// each, which is ingested like any other.
func TestPlans(t *testing.T) {
	const plan = "0f8fad5b-d9cb-469f-a165-70867728950e"
	b := foldtest.NewWith(t, []byte("policy: {foreign_owned: record}"), nil, board.New(), source{}, exemplar.New())
	b.Append("ci", `{"type":"x.plan"}`, `{"type":"x.failed"}`, `{"type":"x.finalized"}`, `{"type":"x.alert"}`, `{"type":"x.alert"}`,
		`{"type":"hxo.plan.replay","data":{"plan_id":"`+plan+`","failed":true}}`, `{"type":"x.alert"}`)
	lines := b.Lane("swarm")
	if len(lines) != 4 || len(b.Started) != 4 {
		t.Fatalf("%d effects, %q", len(b.Started), lines)
	}
	for i, want := range []struct{ run, outcome, answer string }{
		{plan + "#1", "error", sum}, {plan + "#2", "ok", strings.Repeat("ab", 32)}, {plan + "#failed-1", "error", digest("gone")}, {plan + "#failed-2", "error", digest("gone")},
	} {
		var ev struct {
			Subject string
			Time    string
			Data    map[string]any
		}
		if err := json.Unmarshal([]byte(lines[i]), &ev); err != nil {
			t.Fatal(err)
		}
		d := ev.Data
		if ev.Subject != want.run || d["run_id"] != want.run || d["outcome"] != want.outcome || d["answer_sha256"] != want.answer || d["prompt_sha256"] != strings.Repeat("cd", 32) ||
			d["scope"] != "hxo_plan__deploy" || d["ts"] != ev.Time {
			t.Errorf("%s", lines[i])
		}
	}
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// source derives what the plan handler would: hxo topics are nobody else's.
type source struct{}

func (source) Name() string              { return "source" }
func (source) Topics() []string          { return []string{"x.*"} }
func (source) Tick(*handlers.Tx, string) {}
func (source) Handle(tx *handlers.Tx, ev *contracts.Event) {
	const plan = `"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"`
	switch ev.TopicName {
	case "x.plan":
		tx.Emit("hxo", "hxo.plan", "", []byte(`{`+plan+`,"plan_name":"deploy","stages":3,"submitted_by":"kyle","plan_sha256":"`+strings.Repeat("cd", 32)+`","shards":7}`))
	case "x.alert":
		tx.Emit("hxo", "hxo.alert", "", []byte(`{`+plan+`,"alert_type":"retries_exhausted","severity":"critical","message":"gone"}`))
		tx.Emit("hxo", "hxo.alert", "", []byte(`{`+plan+`,"alert_type":"slo","severity":"critical","message":"slow"}`))
	case "x.failed":
		tx.Emit("hxo", "hxo.aggregate.failed", "", []byte(`{`+plan+`,"merkle_root":"`+sum+`","reason":"a leaf differs","attempt":1}`))
	case "x.finalized":
		tx.Emit("hxo", "hxo.aggregate.finalized", "", []byte(`{`+plan+`,"certificate":{"certified":true,"certificate_id":"cert_1","timestamp":"`+tx.Time()+`","merkle_root":"`+
			strings.Repeat("ab", 32)+`"},"timestamp":"`+tx.Time()+`","attempt":2}`))
	}
}

// TestEveryOrder: whatever is posted in whatever order, each packet has at most
// one effect at a time, and none once it is ingested.
func TestEveryOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBoard(t)
		state := map[int]string{} // what a packet is: "", "out", "in"
		starts := map[int]int{}
		want := map[int]int{}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			n := rapid.IntRange(1, 4).Draw(rt, "packet")
			switch rapid.IntRange(0, 4).Draw(rt, "step") {
			case 0, 1:
				b.Append("ci", event(n, ""))
				if state[n] == "" {
					state[n], want[n] = "out", want[n]+1
				}
			case 2:
				if state[n] == "out" {
					b.Append(exemplar.Lane, ingested(nameOf(t, n)))
					state[n] = "in"
				}
			case 3:
				if state[n] == "out" {
					b.Append(exemplar.Lane, refused(nameOf(t, n)))
					state[n] = ""
				}
			case 4:
				b.Restart()
			}
		}
		for _, e := range b.Started {
			for n := 1; n <= 4; n++ {
				if e.Key == "exemplar:"+nameOf(t, n) {
					starts[n]++
				}
			}
		}
		for n := 1; n <= 4; n++ {
			if starts[n] != want[n] {
				rt.Fatalf("packet %d: %d effects, want %d", n, starts[n], want[n])
			}
		}
	})
}
