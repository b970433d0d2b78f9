package cli

import (
	"net/http"
	"time"

	"stigmergy/blackboard"
	"stigmergy/daemon"
	"stigmergy/daemon/signer"
	"stigmergy/plans"
	"stigmergy/plans/exec"
)

// workers are those who do the effects of the handlers, one line a room.
func workers(w *daemon.World) ([]blackboard.Worker, error) {
	root := func() string { return w.Kernel().InForce().Settings.Root(w.Layout.Dir) }
	return []blackboard.Worker{
		&plans.Worker{Root: root, Board: w.Layout.Dir, CAS: w.CAS(), Run: plans.Beside(w.Environ), Now: time.Now},
		executor(w),
		&gitopsWorker{w: w},
		exemplarFeed(w),
		historySigner(w),
	}, nil
}

// historySigner is the board's, which can be asked for a new key.
func historySigner(w *daemon.World) blackboard.Worker {
	s := signer.New(signer.Config{Layout: w.Layout, Disk: w.Disk, Log: w.Log, Kernel: func() signer.Kernel { return w.Kernel() }})
	w.Answer("POST /key", func(r *http.Request) (any, error) {
		key, err := s.Rotate(r.Context(), r.URL.Query().Get("user"))
		return rotatedKey{key}, err
	})
	return s
}

// executor is the daemon's own.
func executor(w *daemon.World) blackboard.Worker {
	e := exec.NewWorker(exec.Config{
		CAS: w.CAS(), Environ: w.Environ,
		Jobs: func() int { return w.Kernel().InForce().Settings.ExecutorJobs },
		Beat: func() time.Duration { return w.Kernel().InForce().Settings.Beat() },
	})
	w.AtEnd(e.Close)
	return e
}
