package blackboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// derived brings an owned lane's bytes to what the fold made.
func (r *recovery) derived(e *journal.Entry, b []byte) error {
	k := r.k
	if b == nil { // its cause is gone: the lane's bytes are all there is
		k.fold.SetHead(e.Lane, e.Segment, e.To)
		return nil
	}
	got := r.stored(e)
	switch {
	case bytes.Equal(got, b):
		return nil
	case exists(k.layout.Archive(e.Lane, e.Segment)):
		r.lost(e, fmt.Errorf("the archive does not hold the bytes from %d to %d: run `stigmergy archive check`", e.From, e.To))
		return nil
	case strange(got, b) && !exists(k.layout.Segment(e.Lane, e.Segment)):
		r.suspect[e.Lane] = true // somebody else's: kept before anything is written
		return nil
	}
	k.log.Info("writing derived lines again", "lane", e.Lane, "segment", e.Segment, "from", e.From, "to", e.To)
	r.rewrote = true
	return k.rewrite(e, b)
}

// stored are the bytes that stand where a derived entry's should, as far as
// they can be read.
func (r *recovery) stored(e *journal.Entry) []byte {
	rd, err := r.refold.content.open(e.Lane, e.Segment, e.From, e.To)
	if err != nil {
		return nil
	}
	got := make([]byte, e.To-e.From)
	n, _ := io.ReadFull(rd, got)
	return got[:n]
}

// strange says whether bytes are not merely what a crash leaves of ours: some
// of them, with zeros where the rest should stand.
func strange(got, ours []byte) bool {
	for i, c := range got {
		if c != 0 && c != ours[i] {
			return true
		}
	}
	return false
}

// rewrite puts derived bytes at their place in whatever file holds them.
func (k *Kernel) rewrite(e *journal.Entry, b []byte) error {
	rel := layout.LaneRel(e.Lane)
	if _, err := os.Lstat(k.layout.Segment(e.Lane, e.Segment)); err == nil {
		rel = layout.SegmentRel(e.Lane, e.Segment)
	}
	f, err := k.pub.open(rel)
	if err != nil {
		return fmt.Errorf("recovering lane %s: %w", e.Lane, err)
	}
	_, err = k.disk.WriteAt(f, b, e.From)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("recovering lane %s at byte %d: %w", e.Lane, e.From, err)
	}
	return nil
}

// owned looks at every owned lane: bytes behind its journaled end are foreign,
// bytes missing before it were destroyed.
func (r *recovery) owned(ctx context.Context) error {
	k := r.k
	type end struct {
		lane string
		seg  uint64
		off  int64
	}
	var heads []end
	k.fold.Heads(func(lane string, seg uint64, off int64) { heads = append(heads, end{lane, seg, off}) })
	for _, h := range heads {
		fi, err := os.Lstat(k.layout.Lane(h.lane))
		if !r.suspect[h.lane] && (missing(err) && h.off == 0 || err == nil && fi.Mode().IsRegular() && fi.Size() == h.off) {
			continue
		}
		if err != nil && !missing(err) {
			return err
		}
		if r.suspect[h.lane] {
			if err := k.pub.forget(h.lane); err != nil {
				return err
			}
		}
		o, err := k.ownedFile(ctx, h.lane, h.seg, h.off, r.suspect[h.lane])
		if err != nil {
			return err
		}
		if err := k.guardFully(ctx, h.lane, o); err != nil {
			return err
		}
	}
	return nil
}
