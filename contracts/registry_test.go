package contracts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stigmergy/contracts/schema"
)

// The topics of the design, with the lane that alone may carry them.
var designTopics = map[string]string{
	"hxo.plan": "hxo", "hxo.shard.created": "hxo", "hxo.shard.claimed": "hxo", "hxo.shard.done": "hxo",
	"hxo.shard.failed": "hxo", "hxo.aggregate.ready": "hxo", "hxo.aggregate.certify": "hxo",
	"hxo.aggregate.finalized": "hxo", "hxo.aggregate.failed": "hxo", "hxo.autotune.signal": "hxo",
	"hxo.alert": "hxo", "hxo.audit": "hxo", "genesis.heal": "", "genesis.intent": "", "blueprint.events": "",
	"hxo.plan.submit": "", "hxo.plan.abort": "", "hxo.plan.replay": "",
	"board.quarantined": "board", "board.rejected": "board", "board.alert": "board",
	"board.checkpoint": "workers/signer", "board.lane.rotated": "workers/archive",
	"board.segment.sealed": "workers/archive", "board.segment.archived": "workers/archive",
	"plan.resolved": "workers/plan", "federation.claim": "", "federation.result": "", "federation.heartbeat": "",
	"truth.verdict": "", "gitops.run.request": "", "gitops.batch": "", "gitops.run": "",
	"hfo.exemplar": "", "exemplar.ingested": "workers/exemplars", "exemplar.refused": "workers/exemplars", "swarm.followup": "swarm", "quarantine.drop": "",
}

var designRequests = []string{"blueprint.events", "federation.claim", "federation.heartbeat", "federation.result",
	"genesis.heal", "genesis.intent", "gitops.run.request", "hxo.plan.abort", "hxo.plan.replay", "hxo.plan.submit",
	"quarantine.drop", "truth.verdict"}

func TestBuiltinTopics(t *testing.T) {
	var requests []string
	topics := Builtin().Topics()
	for _, topic := range topics {
		owner, ok := designTopics[topic.Name]
		if !ok || topic.Owner != owner {
			t.Errorf("%s: owner %q, want %q", topic.Name, topic.Owner, owner)
		}
		if topic.Request {
			requests = append(requests, topic.Name)
		}
		if !topic.Builtin || topic.Title == "" || topic.Producer == "" || len(topic.Consumers) == 0 ||
			topic.Frequency == "" || topic.Version == "" || topic.Direction != "publish" && topic.Direction != "subscribe" {
			t.Errorf("%s: the matrix has a hole: %+v", topic.Name, topic)
		}
		if Builtin().Topic([]byte(topic.Name)) != topic {
			t.Errorf("%s is not found by name", topic.Name)
		}
	}
	if len(topics) != len(designTopics) || !slices.Equal(requests, designRequests) {
		t.Errorf("%d topics, requests %v", len(topics), requests)
	}
	if !slices.IsSortedFunc(topics, func(a, b *Topic) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("topics are not sorted")
	}
}

// Built-in schemas are taken at their word at start: here the standard has its say.
func TestBuiltinSchemasAreSchemas(t *testing.T) {
	for _, topic := range Builtin().Topics() {
		s, err := schema.Compile(topic.Schema)
		if err != nil {
			t.Errorf("%s: %v", topic.Name, err)
			continue
		}
		if !s.Compiled() {
			t.Errorf("%s is left to the slow fallback", topic.Name)
		}
	}
}

func TestIndexedFields(t *testing.T) {
	for name, want := range map[string][]string{
		"hxo.shard.claimed": {"cas_id", "executor", "plan_id"},
		"gitops.batch":      {"batch_id", "commit_sha", "run_id"},
		"hxo.audit":         {"user"},
	} {
		if got := Builtin().Topic([]byte(name)).Index; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func data(t *testing.T, topic, file string) map[string]any {
	var e struct{ Data map[string]any }
	if err := json.Unmarshal(read(t, filepath.Join(fixtures, topic, "valid", file)), &e); err != nil {
		t.Fatal(err)
	}
	return e.Data
}

// Whatever is required may not be missing, and whatever has a type may not have
// another: by mutation of the valid fixtures.
func TestContractsByMutation(t *testing.T) {
	for _, topic := range Builtin().Topics() {
		text := topic.checks[0].Text()
		required := text.Strings("required")
		for name := range data(t, topic.Name, "minimal.json") {
			d := data(t, topic.Name, "minimal.json")
			delete(d, name)
			if slices.Contains(required, name) {
				mustBreak(t, topic, d, "/data/"+name, "required")
			}
		}
		for name := range data(t, topic.Name, "full.json") {
			property := text.Get("properties").Get(name)
			if property == nil {
				continue
			}
			for _, wrong := range []any{nil, true, "\x01", 3.5, []any{1}, map[string]any{"x": 1}} {
				d := data(t, topic.Name, "full.json")
				d[name] = wrong
				if !mayBe(property, wrong) {
					mustBreak(t, topic, d, "/data/"+name, "")
				}
			}
		}
	}
}

// mayBe tells whether the property's type has room for the value.
func mayBe(property *schema.Value, v any) bool {
	types := property.Strings("type")
	if s := property.Str("type"); s != "" {
		types = []string{s}
	}
	if len(types) == 0 && property.Get("enum") == nil && property.Get("const") == nil {
		return true
	}
	kind := map[string]string{"<nil>": "null", "bool": "boolean", "string": "string", "float64": "number",
		"[]interface {}": "array", "map[string]interface {}": "object"}[fmt.Sprintf("%T", v)]
	return slices.Contains(types, kind)
}

func mustBreak(t *testing.T, topic *Topic, d map[string]any, pointer, keyword string) {
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range topic.CheckData(raw) {
		if e.Pointer == pointer && (keyword == "" || e.Keyword == keyword) {
			return
		}
	}
	t.Errorf("%s takes %s (no %s error at %s)", topic.Name, raw, keyword, pointer)
}

func TestUnknownFieldsAreKept(t *testing.T) {
	for _, topic := range Builtin().Topics() {
		d := data(t, topic.Name, "minimal.json")
		d["x"] = map[string]any{"y": []any{nil}}
		raw, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if errs := topic.CheckData(raw); errs != nil {
			t.Errorf("%s: %v", topic.Name, errs)
		}
	}
}

func TestTimestampAgreesWithTime(t *testing.T) {
	line := `{"type":"hxo.audit",%s"data":{"user":"a","role":"b","operation":"plan.submit","details":{},"timestamp":%q}}`
	for _, c := range []struct {
		time, timestamp string
		ok              bool
	}{
		{`"time":"2026-01-29T02:31:13Z",`, "2026-01-29T02:31:13Z", true},
		{`"time":"2026-01-29T02:31:13Z",`, "2026-01-29T02:31:13.000Z", true},
		{`"time":"2026-01-29T02:31:13Z",`, "2026-01-29t03:31:13+01:00", true},
		{`"time":"2026-01-29T02:31:13.5Z",`, "2026-01-29T02:31:13.500000Z", true},
		{`"time":"2026-01-29T02:31:13Z",`, "2026-01-29T02:31:13.001Z", false},
		{``, "2026-01-29T02:31:13Z", true}, // the journal's time is later than both
	} {
		r := check(fmt.Appendf(nil, line, c.time, c.timestamp))
		if (r == nil) != c.ok {
			t.Errorf("%+v: %v", c, r)
		}
		if r != nil && (r.Errors[0].Keyword != "x-agrees-with" || r.Errors[0].Pointer != "/data/timestamp") {
			t.Errorf("%+v: %+v", c, r.Errors)
		}
	}
}

func TestHints(t *testing.T) {
	for _, c := range []struct{ data, pointer, hint string }{
		{`{"plan_id":"0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e","cas_id":"DEF4560123456789","stage_id":"x","output_digest":"` + strings.Repeat("a", 64) + `"}`, "/data/cas_id", "in lower case: def4560123456789"},
		{`{"planId":"x"}`, "/data/plan_id", "is it planId? The contract writes plan_id"},
		{`{"attempt":"3"}`, "/data/attempt", "without quotes: 3"},
		{`{"stage_id":7}`, "/data/stage_id", `in quotes: "7"`},
		{`{"cached":"true"}`, "/data/cached", "without quotes: true"},
	} {
		if got := hintAt(Builtin().Topic([]byte("hxo.shard.done")).CheckData([]byte(c.data)), c.pointer); got != c.hint {
			t.Errorf("%s: %q, want %q", c.data, got, c.hint)
		}
	}
	signal := Builtin().Topic([]byte("hxo.autotune.signal"))
	errs := signal.CheckData([]byte(`{"signal_type":"hotspots","timestamp":"2026-01-29T02:31:13"}`))
	if got := hintAt(errs, "/data/signal_type"); got != "did you mean hotspot?" {
		t.Errorf("enum: %q", got)
	}
	if got := hintAt(errs, "/data/timestamp"); !strings.Contains(got, "zone") {
		t.Errorf("time: %q", got)
	}
}

func hintAt(errs []FieldError, pointer string) string {
	for _, e := range errs {
		if e.Pointer == pointer {
			return e.Hint
		}
	}
	return "no error"
}

func TestErrorsAreCappedAndTheSameEachTime(t *testing.T) {
	heartbeat := Builtin().Topic([]byte("federation.heartbeat"))
	raw := []byte(`{"executor":"x","cas_ids":[` + strings.Repeat(`"bad",`, 500) + `"bad"]}`)
	errs := heartbeat.CheckData(raw)
	if len(errs) != MaxErrors || errs[99].Pointer != "/data/cas_ids/99" {
		t.Fatalf("%d errors", len(errs))
	}
	for range 20 {
		if again := heartbeat.CheckData(raw); !slices.Equal(again, errs) {
			t.Fatal("another order")
		}
	}
}

func TestBoardContracts(t *testing.T) {
	r, faults := Builtin().With(map[string][]byte{
		"build.done": []byte(`{"x-owner":"ci/main","x-request":true,"x-index":true,"x-consumers":["me"],"title":"T",
			"required":["ok"],"properties":{"ok":{"type":"boolean"},"run":{"x-index":true}}}`),
		"hxo.plan": []byte(`{"required":["ticket"],"properties":{"plan_name":{"maxLength":5,"x-index":true}}}`),
	})
	if faults != nil {
		t.Fatal(faults)
	}
	done := r.Topic([]byte("build.done"))
	if done == nil || done.Builtin || done.Owner != "ci/main" || !done.Request || done.Title != "T" || !slices.Equal(done.Index, []string{"run"}) {
		t.Fatalf("%+v", done)
	}
	if done.CheckData([]byte(`{}`)) == nil || done.CheckData([]byte(`{"ok":true}`)) != nil {
		t.Error("the board's contract is not asked")
	}
	plan := r.Topic([]byte("hxo.plan"))
	good := `{"plan_id":"0b6b1c1e-7f5a-4b1e-9c3d-2f4a5b6c7d8e","plan_name":"abc","stages":3,"submitted_by":"x","ticket":1}`
	if errs := plan.CheckData([]byte(good)); errs != nil {
		t.Error(errs)
	}
	for _, bad := range []string{
		strings.Replace(good, `,"ticket":1`, "", 1),   // the board's
		strings.Replace(good, `"abc"`, `"abcdef"`, 1), // the board's
		strings.Replace(good, `"stages":3,`, "", 1),   // the built-in's
		strings.Replace(good, `0b6b1c1e-`, "", 1),     // the built-in's
		strings.Replace(good, `"abc"`, "7", 1),        // the built-in's
		strings.Replace(good, `"plan_name":"abc",`, "", 1),
	} {
		if plan.CheckData([]byte(bad)) == nil {
			t.Errorf("taken: %s", bad)
		}
	}
	if !plan.Builtin || plan.Owner != "hxo" || plan.Title != "Plan submitted" || !slices.Contains(plan.Index, "plan_name") || !slices.Contains(plan.Index, "plan_id") {
		t.Errorf("%+v", plan)
	}
	if Builtin().Topic([]byte("build.done")) != nil || Builtin().Topic([]byte("hxo.plan")).Board != nil {
		t.Error("the built-in registry was changed")
	}
}

func TestTextMakesTheSameRegistryAgain(t *testing.T) {
	files := map[string][]byte{"a.b": []byte(`{"type":"object"}`), "hxo.plan": []byte(`{"required":["x"]}`)}
	r, _ := Builtin().With(files)
	files["a.b"][2] = 'X' // the caller's bytes are the caller's
	again, faults := r.With(r.Text())
	if faults != nil || len(r.Text()) != 2 || !bytes.Equal(again.Text()["a.b"], []byte(`{"type":"object"}`)) {
		t.Fatalf("%v %q", faults, again.Text())
	}
	none, _ := again.With(nil)
	if len(none.Text()) != 0 || len(none.Topics()) != len(Builtin().Topics()) {
		t.Error("With replaces a board's contracts")
	}
}

// A board's contract for a built-in topic cannot loosen it, whatever it says.
func TestBoardContractsCannotLoosen(t *testing.T) {
	bad := []byte(`{"plan_id":"abc-123"}`)
	for _, text := range []string{`true`, `{}`, `{"anyOf":[true]}`, `{"properties":{"plan_id":true},"required":[]}`} {
		r, faults := Builtin().With(map[string][]byte{"hxo.plan": []byte(text)})
		if faults != nil {
			t.Fatal(faults)
		}
		if r.Topic([]byte("hxo.plan")).CheckData(bad) == nil {
			t.Errorf("%s loosens hxo.plan", text)
		}
	}
}

func TestContractFaults(t *testing.T) {
	deep := strings.Repeat(`{"not":`, 80) + "true" + strings.Repeat("}", 80)
	for name, c := range map[string]struct {
		topic, text, says string
		line, column      int
	}{
		"not JSON":        {"a", "{\n  \"type\": object\n}", "not JSON", 2, 11},
		"empty":           {"a", "", "not JSON", 1, 1},
		"no schema":       {"a", "{\n \"type\": 5}", "not a schema", 2, 10},
		"a list":          {"a", "[]", "not a schema", 1, 1},
		"unknown type":    {"a", "{\"properties\": {\n  \"x\": {\"type\": \"strng\"}}}", "not a schema", 2, 17},
		"bad pattern":     {"a", "{\"properties\":\n{\"x\":{\"pattern\":\"(\"}}}", "pattern", 2, 17},
		"lookahead":       {"a", `{"pattern":"(?=x)"}`, "pattern", 1, 12},
		"dangling ref":    {"a", `{"$ref":"#/$defs/x"}`, "not found", 1, 1},
		"network ref":     {"a", `{"$ref":"https://example.com/x.json"}`, "within the file", 1, 1},
		"file ref":        {"a", `{"$ref":"file:///etc/passwd"}`, "within the file", 1, 1},
		"relative ref":    {"a", `{"$ref":"other.json"}`, "within the file", 1, 1},
		"endless":         {"a", `{"$ref":"#"}`, "without end", 1, 1},
		"endless in two":  {"a", `{"$defs":{"a":{"anyOf":[{"$ref":"#/$defs/b"}]},"b":{"not":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}`, "without end", 1, 1},
		"too deep":        {"a", deep, "at most", 1, 456},
		"too large":       {"a", `{"title":"` + strings.Repeat("x", schema.MaxText) + `"}`, "at most", 1, 1},
		"twice":           {"a", "{\"type\":\"object\",\n\"type\":\"array\"}", "twice", 2, 1},
		"not UTF-8":       {"a", "{\"title\":\"\xff\"}", "UTF-8", 1, 11},
		"huge number":     {"a", `{"maximum":1e99999999}`, "digits", 1, 12},
		"owner's name":    {"a", `{"x-owner":"../x"}`, "lane", 1, 12},
		"index":           {"a", `{"properties":{"x":{"x-index":"yes"}}}`, "true or false", 1, 31},
		"agrees with":     {"a", `{"properties":{"x":{"x-agrees-with":"id"}}}`, "time", 1, 37},
		"consumers":       {"a", `{"x-consumers":"me"}`, "array", 1, 16},
		"other owner":     {"hxo.plan", `{"x-owner":"agents/7"}`, "cannot be changed", 1, 12},
		"no owner":        {"hxo.plan.submit", `{"x-owner":"hxo"}`, "cannot be changed", 1, 12},
		"no request":      {"hxo.plan.submit", `{"x-request":false}`, "cannot be changed", 1, 14},
		"no topic's name": {"A B", `{}`, "no topic", 0, 0},
	} {
		r, faults := Builtin().With(map[string][]byte{c.topic: []byte(c.text), "fine": []byte("{}")})
		if len(faults) != 1 {
			t.Errorf("%s: %v", name, faults)
			continue
		}
		f := faults[0]
		if f.Topic != c.topic || !strings.Contains(f.Error, c.says) || f.Line != c.line || f.Column != c.column {
			t.Errorf("%s: %+v, want %q at %d:%d", name, f, c.says, c.line, c.column)
		}
		if r.Topic([]byte("fine")) == nil || len(r.Text()) != 1 || r.Topic([]byte("hxo.plan")) == nil {
			t.Errorf("%s: the others are not in force", name)
		}
	}
}

// Files of a board's that are as bad as can be are told or bounded, never slow.
func TestPathologicalContracts(t *testing.T) {
	many := `{"properties":{`
	for i := range 3000 {
		many += fmt.Sprintf(`"p%d":{"type":"string"},`, i)
	}
	many += `"z":true}}`
	tree := `{"$defs":{"t":{"anyOf":[{"type":"object","properties":{"a":{"$ref":"#/$defs/t"}}},{"type":"object","properties":{"a":{"$ref":"#/$defs/t"}},"maxProperties":9}]}},"$ref":"#/$defs/t"}`
	slow := strings.Replace(tree, `{"$defs"`, `{"unevaluatedProperties":true,"$defs"`, 1)
	r, faults := Builtin().With(map[string][]byte{"many": []byte(many), "tree": []byte(tree), "slow": []byte(slow),
		"regexp": []byte(`{"properties":{"a":{"pattern":"^(a+)+$"}}}`)})
	if len(faults) != 0 {
		t.Fatal(faults)
	}
	deep := []byte(strings.Repeat(`{"a":`, 120) + "1" + strings.Repeat("}", 120))
	for _, name := range []string{"tree", "slow"} {
		errs := r.Topic([]byte(name)).CheckData(deep)
		if len(errs) == 0 || !strings.Contains(errs[0].Expected, "bounded") {
			t.Errorf("%s: %v", name, errs)
		}
	}
	if r.Topic([]byte("regexp")).CheckData([]byte(`{"a":"`+strings.Repeat("a", 1<<16)+`!"}`)) == nil {
		t.Error("the pattern matches")
	}
	if r.Topic([]byte("many")).CheckData([]byte(`{"p2999":1}`)) == nil {
		t.Error("the last of many properties is not checked")
	}
}

func TestSchemaFilesAreNamedByTheirTopics(t *testing.T) {
	files, err := os.ReadDir("schemas")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		name, ok := strings.CutSuffix(f.Name(), schemaExt)
		if !ok || Builtin().Topic([]byte(name)) == nil {
			t.Errorf("%s is no contract", f.Name())
		}
	}
}
