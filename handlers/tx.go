package handlers

import (
	"fmt"

	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

// Tx is what a handler may use during one call, and all it may use. Keeping
// it longer is a mistake that panics.
type Tx struct {
	m      *Machine
	unit   *unit
	from   *origin
	number int // of the next derived event
}

// Position is where the event being handled stands; zero in a tick or a fact.
func (tx *Tx) Position() contracts.Position { return tx.from.pos }

// Cause is how the events derived in this call name their cause.
func (tx *Tx) Cause() string { return tx.from.cause() }

// Seq is that of the entry being folded.
func (tx *Tx) Seq() uint64 { return tx.m.entry.Seq }

// Now is the board's monotonic clock, in milliseconds: what timers run on.
func (tx *Tx) Now() int64 { return tx.m.entry.ElapsedMS }

// Time is the time of every event derived in this call, RFC 3339 in UTC with
// nine decimals: what a timestamp in their data must be.
func (tx *Tx) Time() string { return tx.m.time }

// BoardID is the board's identity.
func (tx *Tx) BoardID() string { return tx.m.config.BoardID }

// Settings are those in force. Only those that the fold may depend on are the
// same in a replay.
func (tx *Tx) Settings() *settings.Settings { return tx.m.config.Settings }

// Registry is the contracts in force.
func (tx *Tx) Registry() *contracts.Registry { return tx.m.config.Registry }

// Policy is the policy in force.
func (tx *Tx) Policy() *contracts.Policy { return tx.m.policy }

// UID is who owns a lane's file, as the journal has it.
func (tx *Tx) UID(lane string) uint32 { return tx.m.owner(lane) }

// CAS is an object of the content-addressed store. One that cannot be read
// ends the fold: without it the answer would be another one.
func (tx *Tx) CAS(sha256 string) []byte {
	b, err := tx.m.cas(sha256)
	if err != nil {
		panic(abort{fmt.Errorf("handler %s at %s: reading CAS object %s: %w", tx.unit.name, tx.from.place(), sha256, err)})
	}
	return b
}

// A handler's keys in the store begin so.
func (tx *Tx) prefix() string { return "h/" + tx.unit.name + "/" }

// Get is the value of one of the handler's keys.
func (tx *Tx) Get(key string) (value string, ok bool) { return tx.m.state.get(tx.prefix() + key) }

// Put sets one of the handler's keys.
func (tx *Tx) Put(key, value string) { tx.m.state.put(tx.prefix()+key, value) }

// Delete removes one of the handler's keys; one that is not there is fine.
func (tx *Tx) Delete(key string) { tx.m.state.delete(tx.prefix() + key) }

// Range calls fn for the handler's keys that begin with prefix, in byte order,
// until it returns false. fn may put and delete: it sees what it changes ahead
// of itself.
func (tx *Tx) Range(prefix string, fn func(key, value string) bool) {
	cut := len(tx.prefix())
	tx.m.state.scan(tx.prefix()+prefix, func(key, value string) bool { return fn(key[cut:], value) })
}
