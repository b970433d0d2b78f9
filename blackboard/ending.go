package blackboard

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"stigmergy/blackboard/journal"
)

// Ending is what a Worker may be too: before a run ends it is asked to do what
// is left of its outstanding effects, when nobody else works any more.
type Ending interface {
	// End is called on the kernel's goroutine; what it reports is taken in, and
	// then it is asked once more.
	End(ctx context.Context, e Effect, report func(lane string, line []byte) error) error
}

// lastWords lets workers do what they have left. All that was journaled is on disk
// when they are asked.
func (k *Kernel) lastWords(ctx context.Context) error {
	if !k.endings() {
		return nil
	}
	k.work.close()
	if _, err := k.command(ctx); err != nil { // what was reported last
		return err
	}
	for range 4 { // the second time is for what the first one's line led to
		if err := k.drainAll(ctx); err != nil {
			return err
		}
		if err := k.sync.flush(); err != nil {
			return err
		}
		reported, err := k.endOnce(ctx)
		if err != nil || !reported {
			return err
		}
	}
	return k.drainAll(ctx)
}

func (k *Kernel) endings() bool {
	for _, w := range k.opt.Workers {
		if _, ok := w.(Ending); ok {
			return true
		}
	}
	return false
}

func (k *Kernel) endOnce(ctx context.Context) (reported bool, err error) {
	keys := make([]string, 0, len(k.work.jobs))
	for key := range k.work.jobs {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		j := k.work.jobs[key]
		w, ok := k.work.workerOf(j.Kind).(Ending)
		if !ok {
			continue
		}
		err := w.End(ctx, j.Effect, func(lane string, line []byte) error {
			reported = true
			return k.insist(ctx, func() error { return k.AppendWorker(lane, line) })
		})
		if disk := (*DiskError)(nil); errors.As(err, &disk) {
			return reported, err
		}
		if err != nil {
			k.log.Warn("ending", "key", key, "error", err)
		}
	}
	return reported, nil
}

// Synced is how many entries are on disk, with the bytes that they are about.
// It may be called from any goroutine.
func (k *Kernel) Synced() uint64 { return k.sync.upTo() }

// Grown waits until every entry below seq is on disk, as Durable does, but
// hurries nobody.
func (k *Kernel) Grown(ctx context.Context, seq uint64) error { return k.sync.grown(ctx, seq) }

// Tell journals a fact about the world that a worker found. It may be called
// from any goroutine but the kernel's.
func (k *Kernel) Tell(ctx context.Context, kind, detail string) error {
	err := k.Do(ctx, func() error {
		return k.note(ctx, kind, journal.Entry{Detail: clip(detail)})
	})
	if err != nil {
		return fmt.Errorf("noting %s: %w", kind, err)
	}
	return nil
}

// TellNow is Tell on the kernel's goroutine.
func (k *Kernel) TellNow(ctx context.Context, kind, detail string) error {
	return k.note(ctx, kind, journal.Entry{Detail: clip(detail)})
}
