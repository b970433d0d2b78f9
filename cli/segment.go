package cli

import (
	"os"

	"stigmergy/blackboard/layout"
)

// segmentOf is the number of the segment that the open lane file is.
func segmentOf(l layout.Layout, f *laneFile) (uint64, error) {
	next := uint64(1)
	_ = l.Stored(func(s layout.Stored) error {
		if s.Lane == f.lane && s.Segment >= next {
			next = s.Segment + 1
		}
		return nil
	})
	if _, err := os.Lstat(f.path); err != nil {
		return next, nil
	}
	return next, nil
}
