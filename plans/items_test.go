package plans_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stigmergy/contracts/plan"
	"stigmergy/plans"
)

// TestPartitionsByACommand: the origin's partitioners are kinds whose command
// prints items.
func TestPartitionsByACommand(t *testing.T) {
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no /bin/sh:", err)
	}
	root := tree(t, map[string]string{"a.txt": "a", "b.txt": "bb", "sub/c.txt": "ccc"})
	sh := func(script string) plan.Kind {
		return plan.Kind{Kind: "by_module", Command: []string{"/bin/sh", "-c", script, "sh", "{spec.x}", "{inputs}"}, TimeoutMS: 20000}
	}
	for _, tt := range []struct {
		script, partition, argv, want string
	}{
		{`printf 'eu\n\n"us"\n3\n{"a": 1}\nx y\n'`, `{"by":"by_module"}`, `["echo","{item}"]`, `"eu" "us" "x y" 3 {"a":1}`},
		{`printf '1\n2\n3\n'`, `{"by":"by_module","per_shard":2}`, `["echo","{inputs}"]`, `1,2 3`},
		{`echo "$1"`, `{"by":"by_module","spec":{"x":"from the spec"}}`, `["echo","{item}"]`, `"from the spec"`},
		{`for f; do printf '{"inputs":["%s"]}\n' "$f"; done`, `{"by":"by_module","glob":"**/*.txt"}`, `["cat","{input}"]`, `a.txt b.txt sub/c.txt`},
		{`printf '{"inputs":["a.txt","sub/c.txt"]}\n{"inputs":["./b.txt"]}\n'`, `{"by":"by_module"}`, `["cat","{inputs}"]`, `a.txt,sub/c.txt b.txt`},
		{`printf '{"inputs":["a.txt","b.txt"]}\n'`, `{"by":"by_module"}`, `["cat","{input}"]`, `!{inputs}`},
		{`printf '{"inputs":["../a.txt"]}\n'`, `{"by":"by_module"}`, `["cat","{input}"]`, `!leaves the root`},
		{`printf '{"inputs":["none"]}\n'`, `{"by":"by_module"}`, `["cat","{input}"]`, `!nothing there`},
		{`printf '{"inputs":["a.txt"]}\n1\n'`, `{"by":"by_module"}`, `["cat","{input}"]`, `!inputs on every line`},
		{`exit 3`, `{"by":"by_module"}`, `["echo","{item}"]`, `!prints an item a line`},
		{`true`, `{"by":"by_module"}`, `["echo","{item}"]`, `!at least one item`},
		{`true`, `{"by":"by_filesize"}`, `["echo","{item}"]`, `!register by_filesize`},
		{`true`, `{"by":"by_module","glob":"*.none"}`, `["echo","{item}"]`, `!at least one file`},
	} {
		doc := fmt.Sprintf(`{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":%s},"partition":%s}]}`, tt.argv, tt.partition)
		st := newStore(t)
		r := plans.Resolver{Root: root, Put: st.Put, Run: plans.Beside(os.Environ())}
		res, err := r.Resolve(context.Background(), plan.Resolve{PlanID: "p", Plan: plan.RawJSON(doc), Kinds: []plan.Kind{sh(tt.script)}})
		if err != nil {
			t.Fatal(err)
		}
		if text, bad := strings.CutPrefix(tt.want, "!"); bad {
			if !strings.Contains(fmt.Sprint(res.Faults), text) {
				t.Errorf("%s %s: %+v, want %s", tt.script, tt.partition, res.Faults, text)
			}
			continue
		}
		if len(res.Faults) > 0 {
			t.Errorf("%s %s: %+v", tt.script, tt.partition, res.Faults)
			continue
		}
		var got []string
		for _, s := range st.shards(res.Manifest.Stages[0]) {
			var inputs []string
			for _, in := range s.Inputs {
				if in.Item != nil {
					inputs = append(inputs, string(*in.Item))
				} else {
					inputs = append(inputs, in.Name)
				}
			}
			got = append(got, strings.Join(inputs, ","))
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.script, tt.partition, got, tt.want)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "stigmergy-items-*")); len(left) > 0 {
		t.Logf("left behind, or another test's: %d", len(left))
	}
}
