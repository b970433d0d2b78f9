package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/daemon"
	"stigmergy/handlers/all"
)

type upCmd struct {
	Once   bool              `help:"Take in and handle what is there, archive what is due, save, end: for cron and CI."`
	Set    map[string]string `placeholder:"NAME=VALUE" help:"A setting for this run, as segment.max_bytes=256KiB; may stand several times."`
	HTTP   string            `name:"http" placeholder:"ADDR" help:"Not in this build: it serves no HTTP."`
	NoHTTP bool              `name:"no-http" help:"Serve no HTTP, which this build never does."`
}

// Help says the rest.
func (upCmd) Help() string {
	return `Runs in the foreground and makes ./board where there is none. SIGTERM and Ctrl-C drain: what stands on the lanes is taken in, the state is saved, and the exit status is the signal's (143, 130); a second one stops at once, which loses nothing either. stigmergy down does the same from elsewhere, with status 0.

Exit 75 if another daemon holds the board, 2 for a wrong setting, 74 if the disk failed.`
}

// Run holds the board until it is told to end.
func (c *upCmd) Run(a *app) error {
	if c.HTTP != "" {
		return &Fault{Doing: "starting the daemon", Expected: "no --http", Found: "--http " + c.HTTP + ": this build serves no HTTP", Try: "stigmergy up", Code: codeUsage}
	}
	l, missing, err := a.boardOr()
	if err != nil {
		return err
	}
	if missing {
		if l, _, err = makeBoard(a, l.Dir); err != nil {
			return err
		}
		a.note("A new board: %s", l.Dir)
	}
	if _, err := a.settings(l, c.Set); err != nil {
		return err
	}
	d, err := a.daemon(l, c.Set, c.Once)
	if err != nil {
		return err
	}
	// A reader of our messages that goes away must not take the board down.
	signal.Ignore(syscall.SIGPIPE)
	if c.Once {
		err = d.Once(a.ctx)
		a.note("%s", did(d))
		return a.stopped(daemonFault(err))
	}
	hup := a.catchHangup()
	defer hup()
	dash, lane := fromHere(a, l)
	a.note("Up in %s: %s\n\nElsewhere:\n  %s\n  stigmergy%s tail -f\n  stigmergy%s status\n", d.Ready().Round(time.Millisecond), l.Dir, echo(lane), dash, dash)
	line := a.statusLine(d)
	err = d.Run(a.ctx)
	line()
	a.note("%s", did(d))
	return a.stopped(daemonFault(err))
}

// daemon takes the board's lock and brings it up.
func (a *app) daemon(l layout.Layout, flags map[string]string, once bool) (*daemon.Daemon, error) {
	return a.daemonWith(l, flags, once, workers)
}

// daemonWith chooses who does the effects.
func (a *app) daemonWith(l layout.Layout, flags map[string]string, once bool, workers func(*daemon.World) ([]blackboard.Worker, error)) (*daemon.Daemon, error) {
	fold, err := all.New()
	if err != nil {
		return nil, err
	}
	a.drains.Store(true)
	d, err := daemon.New(daemon.Config{Layout: l, Fold: fold, Fresh: all.New, Flags: flags, Environ: a.environ, Stderr: a.err, Version: buildVersion(), Once: once, Workers: workers})
	return d, daemonFault(err)
}

// daemonFault gives the daemon's errors their status.
func daemonFault(err error) error {
	var (
		setting *blackboard.SettingError
		disk    *blackboard.DiskError
		fault   settings.Fault
	)
	switch {
	case err == nil || errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, daemon.ErrBusy):
		return &Fault{Err: err, Code: codeBusy, Try: "stigmergy down"}
	case errors.As(err, &disk):
		return &Fault{Err: err, Code: codeDisk, Try: "stigmergy doctor"}
	case errors.As(err, &fault), errors.As(err, &setting), errors.Is(err, blackboard.ErrOtherBuild):
		return &Fault{Doing: "starting the daemon", Err: err, Code: codeUsage}
	}
	return err
}

// did says what a run came to.
func did(d *daemon.Daemon) string {
	s := d.Kernel().Stats()
	return fmt.Sprintf("Took in %d lines (%s), wrote %d, archived %d segments.",
		s.Lines.Load(), humanSize(s.Bytes.Load()), s.Derived.Load(), s.Segments.Load())
}

// catchHangup lets a closed terminal end the daemon in good order, unless it
// was started to outlive it (nohup).
func (a *app) catchHangup() (stop func()) {
	if signal.Ignored(syscall.SIGHUP) {
		return func() {}
	}
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-ch:
			a.cancel(&signalError{s})
		case <-done:
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
	}
}

// statusLine keeps one line on a terminal up to date.
func (a *app) statusLine(d *daemon.Daemon) (stop func()) {
	if _, tty := terminal(a.err); !tty {
		return func() {}
	}
	done, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		var last int64
		for {
			s := d.Kernel().Stats()
			lines := s.Lines.Load()
			a.errMu.Lock()
			fmt.Fprintf(a.err, "\r\x1b[K%d lines taken in (%d/s), %d written, %d segments archived", lines, lines-last, s.Derived.Load(), s.Segments.Load())
			a.errMu.Unlock()
			last = lines
			select {
			case <-done:
				fmt.Fprint(a.err, "\r\x1b[K")
				return
			case <-tick.C:
			}
		}
	}()
	return func() {
		close(done)
		<-gone
	}
}

type downCmd struct {
	Timeout time.Duration `default:"60s" placeholder:"TIME" help:"How long to wait for the daemon to end."`
}

// Help says the rest.
func (downCmd) Help() string {
	return "Lets the daemon take in what stands on the lanes, save its state and end, and waits for that. Exit 75 if no daemon holds the board, 124 if it has not ended in time."
}

// Run ends the daemon and waits.
func (c *downCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	if err := a.ask(l, "ending the daemon", "POST", "/down", nil); err != nil {
		return err
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(c.Timeout)
	for daemon.Held(l) {
		select {
		case <-a.ctx.Done():
			return a.stopped(a.ctx.Err())
		case <-limit:
			return &Fault{Doing: "waiting for the daemon to end", Found: "that it still runs after " + c.Timeout.String() + daemon.Holder(l), Code: codeTimeout}
		case <-tick.C:
		}
	}
	a.note("The daemon has ended.")
	return nil
}
