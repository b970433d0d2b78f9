package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// orphans finds rotated segments that the journal does not know: power took
// the rotate entry and left the rename. The rename is taken back; where a new
// file has the lane's name by now, the old one is drained under the next free
// number. Their own numbers are not given again: positions may have been.
func (r *recovery) orphans() error {
	k := r.k
	return k.layout.Stored(func(s layout.Stored) error {
		t := r.recs[segmentKey{s.Lane, s.Segment}]
		running := t != nil && t.Stage == active
		if s.Archive || s.Segment <= r.given(s.Lane) && !running || exists(k.layout.Archive(s.Lane, s.Segment)) {
			return nil
		}
		k.log.Warn("power took a rotation and left its rename: taking it back", "lane", s.Lane, "segment", s.Segment)
		if err := os.MkdirAll(filepath.Dir(k.layout.Lane(s.Lane)), 0o755); err != nil {
			return fmt.Errorf("taking back the rotation of lane %s: %w", s.Lane, err)
		}
		err := k.disk.RenameNew(s.Path, k.layout.Lane(s.Lane))
		switch {
		case err == nil && running:
			t.Path, t.Home, t.Gone, t.Copied = contracts.EscapeLane(layout.LaneRel(s.Lane)), "", 0, false
			return nil
		case running && errors.Is(err, fs.ErrExist):
			t.Path, t.Home, t.Gone, t.Copied = contracts.EscapeLane(layout.SegmentRel(s.Lane, s.Segment)), "", 0, true
			t.Stage = draining
			r.adopted = append(r.adopted, segmentKey{s.Lane, s.Segment})
			return nil
		case err == nil && !layout.Owned(s.Lane):
			k.tails.last[s.Lane] = s.Segment
			return nil
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("taking back the rotation of lane %s, segment %d: %w", s.Lane, s.Segment, err)
		case layout.Owned(s.Lane):
			return nil // its bytes were derived from what was lost, and are derived again
		}
		return r.adopt(s)
	})
}

// given is the highest number of a lane's segments that the journal knows.
func (r *recovery) given(lane string) uint64 {
	if layout.Owned(lane) {
		seg, _ := r.k.fold.Head(lane)
		return seg
	}
	return r.k.tails.last[lane]
}

// adopt drains an orphan as a segment of its own.
func (r *recovery) adopt(s layout.Stored) error {
	k := r.k
	k.tails.last[s.Lane] = s.Segment
	next := k.tails.next(s.Lane)
	if err := k.disk.RenameNew(s.Path, k.layout.Segment(s.Lane, next)); err != nil {
		return fmt.Errorf("keeping lane %s, segment %d: %w", s.Lane, s.Segment, err)
	}
	rel := layout.SegmentRel(s.Lane, next)
	t := &tailRecord{Saved: lanes.Saved{Lane: s.Lane, Segment: next, Path: contracts.EscapeLane(rel)}, Stage: draining, Copied: true}
	if m, err := lanes.Identify(k.layout.Dir, rel); err == nil {
		t.Mark = m
	}
	r.recs[segmentKey{s.Lane, next}] = t
	r.adopted = append(r.adopted, segmentKey{s.Lane, next})
	return nil
}

// late journals that adopted segments are over already, so that they are
// sealed and archived like any other.
func (r *recovery) late(ctx context.Context) error {
	for _, key := range r.adopted {
		t := r.k.tails.all[key]
		if t == nil {
			continue
		}
		if err := r.k.drain(ctx, t); err != nil {
			return err
		}
		if err := r.k.over(ctx, t, "renamed", 0, ""); err != nil {
			return err
		}
	}
	return nil
}
