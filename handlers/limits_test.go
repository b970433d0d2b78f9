package handlers_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

// emitMany derives n lines in one call.
func emitMany(tx *handlers.Tx, n int) {
	for i := range n {
		tx.Emit("swarm", "toy.many", "", new(handlers.Object).Int("i", int64(i)).Bytes())
	}
}

func TestAtMostAThousandACall(t *testing.T) {
	many := on("many", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		n, _ := ev.Get("n").Int()
		emitMany(tx, int(n))
	})
	b := withBoard(t, many)
	if s := b.Append("ci", event("toy.ping", `{"n":1000}`)); len(s.Skips) != 0 || s.Derived[0].Lines != 1000 {
		t.Fatalf("1,000 lines: %+v", s.Skips)
	}
	if s := b.Append("ci", event("toy.ping", `{"n":1001}`)); len(s.Skips) != 1 || len(s.Derived) != 0 {
		t.Fatalf("1,001 lines were derived in one call")
	}
}

// TestContinue derives 2,500 lines in parts; other lanes' lines come between.
func TestContinue(t *testing.T) {
	part := func(tx *handlers.Tx, lane string, from int) {
		for i := from; i < 2500; i++ {
			if i == from+1000 {
				tx.Continue(lane + "/" + strconv.Itoa(i))
				return
			}
			tx.Emit("swarm", "toy.part", "", new(handlers.Object).Int("i", int64(i)).Bytes())
		}
	}
	h := on("parts", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) { part(tx, ev.Pos.Lane, 0) })
	h.tick = func(tx *handlers.Tx, timer string) {
		lane, text, _ := strings.Cut(timer, "/")
		n, _ := strconv.Atoi(text)
		part(tx, lane, n)
	}
	b := foldtest.New(t, h, echo())
	b.Append("ci", event("toy.ping", "{}"))
	b.Append("other", event("toy.ping", "{}"))
	b.Tick()
	b.Advance(0)
	parts := find(t, b.Lane("swarm"), "toy.part", "i")
	for i, n := range parts[:1000] {
		if n != strconv.Itoa(i) {
			t.Fatalf("part %d is %s", i, n)
		}
	}
	if len(parts) != 5000 {
		t.Fatalf("%d parts", len(parts))
	}
	if _, more := b.M.Due(); more {
		t.Fatal("a timer is left")
	}
}

// TestTickIsBounded: a thousand timers that each derive something do not make
// one step of all of it, and none fires twice.
func TestTickIsBounded(t *testing.T) {
	h := on("clock", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		for i := range 30 {
			tx.After(fmt.Sprintf("%02d", i), 7)
		}
	})
	h.tick = func(tx *handlers.Tx, timer string) { emitMany(tx, 90) }
	b := foldtest.New(t, h)
	b.Append("ci", event("toy.ping", "{}"))
	b.Advance(7)
	if n := len(b.Lane("swarm")); n != 2700 {
		t.Fatalf("%d lines", n)
	}
	for i, s := range b.Steps[1:] {
		if s.Derived[0].Lines > 1000+90 {
			t.Errorf("tick %d derived %d lines", i, s.Derived[0].Lines)
		}
	}
}

// TestChainIsCut: an event that begets itself is handled 32 causes deep.
func TestChainIsCut(t *testing.T) {
	handled := 0
	again := on("again", "toy.again", func(tx *handlers.Tx, ev *contracts.Event) {
		handled++
		tx.Emit("swarm", "toy.again", "", []byte("{}"))
	})
	b := withBoard(t, again, echo())
	b.Append("ci", event("toy.again", "{}"), event("toy.ping", "{}"))
	if handled != 1+handlers.MaxDepth {
		t.Errorf("handled %d times", handled)
	}
	if n := len(find(t, b.Lane("swarm"), "toy.again", "type")); n != handled {
		t.Errorf("%d events of %d", n, handled)
	}
	equal(t, find(t, b.Lane("board"), "board.alert", "alert_type"), "storm")
	equal(t, find(t, b.Lane("board"), "board.alert", "message"),
		"a chain of more than 32 causes followed from ci@1:0: the rest is not handled")
	equal(t, find(t, b.Lane("swarm"), "toy.pong", "n"), "") // the next line is folded as ever
}

// TestStormIsCut: an event that begets two of itself is cut at 10,000.
func TestStormIsCut(t *testing.T) {
	twice := on("twice", "toy.twice", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Emit("swarm", "toy.twice", "", []byte("{}"))
		tx.Emit("swarm", "toy.twice", "", []byte("{}"))
	})
	b := withBoard(t, twice)
	b.Append("ci", event("toy.twice", "{}"), event("toy.twice", "{}"))
	if n := len(b.Lane("swarm")); n < 2*10_000 || n > 2*10_002 {
		t.Errorf("%d events", n)
	}
	equal(t, find(t, b.Lane("board"), "board.alert", "cause"), "ci@1:0", fmt.Sprintf("ci@1:%d", len(event("toy.twice", "{}"))+1))
	equal(t, find(t, b.Lane("board"), "board.alert", "severity"), "critical", "critical")
}

// TestStormOfStorms: a handler that answers alerts with alerts is cut too, and
// the alert about the storm is told once.
func TestStormOfStorms(t *testing.T) {
	worse := on("worse", "board.alert", func(tx *handlers.Tx, ev *contracts.Event) {
		for range 3 {
			tx.Alert(handlers.Alert{Type: "disk", Severity: "info", Message: "again"})
		}
	})
	b := withBoard(t, worse)
	b.Fact(journal.Entry{Kind: journal.Note, Note: "overflow"})
	storms := 0
	for _, a := range find(t, b.Lane("board"), "board.alert", "alert_type") {
		if a == "storm" {
			storms++
		}
	}
	if n := len(b.Lane("board")); storms != 1 || n > 10_500 {
		t.Fatalf("%d alerts, %d of them storm", n, storms)
	}
}

// TestQuarantineIsNoStorm: every line of its own, however many.
func TestQuarantineIsNoStorm(t *testing.T) {
	b := withBoard(t)
	b.AppendRaw("ci", []byte(strings.Repeat("oops\n", 11_000)))
	if n, m := len(b.Lane("quarantine/ci")), len(b.Lane("board")); n != 11_000 || m != 11_000 {
		t.Fatalf("%d records, %d events", n, m)
	}
}
