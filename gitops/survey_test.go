package gitops_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"stigmergy/gitops"
)

// touch gives a file another time and the same content.
func (r *tree) touch(names ...string) {
	r.t.Helper()
	for _, n := range names {
		at := time.Now().Add(-time.Hour)
		must(r.t, os.Chtimes(filepath.Join(r.dir, n), at, at))
	}
}

// TestTouched: a file that was only touched is no change: neither is it counted,
// nor committed, nor reported.
func TestTouched(t *testing.T) {
	for _, c := range []struct {
		name    string
		touched []string
		option  func(*gitops.Options)
		want    string
		after   int
	}{
		{"taken", []string{"a/y"}, nil, "a:committed b:skipped", 0},
		{"nobody's", []string{"a/y", "c/z"}, nil, "a:committed b:skipped", 0},
		{"another batch's", []string{"b/z"}, nil, "a:committed b:skipped", 0},
		{"planned", []string{"a/y", "b/z"}, func(o *gitops.Options) { o.DryRun = true }, "a:planned b:skipped", 1},
		{"left out", []string{"b/z"}, func(o *gitops.Options) { o.Only = []string{"a"} }, "a:committed", 0},
	} {
		r := newTree(t)
		for _, f := range []string{"a/x", "a/y", "b/z", "c/z"} {
			r.write(f, "1\n")
		}
		r.commitAll()
		r.config(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]}]}`)
		r.write("a/x", "2\n3\n")
		r.touch(c.touched...)
		rec := r.run(c.option)
		if outcomes(rec) != c.want || rec.DirtyBefore != 1 || rec.DirtyAfter == nil || *rec.DirtyAfter != c.after || len(rec.Unmatched) != 0 {
			t.Errorf("%s: %s, dirty %d before, %v after, unmatched %v", c.name, outcomes(rec), rec.DirtyBefore, rec.DirtyAfter, rec.Unmatched)
		}
		if b := rec.Batches[0]; len(b.Paths) != 1 || b.Added != 2 || b.Removed != 1 {
			t.Errorf("%s: %d paths, %d lines in, %d out", c.name, len(b.Paths), b.Added, b.Removed)
		}
	}
}

// TestSecretsBehindFilters: what counts is what is committed, not what stands
// in the working tree.
func TestSecretsBehindFilters(t *testing.T) {
	secret := "AKIA" + "ABCDEFGHIJKLMNOP"
	r := newTree(t)
	r.git("config", "filter.in.clean", "sed s/HERE/"+secret+"/")
	r.git("config", "filter.out.clean", "sed s/"+secret+"/gone/")
	r.write(".gitattributes", "*.in filter=in\n*.out filter=out\n")
	r.write("a.in", "x\n")
	r.write("b.out", "x\n")
	r.commitAll()
	r.write("a.in", "x\nHERE\n")
	r.write("b.out", "x\n"+secret+"\n")
	r.config(`{"scope":"t","batches":[{"batch_id":"in","paths":["a.in"]},{"batch_id":"out","paths":["b.out"]}]}`)
	rec := r.run(nil)
	if got := outcomes(rec); got != "in:error out:committed" || len(rec.Gates[0].Findings) != 1 || rec.Gates[0].Findings[0] != "a.in:2: AWS access key" {
		t.Errorf("%s %v", got, rec.Gates[0].Findings)
	}
}
