package handlers_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

func TestDerivedEvent(t *testing.T) {
	b := foldtest.New(t, echo())
	b.Append("agents/7", ` `, `{"type":"toy.ping","subject":"s"}`)
	lines := b.Lane("swarm")
	id := sha256.Sum256([]byte(b.Config.BoardID + "\x00agents/7@1:2\x00echo\x000"))
	equal(t, lines, fmt.Sprintf(`{"specversion":"1.0","id":"%x","source":"swarm","type":"toy.pong","subject":"s","time":"2026-01-29T02:31:13.000000000Z","cause":"agents/7@1:2","data":{"n":""}}`, id[:16]))
}

// TestDepthFirst follows the order in which events are handled and stand.
func TestDepthFirst(t *testing.T) {
	var order []string
	seen := func(tx *handlers.Tx, ev *contracts.Event) string {
		order = append(order, ev.Get("is").Text())
		return ev.Get("is").Text()
	}
	grow := func(name string) *toy {
		return on(name, "toy.**", func(tx *handlers.Tx, ev *contracts.Event) {
			is := seen(tx, ev)
			if len(is) >= 4 {
				return
			}
			for _, n := range []string{"1", "2"} {
				tx.Emit("swarm", "toy.grow", "", new(handlers.Object).Str("is", is+name+n).Bytes())
			}
		})
	}
	b := foldtest.New(t, grow("a"), grow("b"))
	b.Append("ci", event("toy.seed", `{"is":"x"}`), event("toy.seed", `{"is":"long"}`))
	equal(t, order,
		"x", "x", // both handlers see an event before anything that follows from it
		"xa1", "xa1", "xa1a1", "xa1a1", "xa1a2", "xa1a2", "xa1b1", "xa1b1", "xa1b2", "xa1b2",
		"xa2", "xa2", "xa2a1", "xa2a1", "xa2a2", "xa2a2", "xa2b1", "xa2b1", "xa2b2", "xa2b2",
		"xb1", "xb1", "xb1a1", "xb1a1", "xb1a2", "xb1a2", "xb1b1", "xb1b1", "xb1b2", "xb1b2",
		"xb2", "xb2", "xb2a1", "xb2a1", "xb2a2", "xb2a2", "xb2b1", "xb2b1", "xb2b2", "xb2b2",
		"long", "long")
	equal(t, find(t, b.Lane("swarm"), "toy.grow", "is")[:8], "xa1", "xa2", "xb1", "xb2", "xa1a1", "xa1a2", "xa1b1", "xa1b2")
}

// TestCauses follows a chain back to its line by position.
func TestCauses(t *testing.T) {
	chain := on("chain", "toy.**", func(tx *handlers.Tx, ev *contracts.Event) {
		if len(ev.TopicName) < 8 {
			pos := tx.Emit("swarm", ev.TopicName+"x", "", []byte("{}"))
			tx.Put(pos.String(), tx.Cause())
		}
	})
	b := foldtest.New(t, chain)
	b.Append("ci", event("toy.x", "{}"))
	b.Append("ci", event("toy.x", "{}"))
	var at int64
	for i, l := range b.Lane("swarm") {
		ev := read(t, l)
		pos := contracts.Position{Lane: "swarm", Segment: 1, Offset: at}
		if want := fmt.Sprintf("%q %q", "h/chain/"+pos.String(), ev.Env.Cause.Text(ev.Line)); !strings.Contains(b.State(), want) {
			t.Fatalf("line %d: Emit did not say %s", i, want)
		}
		at += int64(len(l) + 1)
	}
}

func TestOwnLaneOnly(t *testing.T) {
	for _, lane := range []string{"ci", "workers/plan", "quarantine/ci", "", "hxo/x"} {
		b := withBoard(t, on("bad", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
			tx.Emit(lane, "toy.pong", "", []byte("{}"))
		}))
		if s := b.Append("ci", event("toy.ping", "{}")); len(s.Skips) != 1 || len(s.Derived) != 0 {
			t.Errorf("a handler derived an event on lane %q", lane)
		}
	}
}

// TestInvalidEventIsDropped: what breaks its contract never reaches a lane.
func TestInvalidEventIsDropped(t *testing.T) {
	b := withBoard(t, on("bad", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Put("k", "v")
		tx.Emit("hxo", "hxo.plan", "", []byte(`{"plan_id":"no-uuid"}`))
	}))
	s := b.Append("ci", event("toy.ping", "{}"))
	if len(s.Skips) != 1 || !strings.Contains(s.Skips[0].Reason, "hxo.plan") || len(s.Derived) != 0 {
		t.Fatalf("step %+v", s)
	}
}

// TestPanicDropsTheCall: of a handler that fails nothing remains but the skip.
func TestPanicDropsTheCall(t *testing.T) {
	fails := &toy{
		name: "fails", topics: []string{"toy.ping"},
		kinds: []handlers.EffectKind{{Kind: "toy", Lane: "workers/exec", Ends: []string{"toy.did"}}},
		handle: func(tx *handlers.Tx, ev *contracts.Event) {
			tx.Put("a", "1")
			tx.Emit("swarm", "toy.pong", "", []byte(`{"n":"fails"}`))
			tx.Emit("genesis", "toy.other", "", []byte("{}"))
			tx.Effect("toy", "key", []byte("{}"))
			tx.After("later", 10)
			if ev.Get("fail").Exists() {
				tx.Delete("a")
				panic("as asked")
			}
		},
	}
	b := withBoard(t, echo(), fails)
	s := b.Append("ci", event("toy.ping", `{"fail":1}`), event("toy.ping", `{}`))
	if len(s.Skips) != 1 || s.Skips[0].Handler != "fails" || s.Skips[0].Position != "ci@1:0" || s.Skips[0].Reason != "as asked" {
		t.Fatalf("skips %+v", s.Skips)
	}
	equal(t, find(t, b.Lane("swarm"), "toy.pong", "n"), "", "i", "fails")
	if len(s.Started) != 1 || len(b.Lane("genesis")) != 1 {
		t.Fatalf("started %v", s.Started)
	}
	b.Fact(journal.Entry{Kind: journal.Note, Note: "skip", Handler: "fails", Position: "ci@1:0", Reason: "as asked"})
	equal(t, find(t, b.Lane("board"), "board.alert", "message"), "handler fails failed at ci@1:0 and was skipped there: as asked")
}

// TestFailureOverAFailure: a handler that fails over the alert about its own
// failure is not noted again and again.
func TestFailureOverAFailure(t *testing.T) {
	b := withBoard(t, on("worried", "board.alert", func(tx *handlers.Tx, ev *contracts.Event) { panic("oh no") }))
	s := b.Fact(journal.Entry{Kind: journal.Note, Note: "overflow"})
	for n := 0; len(s.Skips) > 0; n++ {
		if n > 3 {
			t.Fatal("it goes on for ever")
		}
		s = b.Fact(journal.Entry{Kind: journal.Note, Note: "skip", Handler: s.Skips[0].Handler, Position: s.Skips[0].Position})
	}
	equal(t, find(t, b.Lane("board"), "board.alert", "alert_type"), "overflow", "skip")
}

// TestSkipIsObeyed: a fold that knows of a failure does not call the handler
// there, and comes to the same bytes.
func TestSkipIsObeyed(t *testing.T) {
	calls := 0
	fails := on("fails", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		calls++
		tx.Emit("swarm", "toy.pong", "", []byte("{}"))
		panic("always")
	})
	run := func(skip bool) (string, int) {
		b := withBoard(t, echo(), fails)
		calls = 0
		if skip {
			b.M.Skip("fails", "ci@1:0")
		}
		s := b.Append("ci", event("toy.ping", "{}"))
		if len(s.Skips) != 1-calls+calls && !skip {
			t.Fatal("the failure is not told")
		}
		return b.Bytes() + b.State(), calls
	}
	first, called := run(false)
	again, called2 := run(true)
	if first != again || called != 1 || called2 != 0 {
		t.Fatalf("called %d and %d times; first\n%s\nagain\n%s", called, called2, first, again)
	}
}

// TestSkipOfOneTimer: of a handler's timers in one tick, only the one that
// failed is skipped in a replay.
func TestSkipOfOneTimer(t *testing.T) {
	h := on("clock", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		for _, n := range []string{"a", "b", "c"} {
			tx.After(n, 5)
		}
	})
	fail := true
	h.tick = func(tx *handlers.Tx, timer string) {
		tx.Emit("swarm", "toy.pong", "", new(handlers.Object).Str("n", timer).Bytes())
		if fail && timer == "b" {
			panic("b")
		}
	}
	run := func(skips ...string) *foldtest.Board {
		b := foldtest.New(t, h)
		for _, s := range skips {
			b.M.Skip("clock", s)
		}
		b.Append("ci", event("toy.ping", "{}"))
		b.Advance(5)
		return b
	}
	first := run()
	if len(first.Skips) != 1 || first.Skips[0].Position != "tick:1#1" {
		t.Fatalf("skips %+v", first.Skips)
	}
	fail = false
	again := run("tick:1#1")
	if first.Bytes() != again.Bytes() || first.State() != again.State() {
		t.Fatalf("first\n%s\nagain\n%s", first.Bytes(), again.Bytes())
	}
	equal(t, find(t, again.Lane("swarm"), "toy.pong", "n"), "a", "c")
	ids := find(t, again.Lane("swarm"), "toy.pong", "id")
	if ids[0] == ids[1] {
		t.Fatal("two events of one tick have one id")
	}
}

func TestTxIsNotForKeeping(t *testing.T) {
	var kept *handlers.Tx
	b := foldtest.New(t, on("keeps", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) { kept = tx }))
	b.Append("ci", event("toy.ping", "{}"))
	defer func() {
		if recover() == nil {
			t.Error("a Tx could be used after its call")
		}
	}()
	kept.Put("k", "v")
}

func TestRegistryRefuses(t *testing.T) {
	kinds := []handlers.EffectKind{{Kind: "k", Lane: "workers/exec", Ends: []string{"a"}}}
	for name, hs := range map[string][]handlers.Handler{
		"two of one name":     {&toy{name: "a"}, &toy{name: "a"}},
		"no name":             {&toy{}},
		"a name with a slash": {&toy{name: "a/b"}},
		"no pattern":          {&toy{name: "a", topics: []string{"a..b"}}},
		"a kind twice":        {&toy{name: "a", kinds: kinds}, &toy{name: "b", kinds: kinds}},
		"a kind without end":  {&toy{name: "a", kinds: []handlers.EffectKind{{Kind: "k"}}}},
	} {
		if _, err := handlers.NewRegistry(hs...); err == nil {
			t.Errorf("%s: registered", name)
		}
	}
	r, err := handlers.NewRegistry(&toy{name: "b"}, &toy{name: "a"})
	if err != nil || !slices.Equal(r.Names(), []string{"b", "a"}) {
		t.Errorf("%v %v", r, err)
	}
}

func TestApplyRefuses(t *testing.T) {
	r, _ := handlers.NewRegistry()
	m := handlers.New(r)
	if _, err := m.Apply(&journal.Entry{Kind: journal.Tick}, nil); err == nil {
		t.Error("an entry was folded without settings")
	}
	b := foldtest.New(t)
	if _, err := b.M.Apply(&journal.Entry{Kind: journal.Derived, Seq: 7}, nil); err == nil {
		t.Error("a derived entry was folded")
	}
}
