package plan_test

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
	"stigmergy/contracts/plan"
)

const seed = `plan_name: deploy_full_stack
stages:
  - stage_id: pack_backend
    kind: exec
    spec: {argv: ["gzip", "-9c", "{input}"]}
    partition: {by: files, glob: "backend/**/*.go"}
`

func TestDefaults(t *testing.T) {
	p, faults := plan.Parse([]byte(seed), nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	s := p.Stages[0]
	if s.TimeoutMS != 15000 || s.Retries != 2 || s.Concurrency != 64 || s.Partition.PerShard != 1 || len(s.Job.Argv) != 3 || s.Job.Stdin {
		t.Errorf("%+v", s)
	}
	if string(s.Spec) != `{"argv":["gzip","-9c","{input}"]}` {
		t.Errorf("spec %s", s.Spec)
	}
}

// shuffled writes a JSON value with its members in another order and other
// white space.
func shuffled(r *rand.Rand, v any) string {
	blank := strings.Repeat(" ", r.Intn(2)) + strings.Repeat("\n", r.Intn(2))
	switch v := v.(type) {
	case map[string]any:
		var parts []string
		for k, x := range v { // Go's own order is another one each time
			name, _ := json.Marshal(k)
			parts = append(parts, blank+string(name)+":"+shuffled(r, x))
		}
		return "{" + strings.Join(parts, ",") + blank + "}"
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, shuffled(r, x))
		}
		return "[" + blank + strings.Join(parts, ",") + "]"
	}
	b, _ := json.Marshal(v)
	return string(b) + blank
}

// TestOrderAndLayoutMeanNothing: YAML, JSON and any order of keys are one plan.
func TestOrderAndLayoutMeanNothing(t *testing.T) {
	text, err := os.ReadFile("../../fixtures/plans/good/every-partition.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want, faults := plan.Parse(text, nil)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		var v any
		if err := json.Unmarshal(yamlToJSON(t, text), &v); err != nil {
			t.Fatal(err)
		}
		got, faults := plan.Parse([]byte(shuffled(r, v)), nil)
		if len(faults) > 0 || got.SHA256 != want.SHA256 {
			t.Fatalf("%v, %s is not %s", faults, got.SHA256, want.SHA256)
		}
	})
}

// yamlToJSON goes by way of the canonical text, which the parser hashes.
func yamlToJSON(t interface{ Fatal(...any) }, text []byte) []byte {
	b, faults := plan.CanonicalText(text)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return b
}

// TestDescriptions holds the quick writer against RFC 8785 over the same
// description written with encoding/json.
func TestDescriptions(t *testing.T) {
	text := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a.go", "ü/\"x\"", "\u2028\t\\", "<&>", "\x7f"}))
	rapid.Check(t, func(t *rapid.T) {
		kind := text.Draw(t, "kind")
		spec := map[string]any{text.Draw(t, "key"): rapid.Float64Range(-1e20, 1e20).Draw(t, "number"), "argv": []string{text.Draw(t, "arg")}}
		raw, err := json.Marshal(spec)
		if err != nil {
			t.Skip()
		}
		var inputs []plan.Input
		plain := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "inputs") {
			in, m := drawInput(t, text)
			inputs, plain = append(inputs, in), append(plain, m)
		}
		d, err := plan.NewDescriber(kind, raw)
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Append(nil, inputs)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jcs.Marshal(map[string]any{"v": 1, "kind": kind, "spec": spec, "inputs": plain})
		if err != nil || string(got) != string(want) {
			t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
		}
	})
}

func drawInput(t *rapid.T, text *rapid.Generator[string]) (plan.Input, map[string]any) {
	sum := strings.Repeat("ab", 32)
	name := text.Draw(t, "name")
	from, to := rapid.Int64Range(0, 1<<40).Draw(t, "from"), rapid.Int64Range(0, 1<<40).Draw(t, "to")
	switch rapid.IntRange(0, 3).Draw(t, "kind of input") {
	case 0:
		return plan.Input{Name: "f" + name, SHA256: sum}, map[string]any{"name": "f" + name, "sha256": sum}
	case 1:
		return plan.Input{Name: "f" + name, SHA256: sum, From: &from, To: &to}, map[string]any{"name": "f" + name, "sha256": sum, "from": from, "to": to}
	case 2:
		raw, _ := json.Marshal(map[string]any{"z": name, "a": 1.5})
		item := plan.Item(raw)
		return plan.Input{Item: &item}, map[string]any{"item": map[string]any{"z": name, "a": 1.5}}
	}
	return plan.Input{Shard: sum}, map[string]any{"shard": sum}
}

func TestKinds(t *testing.T) {
	for data, want := range map[string]string{
		`{"kind":"a.b","command":["x"],"timeout":"30s"}`: "",
		`{"kind":"a.b","command":["x"],"timeout":1500}`:  "",
		`{"kind":"a.b"}`:                                               "",
		`{"kind":"exec","command":["x"]}`:                              "/kind",
		`{"kind":"A b","command":["x"]}`:                               "/kind",
		`{"kind":"a","command":[""]}`:                                  "/command",
		`{"kind":"a","command":["x\u0000"]}`:                           "/command",
		`{"kind":"a","command":["x"],"spec_schema":{"type":"objekt"}}`: "/spec_schema",
		`{"kind":"a","command":["x"],"timeout":"0s"}`:                  "/timeout",
		`{"kind":"a","command":["x"],"timeout":-5}`:                    "/timeout",
		`{"kind":"a","command":["x"],"timeout":1e300}`:                 "/timeout",
		`{"kind":"a","command":["x"],"timeout":true}`:                  "/timeout",
		`{"kind":"a","command":["x"],"env":{"A=B":"x"}}`:               "/env/A=B",
	} {
		_, faults := plan.ParseKind([]byte(data))
		got := ""
		if len(faults) > 0 {
			got = faults[0].Pointer
		}
		if got != want || len(faults) > 1 {
			t.Errorf("%s: %+v, want %q", data, faults, want)
		}
	}
}

// TestCommandsOfKinds: what a spec makes of a kind's command.
func TestCommandsOfKinds(t *testing.T) {
	k := plan.Kind{Kind: "k", Command: []string{"run", "--level={spec.level}", "{spec.list}", "{spec.deep.er}", "{spec.none}", "--n={spec.none}", "{spec}", "{x}", "{spec", "{input}"}}
	for spec, want := range map[string]string{
		`{}`:                                    `run|{}|{x}|{spec|{input}`,
		`{level: 3}`:                            `run|--level=3|{"level":3}|{x}|{spec|{input}`,
		`{list: [a, 2, {b: 1}], deep: {er: y}}`: `run|a|2|{"b":1}|y|{"list":["a",2,{"b":1}],"deep":{"er":"y"}}|{x}|{spec|{input}`,
		`{level: "{spec.list}"}`:                `run|--level={spec.list}|{"level":"{spec.list}"}|{x}|{spec|{input}`,
	} {
		p, faults := plan.Parse([]byte("plan_name: p\nstages: [{stage_id: s, kind: k, spec: "+spec+", partition: {by: files, glob: x}}]"), []plan.Kind{k})
		if len(faults) > 0 || strings.Join(p.Stages[0].Job.Argv, "|") != want {
			t.Errorf("%s: %v\ngot  %s\nwant %s", spec, faults, strings.Join(p.Stages[0].Job.Argv, "|"), want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("plan_name: p\nstages:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "  - {stage_id: s%d, kind: %s, spec: {argv: [date]}}\n", i, strings.Repeat("x", 1000))
	}
	_, faults := plan.Parse([]byte(b.String()), nil)
	capped := plan.CapFaults(faults)
	text, _ := json.Marshal(capped)
	last := capped[len(capped)-1]
	if len(faults) != 300 || len(capped) > contracts.MaxErrors || len(text) > 64<<10 || last.Keyword != "more" || !strings.HasPrefix(last.Got, fmt.Sprint(300-len(capped)+1)) {
		t.Errorf("%d faults to %d, %d bytes, last %+v", len(faults), len(capped), len(text), last)
	}
}

// TestDeepTextsEndSoon: the YAML parser recurses, and a stack that overflows
// ends the process.
func TestDeepTextsEndSoon(t *testing.T) {
	const n = 100_000
	stairs := strings.Builder{}
	for i := range 1300 {
		stairs.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, text := range map[string]string{
		"brackets":       strings.Repeat("[", n),
		"bracket lines":  strings.Repeat("[\n", n),
		"braces":         strings.Repeat("{a: ", n),
		"dashes":         strings.Repeat("- ", n),
		"questions":      strings.Repeat("? ", n),
		"colons":         strings.Repeat("a: ", n),
		"tags":           strings.Repeat("!a ", n),
		"anchors":        strings.Repeat("&a ", n),
		"stairs":         stairs.String(),
		"json":           strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n),
		"json arrays":    strings.Repeat(`[`, 9000) + strings.Repeat("]", 9000),
		"quotes":         strings.Repeat("\"", n),
		"long list":      "a: [" + strings.Repeat("x, ", n/3) + "]",
		"long block":     "a:\n" + strings.Repeat("- x\n", n/4),
		"comments":       strings.Repeat("# x\n", n/4),
		"multi-line":     "a: |\n" + strings.Repeat("  x\n", n/4),
		"plain lines":    "a: b\n" + strings.Repeat("  x\n", n/4),
		"quoted lines":   "a: \"" + strings.Repeat("  x\n", n/4),
		"many documents": strings.Repeat("---\n", n/4),
		"keys":           strings.Repeat("a: 1\n", n/5),
		"fewer keys":     strings.Repeat("a: 1\n", 4_000),
		"quote lines":    strings.Repeat("\"\"\n", n/100),
		"flow keys":      "{" + strings.Repeat("a: 1, ", n/100) + "}",
	} {
		begun := time.Now()
		plan.Parse([]byte(text), nil)
		t.Logf("%-14s %7d bytes %s", name, len(text), time.Since(begun).Round(time.Millisecond))
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"good/*.yaml", "good/*.json", "bad/*.yaml", "bad/*.json"} {
		list, _ := filepath.Glob("../../fixtures/plans/" + pattern)
		for _, name := range list {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	kinds := []plan.Kind{{Kind: "k", Command: []string{"run", "{spec.x}", "{input}"}, SpecSchema: plan.RawJSON(`{"type":"object","properties":{"x":{"type":"integer"}}}`)}}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4096 {
			return
		}
		p, faults := plan.Parse(text, kinds)
		if (p == nil || p.SHA256 == "") && len(faults) == 0 {
			t.Fatal("no plan and no fault")
		}
		for _, f := range faults {
			if f.Expected == "" || f.Got == "" || f.Keyword == "" || len(f.Got) > 600 {
				t.Fatalf("a fault that says nothing: %+v", f)
			}
		}
		if len(faults) > 0 {
			return
		}
		canon, faults := plan.CanonicalText(text)
		again, faults2 := plan.Parse(canon, kinds)
		if len(faults) > 0 || len(faults2) > 0 || again.SHA256 != p.SHA256 || plan.Sum(canon) != p.SHA256 {
			t.Fatalf("its canonical JSON is another plan: %v %v\n%s", faults, faults2, canon)
		}
	})
}

func FuzzKind(f *testing.F) {
	f.Add([]byte(`{"kind":"a.b","command":["x","{spec.y}"],"spec_schema":{"type":"object"},"timeout":"30s","env":{"A":"b"},"stdin":true}`))
	f.Add([]byte(`{"kind":"a","timeout":1e9,"idempotent":false,"spec_schema":true}`))
	f.Add([]byte(`{"kind":"a","spec_schema":{"$ref":"#"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 4096 || !contracts.Valid(data) {
			return
		}
		k, faults := plan.ParseKind(data)
		if len(faults) > 0 {
			return
		}
		p, _ := plan.Parse([]byte(`{"plan_name":"p","stages":[{"stage_id":"s","kind":`+string(contracts.AppendString(nil, k.Kind))+`,"spec":{"y":[1,"{input}"]}}]}`), []plan.Kind{k})
		if p == nil || len(p.Stages) != 1 {
			t.Fatalf("a kind that takes the plan away: %s", data)
		}
	})
}

func FuzzRegroup(f *testing.F) {
	f.Add([]byte(`{"by":"files","per_shard":3}`))
	f.Add([]byte(`{"by":"bytes","per_shard":"1MiB","glob":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, faults := plan.ParseRegroup(data)
		if len(faults) == 0 && (p.PerShard < 1 || p.By == "") {
			t.Fatalf("%s: %+v", data, p)
		}
	})
}
