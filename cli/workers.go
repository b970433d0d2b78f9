package cli

import (
	"stigmergy/blackboard"
	"stigmergy/daemon"
)

// workers are those who do the effects of the handlers, one line a room.
func workers(w *daemon.World) ([]blackboard.Worker, error) {
	return nil, nil
}
