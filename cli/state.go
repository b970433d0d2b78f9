package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// boardState is what a snapshot and the journal behind it say about lanes: for
// commands that work beside a daemon or without one.
type boardState struct {
	Next  uint64 // seq of the next entry
	Time  int64  // of the newest entry
	Lanes map[string]*laneState
	Open  journal.Entry // the newest run's
	Epoch uint64
}

// laneState is a lane's newest segment that anything was taken in from, or
// that will be next.
type laneState struct {
	Lane    string
	Segment uint64
	Offset  int64 // taken in; 0 for a segment that is only promised
	Last    int64 // time of the newest entry; 0: before the snapshot
	Ended   bool  // rotated away: Segment is over
	Next    uint64
}

// snapshotHead is the first line of a snapshot: a plain JSONL file.
type snapshotHead struct {
	V      int               `json:"v"`
	Seq    uint64            `json:"seq"`
	Epoch  uint64            `json:"power_epoch"`
	Cursor journal.Cursor    `json:"cursor"`
	Lanes  map[string]uint64 `json:"lanes"`
}

type snapshotTail struct {
	Tail *struct {
		Lane    string `json:"lane"`
		Segment uint64 `json:"segment"`
		Stage   int    `json:"stage"`
		Last    int64  `json:"last"`
		Mark    struct {
			Offset int64 `json:"offset"`
		} `json:"mark"`
	} `json:"tail"`
}

// readState reads the newest snapshot and the journal behind it; where there
// is no good snapshot, the whole journal. only may limit it to one lane.
func readState(l layout.Layout, only string) (*boardState, error) {
	s := &boardState{Lanes: map[string]*laneState{}}
	from := s.snapshot(l, only)
	_, err := journal.Scan(l, from, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		s.take(e, only)
		return nil
	})
	if err != nil && from != (journal.Cursor{}) {
		s = &boardState{Lanes: map[string]*laneState{}}
		_, err = journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
			s.take(e, only)
			return nil
		})
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // a board that was never up
	}
	return s, err
}

func (s *boardState) lane(name string) *laneState {
	ls := s.Lanes[name]
	if ls == nil {
		ls = &laneState{Lane: name}
		s.Lanes[name] = ls
	}
	return ls
}

// take follows one entry.
func (s *boardState) take(e *journal.Entry, only string) {
	s.Next, s.Time = e.Seq+1, e.Time
	switch e.Kind {
	case journal.Open:
		s.Open = *e
	case journal.Cut:
		s.Epoch = e.PowerEpoch
	}
	if only != "" && e.Lane != only {
		return
	}
	switch e.Kind {
	case journal.Input, journal.Derived:
		ls := s.lane(e.Lane)
		if e.Segment < ls.Segment {
			return // late bytes of a segment that is over
		}
		ls.Segment, ls.Offset, ls.Last, ls.Ended = e.Segment, e.To, e.Time, false
	case journal.Rotate:
		ls := s.lane(e.Lane)
		if e.Segment >= ls.Segment {
			ls.Segment, ls.Ended, ls.Next = e.Segment, true, e.Next
		}
	}
}

// snapshot takes the newest snapshot in and gives the place behind it.
func (s *boardState) snapshot(l layout.Layout, only string) journal.Cursor {
	names, err := filepath.Glob(filepath.Join(l.State(), "*"+layout.LaneExt))
	if err != nil {
		return journal.Cursor{}
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(filepath.Base(b), filepath.Base(a)) })
	for _, name := range names {
		if head, ok := s.readSnapshot(name, only); ok {
			return head.Cursor
		}
	}
	return journal.Cursor{}
}

func (s *boardState) readSnapshot(name, only string) (head snapshotHead, ok bool) {
	f, err := os.OpenFile(name, os.O_RDONLY|openGuards, 0)
	if err != nil {
		return head, false
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 256<<10)
	line, err := r.ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &head) != nil || head.V != 1 {
		return head, false
	}
	s.Next, s.Epoch = head.Seq, head.Epoch
	for lane, seg := range head.Lanes {
		if only == "" || lane == only {
			s.Lanes[lane] = &laneState{Lane: lane, Segment: seg, Ended: true, Next: seg + 1}
		}
	}
	for {
		line, err := r.ReadBytes('\n')
		if err != nil || !bytes.HasPrefix(line, []byte(`{"tail"`)) {
			return head, true
		}
		var t snapshotTail
		if json.Unmarshal(line, &t) != nil || t.Tail == nil || only != "" && t.Tail.Lane != only || t.Tail.Stage != 0 {
			continue
		}
		ls := s.lane(t.Tail.Lane)
		*ls = laneState{Lane: ls.Lane, Segment: t.Tail.Segment, Offset: t.Tail.Mark.Offset, Last: t.Tail.Last}
	}
}

// current is the number of the segment that the lane's file is.
func (ls *laneState) current() uint64 {
	switch {
	case ls == nil || ls.Segment == 0 && !ls.Ended:
		return 1
	case ls.Ended:
		return max(ls.Next, ls.Segment+1)
	}
	return ls.Segment
}

// segmentOf is the number of the segment that the open lane file is: of the
// rotated one where the file was renamed away under us.
func segmentOf(l layout.Layout, f *laneFile) (uint64, error) {
	if f.moved() {
		if n, ok := rotatedAs(l, f); ok {
			return n, nil
		}
	}
	s, err := readState(l, f.lane)
	if err != nil {
		return 0, err
	}
	return s.Lanes[f.lane].current(), nil
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
