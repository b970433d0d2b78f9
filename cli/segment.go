package cli

import (
	"bytes"
	"os"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// currentSegment is the number of the segment that a lane's file is.
func currentSegment(s *blackboard.LaneStanding) uint64 {
	switch {
	case s == nil || s.Segment == 0 && !s.Ended:
		return 1
	case s.Ended:
		return max(s.Next, s.Segment+1)
	}
	return s.Segment
}

// segmentOf is the number of the segment that the open lane file is: of the
// rotated one where the file was renamed away under us.
func segmentOf(l layout.Layout, f *laneFile) (uint64, error) {
	if f.moved() {
		if n, ok := rotatedAs(l, f); ok {
			return n, nil
		}
	}
	if n, ok := recentSegment(l, f.lane); ok {
		return n, nil
	}
	s, err := blackboard.Peek(l)
	if err != nil {
		return 0, err
	}
	return currentSegment(s.Lanes[f.lane]), nil
}

// recent is how much of the journal's end is looked through for a lane before
// the snapshot is read: a busy lane is found there, whatever the board's size.
const recent = 256 << 10

// recentSegment finds the lane's newest entry near the journal's end.
func recentSegment(l layout.Layout, lane string) (segment uint64, ok bool) {
	segs, err := journal.Segments(l)
	if err != nil || len(segs) == 0 || segs[len(segs)-1].Compressed {
		return 0, false
	}
	f, err := os.OpenFile(segs[len(segs)-1].Path, os.O_RDONLY|openGuards, 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, false
	}
	text := make([]byte, min(fi.Size(), recent))
	if _, err := f.ReadAt(text, fi.Size()-int64(len(text))); err != nil {
		return 0, false
	}
	name := contracts.AppendString([]byte(`"lane":`), lane)
	// What stands before the first newline may be half an entry, behind the
	// last one it is none yet.
	for at := bytes.LastIndex(text, name); at >= 0; at = bytes.LastIndex(text[:at], name) {
		begin, n := bytes.LastIndexByte(text[:at], '\n')+1, bytes.IndexByte(text[at:], '\n')
		if begin == 0 || n < 0 {
			continue
		}
		e, err := journal.Parse(text[begin : at+n])
		switch {
		case err != nil || e.Lane != lane:
		case e.Kind == journal.Rotate:
			return max(e.Next, e.Segment+1), true
		case e.Kind == journal.Input:
			return e.Segment, true
		}
	}
	return 0, false
}

// rotatedAs finds the open file among the lane's rotated segments.
func rotatedAs(l layout.Layout, f *laneFile) (segment uint64, ok bool) {
	_ = l.Stored(func(s layout.Stored) error { // what cannot be listed cannot be it
		if s.Lane == f.lane && !s.Archive && f.is(s.Path) {
			segment, ok = s.Segment, true
		}
		return nil
	})
	return segment, ok
}
