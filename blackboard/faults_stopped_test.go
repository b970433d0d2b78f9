//go:build linux

package blackboard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ends are the ways in which a daemon stops for a while: in good order, and
// killed.
var ends = map[string]func(b *board, meanwhile func()){
	"stopped": func(b *board, meanwhile func()) { b.close(); meanwhile(); b.open(); b.settle() },
	"killed":  func(b *board, meanwhile func()) { b.kill(meanwhile) },
}

// TestMeanwhile: what happens to files while nobody watches.
func TestMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name   string
		do     func(b *board)
		ids    string
		alerts string
	}{
		{"nothing", func(b *board) {}, "1 2", "[]"},
		{"appended", func(b *board) { b.append("ci", events(3)) }, "1 2 3", "[]"},
		{"rotated by logrotate, with late lines", func(b *board) {
			b.append("ci", events(3))
			b.rename("ci.jsonl", "ci.jsonl.1")
			b.append("ci", events(4))
			b.add("ci.jsonl.1", events(5))
		}, "1 2 3 4 5", "[]"},
		{"moved to another lane's name", func(b *board) {
			b.rename("ci.jsonl", "old.jsonl")
			b.append("old", events(3))
			b.append("ci", events(4))
		}, "1 2 3 4", "[]"},
		{"deleted", func(b *board) { b.remove("ci.jsonl") }, "gone gone", "[destroyed]"},
		{"deleted with unread lines", func(b *board) { b.append("ci", events(3)); b.remove("ci.jsonl") }, "gone gone", "[destroyed]"},
		{"truncated and written anew", func(b *board) { b.write("ci.jsonl", events(8, 9, 10)) }, "gone gone 8 9 10", "[destroyed]"},
		{"cut short", func(b *board) { b.must(os.Truncate(b.path("ci.jsonl"), 5)) }, "gone gone", "[destroyed]"},
		{"saved by an editor, appended only", func(b *board) { b.over("ci.jsonl", events(1, 2, 3)) }, "1 2 3", "[]"},
		{"saved by an editor, changed", func(b *board) { b.over("ci.jsonl", events(1, 7, 3)) }, "gone gone 1 7 3", "[destroyed]"},
		{"renamed over by another", func(b *board) { b.over("ci.jsonl", events(8)) }, "gone gone 8", "[destroyed]"},
		{"replaced by a FIFO", func(b *board) { b.remove("ci.jsonl"); b.fifo("ci.jsonl") }, "gone gone", "[not_a_lane destroyed]"},
		{"replaced by a symlink", func(b *board) {
			b.remove("ci.jsonl")
			b.write("elsewhere", events(8))
			b.must(os.Symlink("elsewhere", b.path("ci.jsonl")))
		}, "gone gone", "[not_a_lane destroyed]"},
		{"its folder moved", func(b *board) {
			b.must(os.Mkdir(b.path("x"), 0o755))
			b.rename("ci.jsonl", "x/ci.jsonl")
			b.append("x/ci", events(3))
		}, "1 2 3", "[]"},
		{"snapshot lost", func(b *board) { b.must(os.RemoveAll(b.layout.State())); b.append("ci", events(3)) }, "1 2 3", "[]"},
	} {
		for how, end := range ends {
			t.Run(c.name+", "+how, func(t *testing.T) {
				b := newBoard(t, nil)
				b.append("ci", events(1, 2))
				b.settle()
				end(b, func() { c.do(b) })
				b.pass(3 * time.Second)
				got := b.allAlerts()
				slices.Sort(got)
				want := strings.Fields(strings.Trim(c.alerts, "[]"))
				slices.Sort(want)
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("alerts %v, want %v", got, want)
				}
				b.wantIDs(c.ids)
				b.idle()
				b.restart()
				b.close()
				before := b.tree()
				b.open()
				b.settle()
				b.close()
				b.sameTree(before)
			})
		}
	}
}

// TestMeanwhileRotated: the same with a rotated segment that a writer holds.
func TestMeanwhileRotated(t *testing.T) {
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			b := newBoard(t, nil)
			w := b.hold("ci.jsonl")
			w.write(events(1))
			b.settle()
			if _, err := b.k.Rotate(t.Context(), "ci"); err != nil {
				t.Fatal(err)
			}
			w.write(events(2))
			b.settle()
			b.append("ci", events(3))
			end(b, func() { w.write(events(4)); b.append("ci", events(5)) })
			w.write(events(6))
			w.close()
			b.settle()
			b.pass(10 * time.Second)
			b.wantIDs("1 2 3 4 5 6")
			b.wantAlerts()
			if a := b.archived("ci"); a != "1" {
				t.Errorf("archived %s", a)
			}
			b.idle()
		})
	}
}

// TestDeletedBeforeItWasArchived: ci.jsonl.1 is removed while nobody watches,
// before it was copied.
func TestDeletedBeforeItWasArchived(t *testing.T) {
	for how, end := range ends {
		t.Run(how, func(t *testing.T) {
			b := newBoard(t, nil)
			w := b.hold("ci.jsonl")
			w.write(events(1))
			b.settle()
			b.rename("ci.jsonl", "ci.jsonl.1")
			b.append("ci", events(2))
			b.settle()
			end(b, func() { b.remove("ci.jsonl.1"); w.close() })
			b.pass(10 * time.Second)
			b.wantIDs("gone 2")
			b.wantAlerts("destroyed")
			b.idle()
		})
	}
}

// TestDeletedAndKilled: the open file was all there was.
func TestDeletedAndKilled(t *testing.T) {
	b := newBoard(t, nil)
	w := b.hold("ci.jsonl")
	w.write(events(1))
	b.settle()
	b.remove("ci.jsonl")
	b.settle()
	b.pass(2 * time.Second)
	b.kill(nil)
	b.pass(10 * time.Second)
	b.append("ci", events(2))
	b.settle()
	b.wantIDs("gone 2")
	b.wantAlerts("destroyed")
	b.idle()
}

// TestStrangers: what is named like a lane and is none, told once.
func TestStrangers(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", events(1))
	b.fifo("f.jsonl")
	b.must(os.Mkdir(b.path("d.jsonl"), 0o755))
	b.must(os.Symlink("ci.jsonl", b.path("s.jsonl")))
	b.must(os.Symlink("/etc/passwd", b.path("p.jsonl")))
	b.must(os.Link(b.path("ci.jsonl"), b.path("zz.jsonl")))
	b.settle()
	b.wantIDs("1")
	b.wantAlerts("not_a_lane", "not_a_lane", "not_a_lane", "not_a_lane", "not_a_lane")
	b.append("zz", events(2))
	b.settle()
	b.restart()
	b.kill(nil)
	b.pass(3 * time.Second)
	b.wantIDs("1 2")
	if n := len(b.alertData("not_a_lane")); n != 5 {
		t.Errorf("%d alerts after restarts, want 5", n)
	}
}

// TestHardLinkOutlivesTheFirstName: the second name is the lane from then on.
func TestHardLinkOutlivesTheFirstName(t *testing.T) {
	b := newBoard(t, nil)
	b.append("a", events(1))
	b.must(os.Link(b.path("a.jsonl"), b.path("b.jsonl")))
	b.settle()
	b.remove("a.jsonl")
	b.append("b", events(2))
	b.settle()
	b.pass(3 * time.Second)
	b.restart()
	b.append("b", events(3))
	b.settle()
	b.wantIDs("1 2 3")
}

// TestOddNames are lanes like any other, over their whole life.
func TestOddNames(t *testing.T) {
	for _, name := range []string{"a\nb", `q"uo'te`, "-rf", "\xff\xfe", "день/ночь", "sp ace", "%41", "a\\b", strings.Repeat("ж", 40), strings.Repeat("l", 240)} {
		t.Run(fmt.Sprintf("%.20q", name), func(t *testing.T) {
			b := newBoard(t, nil)
			path := b.path(name + ".jsonl")
			b.must(os.MkdirAll(filepath.Dir(path), 0o755))
			b.must(os.WriteFile(path, []byte(events(1)+"bad\n"), 0o644))
			b.settle()
			var lane string
			for _, e := range b.entries() {
				if e.Lane != "" && !strings.Contains(e.Lane, "board") && !strings.HasPrefix(e.Lane, "quarantine") {
					lane = e.Lane
				}
			}
			b.wantIDs("1 ?")
			if q := b.ownedLines("quarantine/" + lane); len(q) != 1 {
				t.Errorf("quarantine: %v", q)
			}
			if _, err := b.k.Rotate(t.Context(), lane); err != nil {
				t.Fatal(err)
			}
			b.settle()
			b.must(os.WriteFile(path, []byte(events(2)), 0o644))
			b.settle()
			b.kill(nil)
			b.wantIDs("1 ? 2")
			if a := b.archived(lane); a != "1" {
				t.Errorf("archived: %q", a)
			}
			b.idle()
		})
	}
}

// TestLongNames: a lane whose escaped name is no file name is taken in and
// not rotated; whoever asks for that is told why.
func TestLongNames(t *testing.T) {
	b := newBoard(t, map[string]string{"segment.max_bytes": "4KiB", "segment.min_bytes": "1KiB"})
	name := strings.Repeat("ж", 120)
	b.write(name+".jsonl", "bad\n"+strings.Repeat(event(1), 100))
	b.settle()
	lane := strings.Repeat("%D0%B6", 120)
	if _, err := b.k.Rotate(t.Context(), lane); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("rotating: %v", err)
	}
	b.must(os.Rename(b.path(name+".jsonl"), b.path("away")))
	b.write(name+".jsonl", events(2))
	b.settle()
	b.remove("quarantine/" + name + ".jsonl")
	b.add(name+".jsonl", "worse\n")
	b.settle()
	b.kill(nil)
	if n := countInputs(b); n != 103 {
		t.Errorf("%d lines, want 103", n)
	}
}
