package handlers_test

import (
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/foldtest"
)

// clock obeys toy.set {name, ms} and toy.cancel {name}, and tells each timer.
func clock(fired *[]string) *toy {
	h := &toy{name: "clock", topics: []string{"toy.set", "toy.cancel"}}
	h.handle = func(tx *handlers.Tx, ev *contracts.Event) {
		name := ev.Get("name").Text()
		if ev.TopicName == "toy.cancel" {
			tx.Cancel(name)
			return
		}
		ms, _ := ev.Get("ms").Int()
		tx.After(name, ms)
	}
	h.tick = func(tx *handlers.Tx, timer string) {
		*fired = append(*fired, timer+"@"+strconv.FormatInt(tx.Now(), 10))
		if rest, ok := strings.CutPrefix(timer, "again-"); ok {
			tx.After(rest, 0)
		}
	}
	return h
}

func set(name string, ms int64) string {
	return event("toy.set", string(new(handlers.Object).Str("name", name).Int("ms", ms).Bytes()))
}

func TestTimers(t *testing.T) {
	var fired []string
	b := foldtest.New(t, clock(&fired))
	b.Append("ci", set("c", 30), set("a/b", 10), set("gone", 15), set("moved", 5), set("past", -4))
	b.Append("ci", set("moved", 20), event("toy.cancel", `{"name":"gone"}`), event("toy.cancel", `{"name":"never"}`))
	b.Advance(25)
	b.Restart()
	b.Advance(25)
	equal(t, fired, "past@0", "a/b@10", "moved@20", "c@30")
	if strings.Contains(b.State(), "k/") {
		t.Fatalf("timers are left in\n%s", b.State())
	}
}

// TestTimerOfNever does not come round to now.
func TestTimerOfNever(t *testing.T) {
	var fired []string
	b := foldtest.New(t, clock(&fired))
	b.Advance(100)
	b.Append("ci", set("never", 1<<63-1), set("soon", 1))
	b.Advance(10)
	equal(t, fired, "soon@101")
}

// TestTimerOfNow waits for the next tick, so that other lanes get their turn.
func TestTimerOfNow(t *testing.T) {
	var fired []string
	b := foldtest.New(t, clock(&fired))
	b.Append("ci", set("again-again-x", 0))
	b.Tick()
	equal(t, fired, "again-again-x@0")
	b.Tick()
	b.Tick()
	b.Tick()
	equal(t, fired, "again-again-x@0", "again-x@0", "x@0")
}

// TestLateTick: after a pause, timers fire in the order in which they were due.
func TestLateTick(t *testing.T) {
	var fired []string
	b := foldtest.New(t, clock(&fired))
	b.Append("ci", set("b", 10), set("a", 20), set("c", 5))
	b.Elapsed = 1000
	b.Tick()
	equal(t, fired, "c@1000", "b@1000", "a@1000")
}

// TestTimersAgainstModel plays random timers against a map.
func TestTimersAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var fired []string
		b := foldtest.New(t, clock(&fired))
		model := map[string]int64{}
		name := rapid.StringMatching(`[ab/]{1,2}`)
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				n, ms := name.Draw(t, "name"), rapid.Int64Range(-5, 300).Draw(t, "ms")
				b.Append("ci", set(n, ms))
				model[n] = b.Elapsed + max(ms, 0)
			},
			"cancel": func(t *rapid.T) {
				n := name.Draw(t, "name")
				b.Append("ci", event("toy.cancel", `{"name":"`+n+`"}`))
				delete(model, n)
			},
			"advance": func(t *rapid.T) {
				fired = nil
				until := b.Elapsed + rapid.Int64Range(0, 200).Draw(t, "ms")
				b.Advance(until - b.Elapsed)
				for _, f := range fired {
					n, at, _ := strings.Cut(f, "@")
					if due, ok := model[n]; !ok || strconv.FormatInt(due, 10) != at {
						t.Fatalf("%s fired, the model has %d", f, due)
					}
					delete(model, n)
				}
				for n, due := range model {
					if due <= until {
						t.Fatalf("%s was due at %d and did not fire by %d", n, due, until)
					}
				}
			},
			"restart": func(*rapid.T) { b.Restart() },
		})
	})
}
