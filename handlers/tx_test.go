package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

// TestTx: what a handler is told, and that its keys are its own.
func TestTx(t *testing.T) {
	var told []string
	h := on("told", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		told = append(told, fmt.Sprint(tx.Position(), " ", tx.Cause(), " ", tx.Seq(), " ", tx.Now(), " ", tx.Time(), " ", tx.UID("ci"), " ", tx.UID("other")),
			fmt.Sprint(tx.BoardID() != "", tx.Settings().MaxLine, tx.Registry().Topic([]byte("hxo.plan")) != nil, tx.Policy() != nil))
		for _, k := range []string{"a", "b/1", "b/2", "c"} {
			tx.Put(k, "told "+k)
		}
		tx.Range("b/", func(k, v string) bool {
			told = append(told, k+"="+v)
			tx.Delete(k)
			return true
		})
		_, gone := tx.Get("b/1")
		n := 0
		tx.Range("", func(k, v string) bool { n++; return false })
		told = append(told, fmt.Sprint(gone, n))
	})
	other := on("other", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		if v, ok := tx.Get("a"); ok {
			told = append(told, "it reads another's "+v)
		}
		tx.Delete("a")
	})
	b := foldtest.New(t, h, other)
	b.Fact(journal.Entry{Kind: journal.Owner, Lane: "ci", UID: 7})
	b.Advance(40)
	b.Append("ci", event("toy.ping", "{}"))
	equal(t, told, "ci@1:0 ci@1:0 1 40 2026-01-29T02:31:13.041000000Z 7 1000", "true 1048576 true true", "b/1=told b/1", "b/2=told b/2", "false 1")
	if !strings.Contains(b.State(), `"h/told/a" "told a"`) {
		t.Error(b.State())
	}
}

// TestWildTopics: handlers hear topics without a contract too, those they ask
// for and no others.
func TestWildTopics(t *testing.T) {
	heard := map[string]int{}
	listen := func(pattern string) *toy {
		return on(strings.Map(func(r rune) rune {
			if r < 'a' || r > 'z' {
				return -1
			}
			return r
		}, pattern), pattern, func(tx *handlers.Tx, ev *contracts.Event) { heard[pattern+" "+ev.TopicName]++ })
	}
	b := foldtest.New(t, listen("ci.*"), listen("ci.done"), listen("hxo.plan.abort"), listen("hxo.plan.*"))
	abort := `{"type":"hxo.plan.abort","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}`
	for range 2 {
		b.Append("ci", event("ci.done", "{}"), event("ci.begun", "{}"), event("cd.done", "{}"), abort)
	}
	for want, n := range map[string]int{
		"ci.* ci.done": 2, "ci.done ci.done": 2, "ci.* ci.begun": 2, "hxo.plan.abort hxo.plan.abort": 2, "hxo.plan.* hxo.plan.abort": 2,
	} {
		if heard[want] != n {
			t.Errorf("%s: heard %d times, expected %d", want, heard[want], n)
		}
		delete(heard, want)
	}
	if len(heard) > 0 {
		t.Errorf("heard %v", heard)
	}
	for i := range 10_000 { // a writer's invented names are forgotten again
		b.Append("ci", event(fmt.Sprintf("ci.n%d", i), "{}"))
	}
	if len(heard) != 10_000 {
		t.Errorf("heard %d topics", len(heard))
	}
}

// TestManyRequests: the last 65,536 requests are remembered, no more.
func TestManyRequests(t *testing.T) {
	b := withBoard(t)
	var all strings.Builder
	line := func(i int) string {
		return fmt.Sprintf(`{"type":"federation.heartbeat","id":"%d","data":{"executor":"e","cas_ids":[]}}`, i)
	}
	for i := range 1<<16 + 100 {
		all.WriteString(line(i) + "\n")
	}
	b.AppendRaw("ci", []byte(all.String()))
	if n := len(b.Lane("board")); n != 0 {
		t.Fatalf("%d answers: %s", n, b.Lane("board")[0])
	}
	b.Append("ci", line(0), line(99), line(1000), line(1<<16+99))
	equal(t, find(t, b.Lane("board"), "board.rejected", "request_id"), "1000", fmt.Sprint(1<<16+99))
	if n := strings.Count(b.State(), "k/seen/"); n != 1<<16 {
		t.Errorf("%d are remembered", n)
	}
}

// TestBadRoles: a policy that cannot be is told when it is put in force.
func TestBadRoles(t *testing.T) {
	b := foldtest.New(t)
	set := *b.Config.Settings
	set.Roles = contracts.Roles{"r": {May: []string{"a..b"}}}
	c := *b.Config
	c.Settings = &set
	if err := b.M.Configure(&c); err == nil {
		t.Error("a role with a broken pattern was taken")
	}
}

// TestUserNames: roles by name go through the names of the configuration.
func TestUserNames(t *testing.T) {
	b := foldtest.NewWith(t, []byte("roles: {ops: {users: [deploy], may: [\"hxo.plan.**\"]}}"), nil, board.New())
	c := *b.Config
	c.Users = func(uid uint32) string { return map[uint32]string{77: "deploy"}[uid] }
	if err := b.M.Configure(&c); err != nil {
		t.Fatal(err)
	}
	abort := `{"type":"hxo.plan.abort","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}`
	b.Fact(journal.Entry{Kind: journal.Owner, Lane: "ci", UID: 77})
	b.Append("ci", abort)
	b.Append("other", abort)
	equal(t, find(t, b.Lane("board"), "board.rejected", "position"), "other@1:0")
}

// TestLargeStep: what one entry derives may be much, and the next one is none
// the worse for it.
func TestLargeStep(t *testing.T) {
	b := withBoard(t)
	b.AppendRaw("ci", []byte(strings.Repeat(strings.Repeat("x", 500_000)+"\n", 20)))
	b.Append("ci", "oops")
	if n := len(b.Lane("quarantine/ci")); n != 21 {
		t.Fatalf("%d records", n)
	}
}
