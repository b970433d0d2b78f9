// Package audit is the handler that keeps the board's audit trail: on lane
// hxo, one hxo.audit event for every request that the policy refused.
package audit

import (
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Handler writes the audit trail.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "audit" }

// Topics are the events to be audited.
func (*Handler) Topics() []string { return []string{"board.rejected"} }

// Handle audits a rejection, if it was the policy's.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) {
	if ev.Get("data.reason").Text() != handlers.RejectPolicy {
		return
	}
	text := func(field string) string { return ev.Get("data." + field).Text() }
	details := new(handlers.Object).
		OptStr("plan_id", text("plan_id")).
		Str("position", text("position")).
		Str("request_topic", text("request_topic")).
		Str("request_id", text("request_id")).
		OptStr("rule", text("rule"))
	data := new(handlers.Object).
		Str("user", text("user")).
		Str("role", text("role")).
		Str("operation", "policy.refused").
		Raw("details", details.Bytes()).
		Str("timestamp", tx.Time())
	tx.Emit("hxo", "hxo.audit", ev.Subject(), data.Bytes())
}

// Tick is never asked for.
func (*Handler) Tick(*handlers.Tx, string) {}
