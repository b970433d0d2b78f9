// Package sign is the handler that has the board's history signed. It keeps
// exactly one effect outstanding, for as long as the board lives:
//
//	checkpoint:N   → board.checkpoint on workers/signer, which ends it and starts checkpoint:N+1
//
// When a checkpoint is due is the worker's to know: it is told nothing here but
// which number it has. The key n holds N.
//
// A checkpoint that brings a new key with it is audited: hxo.audit, key.rotate.
package sign

import (
	"strconv"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

const (
	// Kind of the one effect.
	Kind   = "sign.checkpoint"
	lane   = "workers/signer"
	topic  = "board.checkpoint"
	number = "n"
)

// Handler has the board's history signed.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "sign" }

// Topics are the signer's lines.
func (*Handler) Topics() []string { return []string{topic} }

// Effects is the one that stands for ever.
func (*Handler) Effects() []handlers.EffectKind {
	return []handlers.EffectKind{{Kind: Kind, Lane: lane, Ends: []string{topic}}}
}

// Entry starts the first effect with the board's first run.
func (*Handler) Entry(tx *handlers.Tx, e *journal.Entry) {
	if e.Kind != journal.Open && e.Kind != journal.Config {
		return
	}
	if _, begun := tx.Get(number); !begun {
		start(tx, 0)
	}
}

// Handle starts the effect that follows on the one that a line has ended.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	if ev.Pos.Lane != lane {
		return
	}
	if ev.Get("data.rotation.key").Text() != "" {
		audit(tx, ev)
	}
	text, _ := tx.Get(number)
	n, _ := strconv.ParseUint(text, 10, 64)
	start(tx, n+1)
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}

func start(tx *handlers.Tx, n uint64) {
	text := strconv.FormatUint(n, 10)
	tx.Put(number, text)
	tx.Effect(Kind, "checkpoint:"+text, new(handlers.Object).Uint("n", n).Bytes())
}

// audit records who brought a new key.
func audit(tx *handlers.Tx, ev *contracts.Event) {
	text := func(field string) string { return ev.Get("data.rotation." + field).Text() }
	details := new(handlers.Object).
		Str("old_key", text("old_key")).
		Str("new_key", text("key")).
		Str("position", ev.Pos.String())
	if size, ok := ev.Get("data.size").Int(); ok {
		details.Int("size", size)
	}
	data := new(handlers.Object).
		Str("user", text("user")).
		Str("role", "operator").
		Str("operation", "key.rotate").
		Raw("details", details.Bytes()).
		Str("timestamp", tx.Time())
	tx.Emit("hxo", "hxo.audit", "", data.Bytes())
}
