package lanes

import (
	"os"
	"testing"
)

// TestShrunk: what was seen of an unfinished line and is gone is said, even
// where nothing was taken in yet; what was taken in stands.
func TestShrunk(t *testing.T) {
	for _, sc := range []scenario{
		{"nothing taken in yet, emptied",
			do(appends("a.jsonl", "12"), func(r *reader) { must(r.t, os.Truncate(r.path("a.jsonl"), 0)) }, appends("a.jsonl", "3\n")),
			"found a@1\nshrunk a.jsonl\na@1 = 3/\n"},
		{"the torn line alone",
			do(appends("a.jsonl", "1\n22"), func(r *reader) { must(r.t, os.Truncate(r.path("a.jsonl"), 2)) }, appends("a.jsonl", "3\n")),
			"found a@1\nshrunk a.jsonl\na@1 = 1/3/\n"},
		{"half of the torn line, while nobody watched",
			do(appends("a.jsonl", "1\n22"), down(func(r *reader) { must(r.t, os.Truncate(r.path("a.jsonl"), 3)) }), appends("a.jsonl", "\n")),
			"found a@1\nshrunk a.jsonl\na@1 = 1/2/\n"},
	} {
		t.Run(sc.name, func(t *testing.T) {
			r := newReader(t, Options{})
			r.start(nil)
			defer func() { must(t, r.set.Close()) }()
			for _, step := range sc.steps {
				step(r)
				r.settle()
			}
			if got := r.did(); got != sc.want {
				t.Errorf("%s\nwant\n%s", got, sc.want)
			}
		})
	}
}

// TestAt: a file is recognised under any name, and another one is not.
func TestAt(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("a.jsonl", "1\n")
	r.settle()
	var a *Tail
	r.set.Tails(func(t *Tail) { a = t })
	if !r.set.At(a, "a.jsonl") || r.set.At(a, "b.jsonl") {
		t.Error("a.jsonl is not recognised")
	}
	r.rename("a.jsonl", "b.jsonl")
	r.append("a.jsonl", "1\n")
	if r.set.At(a, "a.jsonl") || !r.set.At(a, "b.jsonl") {
		t.Error("b.jsonl is not recognised")
	}
}
