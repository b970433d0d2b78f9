package blackboard_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// events are the lines of several events.
func events(ids ...int) string {
	var out strings.Builder
	for _, n := range ids {
		out.WriteString(event(n))
	}
	return out.String()
}

// TestTruncated: to shorter, equal and longer, all at once while it runs.
func TestTruncated(t *testing.T) {
	for name, again := range map[string]string{"shorter": events(4), "equal": events(7, 8, 9), "longer": events(4, 5, 6, 7), "empty": ""} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, nil)
			b.append("ci", events(1, 2, 3))
			b.settle()
			b.write("ci.jsonl", again)
			b.settle()
			b.append("ci", events(11))
			b.settle()
			b.wantAlerts("destroyed")
			if r := b.reasons("ci"); r != "1:truncated" {
				t.Errorf("rotated %s", r)
			}
			var at []string
			for _, line := range b.taken() {
				at = append(at, line[:4])
			}
			if want := fmt.Sprint(at[:3]); want != "[ci@1 ci@1 ci@1]" || at[3] != "ci@2" {
				t.Errorf("taken in at %v", at)
			}
			b.idle()
		})
	}
}

// TestTruncatedWithUnreadBytes: what was seen and never taken in is lost, and
// said with its range.
func TestTruncatedWithUnreadBytes(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", events(1)+"torn line")
	b.settle()
	b.write("ci.jsonl", "")
	b.settle()
	n := float64(len(event(1)))
	d := b.alertData("lost")
	if len(d) != 1 || d[0]["offset"] != n || d[0]["length"] != 9.0 || d[0]["lane"] != "ci" || d[0]["segment"] != 1.0 {
		t.Errorf("lost: %v", d)
	}
	b.append("ci", events(2))
	b.settle()
	b.wantIDs("gone 2")
}

// TestTornLineReplaced: nothing of a file was taken in yet when its first,
// unfinished line was truncated away; what stands there now is read.
func TestTornLineReplaced(t *testing.T) {
	for name, text := range map[string]string{"shorter": event(1), "with another torn one": event(1) + strings.Repeat("y", 200)} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, nil)
			b.append("ci", strings.Repeat("x", 100))
			b.settle()
			b.write("ci.jsonl", text)
			b.settle()
			b.wantIDs("1")
			b.wantAlerts("lost")
		})
	}
}

// TestLongTornLineReplaced: the same where so much was seen that it is hashed
// while it is streamed past.
func TestLongTornLineReplaced(t *testing.T) {
	b := newBoard(t, map[string]string{"max_line": "64KiB"})
	b.append("ci", event(1)+strings.Repeat("x", 300_000))
	b.settle()
	b.must(os.Truncate(b.layout.Lane("ci"), int64(len(event(1)))))
	b.append("ci", strings.Repeat("z", 400_000)+"\n"+event(2))
	b.settle()
	b.wantIDs("1 ? 2")
}

// TestCopyTruncate: a copy is made, the file cut to nothing, the writer goes on.
func TestCopyTruncate(t *testing.T) {
	b := newBoard(t, nil)
	w := b.hold("ci.jsonl")
	w.write(events(1, 2))
	b.settle()
	text, err := os.ReadFile(b.path("ci.jsonl"))
	b.must(err)
	b.write("ci.jsonl.1", string(text))
	b.must(os.Truncate(b.path("ci.jsonl"), 0))
	w.write(events(3))
	b.settle()
	b.pass(2 * time.Second)
	b.wantIDs("1 2 3") // two of them stand in the copy only
	b.wantAlerts("destroyed")
}

// TestDeletedWhileTailed: read to its end through the open file, archived from
// there, and a new file under the name is a new segment.
func TestDeletedWhileTailed(t *testing.T) {
	b := newBoard(t, nil)
	w := b.hold("ci.jsonl")
	w.write(events(1, 2))
	b.settle()
	w.write(events(3))
	b.remove("ci.jsonl")
	w.write(events(4))
	b.settle()
	b.pass(2 * time.Second)
	w.write(events(5)) // still held
	b.settle()
	b.append("ci", events(6))
	b.settle()
	w.write(events(7))
	w.close()
	b.pass(10 * time.Second)
	b.wantIDs("1 2 3 4 5 6 7")
	b.wantAlerts()
	if r, a := b.reasons("ci"), b.archived("ci"); r != "1:deleted" || a != "1" {
		t.Errorf("rotated %s, archived %s", r, a)
	}
	b.idle()
}

// TestRecreatedAtOnce: the name was never missed; the old file is drained.
func TestRecreatedAtOnce(t *testing.T) {
	b := newBoard(t, nil)
	w := b.hold("ci.jsonl")
	w.write(events(1))
	b.settle()
	w.write(events(2))
	b.remove("ci.jsonl")
	b.append("ci", events(3))
	b.settle()
	w.write(events(4))
	b.settle()
	b.pass(2 * time.Second)
	w.close()
	b.pass(10 * time.Second)
	b.wantIDs("1 2 3 4")
	b.wantAlerts()
	if a := b.archived("ci"); a != "1" {
		t.Errorf("archived %s", a)
	}
	b.idle()
}

// TestSavedByAnEditor: only appended goes on at the old offset; changed is
// read anew and said; so is a mere beginning that stays one.
func TestSavedByAnEditor(t *testing.T) {
	for _, c := range []struct{ name, text, ids, alerts, at string }{
		{"appended", events(1, 2, 3), "1 2 3", "[]", "ci@1"},
		{"changed", events(1, 9, 2), "1 2 1 9 2", "[rewritten]", "ci@2"},
		{"other", events(8, 9), "1 2 8 9", "[]", "ci@2"},
		{"shortened", events(1), "1 2 1", "[rewritten]", "ci@2"},
		{"unchanged", events(1, 2), "1 2", "[]", "ci@1"},
		{"emptied", "", "1 2", "[]", "ci@1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoard(t, nil)
			b.append("ci", events(1, 2))
			b.settle()
			b.over("ci.jsonl", c.text)
			b.settle()
			b.pass(3 * time.Second)
			b.wantIDs(c.ids)
			if a := fmt.Sprint(b.allAlerts()); a != c.alerts {
				t.Errorf("alerts %s", a)
			}
			got := b.taken()
			if last := got[len(got)-1]; !strings.HasPrefix(last, c.at) {
				t.Errorf("last taken in: %s", last)
			}
			b.append("ci", events(20))
			b.settle()
			b.pass(3 * time.Second)
			b.wantIDs(c.ids + " 20")
			b.idle()
		})
	}
}

// TestMovedOutAndBack: the same file goes on at its offset, the daemon running,
// stopped or killed meanwhile.
func TestMovedOutAndBack(t *testing.T) {
	for name, meanwhile := range map[string]func(b *board){
		"running":   func(b *board) { b.settle(); b.pass(5 * time.Second) },
		"at once":   func(*board) {},
		"restarted": func(b *board) { b.restart(); b.pass(5 * time.Second) },
		"killed":    func(b *board) { b.kill(nil); b.pass(5 * time.Second) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBoard(t, nil)
			b.append("ci", events(1, 2))
			b.settle()
			away := t.TempDir() + "/away"
			b.must(os.Rename(b.path("ci.jsonl"), away))
			meanwhile(b)
			b.must(os.Rename(away, b.path("ci.jsonl")))
			b.append("ci", events(3))
			b.settle()
			b.pass(3 * time.Second)
			b.wantIDs("1 2 3")
			b.idle()
		})
	}
}

// TestDeletedAndRestored: a copy that comes back later is not read twice.
func TestDeletedAndRestored(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", events(1, 2))
	b.settle()
	b.remove("ci.jsonl")
	b.settle()
	b.pass(10 * time.Second)
	b.write("ci.jsonl", events(1, 2, 3))
	b.settle()
	b.pass(3 * time.Second)
	b.wantIDs("1 2 3")
	b.restart()
	b.append("ci", events(4))
	b.settle()
	b.wantIDs("1 2 3 4")
	b.idle()
}

// TestLogrotate: ci.jsonl becomes ci.jsonl.1, which a writer holds for a while.
func TestLogrotate(t *testing.T) {
	b := newBoard(t, nil)
	w := b.hold("ci.jsonl")
	w.write(events(1))
	b.settle()
	b.rename("ci.jsonl", "ci.jsonl.1")
	b.append("ci", events(2))
	b.settle()
	w.write(events(3))
	b.settle()
	b.pass(3 * time.Second)
	w.write(events(4))
	w.close()
	b.append("ci", events(5))
	b.pass(10 * time.Second)
	b.wantIDs("1 2 3 4 5")
	b.wantAlerts()
	if r, a := b.reasons("ci"), b.archived("ci"); r != "1:renamed" || a != "1" {
		t.Errorf("rotated %s, archived %s", r, a)
	}
	if _, err := os.Stat(b.path("ci.jsonl.1")); err != nil {
		t.Error("the rotated file is not ours to delete:", err)
	}
	b.idle()
}

// TestLogrotateBeforeTheFirstLine: the writer had opened the file and not
// written yet, or only half a line, when it was renamed or deleted.
func TestLogrotateBeforeTheFirstLine(t *testing.T) {
	for _, before := range []string{"", `{"type":"build.done",`} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d bytes, deleted %v", len(before), gone), func(t *testing.T) {
				b := newBoard(t, nil)
				w := b.hold("ci.jsonl")
				w.write(before)
				b.settle()
				if gone {
					b.remove("ci.jsonl")
					b.settle()
					b.pass(2 * time.Second)
				} else {
					b.rename("ci.jsonl", "ci.jsonl.1")
				}
				b.append("ci", events(2))
				b.settle()
				b.pass(2 * time.Second)
				line := event(1)
				if before != "" {
					line = `"id":"1","data":{}}` + "\n"
				}
				w.write(line)
				b.settle()
				w.close()
				b.pass(10 * time.Second)
				b.wantIDs("1 2")
				b.wantAlerts()
				b.idle()
			})
		}
	}
}

// TestMovedWithinTheBoard: the lane keeps its name; a new file under the old
// one is its next segment, and no line is taken in twice, ever.
func TestMovedWithinTheBoard(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", events(1))
	b.settle()
	b.rename("ci.jsonl", "old.jsonl")
	b.settle()
	b.append("old", events(2))
	b.settle()
	b.pass(2 * time.Second)
	b.append("ci", events(3))
	b.settle()
	b.append("old", events(4))
	b.settle()
	b.pass(10 * time.Second)
	b.append("old", events(5))
	b.settle()
	b.restart()
	b.append("old", events(6))
	b.append("ci", events(7))
	b.settle()
	b.pass(10 * time.Second)
	b.wantIDs("1 2 3 4 5 6 7")
	b.wantAlerts()
	b.idle()
}

// TestIdenticalHeads: two lanes with the same bytes are two lanes.
func TestIdenticalHeads(t *testing.T) {
	b := newBoard(t, nil)
	b.append("a", events(1, 2))
	b.append("b", events(1, 2))
	b.settle()
	b.restart()
	b.append("a", events(3))
	b.append("b", events(4))
	b.settle()
	b.wantIDs("1 2 1 2 3 4")
	b.wantAlerts()
}
