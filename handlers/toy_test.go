package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

// toy is a handler made of functions.
type toy struct {
	name   string
	topics []string
	kinds  []handlers.EffectKind
	handle func(tx *handlers.Tx, ev *contracts.Event)
	tick   func(tx *handlers.Tx, timer string)
}

func (h *toy) Name() string                   { return h.name }
func (h *toy) Topics() []string               { return h.topics }
func (h *toy) Effects() []handlers.EffectKind { return h.kinds }
func (h *toy) Handle(tx *handlers.Tx, ev *contracts.Event) {
	if h.handle != nil {
		h.handle(tx, ev)
	}
}
func (h *toy) Tick(tx *handlers.Tx, timer string) {
	if h.tick != nil {
		h.tick(tx, timer)
	}
}

// on is a handler of one topic.
func on(name, topic string, handle func(tx *handlers.Tx, ev *contracts.Event)) *toy {
	return &toy{name: name, topics: []string{topic}, handle: handle}
}

// echo answers toy.ping with toy.pong on lane swarm and counts in its state.
func echo() *toy {
	return on("echo", "toy.ping", func(tx *handlers.Tx, ev *contracts.Event) {
		n, _ := tx.Get("pings")
		tx.Put("pings", n+"i")
		tx.Emit("swarm", "toy.pong", ev.Subject(), new(handlers.Object).Str("n", n).Bytes())
	})
}

func event(topic string, data string) string {
	return fmt.Sprintf(`{"type":%q,"data":%s}`, topic, data)
}

func read(t testing.TB, line string) *contracts.Event {
	t.Helper()
	ev := new(contracts.Event)
	if refusal := contracts.Scan([]byte(line), &ev.Env); refusal != nil {
		t.Fatalf("%v: %s", refusal, line)
	}
	ev.Line = []byte(line)
	ev.TopicName = ev.Env.Type.Text(ev.Line)
	return ev
}

// equal compares texts line by line.
func equal(t testing.TB, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Fatalf("got\n%s\nexpected\n%s", g, w)
	}
}

// find is the values at a path of the lines of one topic.
func find(t testing.TB, lines []string, topic, path string) []string {
	t.Helper()
	var out []string
	for _, l := range lines {
		if ev := read(t, l); ev.TopicName == topic {
			out = append(out, ev.Get(path).Text())
		}
	}
	return out
}

func withBoard(t testing.TB, hs ...handlers.Handler) *foldtest.Board {
	t.Helper()
	return foldtest.New(t, append([]handlers.Handler{board.New()}, hs...)...)
}
