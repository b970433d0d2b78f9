package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// unfinishedAfter is how long a last line waits for its newline before that is
// told.
const unfinishedAfter = 60 * time.Second

// ErrNothing says that a lane has nothing to rotate.
var ErrNothing = errors.New("it has no active segment with a line in it")

// Rotate ends a lane's active segment by command.
func (k *Kernel) Rotate(ctx context.Context, lane string) (segment uint64, err error) {
	if layout.Owned(lane) {
		seg, off := k.fold.Head(lane)
		if off == 0 {
			return 0, fmt.Errorf("rotating lane %s: %w", lane, ErrNothing)
		}
		return seg, k.rotateOwned(ctx, lane, "command")
	}
	t := k.tails.active[lane]
	if t == nil {
		return 0, fmt.Errorf("rotating lane %s: %w", lane, ErrNothing)
	}
	if !rotatable(lane) {
		return 0, fmt.Errorf("rotating lane %s: %w", lane, errLongName)
	}
	if err := k.drain(ctx, t); err != nil {
		return 0, err
	}
	if t.t.Offset() == 0 {
		return 0, fmt.Errorf("rotating lane %s: %w", lane, ErrNothing)
	}
	if k.tails.shared(t) {
		return 0, fmt.Errorf("rotating lane %s: %w", lane, errShared)
	}
	return t.segment, k.rotate(ctx, t, "command")
}

var errLongName = errors.New("its name is too long for an archive: bytes outside [A-Za-z0-9._/-] take three there, at most 255 fit between two slashes")

var errShared = errors.New("the segment before it, which a power cut ended, is still being copied out of its file: try again in a second")

// rotatable says whether a lane's segments can stand in folders of its name.
func rotatable(lane string) bool {
	for part := range strings.SplitSeq(lane, "/") {
		if len(part) > nameMax {
			return false
		}
	}
	return true
}

// nameMax is how long a file's name may be.
const nameMax = 255

// rotate ends a segment: the entry first, then the rename. Writers that hold
// the file go on writing to it; it is drained until nobody does.
func (k *Kernel) rotate(ctx context.Context, t *tail, reason string) error {
	e := &journal.Entry{Kind: journal.Rotate, Lane: t.lane, Segment: t.segment, Next: k.tails.next(t.lane), To: t.t.Offset(), Reason: reason}
	if err := k.record(ctx, e); err != nil {
		return err
	}
	rel, err := k.moveAway(ctx, t.path(), t.lane, t.segment, t.t.Base)
	if err != nil {
		return err
	}
	k.tails.end(t)
	switch {
	case k.set.At(t.t, rel):
		k.set.Renamed(t.t, rel)
		t.copied = t.t.Base == 0
	case exists(filepath.Join(k.layout.Dir, rel)): // another file had taken the name
		if err := k.giveBack(ctx, rel, t.t.Path); err != nil {
			return err
		}
	}
	// The number that was promised is given when the lane's file is there again.
	k.tails.last[t.lane] = e.Next - 1
	return k.apply(ctx, e)
}

// moveAway renames a lane's file to where rotated segments stand, never over
// another file, and says where. One that is gone is no error: lanes will say
// so. A segment that does not begin where its file does is copied out of there
// when it is sealed.
func (k *Kernel) moveAway(ctx context.Context, from, lane string, segment uint64, base int64) (rel string, err error) {
	rel = layout.SegmentRel(lane, segment)
	if base > 0 {
		rel = wholeRel(lane, segment)
	}
	to := filepath.Join(k.layout.Dir, rel)
	return rel, k.insist(ctx, func() error {
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return fmt.Errorf("rotating lane %s: %w", lane, err)
		}
		err := k.disk.RenameNew(from, to)
		if err == nil && k.sync != nil { // recovery renames before there is one, and syncs everything
			k.sync.moved(to)
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("rotating lane %s, segment %d: %w", lane, segment, err)
	})
}

// wholeRel is where a file goes in whose middle a segment begins.
func wholeRel(lane string, segment uint64) string {
	dir, name := filepath.Split(layout.SegmentRel(lane, segment))
	return filepath.Join(dir, "."+name)
}

// giveBack puts a file that was taken for a rotated segment back under its
// name, or one like it, so that it is taken in as what it is.
func (k *Kernel) giveBack(ctx context.Context, from, to string) error {
	base := strings.TrimSuffix(to, layout.LaneExt)
	return k.insist(ctx, func() error {
		for n := 1; ; n++ {
			err := k.disk.RenameNew(filepath.Join(k.layout.Dir, from), filepath.Join(k.layout.Dir, to))
			if !errors.Is(err, fs.ErrExist) {
				k.set.Hint(to)
				return err
			}
			to = fmt.Sprintf("%s.%d%s", base, n, layout.LaneExt)
		}
	})
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// rotateOwned ends an owned lane's segment. Nobody but the daemon writes to
// it, so nothing is to be drained.
func (k *Kernel) rotateOwned(ctx context.Context, lane, reason string) error {
	seg, off := k.fold.Head(lane)
	e := &journal.Entry{Kind: journal.Rotate, Lane: lane, Segment: seg, Next: seg + 1, To: off, Reason: reason}
	if err := k.record(ctx, e); err != nil {
		return err
	}
	if err := k.pub.forget(lane); err != nil {
		return fmt.Errorf("rotating lane %s: %w", lane, err)
	}
	k.set.Expect(lane, -1)
	if _, err := k.moveAway(ctx, k.layout.Lane(lane), lane, seg, 0); err != nil {
		return err
	}
	return k.apply(ctx, e)
}

// house does what is due without anything having changed: rotation by size
// and age, unfinished lines, snapshots.
func (k *Kernel) house(ctx context.Context) (bool, error) {
	did := false
	for t := range k.tails.full {
		if k.mayRotate(t) {
			did = true
			if err := k.rotate(ctx, t, "size"); err != nil {
				return did, err
			}
		} else {
			delete(k.tails.full, t) // comes back with its next batch
		}
	}
	if err := k.destroyedRest(ctx); err != nil {
		return did, err
	}
	if k.rebase {
		did, k.rebase = true, false
		if err := k.base(ctx); err != nil {
			return did, err
		}
	}
	now := k.opt.Clock.Now()
	if !k.tails.scan.IsZero() && !now.Before(k.tails.scan) {
		k.tails.scan = time.Time{}
		for path, at := range k.tails.looks {
			if now.Before(at) {
				k.tails.sooner(at)
				continue
			}
			delete(k.tails.looks, path)
			k.set.Hint(path)
			did = true
		}
		for _, t := range k.tails.all {
			rotated, err := k.aged(ctx, t, now)
			if err != nil {
				return did, err
			}
			did = did || rotated
		}
	}
	k.snaps.due(k)
	pruned, err := k.retain(ctx, now)
	return did || pruned, err
}

// mayRotate says whether a full segment may be rotated now: while somebody
// still writes to an earlier one, or is in the middle of a line, only when it
// is four times as large.
func (k *Kernel) mayRotate(t *tail) bool {
	limit := k.config.Settings.SegmentMaxBytes
	if t.stage != active || t.t.Offset() < limit || !rotatable(t.lane) || k.tails.shared(t) {
		return false
	}
	return t.t.Offset() >= 4*limit || t.waiting.IsZero() && !k.tails.held(t.lane)
}

// aged answers what time alone does to a tail, and asks to be called again
// when something more will be due.
func (k *Kernel) aged(ctx context.Context, t *tail, now time.Time) (bool, error) {
	if !t.waiting.IsZero() && !t.warned {
		at := t.waiting.Add(unfinishedAfter)
		if now.Before(at) {
			k.tails.sooner(at)
		} else {
			t.warned = true
			return true, k.note(ctx, "unfinished", journal.Entry{Lane: t.lane, Segment: t.segment, From: t.t.Offset(), To: max(t.scanned, t.t.Offset()+1)})
		}
	}
	if t.keep != 0 {
		if at := time.Unix(0, t.keep); now.Before(at) {
			k.tails.sooner(at)
		} else {
			k.work.forget(t, t.lane, t.segment)
		}
		return false, nil
	}
	set := k.config.Settings
	if t.stage != active || t.born == 0 || layout.Worker(t.lane) || !rotatable(t.lane) || set.SegmentMaxAge == 0 || t.t.Offset() < set.SegmentMinBytes {
		return false, nil
	}
	at := time.Unix(0, t.born).Add(set.SegmentMaxAge)
	if now.Before(at) {
		k.tails.sooner(at)
		return false, nil
	}
	if !t.waiting.IsZero() || k.tails.held(t.lane) || k.tails.shared(t) {
		k.tails.sooner(now.Add(time.Minute))
		return false, nil
	}
	return true, k.rotate(ctx, t, "age")
}

// tick journals that timers are due, once every lane that changed before has
// been read to its end.
func (k *Kernel) tick(ctx context.Context) (bool, error) {
	at, ok := k.fold.Due()
	if !ok || at > k.stamps.now() {
		k.deferred = 0
		return false, nil
	}
	if k.stamps.now()-k.stamps.elapsed > time.Second.Milliseconds() && k.deferred == 0 {
		k.set.Sweep()
	}
	if k.deferred < maxDeferred {
		k.deferred++
		found, err := k.look(ctx)
		if err != nil || found || len(k.tails.dirty) > 0 {
			return true, err
		}
	}
	k.deferred = 0
	return true, k.fact(ctx, &journal.Entry{Kind: journal.Tick})
}

// maxDeferred is how often a due timer waits for lanes that keep changing.
const maxDeferred = 8
