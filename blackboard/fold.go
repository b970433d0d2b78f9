package blackboard

import (
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

// Fold is the deterministic state machine that the kernel drives:
// (state, entry) → (state', derived bytes, effects, timers). It sees no clock,
// no randomness and no file system; the same entries with the same lines give
// the same bytes for ever. handlers.Machine is the one that runs on a board.
//
// The kernel calls it from one goroutine.
type Fold interface {
	// Version is raised when any derived byte may change.
	Version() int
	// Configure puts settings and contracts in force, from the next entry on.
	Configure(c *Config) error
	// Apply folds one entry that stands in the journal. b holds the lines of
	// an input entry and is nil for every other kind; derived entries are
	// never applied, their lines were folded with their cause. The step and
	// what it points to are valid until the next call.
	Apply(e *journal.Entry, b *Batch) (*Step, error)
	// Due is the elapsed time of the earliest timer.
	Due() (elapsedMS int64, ok bool)
	// Effects are the outstanding ones, by key.
	Effects() []Effect
	// Head is where the next byte of an owned lane goes.
	Head(lane string) (segment uint64, offset int64)
	// SetHead puts an owned lane's head where the journal says it is, when the
	// cause of its last bytes is gone and cannot be folded.
	SetHead(lane string, segment uint64, offset int64)
	// Heads calls fn for every owned lane that has a byte, in name order.
	Heads(fn func(lane string, segment uint64, offset int64))
	// Skip says, before the entry is applied, that this handler must not see
	// the event at this position: it failed there once.
	Skip(handler, position string)
	// Current is what is being folded now, for a watchdog in another goroutine.
	Current() (handler, position string)
	// Dump writes the state: all of it, or what changed since the last Dump.
	Dump(all bool, fn func(key string, value []byte, deleted bool) error) error
	// Reset forgets the state, so that a dump can be put back.
	Reset()
	// Load puts one key of a dump back, before the first Apply. It is cheapest
	// in the order of the keys.
	Load(key, value []byte)
	// CAS gives the fold the content-addressed store, read by hash only.
	CAS(get func(sha256 string) ([]byte, error))
}

// Config is what is in force: everything outside the journal and the lanes
// that a derived byte may depend on.
type Config struct {
	BoardID   string
	DaemonUID uint32
	SHA256    string // of Canonical, as the config entry names it
	Settings  *settings.Settings
	Registry  *contracts.Registry
	Checker   *contracts.Checker
	Users     func(uid uint32) string // names of the users that roles mention, for NewPolicy
}

// Batch is what one input entry takes in, cut into lines and checked.
type Batch struct {
	Lane    string
	Segment uint64
	From    int64  // offset of Raw[0] in the segment
	UID     uint32 // who owns the lane's file
	Raw     []byte // whole lines with their LF; empty where Lines holds one long line
	Lines   []Line
}

// Line is one LF-ended run of bytes.
type Line struct {
	Off, End int // in Raw, the LF not counted
	Blank    bool
	// Refusal is why the line is no event; Event is filled where it is nil
	// and the line is not blank.
	Refusal *contracts.Refusal
	Event   Parsed
	// Long is set for a line beyond max_line, of which only this is kept.
	Long *LongLine
}

// Parsed is what the check of a good line found out.
type Parsed struct {
	Env   contracts.Envelope
	Topic *contracts.Topic // nil: a topic without a contract
	Off   uint32           // the event begins so many bytes into the line (BOM)
	End   uint32           // and ends here (CR cut off), relative to the line
}

// LongLine is what is kept of a line that was streamed past.
type LongLine struct {
	Length int64
	SHA256 [32]byte
	Head   []byte // the first KiB
}

// Position is where line i stands.
func (b *Batch) Position(i int) contracts.Position {
	return contracts.Position{Lane: b.Lane, Segment: b.Segment, Offset: b.From + int64(b.Lines[i].Off)}
}

// Step is what folding one entry came to.
type Step struct {
	Derived []Derived // by lane name
	Started []Effect
	Done    []string // keys of effects that ended
	Skips   []Skip   // handlers that panicked: to be journaled as notes
}

// Derived is what one step appends to an owned lane.
type Derived struct {
	Lane    string
	Segment uint64
	From    int64
	Bytes   []byte
	Lines   int64
}

// Effect is something to be done to the world outside, at least once.
type Effect struct {
	Key     string // names it for ever; its result line carries it as effectkey
	Kind    string // which worker does it: archive.rotated, archive.sealed, …
	Payload []byte // JSON
}

// Skip names a handler that failed at a position.
type Skip struct{ Handler, Position, Reason string }
