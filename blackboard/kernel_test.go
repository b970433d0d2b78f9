package blackboard_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stigmergy/blackboard/journal"
)

func TestTakesEveryLineInOnce(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", event(1)+event(2))
	b.append("agents/7", event(3))
	b.settle()
	b.append("ci", event(4))
	b.settle()
	var got []string
	for _, e := range b.entries() {
		if e.Kind == journal.Input {
			got = append(got, fmt.Sprintf("%s@%d:%d+%d/%d", e.Lane, e.Segment, e.From, e.To-e.From, e.Lines))
		}
	}
	n := len(event(1))
	want := []string{
		fmt.Sprintf("agents/7@1:0+%d/1", n), fmt.Sprintf("ci@1:0+%d/2", 2*n), fmt.Sprintf("ci@1:%d+%d/1", 2*n, n),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRefusedLinesAreQuarantinedOnce(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", "{\"type\":\"build.done\",}\n\n"+event(1)+"nonsense\n")
	b.settle()
	b.close()
	b.open()
	b.settle()
	if q := b.lines("quarantine/ci"); len(q) != 2 || q[0]["reason"] != "not_json" || q[1]["line"] != "nonsense" {
		t.Errorf("quarantine: %v", q)
	}
	if e := b.lines("board"); len(e) != 2 || e[0]["type"] != "board.quarantined" {
		t.Errorf("board: %v", e)
	}
}

func TestAnIdleRestartWritesNothing(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", event(1)+"torn")
	b.append("bad", "x\n")
	b.settle()
	for _, lane := range []string{"board", "quarantine/bad"} { // their files are gone until they have bytes
		if _, err := b.k.Rotate(t.Context(), lane); err != nil {
			t.Fatal(err)
		}
	}
	b.settle()
	b.close()
	before := b.tree()
	b.open()
	b.settle()
	b.close()
	after := b.tree()
	for path, text := range after {
		if before[path] != text {
			t.Errorf("%s: %q became %q", path, before[path], text)
		}
	}
	if len(before) != len(after) {
		t.Errorf("%d files became %d", len(before), len(after))
	}
}

func TestATornLineWaits(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", event(1)+`{"type":"a`)
	b.settle()
	b.append("ci", `.b"}`)
	b.settle()
	if n := countInputs(b); n != 1 {
		t.Errorf("%d lines before the newline, want 1", n)
	}
	b.clock.t = b.clock.t.Add(61 * time.Second)
	b.settle()
	b.clock.t = b.clock.t.Add(600 * time.Second)
	b.settle()
	if a := b.alerts(); fmt.Sprint(a) != "[unfinished]" {
		t.Errorf("alerts %v, want one unfinished", a)
	}
	b.append("ci", "\n")
	b.settle()
	if n := countInputs(b); n != 2 {
		t.Errorf("%d lines behind the newline, want 2", n)
	}
}

func TestALongLineIsStreamedPast(t *testing.T) {
	b := newBoard(t, map[string]string{"max_line": "64KiB"})
	for i := range 40 {
		b.append("ci", strings.Repeat("x", 300_000))
		if i%13 == 0 {
			b.settle()
		}
	}
	b.append("ci", "\n"+event(1))
	b.settle()
	q := b.lines("quarantine/ci")
	if len(q) != 1 || q[0]["reason"] != "too_long" || q[0]["length"] != float64(40*300_000) {
		t.Errorf("quarantine: %v", q)
	}
	if n := countInputs(b); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestACrashLosesNothing(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", event(1)+"bad\n")
	b.settle()
	b.crash()
	b.append("ci", event(2)+"worse\n")
	b.open()
	b.settle()
	b.crash()
	b.open()
	b.settle()
	if n := countInputs(b); n != 4 {
		t.Errorf("%d lines, want 4", n)
	}
	if q := b.lines("quarantine/ci"); len(q) != 2 {
		t.Errorf("quarantine: %v", q)
	}
}

func TestDerivedBytesThatAreMissingAreWrittenAgain(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", "bad\n")
	b.settle()
	want := b.tree()
	b.crash()
	for _, lane := range []string{"board", "quarantine/ci"} {
		if err := os.Truncate(b.layout.Lane(lane), 7); err != nil {
			t.Fatal(err)
		}
	}
	b.open()
	b.settle()
	for _, path := range []string{"/board.jsonl", "/quarantine/ci.jsonl"} {
		if got := b.tree()[path]; got != want[path] {
			t.Errorf("%s: %q, want %q", path, got, want[path])
		}
	}
}

func TestForeignBytesAreTakenAway(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", "bad\n")
	b.settle()
	before := len(b.lines("board"))
	b.append("board", event(9))
	b.append("ci", "bad again\n")
	b.settle()
	if a := b.alerts(); len(a) != 1 || a[0] != "foreign_bytes" {
		t.Errorf("alerts %v, want one foreign_bytes", a)
	}
	if q := b.lines("quarantine/board"); len(q) != 1 || q[0]["reason"] != "foreign" {
		t.Errorf("quarantine: %v", q)
	}
	if n := len(b.lines("board")); n != before+3 {
		t.Errorf("%d lines on board, want %d", n, before+3)
	}
}

func TestRotateSealArchive(t *testing.T) {
	b := newBoard(t, map[string]string{"segment.max_bytes": "64KiB", "segment.min_bytes": "1KiB"})
	var want strings.Builder
	for i := range 3000 {
		b.append("ci", event(i))
		want.WriteString(event(i))
		if i%100 == 0 {
			b.settle()
		}
	}
	b.settle()
	matches, err := filepath.Glob(filepath.Join(b.layout.Dir, "archive/ci/*.zst"))
	if err != nil || len(matches) < 2 {
		t.Fatalf("archives %v, %v", matches, err)
	}
	left, _ := filepath.Glob(b.layout.Private("segments/ci/*"))
	if len(left) > 0 {
		t.Errorf("segments left: %v", left)
	}
	if n := countInputs(b); n != 3000 {
		t.Errorf("%d lines, want 3000", n)
	}
}

func TestABatchHoldsOnlySoManyLines(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", strings.Repeat("x\n", 20_000))
	b.settle()
	for _, e := range b.entries() {
		if e.Kind == journal.Input && e.Lines > 8192 {
			t.Errorf("entry %d takes %d lines in", e.Seq, e.Lines)
		}
	}
	if q := b.lines("quarantine/ci"); len(q) != 20_000 {
		t.Errorf("%d records, want 20000", len(q))
	}
}
