package blackboard

import (
	"sort"
	"strings"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// Standing is how far a board was taken in, as its plain files say: for who
// looks at it from outside, with or without a daemon.
type Standing struct {
	Next       uint64 // seq of the next entry
	Time       int64  // of the last entry, ns
	PowerEpoch uint64
	Open       journal.Entry // the newest run's, where it is behind the snapshot
	Lanes      map[string]*LaneStanding
	Renamed    map[string]string // lanes that somebody renamed, by the name that their files have now
}

// LaneStanding is where a lane's newest segment stands.
type LaneStanding struct {
	Lane    string
	Segment uint64 // the newest one that has a byte
	Offset  int64  // taken in, or published
	Last    int64  // time of its newest entry, ns
	Ended   bool   // the next byte begins another segment
	Next    uint64 // which, where it is known
}

// Peek reads the newest snapshot and the journal behind it; without a good
// snapshot the whole journal.
func Peek(l layout.Layout) (*Standing, error) {
	s := &Standing{Lanes: map[string]*LaneStanding{}, Renamed: map[string]string{}}
	k := &Kernel{layout: l}
	var from journal.Cursor
	if id, err := l.ID(); err == nil {
		k.id = id
		from = s.load(snapshots{layout: l}.load(k.believable))
	}
	_, err := journal.Scan(l, from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		s.take(e)
		return nil
	})
	if missing(err) {
		err = nil // a board that was never up
	}
	if s.Time == 0 && s.Next > 0 && err == nil {
		var last journal.Entry
		last, _, err = journal.Before(l, from)
		s.Time = last.Time
	}
	return s, err
}

// believable is fits, for a reader who does not know the journal's end.
func (k *Kernel) believable(h snapHeader) bool {
	e, ok, err := journal.Before(k.layout, h.Cursor)
	return h.BoardID == k.id && err == nil && ok && e.Seq+1 == h.Seq && entrySum(&e) == h.Last
}

func (s *Standing) load(st *loaded) journal.Cursor {
	if st == nil {
		return journal.Cursor{}
	}
	s.Next, s.PowerEpoch = st.header.Seq, st.header.PowerEpoch
	for lane, n := range st.header.Lanes {
		s.Lanes[lane] = &LaneStanding{Lane: lane, Segment: n, Ended: true, Next: n + 1}
	}
	for _, t := range st.tails {
		if t.Stage != active {
			continue
		}
		s.Lanes[t.Lane] = &LaneStanding{Lane: t.Lane, Segment: t.Segment, Offset: max(t.Offset, t.Mark.Offset), Last: t.Last}
		s.Moved(t.Lane, t.Path)
	}
	for lane, h := range st.header.Owned {
		s.Lanes[lane] = &LaneStanding{Lane: lane, Segment: h.Segment, Offset: h.Offset}
	}
	return st.header.Cursor
}

// Moved notes where a lane's active file stands: a path from the board,
// escaped like a lane's name.
func (s *Standing) Moved(lane, path string) {
	if at, ok := strings.CutSuffix(path, layout.LaneExt); ok && at != lane && at[0] != '.' {
		s.Renamed[at] = lane
	}
}

func (s *Standing) take(e *journal.Entry) {
	s.Next, s.Time = e.Seq+1, e.Time
	switch e.Kind {
	case journal.Open:
		s.Open = *e
	case journal.Cut:
		s.PowerEpoch = e.PowerEpoch
	case journal.Input, journal.Derived:
		if l := s.lane(e.Lane); e.Segment >= l.Segment { // else late bytes of one that is over
			l.Segment, l.Offset, l.Last, l.Ended = e.Segment, e.To, e.Time, false
		}
	case journal.Rotate:
		if l := s.lane(e.Lane); e.Segment >= l.Segment {
			l.Segment, l.Ended, l.Next = e.Segment, true, e.Next
		}
	}
}

func (s *Standing) lane(name string) *LaneStanding {
	l := s.Lanes[name]
	if l == nil {
		l = &LaneStanding{Lane: name}
		s.Lanes[name] = l
	}
	return l
}

// Sorted are the lanes by name.
func (s *Standing) Sorted() []*LaneStanding {
	out := make([]*LaneStanding, 0, len(s.Lanes))
	for _, l := range s.Lanes {
		out = append(out, l)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Lane < out[j].Lane })
	return out
}
