package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
		if layout.Owned(s.Lane) {
			return r.orphanOwned(s)
		}
		if s.Archive || s.Segment <= k.tails.last[s.Lane] && !running || exists(k.layout.Archive(s.Lane, s.Segment)) {
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
		case err == nil:
			k.tails.last[s.Lane] = s.Segment
			return nil
		case !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("taking back the rotation of lane %s, segment %d: %w", s.Lane, s.Segment, err)
		}
		return r.adopt(s)
	})
}

// orphanOwned is the same for a lane of the daemon's own. What follows in
// another file was derived from what was lost, and is derived again: that file
// is kept out of the way.
func (r *recovery) orphanOwned(s layout.Stored) error {
	k := r.k
	seg, _ := k.fold.Head(s.Lane)
	if s.Archive || s.Segment < seg || exists(k.layout.Archive(s.Lane, s.Segment)) {
		return nil
	}
	k.log.Warn("power took a rotation and left its rename: taking it back", "lane", s.Lane, "segment", s.Segment)
	if s.Segment > seg {
		return r.setAside(s.Path, s.Lane, s.Segment)
	}
	if lane := k.layout.Lane(s.Lane); exists(lane) {
		if err := r.setAside(lane, s.Lane, s.Segment+1); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(k.layout.Lane(s.Lane)), 0o755); err != nil {
		return fmt.Errorf("taking back the rotation of lane %s: %w", s.Lane, err)
	}
	if err := k.disk.RenameNew(s.Path, k.layout.Lane(s.Lane)); err != nil {
		return fmt.Errorf("taking back the rotation of lane %s, segment %d: %w", s.Lane, s.Segment, err)
	}
	return nil
}

// setAside keeps a file of an owned lane that nothing in the journal speaks of.
func (r *recovery) setAside(path, lane string, segment uint64) error {
	dir := filepath.Join(r.k.layout.Dir, "quarantine", ".cut")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("keeping what power loss cut: %w", err)
	}
	name := strings.ReplaceAll(lane, "/", "%2F")
	for n := 1; ; n++ {
		err := r.k.disk.RenameNew(path, filepath.Join(dir, fmt.Sprintf("%s@%d.%d%s", name[:min(len(name), nameMax-48)], segment, n, layout.LaneExt)))
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
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
