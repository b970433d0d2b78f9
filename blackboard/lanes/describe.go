package lanes

import (
	"slices"
	"time"
)

// Description is how a Set stands, for status and doctor.
type Description struct {
	Folders    int           `json:"folders"` // known
	Watched    int           `json:"watched"` // of them
	Polling    string        `json:"polling"` // why it polls; empty: it does not
	Tails      int           `json:"tails"`   // tracked files
	Open       int           `json:"open"`    // files held open
	MaxOpen    int           `json:"max_open"`
	Unreadable []string      `json:"unreadable"` // paths
	Sweep      time.Duration `json:"sweep"`      // how long the last one took
	Interval   time.Duration `json:"interval"`   // from one to the next
	Overflows  int64         `json:"overflows"`  // of the event queue
}

// Describe says how the Set stands.
func (s *Set) Describe() Description {
	d := Description{
		Folders: len(s.folders.by), Tails: len(s.tails), MaxOpen: s.opt.MaxOpen, Open: s.pool.count(),
		Sweep: s.sweeping.took, Interval: s.sweeping.interval, Overflows: s.sweeping.overflows,
	}
	for _, f := range s.folders.by {
		if f.watched {
			d.Watched++
		}
	}
	if err := s.polling.why(); err != nil {
		d.Polling = err.Error()
	}
	for rel, n := range s.said {
		if n.kind == Unreadable {
			d.Unreadable = append(d.Unreadable, rel)
		}
	}
	slices.Sort(d.Unreadable)
	return d
}
