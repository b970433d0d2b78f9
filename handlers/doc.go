// Package handlers is the fold: the deterministic state machine over the
// journal that turns lines into derived events, effects and timers.
//
//	m := handlers.New(all.Registry())     // implements blackboard.Fold
//	m.Configure(config)
//	step, err := m.Apply(entry, batch)    // → bytes for the owned lanes
//
// # Order
//
// Lines are folded one at a time. An event goes to every handler that wants
// its topic, in the registry's order; then each event that they derived is
// folded the same way, in the order in which it was emitted, with all that
// follows from it, before the next one (depth first); then comes the next
// line. A handler therefore never sees an effect before its cause. On its lane
// an event stands where it was emitted: the events that one call emits stand
// together. Only writing is batched.
//
// # Derived events
//
// Every one is a complete CloudEvents line that passes its own contract:
//
//	id       first 32 hex digits of SHA-256(board_id 0 cause 0 handler 0 number)
//	source   its lane
//	time     that of the entry being folded
//	cause    position of the event that led to it; tick:SEQ for a timer,
//	         entry:SEQ for a journal entry of another kind
//	number   counts, from 0, what the handler derives from that cause
//
//	printf '%s\0%s\0%s\0%s' BOARD_ID agents/7@1:0 board 0 | sha256sum | cut -c1-32
//
// # Failure
//
// What a handler does to state, lanes, effects and timers during one call is
// staged. A panic drops it; Step.Skips names handler and position, the kernel
// journals a note, and folding that note raises the alert.
package handlers

// FoldVersion is raised when any derived byte may change. The golden history
// under testdata holds it to that.
const FoldVersion = 3

// The limits of one fold.
const (
	MaxDerived = 1000  // derived lines of one call, and of one tick before the rest waits for the next
	MaxDepth   = 32    // causes between a line and what is still handled
	MaxEvents  = 10000 // events that follow from one line and are still handled
)
