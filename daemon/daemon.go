// Package daemon runs a board: it takes the lock, wires the kernel to the
// handlers, answers the command line on a socket, and ends in good order.
//
//	d, err := daemon.New(daemon.Config{Layout: l, Fold: machine, Stderr: os.Stderr}) // machine: all.New()
//	err = d.Run(ctx)
package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/handlers"
)

// Config is what a daemon runs with.
type Config struct {
	Layout layout.Layout
	Fold   *handlers.Machine // from all.New
	// Fresh makes another one, to derive again what somebody took from a lane
	// of the daemon's own; nil: it stays lost.
	Fresh   func() (*handlers.Machine, error)
	Flags   map[string]string // settings given on the command line
	Environ []string
	Stderr  io.Writer // warnings, as they happen
	Version string
	Once    bool
	Clock   blackboard.Clock // nil: the machine's
	// Workers makes those who do the effects of handlers; nil: nobody does.
	Workers func(*World) ([]blackboard.Worker, error)
}

// World is what workers are given.
type World struct {
	Layout  layout.Layout
	Disk    *durable.Disk
	Log     *slog.Logger
	Environ []string
	Version string
	kernel  *blackboard.Kernel
	ends    []func() error
	routes  map[string]func(*http.Request) (any, error)
}

// Answer has the daemon answer the command line at a route, as "POST /key".
func (w *World) Answer(route string, fn func(*http.Request) (any, error)) {
	if w.routes == nil {
		w.routes = map[string]func(*http.Request) (any, error){}
	}
	w.routes[route] = fn
}

// AtEnd has something done when the daemon ends and no worker works any more.
func (w *World) AtEnd(fn func() error) { w.ends = append(w.ends, fn) }

// Kernel is the board's. It may be asked for from the first effect on, and only
// for what any goroutine may call.
func (w *World) Kernel() *blackboard.Kernel { return w.kernel }

// CAS is the board's content-addressed store.
func (w *World) CAS() durable.CAS { return durable.CAS{Layout: w.Layout, Disk: w.Disk} }

// Daemon is one board's, from New to Run's end.
type Daemon struct {
	cfg    Config
	lock   *Lock
	file   *logFile
	log    *slog.Logger
	disk   *durable.Disk
	fold   *handlers.Machine
	kernel *blackboard.Kernel
	world  *World
	socket *socket
	begun  time.Time
	down   context.CancelFunc
	room   []byte
}

// collect is the collector's target in percent: a daemon runs beside the work
// it is there for, and its garbage is little. Coming up is one burst that
// somebody waits for: it gets more room, within limits.
const (
	collect       = 50
	collectComing = 400
	roomComing    = 48<<20 + room
)

// room counts as live and is never touched, so it costs no memory: with it the
// collector lets half as much garbage come together before its next cycle, where
// a small board's few megabytes would have it run without a pause.
const room = 24 << 20

// New takes the board's lock and brings the board up: when it returns, what
// was interrupted is repaired and every lane is watched.
func New(cfg Config) (d *Daemon, err error) {
	d = &Daemon{cfg: cfg, begun: time.Now(), room: make([]byte, room)}
	if d.disk, err = durable.New(os.Getenv(durable.Env)); err != nil {
		return nil, err
	}
	if d.lock, err = Acquire(cfg.Layout); err != nil {
		return nil, err
	}
	debug.SetGCPercent(collectComing)
	limit := debug.SetMemoryLimit(roomComing)
	defer func() {
		debug.SetGCPercent(collect)
		debug.SetMemoryLimit(limit)
	}()
	d.file = newLogFile(cfg.Layout)
	d.log = newLogger(d.file, cfg.Stderr)
	d.fold = cfg.Fold
	d.world = &World{Layout: cfg.Layout, Disk: d.disk, Log: d.log, Environ: cfg.Environ, Version: cfg.Version}
	var workers []blackboard.Worker
	if cfg.Workers != nil {
		if workers, err = cfg.Workers(d.world); err != nil {
			return nil, errors.Join(err, d.file.Close(), d.lock.Release())
		}
	}
	d.kernel, err = blackboard.Open(blackboard.Options{
		Layout: cfg.Layout, Fold: d.fold, Clock: cfg.Clock, Disk: d.disk, Log: d.log, Version: cfg.Version, Once: cfg.Once,
		Fresh:   d.fresh(),
		Workers: workers,
		Sources: blackboard.Sources{Environ: cfg.Environ, Flags: cfg.Flags, UID: uint32(os.Geteuid())},
	})
	if err != nil {
		return nil, errors.Join(err, d.file.Close(), d.lock.Release())
	}
	d.world.kernel = d.kernel
	return d, nil
}

func (d *Daemon) fresh() func() (blackboard.Fold, error) {
	if d.cfg.Fresh == nil {
		return nil
	}
	return func() (blackboard.Fold, error) { return d.cfg.Fresh() }
}

// Kernel is the board's kernel.
func (d *Daemon) Kernel() *blackboard.Kernel { return d.kernel }

// Ready is how long it took from New to now.
func (d *Daemon) Ready() time.Duration { return time.Since(d.begun) }

// Run runs until the context ends or somebody says `stigmergy down`, then
// takes in what stands on the lanes, saves its state and lets go.
func (d *Daemon) Run(ctx context.Context) error {
	ctx, d.down = context.WithCancel(ctx)
	defer d.down()
	var err error
	if d.socket, err = d.listen(); err != nil {
		d.log.Warn("the command line cannot reach this daemon", "error", err)
	}
	stop := d.guard(ctx)
	d.log.Info("ready", "board", d.cfg.Layout.Dir, "took", d.Ready(), "refolded", d.kernel.Stats().Refolded)
	err = d.kernel.Run(ctx)
	stop()
	return errors.Join(err, d.close(context.WithoutCancel(ctx), err))
}

// Once takes in what is there, does every effect that can be done now, and
// ends: for cron and CI.
func (d *Daemon) Once(ctx context.Context) error {
	stop := d.guard(ctx)
	err := d.settle(ctx)
	stop()
	return errors.Join(err, d.close(context.WithoutCancel(ctx), err))
}

// settle works until nothing is left that does not wait for somebody else.
func (d *Daemon) settle(ctx context.Context) error {
	k := d.kernel
	for ctx.Err() == nil {
		if err := k.Settle(ctx, nil); err != nil {
			return err
		}
		if !k.Waiting() {
			return nil
		}
		if err := k.Await(ctx); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Do runs fn on the kernel's goroutine of a daemon that was not started with
// Run: for commands that work without a daemon, under its lock.
func (d *Daemon) Do(ctx context.Context, fn func(k *blackboard.Kernel) error) error {
	err := d.settle(ctx)
	if err == nil {
		err = fn(d.kernel)
	}
	if err == nil {
		err = d.settle(ctx)
	}
	return errors.Join(err, d.close(context.WithoutCancel(ctx), err))
}

func (d *Daemon) close(ctx context.Context, failed error) error {
	var errs []error
	if d.socket != nil {
		errs = append(errs, d.socket.close())
	}
	if failed != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		cancel()
	}
	errs = append(errs, d.kernel.Close(ctx))
	for _, end := range d.world.ends {
		errs = append(errs, end())
	}
	s := d.kernel.Stats()
	d.log.Info("ended", "lines", s.Lines.Load(), "bytes", s.Bytes.Load(), "derived", s.Derived.Load(), "archived", s.Segments.Load())
	if s.Lines.Load() > 0 {
		d.file.release()
	}
	if n, wanted := d.disk.Steps(); wanted {
		fmt.Fprintf(d.cfg.Stderr, "%s: %d durable steps\n", durable.Env, n)
	}
	return errors.Join(append(errs, d.file.Close(), d.lock.Release())...)
}

// guard watches the fold: a handler that takes longer than handler.deadline
// would stop the board for ever, so it is named in a file and the process
// ends; the next start goes on without it there.
func (d *Daemon) guard(ctx context.Context) (stop func()) {
	limit := d.kernel.Config().Settings.HandlerTimeout
	if limit <= 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(limit / 4)
		defer tick.Stop()
		var handler, position string
		same := 0
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			h, p := d.fold.Current()
			if h == "" || h != handler || p != position {
				handler, position, same = h, p, 0
				continue
			}
			if same++; same >= 4 {
				d.hung(h, p)
			}
		}
	}()
	return cancel
}

// HungExit is the exit code of a daemon whose handler hung.
const HungExit = 70

func (d *Daemon) hung(handler, position string) {
	text := handler + " " + position + "\n"
	err := d.disk.WriteFile(d.cfg.Layout.Private("skip"), []byte(text), 0o644)
	d.log.Error("a handler took longer than handler.deadline: the next start goes on without it there", "handler", handler, "position", position, "error", err)
	os.Exit(HungExit)
}
