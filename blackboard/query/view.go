package query

import (
	"sync"
	"sync/atomic"

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

// segEnd is how far a segment was taken in, the last entry that did, and which
// blocks have such entries.
type segEnd struct {
	segment     uint64
	from        int64
	end         int64
	root        [64]byte // hex
	first, last int      // numbers of blocks
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
	segs      map[string][]*segEnd // the same by lane, in no order
	bases     map[segKey]int64     // where in the lane's file segments begin that share it
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

// readView reads the journal on all cores: each takes chapters, which are
// merged in order.
func readView(log *jlog, workers int) *view {
	v := &view{log: log, lanes: map[string]*laneState{}, ends: map[segKey]*segEnd{}, segs: map[string][]*segEnd{}, bases: map[segKey]int64{}, bad: log.bad}
	n := len(log.blocks)
	parts := min(n, 2*workers)
	chapters := make([]*chapter, parts)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, parts) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			var buf []byte
			for i := int(next.Add(1)) - 1; i < parts; i = int(next.Add(1)) - 1 {
				c := newChapter()
				for k := i * n / parts; k < (i+1)*n/parts; k++ {
					buf = c.read(log.blocks[k], k, buf)
				}
				chapters[i] = c
			}
		}()
	}
	wg.Wait()
	for _, c := range chapters {
		v.merge(c)
	}
	return v
}

// merge adds what a chapter says; chapters come in order.
func (v *view) merge(c *chapter) {
	v.bad = append(v.bad, c.bad...)
	v.entries += c.entries
	if c.entries > 0 {
		v.next = c.last + 1
	}
	for name, d := range c.lanes {
		v.mergeLane(name, d)
	}
	for _, n := range c.notes {
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
	if c.settled {
		v.unsettled, v.tail = c.unsettled, v.tail[:0]
	}
	v.tail = append(v.tail, c.tail...)
}

func (v *view) mergeLane(name string, d *laneDigest) {
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
	for _, x := range d.segs {
		k := segKey{name, x.segment}
		old := v.ends[k]
		if old != nil {
			x.first = min(x.first, old.first)
		}
		switch {
		case old == nil:
			v.ends[k] = x
			v.segs[name] = append(v.segs[name], x)
		case old.end < x.end:
			*old = *x
		default:
			old.first, old.last = x.first, max(old.last, x.last)
		}
	}
	s.end = v.endOf(segKey{name, s.segment})
}

// segmentsOf are the segments of a lane that the journal names.
func (v *view) segmentsOf(lane string) []*segEnd { return v.segs[lane] }
