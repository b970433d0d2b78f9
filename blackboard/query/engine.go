package query

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Options are what an engine may be told; the zero value works.
type Options struct {
	// Rules give the contracts and the policy in force, for lines that no
	// entry names yet. Nil: the board's own files are read when first needed.
	Rules func() (*contracts.Checker, *contracts.Policy, error)
	// Daemon tells whether a daemon holds the board; nil: none does.
	Daemon func() bool
	// Watch makes what tells Follow that folders changed. Nil: the system's
	// watches; where there are none to be had, it looks every quarter of a
	// second.
	Watch func() (Watcher, error)
	// Workers is how many goroutines decode and search; 0: one a core.
	Workers int
	// Now is the clock: the time of lines that no entry names yet. Nil: the
	// machine's.
	Now func() time.Time
	// Budget bounds the bytes of matches held back until it is their turn; 0:
	// 16 MiB.
	Budget int
}

// Engine reads one board. It is safe for use by many goroutines.
type Engine struct {
	layout  layout.Layout
	opt     Options
	decoder *archive.Decoder
	files   *files
	rules   func() (*rules, error)
	sizes   sizes
}

// sizes are how much is read at a time.
type sizes struct {
	block int64 // of the journal's text
	batch int64 // of live segments, a longer entry excepted
	piece int64 // of those, in memory at once
	chunk int64 // of pending lines
	least int   // budget of one piece of work
	poll  time.Duration
	sieve int // entries from which on a sieve is worth it
	sort  int // how much is sorted in memory
}

// rules are what decides about lines that the daemon has not decided about.
type rules struct {
	checker *contracts.Checker
	policy  *contracts.Policy
}

// Open makes an engine. Nothing is read yet.
func Open(l layout.Layout, opt Options) (*Engine, error) {
	if opt.Workers <= 0 {
		opt.Workers = runtime.GOMAXPROCS(0)
	}
	if opt.Budget <= 0 {
		opt.Budget = 16 << 20
	}
	if opt.Watch == nil {
		opt.Watch = func() (Watcher, error) { return lanes.NewDirWatch() }
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Daemon == nil {
		opt.Daemon = func() bool { return false }
	}
	e := &Engine{layout: l, opt: opt, decoder: archive.NewDecoder(), files: newFiles(),
		sizes: sizes{block: 512 << 10, batch: 4 << 20, piece: 512 << 10, chunk: 1 << 20, least: 8 << 10, sort: 8 << 20, poll: 250 * time.Millisecond, sieve: sieveLeast}}
	e.rules = sync.OnceValues(e.loadRules)
	return e, nil
}

// Close closes the files that are still open.
func (e *Engine) Close() error { return e.files.close() }

func (e *Engine) loadRules() (*rules, error) {
	load := e.opt.Rules
	if load == nil {
		load = func() (*contracts.Checker, *contracts.Policy, error) { return boardRules(e.layout) }
	}
	c, p, err := load()
	return &rules{c, p}, err
}

// Order is the order of the answer.
type Order uint8

// The orders.
const (
	BoardOrder Order = iota // seq, line; pending lines last
	TimeOrder               // the event's time, then board order
)

// Request is a question. The zero Request asks for every event.
type Request struct {
	Topics contracts.Patterns // empty: all
	// Exclude leaves topics out, after Topics.
	Exclude contracts.Patterns
	// SkipLane leaves lanes out.
	SkipLane func(lane string) bool
	Lane     string   // only this one
	Where    []Filter // all must hold
	Since    time.Time
	Until    time.Time // both included; the event's time, else the journal's
	Grep     *Grep
	From     Cursor
	Limit    int // the first N; 0: all
	Last     int // the last N, in board order unless Reverse
	Reverse  bool
	Order    Order
	// Quarantined asks for the records of refused lines instead of events.
	Quarantined bool
	// JournaledOnly leaves out what is pending.
	JournaledOnly bool
}

// Hit is one event of an answer. Its slices are valid during the call.
type Hit struct {
	Line        []byte // the stored bytes, without LF
	Pos         contracts.Position
	Seq         uint64
	LineNo      int64 // within the journal entry, from 0
	JournalTime int64 // unix nanoseconds; 0 where it was not needed to know it, now for a pending one
	Pending     bool  // no journal entry names it yet
	Recovered   bool  // it is the end of a mangled line

	run    *run
	event  contracts.Event
	parsed bool
}

// Cursor is the place behind this event; for a pending one, the place behind
// everything that the journal names.
func (h *Hit) Cursor() Cursor {
	if h.Pending {
		return h.run.end
	}
	return h.run.cursor(place{h.Seq, h.LineNo + 1})
}

// Event is the line as an event.
func (h *Hit) Event() *contracts.Event {
	if !h.parsed {
		h.parsed = true
		h.event = contracts.Event{Line: trim(h.Line), Pos: h.Pos, Seq: h.Seq, LineNo: int(h.LineNo), JournalTime: h.JournalTime}
		if h.run.req.Quarantined {
			recordEvent(&h.event)
		} else {
			_ = contracts.Scan(h.event.Line, &h.event.Env) // it was an event
			h.event.TopicName = h.event.Env.Type.Text(h.event.Line)
		}
	}
	return &h.event
}

// Damage is something that could not be read.
type Damage struct {
	Path   string
	Offset int64
	Err    error
}

// Hole is something that the history once held and no longer does.
type Hole struct {
	Kind    string // destroyed, lost, pruned, missing, quarantined
	Lane    string
	Segment uint64 // 0: unknown
	From    int64
	To      int64  // 0: unknown
	Detail  string // for people
}

// Result is what there is to say beside the events.
type Result struct {
	Matched int64
	Cursor  Cursor // behind everything that was looked at
	Holes   []Hole
	Damaged []Damage
	Stats   Stats
}

// errEnough ends a run that has all it was asked for.
var errEnough = errors.New("enough")

// Run answers a request: fn is called for every event, in order, from the
// caller's goroutine. An error of fn's ends the run and is returned.
func (e *Engine) Run(ctx context.Context, req Request, fn func(*Hit) error) (Result, error) {
	r, err := e.prepare(ctx, req)
	if err != nil {
		return Result{}, err
	}
	defer r.close()
	return r.answer(fn)
}
