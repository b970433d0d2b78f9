package cli

import (
	"errors"
	"net/http"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
	"stigmergy/daemon/signer"
	"stigmergy/plans"
	"stigmergy/plans/exec"
	"stigmergy/plans/truth"
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
		truth.New(truth.Config{Layout: w.Layout, Disk: w.Disk, Key: func() (*seal.Signer, error) { return boardKey(w) }}),
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

// boardKey is the key that signs certificates; none where signing has stopped.
func boardKey(w *daemon.World) (*seal.Signer, error) {
	if history.Stopped(w.Layout) {
		return nil, errors.New("nothing is signed: the journal was not what a checkpoint says: run stigmergy doctor")
	}
	c := w.Kernel().InForce()
	if _, err := history.EnsureKey(w.Layout, w.Disk, c.Settings.Origin(c.BoardID)); err != nil {
		return nil, err
	}
	return history.Key(w.Layout)
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
