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
	prev    uint64 // the one before it
	base    int64  // where in the lane's file it begins
	end     int64  // how far it was taken in
}

// segEnd is how far a segment was taken in, and the last entry that did.
type segEnd struct {
	segment uint64
	from    int64
	end     int64
	lines   int64
	root    [64]byte // hex
}

// laneDigest is what one block says of a lane.
type laneDigest struct {
	segs    []segEnd // that it has lines of
	segment uint64   // the active one at the block's end
	prev    uint64   // the one before it, if that is known here
	base    int64
	fresh   bool // it began in this block
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
	ends      map[segKey]*segEnd
	bases     map[segKey]int64 // where in the lane's file segments begin that share it
	entries   int64
	bad       []Damage
}

// derived is where an entry's bytes stand.
type derived struct {
	key  segKey
	seq  uint64
	from int64
	to   int64
}

// readView reads the journal on all cores.
func readView(log *jlog, workers int) *view {
	v := &view{log: log, lanes: map[string]*laneState{}, ends: map[segKey]*segEnd{}, bases: map[segKey]int64{}, bad: log.bad}
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
			b.tail = append(b.tail, derived{segKey{string(e.lane), e.segment}, e.seq, e.from, e.to})
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
	var s *segEnd
	for i := len(d.segs) - 1; i >= 0 && s == nil; i-- {
		if d.segs[i].segment == e.segment {
			s = &d.segs[i]
		}
	}
	if s == nil {
		d.segs = append(d.segs, segEnd{segment: e.segment})
		s = &d.segs[len(d.segs)-1]
	}
	if e.to > s.end {
		s.from, s.end, s.lines = e.from, e.to, e.lines
		copy(s.root[:], e.root)
	}
	if e.segment > d.segment {
		d.prev, d.segment, d.base, d.fresh = d.segment, e.segment, 0, d.segment > 0
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
		b.begin(e.Lane, e.Next, e.Base)
		if e.Base != 0 {
			b.notes = append(b.notes, *e)
		}
	case journal.Note:
		switch {
		case e.Next != 0:
			b.begin(e.Lane, e.Next, 0)
		case e.Note == "deleted":
			b.begin(e.Lane, e.Segment+1, 0)
		}
		b.notes = append(b.notes, *e)
	case journal.Cut:
		b.notes = append(b.notes, *e)
	case journal.Config:
		b.config = true
	}
}

// begin notes that another segment is a lane's active one from here on.
func (b *block) begin(lane string, segment uint64, base int64) {
	if d := b.lane([]byte(lane)); segment > d.segment {
		d.prev, d.segment, d.base, d.fresh = d.segment, segment, base, true
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
		if d.segment > s.segment || d.segment == s.segment && d.fresh {
			if d.prev == 0 && d.segment > s.segment {
				d.prev = s.segment
			}
			s.prev, s.segment, s.base = d.prev, d.segment, d.base
		}
		for i := range d.segs {
			x := &d.segs[i]
			b.spans = append(b.spans, laneSpan{s, x.segment})
			if old := v.ends[segKey{name, x.segment}]; old == nil || old.end < x.end {
				v.ends[segKey{name, x.segment}] = x
			}
		}
		if e := v.ends[segKey{name, s.segment}]; e != nil {
			s.end = e.end
		} else {
			s.end = 0
		}
	}
	b.names = nil
	for _, n := range b.notes {
		switch n.Kind {
		case journal.Cut:
			v.epoch = n.PowerEpoch
			v.cuts = append(v.cuts, n)
		case journal.Rotate:
			v.bases[segKey{n.Lane, n.Segment}], v.bases[segKey{n.Lane, n.Next}] = n.Base-n.To, n.Base
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
