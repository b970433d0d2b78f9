package cli

import (
	"context"
	"slices"
	"time"

	"stigmergy/daemon"
	"stigmergy/plans/exec"
)

// stands is how long a claim stands: an executor that is to end waits for its
// answer, for nobody can take a claim back.
const stands = 10 * time.Second

// leaves tells whether nothing more is to be claimed.
func (x *shardExecutor) leaves() bool {
	return x.a.ctx.Err() != nil || x.cmd.Idle > 0 && len(x.held) == 0 && x.a.now().Sub(x.busy) >= x.cmd.Idle
}

// tick beats, and ends an executor that has nothing to do.
func (x *shardExecutor) tick(ctx context.Context, cancel context.CancelCauseFunc) {
	beat := time.NewTicker(x.beat)
	defer beat.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if err := x.tellHeld(); err != nil {
				x.fail(err)
				return
			}
		case <-look.C:
			if x.waits && daemon.Held(x.l) {
				x.waits = false
				x.moreLater()
			}
			if x.done() {
				cancel(errEnough)
				return
			}
		}
	}
}

// done tells whether the executor may end. The answer to its last claim comes
// from a daemon only.
func (x *shardExecutor) done() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err != nil || !x.leaves() || len(x.held) > 0 {
		return x.err != nil
	}
	if x.claim == "" {
		return true
	}
	if daemon.Held(x.l) {
		return false
	}
	if x.a.ctx.Err() == nil {
		x.err = noDaemon("working on shards", x.l)
	}
	return true
}

// tellHeld beats for all shards that are held, those that wait for a slot
// apart.
func (x *shardExecutor) tellHeld() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	var running, waiting []string
	for _, h := range x.held {
		if h.running {
			running = append(running, h.CASID)
		} else {
			waiting = append(waiting, h.CASID)
		}
	}
	for i, ids := range [][]string{running, waiting} {
		if len(ids) == 0 {
			continue
		}
		slices.Sort(ids)
		if err := x.request.append("federation.heartbeat", exec.Heartbeat{Executor: x.name, CASIDs: slices.Compact(ids), Waiting: i == 1}); err != nil {
			return err
		}
	}
	return nil
}
