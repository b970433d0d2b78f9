package handlers_test

import (
	"testing"

	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

// TestCurrent looks from another goroutine at a handler that hangs.
func TestCurrent(t *testing.T) {
	in, out := make(chan bool), make(chan bool)
	hangs := on("hangs", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		in <- true
		<-out
		tx.After("t", 0)
	})
	hangs.tick = func(tx *handlers.Tx, timer string) {
		in <- true
		<-out
	}
	b := foldtest.New(t, hangs)
	done := make(chan bool)
	go func() {
		b.Append("ci", "", event("toy.ping", "{}"))
		b.Tick()
		close(done)
	}()
	for _, want := range []string{"ci@1:1", "tick:1#0"} {
		<-in
		if h, pos := b.M.Current(); h != "hangs" || pos != want {
			t.Errorf("current %s at %s, expected %s", h, pos, want)
		}
		out <- true
	}
	<-done
	if h, pos := b.M.Current(); h != "" || pos != "" {
		t.Errorf("%s is at work at %s", h, pos)
	}
}

// TestCurrentWhileFolding: looking costs the fold nothing and never tears.
func TestCurrentWhileFolding(t *testing.T) {
	b := foldtest.New(t, echo(), on("other", "toy.pong", nil))
	done := make(chan bool)
	go func() {
		for range 300 {
			b.Append("ci", event("toy.ping", "{}"))
		}
		close(done)
	}()
	for {
		select {
		case <-done:
			return
		default:
			if h, pos := b.M.Current(); h == "echo" && pos[:3] != "ci@" {
				t.Fatalf("echo at %s", pos)
			}
		}
	}
}
