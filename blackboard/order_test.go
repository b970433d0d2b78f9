package blackboard_test

import (
	"fmt"
	"os"
	"testing"

	"stigmergy/blackboard/journal"
)

// A writer that still had a rotated file open puts its last line there, and the
// next into the new file. The new one is looked at alone, and yet the old one
// is read first.
func TestTheEndOfTheOldFileComesBeforeTheNewOne(t *testing.T) {
	for _, long := range []bool{false, true} {
		b := newBoard(t, map[string]string{"max_line": "1KiB"})
		b.append("ci", event(1))
		b.settle()
		old, err := os.OpenFile(b.layout.Lane("ci"), os.O_APPEND|os.O_WRONLY, 0)
		b.must(err)
		_, err = b.k.Rotate(t.Context(), "ci")
		b.must(err)
		b.settle()
		for n := 2; n < 5; n++ {
			_, err = old.WriteString(event(n))
			b.must(err)
		}
		next := event(5)
		if long {
			next = string(make([]byte, 300<<10)) + "\n"
		}
		b.append("ci", next)
		b.k.Hint("ci.jsonl")
		b.must(b.k.Settle(t.Context(), nil))
		var got []string
		for _, e := range b.entries() {
			if e.Kind == journal.Input && e.Lane == "ci" {
				got = append(got, fmt.Sprintf("%d:%d", e.Segment, e.Lines))
			}
		}
		if fmt.Sprint(got) != "[1:1 1:3 2:1]" {
			t.Errorf("segments and lines were taken in as %v", got)
		}
		b.must(old.Close())
		b.settle()
	}
}
