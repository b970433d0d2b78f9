package crash

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/scripts/oracle"
)

// stored makes a board with everything that can be tampered with: archives,
// a rotated owned lane, quarantine, snapshots, several journal entries.
func stored(t *testing.T) *board {
	b := newBoard(t, t.TempDir(), "8KiB")
	for i := range 4 {
		b.write("good", "agents/1", notes("w1", 1+100*i, 40, 100)...)
		b.bad(job{writer: "w1", lane: "agents/1", first: 41 + 100*i})
		b.write("good", "ci", notes("w2", 1+100*i, 5, 100)...)
		if r := b.once(); r.code != 0 {
			t.Fatal(r)
		}
	}
	b.write("bad", "ci", "the owned lanes' newest segments are not empty", "either")
	b.judge("before anything was tampered with")
	return b
}

// lie is one way in which somebody changed what is stored, the command that
// must notice, and what it must name.
type lie struct {
	name    string
	do      func(t *testing.T, b *board)
	command []string
	codes   []int
	names   string
}

func one(t *testing.T, b *board, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: nothing there (%v)", pattern, err)
	}
	return found[0]
}

// change rewrites a file and keeps its times as they come.
func change(pattern string, fn func([]byte) []byte) func(*testing.T, *board) {
	return func(t *testing.T, b *board) {
		path := one(t, b, pattern)
		text, err := os.ReadFile(path)
		b.must(err)
		b.must(os.Chmod(path, 0o644))
		b.must(os.WriteFile(path, fn(text), 0o644))
	}
}

func swap(from, to string) func([]byte) []byte {
	return func(b []byte) []byte {
		if !bytes.Contains(b, []byte(from)) {
			panic("nothing to tamper with: no " + from)
		}
		return bytes.Replace(b, []byte(from), []byte(to), 1)
	}
}

func flipAt(share float64) func([]byte) []byte {
	return func(b []byte) []byte {
		b[int(share*float64(len(b)-1))] ^= 1
		return b
	}
}

func cutTo(share float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(share*float64(len(b)))] }
}

const anArchive = "archive/agents/1/00000001.jsonl.zst"

var lies = []lie{
	{"a byte of a lane that was taken in", change("ci.jsonl", swap(`"n":3`, `"n":9`)), []string{"replay"}, []int{1, 2}, "ci"},
	{"a byte of an owned lane", change("board.jsonl", swap("not_json", "not_jsoN")), []string{"replay"}, []int{1}, "board"},
	{"a byte of a quarantine lane", change("quarantine/ci.jsonl", swap("not_json", "not_jsoN")), []string{"replay"}, []int{1}, "quarantine/ci"},
	{"a root in the journal", change(".stigmergy/journal/00000001.jsonl", swap(`"root":"`, `"root":"0`)), []string{"doctor"}, []int{1, 2}, "journal"},
	{"a seq in the journal", change(".stigmergy/journal/00000001.jsonl", swap(`{"seq":3,`, `{"seq":4,`)), []string{"doctor"}, []int{1, 2}, "journal"},
	{"an entry of the journal gone", change(".stigmergy/journal/00000001.jsonl", dropLine(3)), []string{"doctor"}, []int{1, 2}, "journal"},
	{"a bit at an archive's beginning", change(anArchive, flipAt(0)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"a bit in the middle of an archive", change(anArchive, flipAt(.3)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"a bit in an archive's index", change(anArchive, flipAt(.8)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"a bit at an archive's end", change(anArchive, flipAt(1)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"an archive cut", change(anArchive, cutTo(.5)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"an archive emptied", change(anArchive, cutTo(0)), []string{"archive", "check"}, []int{1, 2}, anArchive},
	{"an archive gone", func(t *testing.T, b *board) { b.must(os.Remove(one(t, b, anArchive))) }, []string{"archive", "check"}, []int{1, 2}, "agents/1"},
	{"two archives exchanged", exchange, []string{"archive", "check"}, []int{1, 2}, "agents/1"},
	{"an object of the store", change(".stigmergy/cas/*/*", flipAt(.5)), []string{"doctor"}, []int{1, 2}, "objects"},
}

func dropLine(n int) func([]byte) []byte {
	return func(b []byte) []byte {
		lines := bytes.SplitAfter(b, []byte("\n"))
		return bytes.Join(append(lines[:n:n], lines[n+1:]...), nil)
	}
}

func exchange(t *testing.T, b *board) {
	one, two := filepath.Join(b.dir, anArchive), filepath.Join(b.dir, strings.Replace(anArchive, "1.jsonl", "2.jsonl", 1))
	b.must(os.Rename(one, one+".x"))
	b.must(os.Rename(two, one))
	b.must(os.Rename(one+".x", two))
}

// TestTampered: whoever changes what is stored is found, by the product and by
// the oracle, with the place.
func TestTampered(t *testing.T) {
	t.Parallel()
	for i, l := range lies {
		if i%scale(4, 1, 1) != 0 {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			b := stored(t)
			l.do(t, b)
			if found, _, err := oracle.Check(b.dir, b.opt); err == nil && len(found) == 0 && !strings.Contains(l.name, "index") && !strings.Contains(l.name, "end") && !strings.Contains(l.name, "object") {
				t.Error("the oracle finds nothing")
			}
			r := b.run(nil, append(l.command, "-C", b.dir)...)
			for _, code := range l.codes {
				if r.code == code && strings.Contains(r.out+r.err, l.names) {
					return
				}
			}
			t.Errorf("stigmergy %v: expected exit %v and a word about %s: %v", l.command, l.codes, l.names, r)
		})
	}
}

// caches are what may be lost, emptied, filled with zeros or exchanged at any
// time: that costs time, never an answer.
var caches = []string{".stigmergy/state/*.jsonl", ".stigmergy/archives.idx", ".stigmergy/durable"}

// TestCaches: a board without its caches, or with bad ones, goes on as if
// nothing had happened.
func TestCaches(t *testing.T) {
	t.Parallel()
	ways := map[string]func([]byte) []byte{
		"gone": nil, "empty": cutTo(0), "half": cutTo(.5), "one bit": flipAt(.5),
		"zeros": func(b []byte) []byte { return make([]byte, len(b)) },
	}
	for _, pattern := range caches {
		for name, way := range ways {
			if name != "gone" && scale(0, 1, 1) == 0 {
				continue
			}
			t.Run(filepath.Base(pattern)+" "+name, func(t *testing.T) {
				t.Parallel()
				b := stored(t)
				all, _ := filepath.Glob(filepath.Join(b.dir, pattern))
				for _, path := range all {
					if way == nil {
						b.must(os.Remove(path))
						continue
					}
					text, err := os.ReadFile(path)
					b.must(err)
					b.must(os.WriteFile(path, way(text), 0o644))
				}
				b.write("good", "ci", notes("late", 1, 5, 100)...)
				b.judge("with " + pattern + " " + name)
			})
		}
	}
}

// TestOlderState: the caches of yesterday, and those of another board.
func TestOlderState(t *testing.T) {
	t.Parallel()
	for _, whose := range []string{"older", "another board's"} {
		t.Run(whose, func(t *testing.T) {
			b := newBoard(t, t.TempDir(), "8KiB")
			b.write("good", "ci", notes("w2", 1, 50, 100)...)
			b.judge("yesterday")
			from := b.dir
			if whose == "another board's" {
				from = stored(t).dir
			}
			kept := filepath.Join(t.TempDir(), "kept")
			b.must(os.CopyFS(kept, os.DirFS(filepath.Join(from, ".stigmergy/state"))))
			b.write("good", "ci", notes("w2", 51, 100, 100)...)
			b.bad(job{writer: "w2", lane: "ci", first: 151})
			b.judge("today")
			b.must(os.RemoveAll(filepath.Join(b.dir, ".stigmergy/state")))
			b.must(os.CopyFS(filepath.Join(b.dir, ".stigmergy/state"), os.DirFS(kept)))
			b.write("good", "ci", notes("w2", 160, 5, 100)...)
			b.judge("with " + whose + " state")
		})
	}
}

// TestCopied: a board that was copied is a board; its lanes are other files,
// and go on where they were.
func TestCopied(t *testing.T) {
	t.Parallel()
	b := stored(t)
	copied := *b
	copied.dir = filepath.Join(t.TempDir(), "copy")
	b.must(os.CopyFS(copied.dir, os.DirFS(b.dir)))
	copied.write("good", "ci", notes("late", 1, 5, 100)...)
	copied.judge("copied")
}
