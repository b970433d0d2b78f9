package cli

import (
	"net"

	"stigmergy/blackboard/layout"
)

// daemonUp tells whether a daemon holds the board.
func daemonUp(l layout.Layout) bool {
	c, err := net.Dial("unix", l.Socket())
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// noDaemon is what waits for an answer of the daemon's and gets none.
func noDaemon(doing string, l layout.Layout) error {
	return &Fault{Doing: doing, Found: "no daemon holds " + l.Dir, Try: "stigmergy up", Code: codeBusy}
}
