package plans_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts/plan"
	"stigmergy/plans"
)

// tree makes files below a new root.
func tree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// store is a CAS in memory.
type store struct {
	t  testing.TB
	mu chan struct{}
	m  map[string][]byte
}

func newStore(t testing.TB) *store {
	return &store{t: t, mu: make(chan struct{}, 1), m: map[string][]byte{}}
}

func (s *store) Put(b []byte) (string, error) {
	s.mu <- struct{}{}
	defer func() { <-s.mu }()
	s.m[plan.Sum(b)] = b
	return plan.Sum(b), nil
}

func resolve(t testing.TB, root, doc string, kinds ...plan.Kind) (*plans.Result, *store) {
	t.Helper()
	st := newStore(t)
	r := plans.Resolver{Root: root, Board: filepath.Join(root, "board"), Put: st.Put}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.Resolve(context.Background(), plan.Resolve{PlanID: "0f8fad5b-d9cb-469f-a165-70867728950e", Plan: text, Kinds: kinds})
	if err != nil {
		t.Fatal(err)
	}
	return res, st
}

// shards reads a stage's shards back.
func (s *store) shards(st plan.Stage) (out []plan.Shard) {
	s.t.Helper()
	for _, c := range st.Chunks {
		lines := strings.Split(strings.TrimSuffix(string(s.m[c.SHA256]), "\n"), "\n")
		if len(lines) != c.Shards {
			s.t.Fatalf("a chunk of %d lines says that it has %d", len(lines), c.Shards)
		}
		for i, line := range lines {
			var sh plan.Shard
			if err := json.Unmarshal([]byte(line), &sh); err != nil {
				s.t.Fatal(err)
			}
			if i == 0 && sh.CASID != c.First {
				s.t.Errorf("the chunk begins with %s, its name with %s", sh.CASID, c.First)
			}
			out = append(out, sh)
		}
	}
	return out
}

func TestAPlanOfFiles(t *testing.T) {
	root := tree(t, map[string]string{"backend/a.go": "package a\n", "backend/x/y/b.go": "package b\n", "backend/.git/c.go": "no", "board/d.go": "no", "backend/e.txt": "no"})
	res, st := resolve(t, root, `
plan_name: deploy_full_stack
stages:
  - stage_id: pack_backend
    kind: exec
    spec: {argv: ["gzip", "-9c", "{input}"]}
    partition: {by: files, glob: "**/*.go"}
  - stage_id: all
    kind: exec
    spec: {argv: [cat, "{inputs}"]}
    partition: {by: outputs, of: pack_backend, per_shard: 10}
`)
	if len(res.Faults) > 0 {
		t.Fatalf("faults: %+v", res.Faults)
	}
	m := res.Manifest
	if m.Shards != 3 || len(m.Stages) != 2 || m.Stages[1].Needs[0] != "pack_backend" || m.Stages[0].TimeoutMS != 15000 || m.Stages[0].Retries != 2 || m.Stages[0].Concurrency != 64 {
		t.Errorf("manifest %+v", m)
	}
	got := st.shards(m.Stages[0])
	if len(got) != 2 || st.shards(m.Stages[1])[0].Inputs[0].Shard == "" {
		t.Fatalf("shards %+v", got)
	}
	for _, sh := range got {
		in := sh.Inputs[0]
		text := `{"inputs":[{"name":"` + in.Name + `","sha256":"` + in.SHA256 + `"}],"kind":"exec","spec":{"argv":["gzip","-9c","{input}"]},"v":1}`
		if sum := plan.Sum([]byte(text)); sh.SHA256 != sum || sh.CASID != sum[:16] {
			t.Errorf("shard %s of %s, want %s", sh.CASID, in.Name, sum[:16])
		}
	}
}

func TestEverythingIsToldAtOnce(t *testing.T) {
	root := tree(t, map[string]string{"a.txt": "1\n"})
	res, _ := resolve(t, root, `
plan_name: bad
stages:
  - stage_id: one
    kind: exce
    partition: {by: files, glob: "nothing/**"}
  - stage_id: one
    kind: exec
    spec: {argv: cat}
    partition: {by: lines, input: b.txt}
    needs: [two]
    timeout: 15
  - stage_id: three
    kind: exec
    spec: {argv: [cat, "x{inputs}"]}
    retry: 2
    partition: {by: bytes, input: ../../etc/passwd}
`)
	for _, f := range res.Faults {
		t.Logf("%d:%d %s %s: expected %s, got %s (%s)", f.Line, f.Column, f.Pointer, f.Keyword, f.Expected, f.Got, f.Hint)
	}
	if len(res.Faults) != 9 {
		t.Errorf("%d faults", len(res.Faults))
	}
}
