package query

import (
	"errors"
	"io/fs"
	"os"
)

// findStop is the first entry that is not read: the journal ends there, or its
// bytes are not there yet.
func (r *run) findStop() uint64 {
	stop := r.view.next
	for _, d := range r.view.tail {
		st := r.view.lanes[d.key.lane]
		if d.seq < stop && st != nil && st.segment == d.key.segment && r.short(d.key.lane, st.base+d.to) && !r.rotated(d.key) {
			stop = d.seq
		}
	}
	return stop
}

// short tells whether a lane's file ends before an offset.
func (r *run) short(lane string, end int64) bool {
	fi, err := os.Stat(r.engine.layout.Lane(lane))
	return errors.Is(err, fs.ErrNotExist) || err == nil && fi.Size() < end
}

// rotated tells whether a segment stands behind its lane already, though the
// entry that says so was not read: all of it was written before.
func (r *run) rotated(k segKey) bool {
	l := r.engine.layout
	return exists(l.Segment(k.lane, k.segment)) || exists(l.Archive(k.lane, k.segment))
}

// awaited tells whether the last bytes of a segment may not be written yet.
func (r *run) awaited(k segKey) bool {
	for _, d := range r.view.tail {
		if d.key == k {
			return true
		}
	}
	return false
}
