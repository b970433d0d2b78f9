package blackboard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
)

// Options are what a Kernel is opened with.
type Options struct {
	Layout  layout.Layout
	Fold    Fold
	Sources Sources
	Fresh   func() (Fold, error) // a second fold, without state: what is lost on an owned lane is derived again by it; nil: it stays lost
	Clock   Clock                // nil: the machine's
	Disk    *durable.Disk        // nil: no fail points
	Log     *slog.Logger
	Version string        // of the build, for open entries
	Once    bool          // a disk that fails ends the run instead of pausing it
	Workers []Worker      // for effects of kinds that the kernel does not know
	Manual  bool          // no watches and no sweeps of its own: tests crank
	BootID  string        // of the machine; "": as the system says
	Pause   time.Duration // between two tries on a disk that refuses; 0: a second
}

// Kernel runs a board. Open it, then Run it; everything it does, but for
// parsing, syncing and archiving, happens on the goroutine that runs it.
type Kernel struct {
	opt    Options
	layout layout.Layout
	disk   *durable.Disk
	log    *slog.Logger
	cas    durable.CAS
	fold   Fold
	id     string  // board_id
	config *Config // by which lines are checked
	ctext  []byte  // config's canonical bytes, not journaled yet when set
	force  string  // SHA-256 of the configuration that the journal put in force
	faults []Fault

	journal *journal.Log
	stamps  *stamps
	ready   bool // recovered
	opened  bool // this run's open entry stands in the journal
	wrote   bool // this run journaled something
	boot    string
	durable uint64 // entries below it were on disk at the start
	epoch   uint64 // power_epoch

	set   *lanes.Set
	tails tails
	marks *os.File
	pub   *publisher
	sync  *syncer
	snaps snapper
	work  workers
	pipe  pipeline

	torn     []pendingNote // that bytes are gone, until the first look says more
	tornAt   time.Time
	rebase   bool            // lines that were folded are gone: a replay needs the state
	known    []journal.Entry // such notes that recovery met
	paused   error           // the disk refuses: told once
	retainAt time.Time       // when to look for archives that are too old
	foldWas  int             // fold version of what the journal ends with; 0: there is none
	deferred int             // how often a due timer waited for lanes that changed
	told     map[string]bool
	commands chan func()
	wakeMu   sync.Mutex
	wakeFn   context.CancelFunc
	now      atomic.Int64 // seq of the next entry, for other goroutines
	inForce  atomic.Pointer[Config]
	stats    Stats
}

// Stats count what one run did.
type Stats struct {
	Lines    atomic.Int64 // taken in
	Bytes    atomic.Int64
	Derived  atomic.Int64 // lines published
	Refolded int64        // bytes of input read again at the start
	Segments atomic.Int64 // archived
}

// Stats of this run.
func (k *Kernel) Stats() *Stats { return &k.stats }

// Config is what is in force.
func (k *Kernel) Config() *Config { return k.config }

// InForce is Config for other goroutines: workers ask it.
func (k *Kernel) InForce() *Config { return k.inForce.Load() }

// Durable waits until every entry below seq is on disk, with the bytes that it
// is about. It may be called from any goroutine.
func (k *Kernel) Durable(ctx context.Context, seq uint64) error { return k.sync.wait(ctx, seq) }

// put makes a configuration the one that lines are checked by.
func (k *Kernel) put(c *Config, text []byte) {
	k.config, k.ctext = c, text
	k.inForce.Store(c)
}

// Faults are what was wrong with the board's contracts at the start.
func (k *Kernel) Faults() []Fault { return k.faults }

// Next is the seq of the next journal entry. It may be called from any
// goroutine.
func (k *Kernel) Next() uint64 { return uint64(k.now.Load()) }

// Run takes in and handles until the context ends, then drains: what stands on
// the lanes by then is taken in, and a snapshot makes the next start quick.
func (k *Kernel) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		busy, err := k.Step(ctx)
		if err != nil {
			return err
		}
		if !busy {
			if err := k.wait(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// Step does everything there is to do now and says whether there was any.
func (k *Kernel) Step(ctx context.Context) (busy bool, err error) {
	if err := k.sync.err(); err != nil {
		return false, err
	}
	for _, do := range []func(context.Context) (bool, error){k.command, k.look, k.takeIn, k.work.run, k.tick, k.house} {
		did, err := do(ctx)
		if err != nil {
			return busy, err
		}
		busy = busy || did
	}
	return busy, nil
}

// Settle steps until there is nothing left to do; until is asked between steps
// whether to stop.
func (k *Kernel) Settle(ctx context.Context, until func() bool) error {
	for ctx.Err() == nil && (until == nil || !until()) {
		busy, err := k.Step(ctx)
		if err != nil || !busy {
			return err
		}
	}
	return ctx.Err()
}

// Sweep has every lane looked at with the next Step: for who cranks by hand.
func (k *Kernel) Sweep() { k.set.Sweep() }

// Do runs fn on the kernel's goroutine and waits for it.
func (k *Kernel) Do(ctx context.Context, fn func() error) error {
	done := make(chan error, 1)
	select {
	case k.commands <- func() { done <- fn() }:
	case <-ctx.Done():
		return ctx.Err()
	}
	k.wake()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *Kernel) command(context.Context) (bool, error) {
	for did := false; ; did = true {
		select {
		case fn := <-k.commands:
			fn()
		default:
			return did, nil
		}
	}
}

// wake ends a wait; any goroutine may call it.
func (k *Kernel) wake() {
	k.wakeMu.Lock()
	defer k.wakeMu.Unlock()
	if k.wakeFn != nil {
		k.wakeFn()
	}
}

// wait sleeps until a lane changes, somebody wakes it, or something is due.
func (k *Kernel) wait(ctx context.Context) error {
	wctx, cancel := context.WithCancel(ctx)
	defer cancel()
	k.wakeMu.Lock()
	k.wakeFn = cancel
	k.wakeMu.Unlock()
	if len(k.commands) > 0 || k.work.ready() {
		return nil
	}
	err := k.set.Wait(wctx, k.due())
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watching the board: %w", err)
	}
	return nil
}

// due is when something happens without a lane changing.
func (k *Kernel) due() time.Time {
	at := k.tails.due()
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if ms, ok := k.fold.Due(); ok {
		sooner(k.opt.Clock.Now().Add(time.Duration(ms-k.stamps.now()) * time.Millisecond))
	}
	sooner(k.work.due())
	return at
}

// Close drains, saves a snapshot and lets go of everything.
func (k *Kernel) Close(ctx context.Context) error {
	var errs []error
	if ctx.Err() == nil && k.sync.err() == nil {
		err := k.drainAll(ctx)
		if err == nil {
			err = k.lastWords(ctx)
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, k.abandon())...)
}

// drainAll takes in what stands on the lanes now; effects wait for the next
// start.
func (k *Kernel) drainAll(ctx context.Context) error {
	for range 64 { // writers that never pause do not hold the end up
		found, err := k.look(ctx)
		if err != nil {
			return err
		}
		took, err := k.takeIn(ctx)
		if err != nil {
			return err
		}
		if !found && !took {
			k.tornAt = time.Time{}
			return k.destroyedRest(ctx)
		}
	}
	return nil
}

// abandon lets go without taking in anything more.
func (k *Kernel) abandon() error {
	k.pipe.close()
	k.work.close()
	var errs []error
	if k.wrote && k.sync.err() == nil {
		err := k.snaps.save(k, true)
		k.unmark(err == nil)
		errs = append(errs, err)
	}
	k.unmark(false)
	errs = append(errs, k.snaps.close(), k.sync.close(), k.set.Close(), k.pub.close(), k.journal.Close())
	return errors.Join(errs...)
}
