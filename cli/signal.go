package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// signalError is why the context ended when a signal came.
type signalError struct{ sig os.Signal }

func (e *signalError) Error() string { return "stopped by " + e.sig.String() }

func (e *signalError) code() int {
	switch e.sig {
	case syscall.SIGTERM:
		return codeTerm
	case syscall.SIGHUP:
		return codeHangup
	}
	return codeInterrupt
}

// patience is how long a command may take to end after a signal; one that
// hangs in a read of standard input cannot be told otherwise.
const patience = 500 * time.Millisecond

// catchSignals ends the context on Ctrl-C and SIGTERM. A second signal meets
// the default and stops the program at once; so does the first one after a
// while, unless a daemon is draining.
func (a *app) catchSignals() (stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-ch:
			signal.Reset(os.Interrupt, syscall.SIGTERM)
			a.cancel(&signalError{s})
			select {
			case <-done:
			case <-time.After(patience):
				if sig, ok := s.(syscall.Signal); ok && !a.drains.Load() {
					_ = syscall.Kill(os.Getpid(), sig) // ourselves: cannot fail
				}
			}
		case <-done:
		}
	}()
	return func() {
		signal.Stop(ch)
		close(done)
	}
}

// stopped is what to return for err when a signal may be behind it: the
// signal's status without a word, for whoever pressed Ctrl-C knows.
func (a *app) stopped(err error) error {
	var s *signalError
	if a.ctx.Err() != nil && errors.As(context.Cause(a.ctx), &s) {
		return exitWith(s.code())
	}
	return err
}

func itoa(n int) string { return strconv.Itoa(n) }
