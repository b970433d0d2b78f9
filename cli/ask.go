package cli

import (
	"errors"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/daemon"
)

// noDaemon is what waits for an answer of the daemon's and gets none.
func noDaemon(doing string, l layout.Layout) error {
	return &Fault{Doing: doing, Err: errors.New("no daemon holds " + l.Dir + ": run `stigmergy up`"), Try: "stigmergy up", Code: codeBusy}
}

// ask sends one request to the board's daemon; none: exit 75.
func (a *app) ask(l layout.Layout, doing, method, path string, into any) error {
	err := daemon.Ask(a.ctx, l, method, path, into)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, daemon.ErrNoDaemon):
		return noDaemon(doing, l)
	case errors.Is(err, blackboard.ErrNothing):
		return &Fault{Doing: doing, Err: err, Code: codeNone, Try: "stigmergy status"}
	}
	return a.stopped(&Fault{Doing: doing, Err: err, Code: exitOr(err, codeBusy), Try: "stigmergy doctor"})
}
