package cli

import (
	"time"

	"stigmergy/blackboard"
	"stigmergy/daemon"
	"stigmergy/plans"
)

// workers are those who do the effects of the handlers, one line a room.
func workers(w *daemon.World) ([]blackboard.Worker, error) {
	root := func() string { return w.Kernel().InForce().Settings.Root(w.Layout.Dir) }
	return []blackboard.Worker{
		&plans.Worker{Root: root, Board: w.Layout.Dir, CAS: w.CAS(), Now: time.Now},
	}, nil
}
