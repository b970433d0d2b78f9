package blackboard

import (
	"sort"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
)

// stage is where a segment is in its life.
type stage uint8

const (
	active   stage = iota // the lane's file: writers append to it
	draining              // ended, but somebody may still write to it
	sealed                // nobody can; being hashed and compressed
)

// tail is one segment that is being taken in.
type tail struct {
	t       *lanes.Tail
	lane    string
	segment uint64
	stage   stage
	board   layout.Layout

	first   journal.Cursor // before the entry that took in its first bytes
	born    int64          // time of that entry, ns
	last    int64          // time of the newest entry, ns
	unsure  bool           // sealed because it was quiet: nobody could tell who holds it
	keep    int64          // archived, its file looked at for late bytes until then, ns
	limit   int64          // where it ends in its file, if another segment follows there; 0: it does not
	copied  bool           // its bytes stand in a file of our own, not under t.Path
	scanned int64          // no newline between the offset and here
	long    *longScan      // of a line beyond max_line, up to scanned
	torn    torn           // what that line looked like

	waiting time.Time // since when an unfinished last line waits
	warned  bool      // board.alert unfinished was said for it
}

// tailRecord is a tail in a snapshot.
type tailRecord struct {
	lanes.Saved
	Stage  stage          `json:"stage,omitempty"`
	First  journal.Cursor `json:"first"`
	Born   int64          `json:"born,omitempty"`
	Last   int64          `json:"last,omitempty"`
	Limit  int64          `json:"limit,omitempty"`
	Copied bool           `json:"copied,omitempty"`
	Unsure bool           `json:"unsure,omitempty"`
	Keep   int64          `json:"keep,omitempty"`
	Warned bool           `json:"warned,omitempty"`
}

func (t *tail) key() segmentKey { return segmentKey{t.lane, t.segment} }
func (t *tail) uid() uint32     { return t.t.UID() }
func (t *tail) path() string    { return t.board.Dir + "/" + t.t.Path }

func (t *tail) record() tailRecord {
	return tailRecord{Saved: t.t.Save(), Stage: t.stage, First: t.first, Born: t.born, Last: t.last, Limit: t.limit, Copied: t.copied, Unsure: t.unsure, Keep: t.keep, Warned: t.warned}
}

// took notes that an entry took in bytes of the tail.
func (t *tail) took(k *Kernel, e *journal.Entry) {
	if t.born == 0 {
		t.born, t.first = e.Time, k.journal.Before()
	}
	t.last = e.Time
	t.forgetLine()
}

// tails are all of them.
type tails struct {
	all    map[segmentKey]*tail
	active map[string]*tail     // by lane
	last   map[string]uint64    // highest segment number ever given, by lane
	uids   map[string]uint32    // whose file a lane is, where not the daemon's
	left   map[string]*left     // lanes whose file was deleted
	looks  map[string]time.Time // paths to be looked at again, and when
	dirty  map[*tail]bool
	full   map[*tail]bool     // to be looked at for rotation
	older  map[string][]*tail // by lane: ended, and perhaps still written to
	scan   time.Time          // when to look at all of them next
}

func newTails() tails {
	return tails{all: map[segmentKey]*tail{}, active: map[string]*tail{}, last: map[string]uint64{},
		uids: map[string]uint32{}, left: map[string]*left{}, looks: map[string]time.Time{}, dirty: map[*tail]bool{}, full: map[*tail]bool{}, older: map[string][]*tail{}}
}

// next gives a lane its next segment number.
func (s *tails) next(lane string) uint64 {
	s.last[lane]++
	return s.last[lane]
}

// add begins to take in a tracked file.
func (s *tails) add(l layout.Layout, t *lanes.Tail, st stage) *tail {
	n := &tail{t: t, lane: t.Lane, segment: t.Segment, stage: st, board: l}
	s.all[n.key()] = n
	s.last[n.lane] = max(s.last[n.lane], n.segment)
	switch st {
	case active:
		s.active[n.lane] = n
	case draining:
		s.older[n.lane] = append(s.older[n.lane], n)
	}
	s.dirty[n] = true
	return n
}

// end makes a tail's segment one that is over.
func (s *tails) end(t *tail) {
	if t.stage == active {
		t.stage = draining
		s.older[t.lane] = append(s.older[t.lane], t)
	}
	if s.active[t.lane] == t {
		delete(s.active, t.lane)
	}
	delete(s.full, t)
}

// drop forgets a tail.
func (s *tails) drop(t *tail) {
	s.end(t)
	delete(s.all, t.key())
	delete(s.dirty, t)
}

// take gives the dirty tails in the order of lanes and segments.
func (s *tails) take() []*tail {
	if len(s.dirty) == 0 {
		return nil
	}
	out := make([]*tail, 0, len(s.dirty))
	for t := range s.dirty {
		out = append(out, t)
	}
	clear(s.dirty)
	if len(out) > 1 {
		sort.Slice(out, func(i, j int) bool {
			if out[i].lane != out[j].lane {
				return out[i].lane < out[j].lane
			}
			return out[i].segment < out[j].segment
		})
	}
	return out
}

// of finds the tail of a tracked file.
func (s *tails) of(t *lanes.Tail) *tail {
	if t == nil {
		return nil
	}
	return s.all[segmentKey{t.Lane, t.Segment}]
}

// draining are a lane's earlier segments that somebody may still write to, in
// the order in which they ended.
func (s *tails) draining(lane string) []*tail {
	var out []*tail
	for _, t := range s.older[lane] {
		if t.stage == draining && s.all[t.key()] == t {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		delete(s.older, lane)
		return nil
	}
	s.older[lane] = out
	return out
}

// held says whether there are such.
func (s *tails) held(lane string) bool { return len(s.draining(lane)) > 0 }

// shared says whether the file of a segment holds an earlier one too, which a
// cut ended in its middle and which was not copied out yet. Until then the file
// stays where that one is looked for.
func (s *tails) shared(t *tail) bool {
	if t.t.Base == 0 {
		return false
	}
	for k, o := range s.all {
		if k.lane == t.lane && k.segment < t.segment && o.limit > 0 && !o.copied {
			return true
		}
	}
	return false
}

func (s *tails) records() []tailRecord {
	out := make([]tailRecord, 0, len(s.all))
	for _, t := range s.all {
		out = append(out, t.record())
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Lane != out[j].Lane {
			return out[i].Lane < out[j].Lane
		}
		return out[i].Segment < out[j].Segment
	})
	return out
}

// due is when all tails are to be looked at next.
func (s *tails) due() time.Time { return s.scan }

// sooner asks for a look at all tails no later than at.
func (s *tails) sooner(at time.Time) {
	if s.scan.IsZero() || at.Before(s.scan) {
		s.scan = at
	}
}

// lookAgain asks for a look at a path at a time.
func (s *tails) lookAgain(path string, at time.Time) {
	s.looks[path] = at
	s.sooner(at)
}
