package query

import (
	"sort"
	"sync"

	"stigmergy/blackboard/journal"
)

// segKey names a segment.
type segKey struct {
	lane    string
	segment uint64
}

// laneState is what the journal says of a lane at its end.
type laneState struct {
	name    string
	segment uint64 // the active one; 0: no entry names the lane
	base    int64  // where in the lane's file it begins
	end     int64  // how far it was taken in
	path    string // board-relative, where the file was moved
}

// laneDigest is what one block says of a lane.
type laneDigest struct {
	lo, hi   uint64 // segments with lines; 0: none
	segment  uint64
	base     int64
	end      int64
	path     string
	hasPath  bool
	rebased  bool
	mentions bool
}

// view is the journal read once: the state of every lane at its end, and which
// of its blocks concern which segments.
type view struct {
	log   *jlog
	lanes map[string]*laneState
	next  uint64 // behind the last seq
	epoch uint64
	cuts  []journal.Entry
	notes []journal.Entry
	// unsettled is the seq of the last entry that was not derived: its lines
	// may still turn out to be refused. tail are the derived entries behind it:
	// their bytes may not be there yet.
	unsettled uint64
	tail      []derived
	entries   int64
	bad       []Damage
}

// derived is where an entry's bytes stand.
type derived struct {
	key segKey
	seq uint64
	to  int64
}

// readView reads the journal on all cores.
func readView(log *jlog, workers int) *view {
	v := &view{log: log, lanes: map[string]*laneState{}, bad: log.bad}
	next := make(chan *block)
	var wg sync.WaitGroup
	for range min(workers, len(log.blocks)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var buf []byte
			for b := range next {
				buf = b.digest(buf)
			}
		}()
	}
	for _, b := range log.blocks {
		next <- b
	}
	close(next)
	wg.Wait()
	for _, b := range log.blocks {
		v.merge(b)
	}
	return v
}

// digest reads the block and sums it up.
func (b *block) digest(buf []byte) []byte {
	text, err := b.read(buf)
	if err != nil {
		b.bad = append(b.bad, Damage{Path: b.seg.Path, Offset: b.off, Err: err})
		return buf
	}
	if cap(text) > cap(buf) {
		buf = text[:0]
	}
	b.size = int64(len(text))
	b.names = map[string]*laneDigest{}
	var lane *laneDigest
	var name []byte
	scanEntries(text, func(e *entry) {
		if b.n == 0 {
			b.first = e.seq
		}
		b.last = e.seq
		b.n++
		if !e.carries() {
			b.other(e.other)
			return
		}
		if e.kind == journal.Input {
			b.settle(e.seq)
		} else {
			b.tail = append(b.tail, derived{segKey{string(e.lane), e.segment}, e.seq, e.to})
		}
		if lane == nil || string(name) != string(e.lane) {
			lane, name = b.lane(e.lane), e.lane
		}
		lane.lines(e)
	}, func(off int, err error) {
		b.bad = append(b.bad, Damage{Path: b.seg.Path, Offset: b.off + int64(off), Err: err})
	})
	return buf
}

func (b *block) lane(name []byte) *laneDigest {
	d := b.names[string(name)]
	if d == nil {
		d = &laneDigest{}
		b.names[string(name)] = d
	}
	return d
}

func (d *laneDigest) lines(e *entry) {
	if d.lo == 0 {
		d.lo = e.segment
	}
	d.lo, d.hi = min(d.lo, e.segment), max(d.hi, e.segment)
	switch {
	case e.segment > d.segment:
		d.segment, d.end, d.base, d.rebased = e.segment, e.to, 0, d.mentions
		d.mentions = true
	case e.segment == d.segment:
		d.end = max(d.end, e.to)
	}
}

// settle notes an entry that was not derived: with it, everything derived before
// stands in its lane.
func (b *block) settle(seq uint64) {
	b.settled, b.unsettled, b.tail = true, seq, b.tail[:0]
}

// other takes in an entry that carries no lines.
func (b *block) other(e *journal.Entry) {
	b.settle(e.Seq)
	switch e.Kind {
	case journal.Rotate:
		d := b.lane([]byte(e.Lane))
		d.segment, d.base, d.end, d.rebased, d.mentions = e.Next, e.Base, 0, true, true
		d.path, d.hasPath = "", true
	case journal.Note:
		if e.Note == "renamed" && e.Lane != "" && e.Path != "" {
			d := b.lane([]byte(e.Lane))
			d.path, d.hasPath = e.Path, true
		}
		b.notes = append(b.notes, *e)
	case journal.Open, journal.Cut:
		b.notes = append(b.notes, *e)
	}
}

// merge adds what a block says; blocks come in order.
func (v *view) merge(b *block) {
	v.bad = append(v.bad, b.bad...)
	v.entries += int64(b.n)
	if b.n > 0 {
		v.next = b.last + 1
	}
	for name, d := range b.names {
		s := v.lanes[name]
		if s == nil {
			s = &laneState{name: name}
			v.lanes[name] = s
		}
		s.take(d)
		if d.lo > 0 {
			b.spans = append(b.spans, laneSpan{s, d.lo, d.hi})
		}
	}
	b.names = nil
	for _, n := range b.notes {
		switch n.Kind {
		case journal.Cut:
			v.epoch = n.PowerEpoch
			v.cuts = append(v.cuts, n)
		case journal.Note:
			v.notes = append(v.notes, n)
		}
	}
	b.notes = nil
	if b.settled {
		v.unsettled, v.tail = b.unsettled, v.tail[:0]
	}
	v.tail = append(v.tail, b.tail...)
	b.tail = nil
}

func (s *laneState) take(d *laneDigest) {
	if d.hasPath {
		s.path = d.path
	}
	switch {
	case d.segment > s.segment || d.segment == s.segment && d.rebased:
		s.segment, s.base, s.end = d.segment, d.base, d.end
	case d.segment == s.segment:
		s.end = max(s.end, d.end)
	}
}

// end is the place behind everything that the journal names.
func (v *view) end() place { return place{seq: v.next} }

// names are all lanes that are named anywhere, in order.
func (v *view) names(s *stored) []string {
	seen := map[string]bool{}
	for n := range v.lanes {
		seen[n] = true
	}
	for n := range s.active {
		seen[n] = true
	}
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}
