package cli

import (
	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
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
	s, err := blackboard.Peek(l)
	if err != nil {
		return 0, err
	}
	return currentSegment(s.Lanes[f.lane]), nil
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
