package blackboard

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// look settles what changed on the board since the last look.
func (k *Kernel) look(ctx context.Context) (bool, error) {
	found := k.set.Findings()
	for i := range found {
		if err := k.found(ctx, &found[i]); err != nil {
			return true, err
		}
	}
	return len(found) > 0, k.destroyedRest(ctx)
}

func (k *Kernel) found(ctx context.Context, f *lanes.Finding) error {
	t := k.tails.of(f.Tail)
	if f.Tail != nil && (t == nil || t.t != f.Tail) {
		return nil // ended by a finding before this one
	}
	switch f.Kind {
	case lanes.Found:
		return k.newFile(ctx, f)
	case lanes.Grown:
		return k.grown(ctx, t)
	case lanes.Shrunk:
		return k.shrunk(ctx, f, t)
	case lanes.Truncated:
		return k.truncated(ctx, f, t)
	case lanes.Replaced:
		return k.replaced(ctx, f, t)
	case lanes.Gone:
		return k.gone(ctx, f, t)
	case lanes.Unreadable:
		return k.once(ctx, "unreadable", f.Path, journal.Entry{Lane: f.Lane, Path: contracts.EscapeLane(f.Path), Detail: text(f.Err), Errno: errnoOf(f.Err)})
	case lanes.Readable:
		delete(k.told, "unreadable "+f.Path)
	case lanes.NotALane:
		return k.once(ctx, "not_a_lane", f.Path, journal.Entry{Path: contracts.EscapeLane(f.Path), Reason: f.What, Detail: "it is a " + f.What})
	case lanes.HardLink:
		return k.once(ctx, "not_a_lane", f.Path, journal.Entry{Path: contracts.EscapeLane(f.Path), Reason: "hardlink", Detail: "it is a second name of " + contracts.EscapeLane(f.OldPath)})
	case lanes.OwnedTouched:
		return k.touched(ctx, f.Lane)
	case lanes.ConfigChanged:
		return k.reload(ctx)
	case lanes.Overflow:
		return k.note(ctx, "overflow", journal.Entry{})
	case lanes.Polling:
		if f.Err != nil {
			k.log.Warn("watching does not work here: looking every few seconds", "error", f.Err)
		}
	case lanes.BoardGone:
		return fmt.Errorf("watching the board %s: %w", k.layout.Dir, f.Err)
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func errnoOf(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return errnoName(no)
	}
	return ""
}

// once notes a fact the first time it is met.
func (k *Kernel) once(ctx context.Context, kind, path string, e journal.Entry) error {
	key := kind + " " + contracts.EscapeLane(path)
	if k.told[key] {
		return nil
	}
	k.told[key] = true
	if e.Path == "" {
		e.Path = contracts.EscapeLane(path)
	}
	return k.note(ctx, kind, e)
}

// newFile begins a segment. Where the lane has one that goes on under another
// name, that one is over: somebody rotated it. A copy of a file that was
// deleted goes on where that one ended.
func (k *Kernel) newFile(ctx context.Context, f *lanes.Finding) error {
	if f.Orphan {
		return k.late(ctx, k.set.Track(*f, f.Lane, k.tails.next(f.Lane)))
	}
	if old := k.tails.active[f.Lane]; old != nil {
		if err := k.movedAway(ctx, old); err != nil {
			return err
		}
	}
	if l := k.tails.left[f.Lane]; l != nil {
		switch v, err := k.back(f, l); {
		case err != nil || v == lanes.Beginning:
			return err
		case v == lanes.Same:
			return k.putBack(ctx, f, l)
		}
		delete(k.tails.left, f.Lane)
	}
	if t := k.set.Track(*f, f.Lane, k.tails.next(f.Lane)); t != nil {
		k.tails.add(k.layout, t, active)
	}
	return nil
}

// movedAway ends a lane's segment whose file has another name now. If that is
// another lane's, the file is taken away, as at any rotation: left there, its
// lines would be taken in again as that lane's.
func (k *Kernel) movedAway(ctx context.Context, t *tail) error {
	if err := k.drain(ctx, t); err != nil {
		return err
	}
	_, isLane := layout.LaneName(t.t.Path)
	switch {
	case !isLane || !rotatable(t.lane) || !k.set.At(t.t, t.t.Path):
		return k.end(ctx, t, "renamed", k.tails.last[t.lane]+1, false)
	case t.t.Offset() > 0:
		return k.rotate(ctx, t, "renamed")
	}
	path := t.t.Path // nothing of it was taken in: it may as well be that lane's
	k.set.Drop(t.t)
	k.tails.drop(t)
	k.set.Hint(path)
	return nil
}

func (k *Kernel) grown(ctx context.Context, t *tail) error {
	if t.stage == sealed { // late bytes behind a seal: the next free segment
		t.limit = t.t.Offset()
		return k.late(ctx, k.set.Fork(t.t, k.tails.next(t.lane)))
	}
	k.tails.dirty[t] = true
	return nil
}

// drain reads a tail to its end.
func (k *Kernel) drain(ctx context.Context, t *tail) error {
	delete(k.tails.dirty, t)
	for {
		before := t.t.Offset()
		more, err := k.takeTail(ctx, t)
		if err != nil || !more || t.t.Offset() == before {
			return err
		}
	}
}

// end journals that a segment is over, for a reason that is not the daemon's
// own. lost: its bytes cannot be read any more.
func (k *Kernel) end(ctx context.Context, t *tail, kind string, next uint64, lost bool) error {
	off := t.t.Offset()
	if kind == "deleted" {
		k.leaves(t)
	}
	if lost && off > 0 && !t.copied {
		if err := k.destroyed(ctx, t.key(), off); err != nil {
			return err
		}
	}
	k.tails.end(t)
	if off == 0 && t.born == 0 && (lost || k.abandoned(t)) { // nothing of it was ever taken in
		return k.forsake(ctx, t)
	}
	reason := ""
	if lost && !t.copied {
		reason = gone
		k.set.Drop(t.t)
		k.tails.drop(t)
	}
	return k.over(ctx, t, kind, next, reason)
}

// abandoned says that nobody can write to a file any more.
func (k *Kernel) abandoned(t *tail) bool {
	held, known := t.t.HeldByWriter()
	return known && !held
}

// forsake lets go of a file of which nothing was taken in; the beginning of a
// line that nobody will finish is lost.
func (k *Kernel) forsake(ctx context.Context, t *tail) error {
	size := max(t.t.Size(), t.scanned)
	k.set.Drop(t.t)
	k.tails.drop(t)
	if size == 0 {
		return nil
	}
	return k.note(ctx, "lost", journal.Entry{Lane: t.lane, Segment: t.segment, To: size})
}

// lost notes bytes that were seen and are gone before they were taken in.
func (k *Kernel) lost(ctx context.Context, f *lanes.Finding, t *tail) error {
	from := max(f.From, t.t.Offset())
	if f.To <= from {
		return nil
	}
	return k.note(ctx, "lost", journal.Entry{Lane: t.lane, Segment: t.segment, From: from, To: f.To})
}

func (k *Kernel) truncated(ctx context.Context, f *lanes.Finding, t *tail) error {
	if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	next, st, off := k.tails.next(t.lane), t.stage, t.t.Offset()
	k.tails.end(t)
	k.tails.drop(t)
	lt := k.set.Track(*f, t.lane, next)
	// A rotated segment's own file is no copy: what is cut off it is gone.
	if !t.copied || t.t.Path == layout.SegmentRel(t.lane, t.segment) {
		if err := k.destroyed(ctx, t.key(), off); err != nil {
			return err
		}
	}
	if err := k.over(ctx, t, "truncated", next, gone); err != nil || lt == nil {
		return err
	}
	if st != active {
		return k.late(ctx, lt)
	}
	k.tails.add(k.layout, lt, active)
	return nil
}

func (k *Kernel) gone(ctx context.Context, f *lanes.Finding, t *tail) error {
	if f.Reachable {
		if err := k.drain(ctx, t); err != nil {
			return err
		}
	} else if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	if f.Reason != lanes.Deleted && f.Reachable || t.stage != active {
		return nil // it may come back; the next file under its name ends it
	}
	return k.end(ctx, t, "deleted", 0, !f.Reachable)
}

// touched looks at an owned lane that somebody else wrote to.
func (k *Kernel) touched(ctx context.Context, lane string) error {
	seg, off := k.fold.Head(lane)
	if _, err := os.Lstat(k.layout.Lane(lane)); off == 0 && missing(err) {
		k.set.Expect(lane, -1)
		return nil
	}
	o, err := k.ownedFile(ctx, lane, seg, off, false)
	if err != nil {
		return err
	}
	if err := k.guardFully(ctx, lane, o); err != nil {
		return err
	}
	k.set.Expect(lane, o.end)
	_, err = k.surprises(ctx)
	return err
}
