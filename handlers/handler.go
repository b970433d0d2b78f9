package handlers

import (
	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

// Handler is a deterministic state machine fed with events and timers. All it
// may use is its Tx: no clock, no randomness, no files, no memory of its own
// between calls, no order of a map.
type Handler interface {
	// Name is part of its keys and of the ids of what it derives: it is for ever.
	Name() string
	// Topics are the patterns of the events that it is fed.
	Topics() []string
	// Handle is fed one event. The event's memory is used again after the call.
	Handle(tx *Tx, ev *contracts.Event)
	// Tick is a timer of Tx.After, or a token of Tx.Continue.
	Tick(tx *Tx, timer string)
}

// EntryHandler is fed the journal's facts too: open, config, owner, rotate,
// note, state and cut entries.
type EntryHandler interface {
	Entry(tx *Tx, e *journal.Entry)
}

// RefusalHandler is told of every line that is no event.
type RefusalHandler interface {
	Refused(tx *Tx, r *Refused)
}

// RejectHandler is told of every request that stays an event but reaches no
// handler: the policy forbids it, or it was made before.
type RejectHandler interface {
	Rejected(tx *Tx, ev *contracts.Event, r *Rejection)
}

// StormHandler is told when what follows from one line was cut.
type StormHandler interface {
	Storm(tx *Tx, s *Storm)
}

// WaitingHandler tells what it has decided and not derived yet. It only looks.
type WaitingHandler interface {
	Waiting(tx *Tx) []blackboard.Waiting
}

// EffectHandler declares the effects that it starts.
type EffectHandler interface {
	Effects() []EffectKind
}

// EffectKind says who answers an effect, and how. A line on a worker lane is
// obeyed only if it is such an answer to an outstanding effect.
type EffectKind struct {
	Kind string   // archive.rotated
	Lane string   // workers/archive
	Ends []string // topics that end the effect
	Also []string // topics that may come before its end
}

// Refused is a line that is no event.
type Refused struct {
	Pos     contracts.Position
	Line    []byte // without its LF; of a line beyond max_line the first KiB
	Length  int64
	SHA256  [32]byte
	Refusal *contracts.Refusal
	// Recovered is where in the line a whole record was found, which is
	// folded as an event; the zero position if none was.
	Recovered contracts.Position
	// Worker tells that the line stands on a worker's lane, where no line
	// should be refused.
	Worker bool
}

// Whole tells that Line is all of the line.
func (r *Refused) Whole() bool { return int64(len(r.Line)) == r.Length }

// Storm is a chain of events that was cut.
type Storm struct {
	Root   contracts.Position // the line it followed from; zero in a tick or an entry
	Events int                // derived so far
	Deep   bool               // it was cut for its depth, not for its number
}
