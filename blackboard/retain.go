package blackboard

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// retainEvery is how often the kernel looks for archives that are too old.
const retainEvery = time.Hour

// base keeps the whole state in the CAS and journals its name: a replay can
// begin there when what came before is gone, or was folded by another version.
func (k *Kernel) base(ctx context.Context) error {
	text, err := encodeSnapshot(k.header(), k.tails.records(), true, k.fold.Dump)
	if err != nil {
		return fmt.Errorf("keeping a base state: %w", err)
	}
	k.snaps.whole() // the dump took what the next delta would have held
	e := &journal.Entry{Kind: journal.State}
	err = k.insist(ctx, func() (err error) { e.SHA256, err = k.cas.Put(text); return err })
	if err != nil {
		return err
	}
	return k.fact(ctx, e)
}

// retain deletes archives of agents' lanes that were made longer ago than
// `retention`. The base state and a note of each are on disk before; the
// journal still proves what is deleted by root.
func (k *Kernel) retain(ctx context.Context, now time.Time) (bool, error) {
	keep := k.config.Settings.Retention
	if keep <= 0 || now.Before(k.retainAt) {
		return false, nil
	}
	k.retainAt = now.Add(retainEvery)
	k.tails.sooner(k.retainAt)
	old := k.expired(now.Add(-keep))
	if len(old) == 0 {
		return false, nil
	}
	if err := k.base(ctx); err != nil {
		return true, err
	}
	for _, s := range old {
		if err := k.note(ctx, "pruned", journal.Entry{Lane: s.Lane, Segment: s.Segment, Path: layout.ArchiveRel(s.Lane, s.Segment)}); err != nil {
			return true, err
		}
	}
	if err := k.sync.flush(); err != nil {
		return true, err
	}
	for _, s := range old {
		if err := k.disk.Remove(s.Path); err != nil {
			return true, &DiskError{Doing: "deleting what retention says", Err: err}
		}
	}
	k.work.catalog()
	return true, nil
}

// expired are the archives older than a time, owned and worker lanes left out.
func (k *Kernel) expired(before time.Time) []layout.Stored {
	var out []layout.Stored
	_ = k.layout.Stored(func(s layout.Stored) error { // what cannot be listed is kept
		if !s.Archive || layout.Owned(s.Lane) || layout.Worker(s.Lane) {
			return nil
		}
		if fi, err := os.Lstat(s.Path); err == nil && fi.Mode()&fs.ModeType == 0 && fi.ModTime().Before(before) && !k.unsettled(s) {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// unsettled says whether a segment is still on its way into its archive.
func (k *Kernel) unsettled(s layout.Stored) bool {
	if k.tails.all[segmentKey{s.Lane, s.Segment}] != nil {
		return true
	}
	name := fmt.Sprintf("%s@%d", s.Lane, s.Segment)
	return k.work.jobs["sealed:"+name] != nil || k.work.jobs["archived:"+name] != nil
}
