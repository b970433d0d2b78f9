package lanes

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// down runs fn while nobody watches, and starts from the snapshot as it would
// be read back from disk.
func down(fn func(r *reader)) func(*reader) {
	return func(r *reader) {
		r.t.Helper()
		text, err := json.Marshal(r.stop())
		must(r.t, err)
		fn(r)
		var saved []Saved
		must(r.t, json.Unmarshal(text, &saved))
		r.start(saved)
	}
}

// long is a text of many lines, beyond both windows.
func long(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(itoa(i%10), 99) + "\n")
	}
	return b.String()
}

var restarts = []scenario{
	{"nothing happened",
		do(appends("a.jsonl", "1\n"), down(func(*reader) {}), down(func(*reader) {}), appends("a.jsonl", "2\n")),
		"found a@1\na@1 = 1/2/\n"},
	{"grown meanwhile",
		do(appends("a.jsonl", "1\n"), down(appends("a.jsonl", "2\n"))),
		"found a@1\na@1 = 1/2/\n"},
	{"an unfinished line, finished meanwhile",
		do(appends("a.jsonl", "1\n2"), down(appends("a.jsonl", "2\n"))),
		"found a@1\na@1 = 1/22/\n"},
	{"truncated to shorter, with bytes unread",
		do(appends("a.jsonl", "1\n2"), down(func(r *reader) { r.write("a.jsonl", "3") }), appends("a.jsonl", "\n")),
		"found a@1\ntruncated a@1 lost [2,3)\nfound a@2\na@1 = 1/\na@2 = 3/\n"},
	{"truncated to longer",
		do(appends("a.jsonl", "1\n"), down(func(r *reader) { r.write("a.jsonl", "3\n4\n") })),
		"found a@1\ntruncated a@1\nfound a@2\na@1 = 1/\na@2 = 3/4/\n"},
	{"replaced by other content",
		do(appends("a.jsonl", "1\n2"), down(func(r *reader) { r.append("t", "3\n"); r.rename("t", "a.jsonl") })),
		"found a@1\nreplaced a@1 deleted lost [2,3)\nfound a@2\na@1 = 1/\na@2 = 3/\n"},
	{"replaced by the same content and more",
		do(appends("a.jsonl", "1\n"), down(func(r *reader) { r.append("t", "1\n2\n"); r.rename("t", "a.jsonl") }), appends("a.jsonl", "3\n")),
		"found a@1\ncontinued a@1\na@1 = 1/2/3/\n"},
	{"replaced by less",
		do(appends("a.jsonl", "1\n2\n"), down(func(r *reader) { r.append("t", "1\n"); r.rename("t", "a.jsonl") })),
		"found a@1\nreplaced a@1 deleted\nfound a@2\na@1 = 1/2/\na@2 = 1/\n"},
	{"deleted with an unfinished line, which is lost",
		do(appends("a.jsonl", "1\n2"), down(func(r *reader) { r.remove("a.jsonl") }), appends("a.jsonl", "3\n")),
		"found a@1\ngone a@1 deleted lost [2,3)\nfound a@2\na@1 = 1/\na@2 = 3/\n"},
	{"renamed within the board",
		do(appends("a.jsonl", "1\n"), down(func(r *reader) {
			r.rename("a.jsonl", "b.jsonl")
			r.append("b.jsonl", "2\n")
			r.append("a.jsonl", "3\n")
		})),
		"found a@1\nmoved a@1: a.jsonl → b.jsonl\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"a folder renamed",
		do(appends("x/a.jsonl", "1\n"), down(func(r *reader) { r.rename("x", "y") }), appends("y/a.jsonl", "2\n")),
		"found x/a@1\nmoved x/a@1: x/a.jsonl → y/a.jsonl\nx/a@1 = 1/2/\n"},
	{"rotated by others, with bytes unread",
		do(appends("a.jsonl", "1\n"), down(func(r *reader) {
			r.append("a.jsonl", "2\n")
			r.rename("a.jsonl", "a.jsonl.1")
			r.append("a.jsonl", "3\n")
		})),
		"found a@1\nreplaced a@1 renamed\nfound a@2\na@1 = 1/2/\na@2 = 3/\n"},
	{"moved out before, back meanwhile",
		do(appends("a.jsonl", "1\n"), func(r *reader) { must(r.t, os.Rename(r.path("a.jsonl"), r.away())) },
			down(func(r *reader) { must(r.t, os.Rename(r.away(), r.path("a.jsonl"))); r.append("a.jsonl", "2\n") })),
		"found a@1\ngone a@1 away\nreturned a@1: a.jsonl → a.jsonl\na@1 = 1/2/\n"},
	{"moved out meanwhile, back later",
		do(appends("a.jsonl", "1\n"), down(func(r *reader) { must(r.t, os.Rename(r.path("a.jsonl"), r.away())); r.keep = true }),
			func(r *reader) { must(r.t, os.Rename(r.away(), r.path("a.jsonl"))); r.append("a.jsonl", "2\n") }),
		"found a@1\ngone a@1 deleted\nreturned a@1: a.jsonl → a.jsonl\na@1 = 1/2/\n"},
	{"a logrotated file stays known",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.rename("a.jsonl", "a.jsonl.1") }, down(appends("a.jsonl.1", "late\n")),
			appends("a.jsonl.1", "later\n"), appends("a.jsonl", "2\n"), down(appends("a.jsonl.1", "last\n"))),
		"found a@1\ngone a@1 renamed\nreplaced a@1 renamed\nfound a@2\na@1 = 1/late/later/last/\na@2 = 2/\n"},
	{"a lane that only the journal knew: the same file",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.blank(nil) }, appends("a.jsonl", "2\n")),
		"found a@1\ncontinued a@1\na@1 = 1/2/\n"},
	{"a lane that only the journal knew: another file",
		do(appends("a.jsonl", "1\n"), func(r *reader) { r.blank(func() { r.write("a.jsonl", "2\n") }) }),
		"found a@1\nreplaced a@1 deleted\nfound a@2\na@1 = 1/\na@2 = 2/\n"},
	{"the board was copied",
		do(appends("a.jsonl", long(200)), appends("b.jsonl", "1\n"), down(func(r *reader) {
			for _, rel := range []string{"a.jsonl", "b.jsonl"} {
				b, err := os.ReadFile(r.path(rel))
				must(r.t, err)
				r.write("t", string(b))
				r.rename("t", rel)
			}
		}), appends("b.jsonl", "2\n"), func(r *reader) { r.taken["a@1"] = r.taken["a@1"][:100] }),
		"found a@1\nfound b@1\ncontinued a@1\ncontinued b@1\na@1 = " + strings.Repeat("0", 99) + "/\nb@1 = 1/2/\n"},
	{"a copied lane whose middle differs is the reader's to tell",
		do(appends("b.jsonl", long(200)), down(func(r *reader) {
			b, err := os.ReadFile(r.path("b.jsonl"))
			must(r.t, err)
			b[10000] = 'x'
			r.write("t", string(b))
			r.rename("t", "b.jsonl")
		}), func(r *reader) { clear(r.taken) }),
		"found b@1\nreplaced b@1 deleted\nfound b@2\n"},
	{"a long lane rewritten in its head, in its tail",
		do(appends("a.jsonl", long(200)), appends("b.jsonl", long(200)), down(func(r *reader) {
			r.poke("a.jsonl", 5, "x")
			r.poke("b.jsonl", 19_990, "x")
		}), func(r *reader) { clear(r.taken) }),
		"found a@1\nfound b@1\ntruncated a@1\nfound a@2\ntruncated b@1\nfound b@2\n"},
}

// blank restarts with tails of which only the journal knows.
func (r *reader) blank(meanwhile func()) {
	saved := r.stop()
	for i := range saved {
		saved[i].Mark = Mark{Offset: saved[i].Mark.Offset}
	}
	if meanwhile != nil {
		meanwhile()
	}
	r.start(saved)
}

func (r *reader) poke(rel string, at int64, text string) {
	r.t.Helper()
	f, err := os.OpenFile(r.path(rel), os.O_WRONLY, 0)
	must(r.t, err)
	_, err = f.WriteAt([]byte(text), at)
	must(r.t, err)
	must(r.t, f.Close())
}

func TestRestarts(t *testing.T) {
	for _, mode := range []string{"sweeps", "events"} {
		for _, sc := range restarts {
			t.Run(mode+"/"+strings.ReplaceAll(sc.name, " ", "_"), func(t *testing.T) {
				r := newReader(t, Options{Watch: mode == "events"})
				r.start(nil)
				defer func() { must(t, r.set.Close()); must(t, os.RemoveAll(r.away())) }()
				for _, step := range sc.steps {
					step(r)
					r.settle()
				}
				if got := r.did(); got != sc.want {
					t.Errorf("got\n%swant\n%s", got, sc.want)
				}
				checkSet(t, r.set)
			})
		}
	}
}

// TestUnchangedIsNotOpened holds a restart to opening nothing that is as it was.
func TestUnchangedIsNotOpened(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	for i := range 50 {
		r.append("x/"+itoa(i)+".jsonl", "1\n")
	}
	r.settle()
	for racyTails(r.set) > 0 { // until the files are older than a clock tick
		r.sweep()
	}
	r.append("x/7.jsonl", "2\n")
	r.restart()
	defer r.set.Close()
	if fs := r.set.Findings(); len(fs) != 1 || fs[0].Kind != Grown || fs[0].Path != "x/7.jsonl" {
		t.Fatalf("got %v", fs)
	}
	if n := r.set.Describe().Open; n != 1 {
		t.Errorf("%d files open", n)
	}
	for r.set.warmUp() {
	}
	if n := r.set.Describe().Open; n != 50 {
		t.Errorf("%d files open when warm", n)
	}
}

func racyTails(s *Set) (n int) {
	s.Tails(func(t *Tail) {
		if t.racy {
			n++
		}
	})
	return n
}

// TestJournalKnowsMore restores a mark that is older than what the journal
// took in, as after a crash.
func TestJournalKnowsMore(t *testing.T) {
	for name, meanwhile := range map[string]func(r *reader){
		"":                                  func(*reader) {},
		"truncated a@1\nfound a@2\n":        func(r *reader) { must(t, os.Truncate(r.path("a.jsonl"), 15_000)) },
		"continued a@1\n":                   func(r *reader) { b := r.content("a.jsonl"); r.write("t", b); r.rename("t", "a.jsonl") },
		"replaced a@1 deleted\nfound a@2\n": func(r *reader) { r.write("t", r.content("a.jsonl")[:15_000]); r.rename("t", "a.jsonl") },
	} {
		r := newReader(t, Options{})
		r.start(nil)
		r.append("a.jsonl", long(100))
		r.settle()
		saved := r.tails["a@1"].Save()
		r.append("a.jsonl", long(100))
		r.settle()
		r.stop()
		r.log = nil
		saved.Offset = 20_000
		meanwhile(r)
		r.start([]Saved{saved})
		r.append("a.jsonl", "more\n")
		r.settle()
		if got := strings.Join(r.log, "\n"); got != strings.TrimSpace(name) {
			t.Errorf("got %q, want %q", got, name)
		}
		all := string(r.taken["a@1"]) + string(r.taken["a@2"])
		if !strings.HasPrefix(all, r.content("a.jsonl")) && !strings.HasSuffix(all, r.content("a.jsonl")) {
			t.Errorf("%q: took in %d bytes", name, len(all))
		}
		checkSet(t, r.set)
		must(t, r.set.Close())
	}
}

// TestJournalKnowsASegment restores a rotated segment of which only the journal
// knows.
func TestJournalKnowsASegment(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("a.jsonl", "1\n")
	r.settle()
	seg := r.rotate("a")
	r.append(seg.Path, "2\n")
	r.append("a.jsonl", "3\n")
	r.blank(nil)
	r.append(seg.Path, "4\n")
	r.settle()
	r.restart()
	r.append(seg.Path, "5\n")
	r.settle()
	if got, want := r.did(), "found a@1\nfound a@2\na@1 = 1/2/4/5/\na@2 = 3/\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	checkSet(t, r.set)
}

func (r *reader) content(rel string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(rel))
	must(r.t, err)
	return string(b)
}
