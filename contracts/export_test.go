package contracts

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"stigmergy/contracts/schema"
)

func TestExportsAreTheSameEachTime(t *testing.T) {
	for name, export := range map[string]func([]*Topic) []byte{
		"asyncapi": ExportAsyncAPI, "typescript": ExportTypeScript, "zod": ExportZod,
	} {
		first := export(Builtin().Topics())
		for _, topic := range Builtin().Topics() {
			if !bytes.Contains(first, []byte(`"`+topic.Name+`"`)) {
				t.Errorf("%s: no %s", name, topic.Name)
			}
		}
		for range 3 {
			if !bytes.Equal(first, export(readBuiltin().Topics())) {
				t.Errorf("%s differs", name)
			}
		}
	}
}

// The payload schemas of the AsyncAPI document are schemas that refuse and accept
// what the contracts do.
func TestAsyncAPIPayloads(t *testing.T) {
	r, faults := Builtin().With(map[string][]byte{
		"own.topic": []byte(`{"$defs":{"n":{"type":"number"}},"properties":{"a":{"$ref":"#/$defs/n"}}}`),
		"hxo.plan":  []byte(`{"$defs":{"n":{"maxLength":5}},"properties":{"plan_name":{"$ref":"#/$defs/n"}}}`),
	})
	if faults != nil {
		t.Fatal(faults)
	}
	var doc struct {
		Components struct {
			Messages map[string]struct{ Payload json.RawMessage }
		}
	}
	text := ExportAsyncAPI(r.Topics())
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	payload := func(topic string) *schema.Schema {
		// References are from the document's root: keep the schema where it stands.
		whole := `{"$ref":"#/components/messages/` + topic + `/payload","components":{"messages":{"` + topic + `":{"payload":` +
			string(doc.Components.Messages[topic].Payload) + `}}}}`
		s, err := schema.Compile([]byte(whole))
		if err != nil {
			t.Fatalf("%s: %v", topic, err)
		}
		return s
	}
	for _, topic := range Builtin().Topics() {
		s := payload(topic.Name)
		for _, f := range fixturesOf(t, topic.Name) {
			line := bytes.TrimSpace(read(t, f))
			var ev Event
			refusal := (&Checker{Registry: r}).Check(line, &ev)
			if refusal != nil && refusal.Errors[0].Keyword == "x-agrees-with" {
				continue // no schema can say this
			}
			if got := s.Check(line); (got == nil) != (refusal == nil) {
				t.Errorf("%s: %v, want %v", f, got, refusal)
			}
		}
	}
	if payload("own.topic").Check([]byte(`{"type":"own.topic","data":{"a":"x"}}`)) == nil {
		t.Error("a reference within a board's contract is lost")
	}
}

func TestTypeNames(t *testing.T) {
	for topic, want := range map[string]string{
		"hxo.shard.done": "HxoShardDone", "a_b": "A_B", "a.b": "AB", "a-b": "A$B", "7up": "T7up", "x.9": "X9",
	} {
		if got := typeName(topic); got != want {
			t.Errorf("%s: %s, want %s", topic, got, want)
		}
	}
}

func TestTypeScript(t *testing.T) {
	r, faults := Builtin().With(map[string][]byte{"own.topic": []byte(`{"title":"ends */ here","required":["x","y z"],
		"properties":{"x":{"enum":["a",1,null]},"r":{"$ref":"#"},"o":{"anyOf":[{"type":"string"},{"type":"array","items":{"type":"integer"}}]}},"additionalProperties":false}`)})
	if faults != nil {
		t.Fatal(faults)
	}
	text := string(ExportTypeScript(r.Topics()))
	for _, want := range []string{
		"export type HxoShardDone = {\n  plan_id: string;\n  cas_id: string;\n  stage_id: string;\n  output_digest: string;\n",
		`phase: "pending";`, `signal_type: "hotspot" | "high_latency" | "timeout_risk" | "queue_depth";`,
		`commit_sha: string | null;`, "plan: {\n", `"hxo.plan": HxoPlan;`, "ends * / here",
		`x: "a" | 1 | null;`, `o?: (string | Array<number>);`, `"y z": unknown;`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
}

func TestMatrix(t *testing.T) {
	table := string(Matrix(Builtin().Topics()))
	for _, want := range []string{
		"| `hxo.shard.done` | Shard completed | publish | HXO | Monitors, Merkle | per shard |",
		"| **hxo** | cas_id, plan_id |\n", "| `genesis.heal` |", "| genesis | plan_id |\n", "| any |",
	} {
		if !strings.Contains(table, want) {
			t.Errorf("no %q", want)
		}
	}
	if rows := strings.Count(table, "\n"); rows != 2+len(Builtin().Topics()) {
		t.Errorf("%d lines", rows)
	}
}
