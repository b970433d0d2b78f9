// Package board is the handler that answers for the board itself: refused
// lines go to quarantine, requests that are not granted are answered, facts
// about the world become alerts, and ended segments are rotated, sealed and
// archived.
//
// It derives on lane board
//
//	board.quarantined  one for every refused line, beside its record
//	board.rejected     one for every request that is not granted
//	board.alert        one for every fact that somebody should know of
//
// and on lane quarantine/LANE one record for every refused line of LANE: the
// data of its board.quarantined, time, and line (or line_base64, when it is
// not UTF-8):
//
//	jq -r .line board/quarantine/agents/7.jsonl   # the lines as they came
package board

import (
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// Handler is the board's own state machine.
type Handler struct{}

// New returns it.
func New() *Handler { return &Handler{} }

// Name is part of ids and keys.
func (*Handler) Name() string { return "board" }

// Topics are the lines of workers/archive.
func (*Handler) Topics() []string {
	return []string{"board.lane.rotated", "board.segment.sealed", "board.segment.archived"}
}

// Handle moves a segment to the next stage of its life.
func (*Handler) Handle(tx *handlers.Tx, ev *contracts.Event) { answered(tx, ev) }

// Tick goes on with foreign bytes that are many.
func (*Handler) Tick(tx *handlers.Tx, timer string) { foreignMore(tx, timer) }

// Effects are the three stages of a segment that ended.
func (*Handler) Effects() []handlers.EffectKind { return stages() }

// Entry answers what the journal notes.
func (*Handler) Entry(tx *handlers.Tx, e *journal.Entry) {
	switch e.Kind {
	case journal.Rotate:
		ended(tx, e)
	case journal.Note:
		noted(tx, e)
	}
}

// Refused records a refused line and tells of it.
func (*Handler) Refused(tx *handlers.Tx, r *handlers.Refused) {
	quarantine(tx, r)
	if r.Worker {
		tx.Alert(handlers.Alert{
			Type: "foreign_bytes", Severity: "critical", Lane: r.Pos.Lane, Segment: r.Pos.Segment,
			Offset: r.Pos.Offset, Length: r.Length,
			Message: "a line that no worker was asked for stands on " + r.Pos.Lane + ": quarantined, not obeyed",
		})
	}
}

// Rejected answers a request.
func (*Handler) Rejected(tx *handlers.Tx, ev *contracts.Event, r *handlers.Rejection) {
	tx.Reject(ev, r)
}
