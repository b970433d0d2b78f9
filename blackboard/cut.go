package blackboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// errCut ends a refold where power took what the journal names.
var errCut = errors.New("power was lost")

// cut is where the journal ends after power was lost: before the first entry
// whose bytes are not there, or that is none itself.
type cut struct {
	seq    uint64
	cursor journal.Cursor
	last   journal.Entry
	some   bool
	lanes  map[string]uint64 // lanes in what was cut: the highest segment named there
	holes  bool              // something in it cannot be read: any lane may be named there
}

// powerLost says whether the power may have taken entry seq.
func (r *recovery) powerLost(seq uint64) bool {
	return seq >= r.k.durable && r.k.bootOf(r) != r.k.boot
}

// holed says whether it was the power that left an entry behind the one at hand
// unreadable.
func (r *recovery) holed() bool {
	if r.some {
		return r.powerLost(r.prev.Seq + 1)
	}
	// Not even the board's first entry can be read. Only of a journal that is
	// too young to have been synced can that be said, and not of one in which
	// this boot has written.
	segs, err := journal.Segments(r.k.layout)
	if err != nil || len(segs) != 1 || segs[0].N != 1 || r.k.durable > 0 {
		return false
	}
	ours := false
	err = journal.Lines(segs[0], 0, func(line []byte) error {
		e, err := journal.Parse(bytes.TrimSuffix(line, []byte("\n")))
		ours = ours || err == nil && e.Kind == journal.Open && e.BootID == r.k.boot
		return nil
	})
	return err == nil && !ours
}

// cutHere ends the refold before the entry at hand.
func (r *recovery) cutHere() error {
	seq := uint64(0)
	if r.some {
		seq = r.prev.Seq + 1
	}
	r.cutAt = &cut{seq: seq, cursor: r.before, last: r.prev, some: r.some, lanes: map[string]uint64{}}
	return errCut
}

// bootOf is the boot in which the entry at hand was written: the one that the
// newest open entry before it names, in whichever segment that stands.
func (k *Kernel) bootOf(r *recovery) string {
	boot := ""
	for n := max(r.before.Segment, 1); boot == ""; n-- {
		_, _ = journal.Scan(k.layout, journal.Cursor{Segment: n}, func(e *journal.Entry, _ []byte, c journal.Cursor) error {
			if c.Segment > n || r.some && e.Seq > r.prev.Seq+1 {
				return journal.Stop
			}
			if e.Kind == journal.Open {
				boot = e.BootID
			}
			return nil
		})
		if n <= 1 {
			break
		}
	}
	return boot
}

// cut keeps what is cut away, shortens the journal, and forgets snapshots that
// knew more.
func (r *recovery) cut() error {
	k, c := r.k, r.cutAt
	gone, err := c.gone(k.layout)
	if err != nil {
		return fmt.Errorf("keeping what power loss cut: %w", err)
	}
	dir := filepath.Join(k.layout.Dir, "quarantine", ".cut")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keeping what power loss cut: %w", err)
	}
	path := filepath.Join(dir, fmt.Sprintf("journal-%016d.jsonl", c.seq))
	if err := k.disk.WriteFile(path, gone, 0o644); err != nil {
		return fmt.Errorf("keeping what power loss cut: %w", err)
	}
	if err := k.snaps.files.drop(c.seq); err != nil {
		return fmt.Errorf("cutting the journal: %w", err)
	}
	if err := k.journal.CutTo(c.cursor, c.last, c.some); err != nil {
		return err
	}
	k.now.Store(int64(k.journal.Next()))
	k.durable = min(k.durable, k.journal.Next())
	k.log.Warn("power was lost: the journal was cut", "seq", c.seq, "kept", path)
	return nil
}

// gone reads what stands behind the cut, byte for byte, and which lanes it
// names. Pages of a file reach the disk in any order: whole entries may stand
// behind a hole.
func (c *cut) gone(l layout.Layout) ([]byte, error) {
	segs, err := journal.Segments(l)
	if err != nil {
		return nil, err
	}
	var out []byte
	from := c.cursor
	for _, s := range segs {
		if s.N < from.Segment {
			continue
		}
		if s.N > from.Segment {
			from = journal.Cursor{Segment: s.N}
		}
		err := journal.Lines(s, from.Offset, func(line []byte) error {
			out = append(out, line...)
			e, err := journal.Parse(bytes.TrimSuffix(line, []byte("\n")))
			switch {
			case err != nil || line[len(line)-1] != '\n':
				c.holes = true
			case e.Lane != "" && e.Segment != 0:
				c.lanes[e.Lane] = max(c.lanes[e.Lane], e.Segment)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// cutEntries journals the cut, and that every lane in it begins a new segment,
// so that no position is ever given twice.
func (r *recovery) cutEntries(ctx context.Context) error {
	k, c := r.k, r.cutAt
	if c == nil {
		return nil
	}
	k.epoch++
	if err := k.fact(ctx, &journal.Entry{Kind: journal.Cut, PowerEpoch: k.epoch, CutSeq: c.seq}); err != nil {
		return err
	}
	if c.holes {
		for lane := range k.tails.active {
			c.lanes[lane] = max(c.lanes[lane], k.tails.last[lane])
		}
		k.fold.Heads(func(lane string, seg uint64, _ int64) { c.lanes[lane] = max(c.lanes[lane], seg) })
	}
	names := make([]string, 0, len(c.lanes))
	for lane := range c.lanes {
		names = append(names, lane)
	}
	sort.Strings(names)
	for _, lane := range names {
		k.tails.last[lane] = max(k.tails.last[lane], c.lanes[lane])
		if err := k.cutLane(ctx, lane, c.lanes[lane]); err != nil {
			return err
		}
	}
	return nil
}

// cutLane begins a new segment behind what the shortened journal still holds.
func (k *Kernel) cutLane(ctx context.Context, lane string, named uint64) error {
	if layout.Owned(lane) {
		seg, _ := k.fold.Head(lane)
		return k.cutOwned(ctx, lane, max(named, seg)+1)
	}
	t := k.tails.active[lane]
	if t == nil {
		return nil
	}
	next := k.tails.next(lane)
	off := t.t.Offset()
	e := &journal.Entry{Kind: journal.Rotate, Lane: lane, Segment: t.segment, Next: next, To: off, Base: t.t.Base + off, Reason: "cut"}
	if off == 0 && t.t.Base == 0 {
		k.set.Drop(t.t)
		k.tails.drop(t)
		k.set.Hint(t.t.Path)
		return nil
	}
	if err := k.record(ctx, e); err != nil {
		return err
	}
	if off == 0 { // cut twice: what stands before the base is another segment's
		fork := k.set.Fork(t.t, next)
		k.tails.drop(t)
		k.tails.add(k.layout, fork, active)
		return k.apply(ctx, e)
	}
	k.tails.end(t)
	t.stage, t.limit = sealed, off
	k.tails.add(k.layout, k.set.Fork(t.t, next), active)
	return k.apply(ctx, e)
}

// cutOwned ends an owned lane's segment at its head; bytes behind it are
// foreign now and go to quarantine first.
func (k *Kernel) cutOwned(ctx context.Context, lane string, next uint64) error {
	seg, off := k.fold.Head(lane)
	o, err := k.ownedFile(ctx, lane, seg, off, false)
	if err != nil {
		return err
	}
	if err := k.guardFully(ctx, lane, o); err != nil {
		return err
	}
	e := &journal.Entry{Kind: journal.Rotate, Lane: lane, Segment: seg, Next: next, To: off, Reason: "cut"}
	if err := k.record(ctx, e); err != nil {
		return err
	}
	if err := k.pub.forget(lane); err != nil {
		return fmt.Errorf("recovering lane %s: %w", lane, err)
	}
	if _, err := k.moveAway(ctx, k.layout.Lane(lane), lane, seg, 0); err != nil {
		return err
	}
	k.set.Expect(lane, -1)
	return k.apply(ctx, e)
}
