package blackboard

import (
	"context"
	"slices"
)

// Worker does effects of a kind that the kernel itself does not know. It runs
// beside the kernel and hands its result in as lines of its worker lane.
type Worker interface {
	// Kinds are the kinds of effects it does.
	Kinds() []string
	// Do does one effect; report appends a line to a worker lane. It returns
	// when the effect is done or the context ends.
	Do(ctx context.Context, e Effect, report func(lane string, line []byte) error) error
}

// Lasting is what a Worker may be too: it says which kinds of effects stay
// outstanding for as long as the board lives, so that nobody waits for them.
type Lasting interface {
	Lasting(kind string) bool
}

// lend gives an effect to the worker that knows its kind.
func (w *workers) lend(j *job) {
	j.running = true
	if j.worker == nil {
		j.worker = w.workerOf(j.Kind)
	}
	if j.worker != nil {
		var ctx context.Context
		ctx, j.cancel = context.WithCancel(w.ctx)
		w.wg.Add(1)
		go w.work(ctx, j, uint64(w.k.now.Load()))
		return
	}
	j.nobodys = true
	w.k.log.Error("nobody does effects of this kind", "key", j.Key, "kind", j.Kind)
}

func (w *workers) workerOf(kind string) Worker {
	for _, other := range w.k.opt.Workers {
		if slices.Contains(other.Kinds(), kind) {
			return other
		}
	}
	return nil
}

// lasts tells whether nobody is to wait for a job.
func (j *job) lasts() bool {
	l, ok := j.worker.(Lasting)
	return ok && l.Lasting(j.Kind)
}

// work lets a worker do an effect once its cause cannot be lost any more.
//
// An effect that ends otherwise, as an aborted run does, ends the context; what
// was reported before that stands.
func (w *workers) work(ctx context.Context, j *job, seq uint64) {
	defer w.wg.Done()
	defer j.cancel()
	err := w.k.sync.wait(ctx, seq)
	if err == nil {
		err = j.worker.Do(ctx, j.Effect, func(lane string, line []byte) error {
			return w.k.Do(w.ctx, func() error {
				if err := ctx.Err(); err != nil {
					return err // it is not wanted any more
				}
				return w.k.insist(w.ctx, func() error { return w.k.AppendWorker(lane, line) })
			})
		})
	}
	if err != nil && ctx.Err() == nil {
		w.post(func(context.Context) error { w.later(j, err); return nil })
	}
}
