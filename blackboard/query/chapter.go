package query

import "stigmergy/blackboard/journal"

// chapter is what some consecutive blocks of the journal say, read by one
// goroutine.
type chapter struct {
	lanes     map[string]*laneDigest
	notes     []journal.Entry
	entries   int64
	last      uint64    // seq
	settled   bool      // it has an entry that was not derived
	unsettled uint64    // the last of those
	tail      []derived // what was derived behind that
	config    bool      // settings or contracts changed
	bad       []Damage
}

// laneDigest is what a chapter says of a lane.
type laneDigest struct {
	segs    []*segEnd // that it has lines of
	segment uint64    // the active one at the chapter's end
	prev    uint64    // the one before it, if that is known here
	base    int64
	fresh   bool // it began in this chapter
}

func newChapter() *chapter { return &chapter{lanes: map[string]*laneDigest{}} }

// read adds a block, the i-th of the journal.
func (c *chapter) read(b *block, i int, buf []byte) []byte {
	text, begins, err := b.text(buf)
	if err != nil {
		c.bad = append(c.bad, Damage{Path: b.seg.Path, Offset: b.off, Err: err})
		return buf
	}
	if cap(text) > cap(buf) {
		buf = text[:0]
	}
	b.begins, b.size = begins, int64(len(text))
	var lane *laneDigest
	var name []byte
	scanEntries(text, func(e *entry) {
		if b.n == 0 {
			b.first = e.seq
		}
		b.last, c.last = e.seq, e.seq
		b.n++
		c.entries++
		if !e.carries() {
			c.other(e.other)
			return
		}
		if e.kind == journal.Input {
			c.settle(e.seq)
		} else {
			c.tail = append(c.tail, derived{segKey{string(e.lane), e.segment}, e.seq, e.from, e.to})
		}
		if lane == nil || string(name) != string(e.lane) {
			lane, name = c.lane(e.lane), e.lane
		}
		lane.lines(e, i)
	}, func(off int, err error) {
		c.bad = append(c.bad, Damage{Path: b.seg.Path, Offset: b.off + int64(off), Err: err})
	})
	return buf
}

func (c *chapter) lane(name []byte) *laneDigest {
	d := c.lanes[string(name)]
	if d == nil {
		d = &laneDigest{}
		c.lanes[string(name)] = d
	}
	return d
}

// lines takes in an entry that carries lines, from block i.
func (d *laneDigest) lines(e *entry, i int) {
	var s *segEnd
	for k := len(d.segs) - 1; k >= 0 && s == nil; k-- {
		if d.segs[k].segment == e.segment {
			s = d.segs[k]
		}
	}
	if s == nil {
		s = &segEnd{segment: e.segment, first: i}
		d.segs = append(d.segs, s)
	}
	s.last = i
	if e.to > s.end {
		s.from, s.end = e.from, e.to
		copy(s.root[:], e.root)
	}
	if e.segment > d.segment {
		d.prev, d.segment, d.base, d.fresh = d.segment, e.segment, 0, d.segment > 0
	}
}

// settle notes an entry that was not derived: with it, everything derived before
// stands in its lane.
func (c *chapter) settle(seq uint64) {
	c.settled, c.unsettled, c.tail = true, seq, c.tail[:0]
}

// other takes in an entry that carries no lines.
func (c *chapter) other(e *journal.Entry) {
	c.settle(e.Seq)
	switch e.Kind {
	case journal.Rotate:
		c.begin(e.Lane, e.Next, e.Base)
		if e.Base != 0 {
			c.notes = append(c.notes, *e)
		}
	case journal.Note:
		switch {
		case e.Next != 0:
			c.begin(e.Lane, e.Next, 0)
		case e.Note == "deleted":
			c.begin(e.Lane, e.Segment+1, 0)
		}
		c.notes = append(c.notes, *e)
	case journal.Cut:
		c.notes = append(c.notes, *e)
	case journal.Config:
		c.config = true
	}
}

// begin notes that another segment is a lane's active one from here on.
func (c *chapter) begin(lane string, segment uint64, base int64) {
	if d := c.lane([]byte(lane)); segment > d.segment {
		d.prev, d.segment, d.base, d.fresh = d.segment, segment, base, true
	}
}
