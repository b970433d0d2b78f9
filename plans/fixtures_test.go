package plans_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts/plan"
	"stigmergy/plans"
)

var update = flag.Bool("update", false, "write what the fixtures' faults are")

const fixtures = "../fixtures/plans"

// kinds are those of kinds.jsonl.
func kinds(t testing.TB) (out []plan.Kind) {
	t.Helper()
	text, err := os.ReadFile(fixtures + "/kinds.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(text) {
		var ev struct{ Data json.RawMessage }
		if err := json.Unmarshal(line, &ev); err != nil {
			t.Fatal(err)
		}
		k, faults := plan.ParseKind(ev.Data)
		if len(faults) > 0 {
			t.Fatalf("%s: %+v", line, faults)
		}
		out = append(out, k)
	}
	return out
}

func dryRun(t testing.TB, file string) *plans.Result {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.ContainsAny(text, "\xff") || strings.HasSuffix(file, ".json") && json.Valid(text) {
		document = text // as it stands in a line
	}
	res, err := plans.DryRun(context.Background(), fixtures+"/root", "", os.Environ(), plan.Resolve{PlanID: "0f8fad5b-d9cb-469f-a165-70867728950e", Plan: document, Kinds: kinds(t)})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(fixtures + "/" + pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	return list
}

func TestBadPlans(t *testing.T) {
	for _, file := range append(files(t, "bad/*.yaml"), files(t, "bad/*.json")...) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			root, _ := filepath.Abs(fixtures + "/root")
			var b strings.Builder
			for _, f := range dryRun(t, file).Faults {
				fmt.Fprintf(&b, "%d:%d %s %s: expected %s, got %s", f.Line, f.Column, f.Pointer, f.Keyword, f.Expected, f.Got)
				if f.Hint != "" {
					fmt.Fprintf(&b, " (%s)", f.Hint)
				}
				b.WriteString("\n")
			}
			got := strings.ReplaceAll(b.String(), root, "ROOT")
			name := file + ".faults"
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(name)
			if err != nil || got != string(want) || got == "" {
				t.Errorf("%s: %v\ngot:\n%swant:\n%s", file, err, got, want)
			}
		})
	}
}

func TestGoodPlans(t *testing.T) {
	for _, file := range files(t, "good/*.yaml") {
		res := dryRun(t, file)
		if len(res.Faults) > 0 || res.Manifest == nil {
			t.Errorf("%s: %+v", file, res.Faults)
			continue
		}
		twin := strings.TrimSuffix(file, ".yaml") + ".json"
		if _, err := os.Stat(twin); err != nil {
			continue
		}
		other := dryRun(t, twin)
		if len(other.Faults) > 0 || other.Manifest.Shards != res.Manifest.Shards || other.SHA256 == "" {
			t.Errorf("%s: %+v", twin, other.Faults)
		}
		a, b := *res.Manifest, *other.Manifest
		a.PlanSHA256, b.PlanSHA256 = "", ""
		one, _ := json.Marshal(a)
		two, _ := json.Marshal(b)
		if string(one) != string(two) || res.Manifest.PlanSHA256 != other.Manifest.PlanSHA256 {
			t.Errorf("%s and its JSON differ:\n%s\n%s", file, one, two)
		}
	}
}
