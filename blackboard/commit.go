package blackboard

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/journal"
)

// record journals entries, before them what a run says first. When it returns
// they are taken in, whatever happens next.
func (k *Kernel) record(ctx context.Context, entries ...*journal.Entry) error {
	if err := k.begin(ctx); err != nil {
		return err
	}
	return k.append(ctx, entries...)
}

func (k *Kernel) append(ctx context.Context, entries ...*journal.Entry) error {
	ns, elapsed := k.stamps.next()
	for _, e := range entries {
		e.Time, e.ElapsedMS = ns, elapsed
	}
	err := k.insist(ctx, func() error { return k.journal.Append(entries...) })
	if err != nil {
		return err
	}
	k.now.Store(int64(k.journal.Next()))
	k.wrote = true
	return nil
}

// begin writes a run's open entry, and the configuration where it is not the
// one in force. A run that takes nothing in writes neither.
func (k *Kernel) begin(ctx context.Context) error {
	if !k.opened {
		e := &journal.Entry{Kind: journal.Open, BoardID: k.id, BootID: k.boot, Fold: k.fold.Version(), Version: k.opt.Version, UID: k.opt.Sources.UID}
		if err := k.append(ctx, e); err != nil {
			return err
		}
		k.opened = true
		if k.force != "" { // the first run of all folds its configuration first
			if err := k.apply(ctx, e); err != nil {
				return err
			}
		}
	}
	if k.ctext != nil {
		if err := k.reconfigure(ctx); err != nil {
			return err
		}
	}
	if k.foldWas == 0 || k.foldWas == k.fold.Version() {
		return nil
	}
	k.foldWas = k.fold.Version()
	return k.base(ctx)
}

// reconfigure puts k.config in force: its text first, then the entry.
func (k *Kernel) reconfigure(ctx context.Context) error {
	text := k.ctext
	err := k.insist(ctx, func() error { _, err := k.cas.Put(text); return err })
	if err != nil {
		return err
	}
	k.ctext, k.force = nil, k.config.SHA256
	e := &journal.Entry{Kind: journal.Config, SHA256: k.config.SHA256}
	if err := k.append(ctx, e); err != nil {
		return err
	}
	if err := k.fold.Configure(k.config); err != nil {
		return fmt.Errorf("putting the settings in force: %w", err)
	}
	return k.apply(ctx, e)
}

// fact journals an entry without lines and folds it.
func (k *Kernel) fact(ctx context.Context, e *journal.Entry) error {
	if err := k.record(ctx, e); err != nil {
		return err
	}
	return k.apply(ctx, e)
}

// note journals a fact about the world.
func (k *Kernel) note(ctx context.Context, kind string, e journal.Entry) error {
	e.Kind, e.Note = journal.Note, kind
	k.rebase = k.rebase || kind == "destroyed"
	k.log.Warn("note", "kind", kind, "lane", e.Lane, "segment", e.Segment, "from", e.From, "to", e.To, "path", e.Path, "detail", e.Detail, "errno", e.Errno)
	return k.fact(ctx, &e)
}

func (k *Kernel) apply(ctx context.Context, e *journal.Entry) error {
	step, err := k.fold.Apply(e, nil)
	if err != nil {
		return err
	}
	return k.publish(ctx, e, step, "")
}

// commit takes a parsed batch in.
func (k *Kernel) commit(ctx context.Context, in *intake) error {
	t := in.tail
	if err := k.own(ctx, t); err != nil {
		return err
	}
	if t.born == 0 {
		k.mark(t)
	}
	e := &journal.Entry{Kind: journal.Input, Lane: t.lane, Segment: t.segment, From: in.batch.From, To: in.to, Lines: int64(len(in.batch.Lines)), Root: in.root}
	if err := k.record(ctx, e); err != nil {
		return err
	}
	t.t.Advance(e.To, in.batch.Raw)
	t.took(k, e)
	step, err := k.fold.Apply(e, &in.batch)
	if err != nil {
		return err
	}
	if t.lane != history.SignerLane { // a checkpoint is no news of anybody's
		k.stats.Lines.Add(e.Lines)
		k.stats.Bytes.Add(e.To - e.From)
	}
	k.snaps.input += e.To - e.From
	if err := k.publish(ctx, e, step, t.path()); err != nil {
		return err
	}
	k.snaps.due(k)
	return nil
}

// publish journals what a step derived and writes it where the journal says.
// source is the file whose lines caused it.
func (k *Kernel) publish(ctx context.Context, cause *journal.Entry, step *Step, source string) error {
	dirty := k.pub.dirty[:0]
	if source != "" {
		dirty = append(dirty, source)
	}
	if len(step.Derived) > 0 {
		var err error
		if dirty, err = k.publishLanes(ctx, cause, step.Derived, dirty); err != nil {
			return err
		}
	}
	k.pub.dirty = dirty
	k.sync.mark(k.journal.Next(), append(dirty, k.layout.JournalSegment(k.journal.End().Segment))...)
	k.work.started(step.Started)
	k.work.ended(step.Done)
	return k.afterwards(ctx, step)
}

// afterwards journals what a step left to be said: handlers that failed, and
// owned lanes that are full.
func (k *Kernel) afterwards(ctx context.Context, step *Step) error {
	skips := append([]Skip(nil), step.Skips...)
	var full []string
	for i := range step.Derived {
		if d := &step.Derived[i]; d.From+int64(len(d.Bytes)) >= k.config.Settings.SegmentMaxBytes {
			full = append(full, d.Lane)
		}
	}
	for _, s := range skips {
		if err := k.note(ctx, "skip", journal.Entry{Handler: s.Handler, Position: s.Position, Reason: s.Reason}); err != nil {
			return err
		}
	}
	for _, lane := range full {
		if err := k.rotateOwned(ctx, lane, "size"); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kernel) publishLanes(ctx context.Context, cause *journal.Entry, ds []Derived, dirty []string) ([]string, error) {
	entries := k.pub.entries[:0]
	for i := range ds {
		d := &ds[i]
		root, lines := rootOf(d.Bytes)
		entries = append(entries, &journal.Entry{Kind: journal.Derived, Lane: d.Lane, Segment: d.Segment, From: d.From, To: d.From + int64(len(d.Bytes)), Lines: lines, Root: root, Cause: cause.Seq})
	}
	k.pub.entries = entries
	if err := k.append(ctx, entries...); err != nil {
		return dirty, err
	}
	if k.config.Settings.Durability == "disk" {
		// Entries are durable with the bytes that they are about: not the derived ones yet.
		k.sync.mark(entries[0].Seq, append(dirty, k.layout.JournalSegment(k.journal.End().Segment))...)
		if err := k.sync.flush(); err != nil {
			return dirty, err
		}
	}
	for i := range ds {
		if err := k.publishLane(ctx, &ds[i]); err != nil {
			return dirty, err
		}
		k.stats.Derived.Add(entries[i].Lines)
		dirty = append(dirty, k.layout.Lane(ds[i].Lane))
	}
	return dirty, nil
}

// publishLane writes one lane's derived bytes. What somebody else put there is
// journaled, kept in the CAS and taken away first.
func (k *Kernel) publishLane(ctx context.Context, d *Derived) error {
	o, err := k.ownedFile(ctx, d.Lane, d.Segment, d.From, false)
	if err != nil {
		return err
	}
	if err := k.guard(ctx, d.Lane, o); err != nil {
		return err
	}
	if err := k.insist(ctx, func() error { return k.pub.write(o, d) }); err != nil {
		return err
	}
	k.set.Expect(d.Lane, o.end)
	return k.guard(ctx, d.Lane, o)
}

// own journals whose file a lane is, when that changed.
func (k *Kernel) own(ctx context.Context, t *tail) error {
	uid := t.uid()
	known, ok := k.tails.uids[t.lane]
	if !ok {
		known = k.config.DaemonUID
	}
	if known == uid {
		return nil
	}
	k.tails.uids[t.lane] = uid
	return k.fact(ctx, &journal.Entry{Kind: journal.Owner, Lane: t.lane, UID: uid})
}

// pause is how long the kernel waits before it tries a refusing disk again.
const pause = time.Second

// insist does a write until it succeeds, where the disk may come back: full,
// over quota or read-only. It says so once.
func (k *Kernel) insist(ctx context.Context, fn func() error) error {
	for {
		err := fn()
		if err == nil {
			if k.paused != nil {
				k.log.Warn("the disk takes writes again: going on", "was", k.paused)
				k.pub.notes = append(k.pub.notes, pendingNote{kind: "disk", e: diskNote(k.paused), at: k.journal.Next()})
				k.paused = nil
			}
			return nil
		}
		if !passing(err) || k.opt.Once {
			return &DiskError{Doing: "writing to the board", Err: err}
		}
		if k.paused == nil {
			k.log.Error("the disk refuses: work pauses and goes on by itself", "error", err, "path", filepath.Clean(k.layout.Dir))
		}
		k.paused = err
		select {
		case <-ctx.Done():
			return &DiskError{Doing: "writing to the board", Err: err}
		case <-time.After(k.opt.Pause):
		}
	}
}

func passing(err error) bool {
	var sync *journal.SyncError
	if errors.As(err, &sync) {
		return false
	}
	for _, e := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func diskNote(err error) journal.Entry {
	e := journal.Entry{Detail: err.Error()}
	var no syscall.Errno
	if errors.As(err, &no) {
		e.Errno = errnoName(no)
	}
	return e
}

func errnoName(no syscall.Errno) string {
	switch no {
	case syscall.ENOSPC:
		return "ENOSPC"
	case syscall.EDQUOT:
		return "EDQUOT"
	case syscall.EROFS:
		return "EROFS"
	case syscall.EIO:
		return "EIO"
	case syscall.EACCES:
		return "EACCES"
	case syscall.EPERM:
		return "EPERM"
	case syscall.ELOOP:
		return "ELOOP"
	}
	return no.Error()
}
