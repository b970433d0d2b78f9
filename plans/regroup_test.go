package plans_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"stigmergy/contracts/plan"
	"stigmergy/plans"
)

func (s *store) Get(name string) ([]byte, error) {
	if b, ok := s.m[name]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("no object %s", name)
}

// asked is a resolved plan whose shards are to be regrouped.
type asked struct {
	t    *testing.T
	root string
	res  *plans.Result
	st   *store
}

func ask(t *testing.T, files map[string]string, argv, partition string) *asked {
	t.Helper()
	root := tree(t, files)
	res, st := resolve(t, root, `{"plan_name":"p","stages":[{"stage_id":"s","kind":"exec","spec":{"argv":`+argv+`},"partition":`+partition+`}]}`)
	if len(res.Faults) > 0 {
		t.Fatal(res.Faults)
	}
	return &asked{t, root, res, st}
}

func (a *asked) all() (in []plan.InChunk, shards []plan.Shard) {
	for _, c := range a.res.Manifest.Stages[0].Chunks {
		in = append(in, plan.InChunk{Chunk: c.SHA256})
	}
	shards = a.st.shards(a.res.Manifest.Stages[0])
	for i, s := range shards {
		in[i/plan.ChunkShards].CASIDs = append(in[i/plan.ChunkShards].CASIDs, s.CASID)
	}
	return in, shards
}

func (a *asked) split(factor int) (plan.Resolved, []plan.Shard) {
	a.t.Helper()
	in, _ := a.all()
	r := plans.Resolver{Root: a.root, Put: a.st.Put}
	out, err := r.Split(context.Background(), a.st.Get, plan.Split{PlanID: a.res.Manifest.PlanID, StageID: "s", Plan: a.res.Manifest.PlanSHA256, Shape: a.res.SHA256, Factor: factor, Shards: in})
	if err != nil {
		a.t.Fatal(err)
	}
	return out, a.st.shards(plan.Stage{Chunks: out.Parts})
}

func (a *asked) repartition(partition string) (plan.Resolved, []plan.Shard) {
	a.t.Helper()
	in, _ := a.all()
	r := plans.Resolver{Root: a.root, Put: a.st.Put}
	out, err := r.Repartition(context.Background(), a.st.Get, plan.Repartition{PlanID: a.res.Manifest.PlanID, StageID: "s", Plan: a.res.Manifest.PlanSHA256, Shape: a.res.SHA256, Partition: plan.RawJSON(partition), Shards: in})
	if err != nil {
		a.t.Fatal(err)
	}
	return out, a.st.shards(plan.Stage{Chunks: out.Parts})
}

// text is what shards read, in the order of their indexes.
func text(files map[string]string, shards []plan.Shard) string {
	shards = slices.Clone(shards)
	slices.SortFunc(shards, func(a, b plan.Shard) int { return a.Index - b.Index })
	var b strings.Builder
	for _, s := range shards {
		for _, in := range s.Inputs {
			switch {
			case in.Item != nil:
				b.Write(*in.Item)
			case in.From != nil:
				b.WriteString(files[in.Name][*in.From:*in.To])
			default:
				b.WriteString(files[in.Name])
			}
		}
	}
	return b.String()
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d %s\n", i, strings.Repeat("x", i%37))
	}
	return b.String()
}

func TestASplitShardIsItsPartsInTheirOrder(t *testing.T) {
	files := map[string]string{"data.txt": numbers(1000), "a": "A\n", "b": "B\n", "c": "C\n", "d": "D\n", "e": "E\n"}
	for _, tt := range []struct {
		partition    string
		before, many int
	}{
		{`{"by":"lines","input":"data.txt","per_shard":250}`, 4, 16},
		{`{"by":"bytes","input":"data.txt","per_shard":"5KiB"}`, 6, 24},
		{`{"by":"files","glob":"?","per_shard":5}`, 1, 4},
		{`{"by":"items","items":[1,2,3],"per_shard":3}`, 1, 3},
		{`{"by":"range","to":100,"per_shard":50}`, 2, 8},
	} {
		a := ask(t, files, `["cat","{inputs}"]`, tt.partition)
		_, before := a.all()
		out, parts := a.split(4)
		if len(before) != tt.before || len(parts) != tt.many || out.Shards != tt.many || len(out.Kept) > 0 || len(out.Faults) > 0 {
			t.Errorf("%s: %d shards to %d, %+v", tt.partition, len(before), len(parts), out)
		}
		if text(files, before) != text(files, parts) {
			t.Errorf("%s: the parts are not the whole", tt.partition)
		}
		for _, p := range parts {
			if !slices.ContainsFunc(before, func(s plan.Shard) bool { return s.CASID == p.Parent }) {
				t.Errorf("%s: the parent of %+v is none", tt.partition, p)
			}
		}
	}
}

func TestWhatCannotBeSplitSaysWhy(t *testing.T) {
	files := map[string]string{"a": "A\n", "long": strings.Repeat("x", 5000) + "\n"}
	for partition, want := range map[string]string{
		`{"by":"files","glob":"a"}`:                                 "one whole file",
		`{"by":"range","to":3}`:                                     "one item",
		`{"by":"one"}`:                                              "one without inputs",
		`{"by":"lines","input":"long"}`:                             "one line of a file",
		`{"by":"items","items":[[1],[1],[2],[2]],"per_shard":4}`:    "equal inputs",
		`{"by":"items","items":["x","x","x","x"],"per_shard":2}`:    "equal inputs",
		`{"by":"items","items":["\u00e9","e","e"],"per_shard":100}`: "equal inputs",
	} {
		a := ask(t, files, `["cat"]`, partition)
		_, before := a.all()
		out, parts := a.split(4)
		if len(out.Kept) != len(before) || len(parts) != 0 || len(out.Faults) != 0 || out.Faults == nil {
			t.Errorf("%s: %+v", partition, out)
			continue
		}
		if k := out.Kept[0]; !strings.Contains(k.Got+k.Hint, want) || !slices.ContainsFunc(before, func(s plan.Shard) bool { return s.CASID == k.Pointer }) {
			t.Errorf("%s: %+v, want %s", partition, k, want)
		}
	}
}

func TestASplitOfAFileThatChangedIsKept(t *testing.T) {
	files := map[string]string{"data.txt": numbers(100)}
	a := ask(t, files, `["cat"]`, `{"by":"lines","input":"data.txt","per_shard":50}`)
	if err := os.WriteFile(filepath.Join(a.root, "data.txt"), []byte(strings.Replace(files["data.txt"], "line 3 ", "LINE 3 ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, parts := a.split(2)
	if len(out.Kept) != 1 || len(parts) != 2 || !strings.Contains(out.Kept[0].Expected, "as it was") {
		t.Errorf("%+v", out)
	}
}

func TestPartitionedAnew(t *testing.T) {
	files := map[string]string{"data.txt": numbers(1000), "a": "A\n", "b": "B\n", "c": "C\n", "d": "D\n", "e": "E\n"}
	for _, tt := range []struct {
		from, to string
		want     int
		kept     int
	}{
		{`{"by":"lines","input":"data.txt","per_shard":250}`, `{"by":"lines","input":"data.txt","per_shard":100}`, 10, 0},
		{`{"by":"lines","input":"data.txt","per_shard":250}`, `{"by":"bytes","per_shard":"64KiB"}`, 1, 0},
		{`{"by":"bytes","input":"data.txt","per_shard":"64KiB"}`, `{"by":"lines","per_shard":500}`, 2, 0},
		{`{"by":"files","glob":"?","per_shard":2}`, `{"by":"files","per_shard":3}`, 2, 0},
		{`{"by":"files","glob":"?","per_shard":2}`, `{"by":"files"}`, 4, 1},
		{`{"by":"files","glob":"?"}`, `{"by":"lines","per_shard":1}`, 5, 0},
		{`{"by":"items","items":[1,1,2,3],"per_shard":2}`, `{"by":"items"}`, 3, 0},
		{`{"by":"range","to":100}`, `{"by":"range","per_shard":10}`, 10, 0},
		{`{"by":"range","to":100}`, `{"by":"one"}`, 1, 0},
	} {
		a := ask(t, files, `["cat","{inputs}"]`, tt.from)
		_, before := a.all()
		out, made := a.repartition(tt.to)
		if len(made) != tt.want || len(out.Kept) != tt.kept || len(out.Faults) > 0 {
			t.Errorf("%s to %s: %d shards, %+v", tt.from, tt.to, len(made), out)
			continue
		}
		for _, s := range before {
			if slices.ContainsFunc(out.Kept, func(f plan.Fault) bool { return f.Pointer == s.CASID }) {
				made = append(made, s)
			}
		}
		if tt.kept == 0 && !strings.Contains(tt.from, "1,1") && text(files, before) != text(files, made) {
			t.Errorf("%s to %s: the new shards are not the old ones'", tt.from, tt.to)
		}
	}
}

func TestAPartitionThatCannotBeIsRefused(t *testing.T) {
	files := map[string]string{"a": "A\n", "b": "B\n"}
	for _, tt := range [][3]string{
		{`{"by":"files","glob":"?"}`, `{"by":"files","per_shard":2}`, "{input}"},
		{`{"by":"files","glob":"?"}`, `{"by":"items"}`, "what these shards have"},
		{`{"by":"files","glob":"?"}`, `{"by":"blobs"}`, "one of"},
		{`{"by":"files","glob":"?"}`, `{"by":"files","per_shard":0}`, "from 1"},
		{`{"by":"files","glob":"?"}`, `{"per_shard":0}`, "how"},
		{`{"by":"files","glob":"?"}`, `[]`, "a partition"},
	} {
		a := ask(t, files, `["cat","{input}"]`, tt[0])
		out, made := a.repartition(tt[1])
		text, _ := json.Marshal(out.Faults)
		if len(out.Faults) == 0 || !strings.Contains(string(text), tt[2]) || len(made) > 0 {
			t.Errorf("%s: %s", tt[1], text)
		}
	}
}
