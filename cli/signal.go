package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"
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

// catchSignals ends the context on Ctrl-C and SIGTERM. A second signal meets
// the default and stops the program at once.
func (a *app) catchSignals() (stop func()) {
	ch := make(chan os.Signal, 1)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		select {
		case s := <-ch:
			signal.Stop(ch)
			a.cancel(&signalError{s})
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
