package query

import (
	"cmp"
	"math"
	"slices"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// liveSource reads what is not archived by the journal itself: its blocks are
// in the board's order, so that nothing has to be merged but the lanes of one
// block.
type liveSource struct {
	run    *run
	blocks []*block        // those that concern what is wanted
	only   map[segKey]bool // nil: every segment that no archive answers for
	clip   *window
	i      int         // of the block at hand; when reversed, from the end
	some   []liveEntry // one batch of it
}

// liveEntry is one journal entry whose lines are to be read.
type liveEntry struct {
	seq   uint64
	from  int64
	to    int64
	lines int64
	time  int64
	seg   *segment
}

// window limits which lines of a segment are wanted, by offset; nil: all.
type window struct{ lo, hi int64 }

func (c *window) has(off int64) bool { return c == nil || c.lo <= off && off < c.hi }

func (s *liveSource) block() *block {
	if s.run.reverse {
		return s.blocks[len(s.blocks)-1-s.i]
	}
	return s.blocks[s.i]
}

func (s *liveSource) bound() place {
	if n := len(s.some); n > 0 {
		if s.run.reverse {
			return place{s.some[n-1].seq, math.MaxInt64}
		}
		return place{seq: s.some[0].seq}
	}
	if s.run.reverse {
		return place{s.block().last, math.MaxInt64}
	}
	return place{seq: s.block().first}
}

// last is where it begins: of the live source there is one, in order.
func (s *liveSource) last() uint64 { return s.bound().seq }

// take hands out one block, or a batch of one.
func (s *liveSource) take() (work, source) {
	if len(s.some) > 0 {
		some := s.some
		return func(w *worker, _ int) *result {
			res := s.run.result()
			s.run.readEntries(w, some, s.clip, res)
			return res
		}, nil
	}
	b := s.block()
	var rest source
	if s.i+1 < len(s.blocks) {
		n := *s
		n.i++
		rest = &n
	}
	return func(w *worker, _ int) *result {
		res := s.run.result()
		entries, err := s.entries(w, b)
		if err != nil {
			s.run.damage(Damage{Path: b.seg.Path, Offset: b.off, Err: err})
		}
		s.split(w, b, entries, res)
		return res
	}, rest
}

// split cuts a block's entries into batches, to be read by any worker; a block
// that is one batch is read at once.
func (s *liveSource) split(w *worker, b *block, entries []liveEntry, res *result) {
	size, start, most := int64(0), 0, s.run.mostEntries()
	for i := range entries {
		n := entries[i].to - entries[i].from
		if size += n; (size > s.run.engine.sizes.batch || i-start >= most) && i > start {
			res.rest = append(res.rest, s.of(b, entries[start:i]))
			size, start = n, i
		}
	}
	if start == 0 {
		s.run.readEntries(w, entries, s.clip, res)
		return
	}
	res.rest = append(res.rest, s.of(b, entries[start:]))
}

// mostEntries is how many entries one piece of work reads: where few matches are
// asked for, not many more than that.
func (r *run) mostEntries() int {
	few := r.req.Limit
	if r.req.Last > 0 && (few == 0 || r.req.Last < few) {
		few = r.req.Last
	}
	if few == 0 {
		return math.MaxInt
	}
	return max(256, 4*few)
}

func (s *liveSource) of(b *block, entries []liveEntry) source {
	return &liveSource{run: s.run, blocks: []*block{b}, some: entries, clip: s.clip}
}

// entries reads a block's entries of the segments that are wanted.
func (s *liveSource) entries(w *worker, b *block) ([]liveEntry, error) {
	text, err := b.read(w.buf)
	if err != nil {
		return nil, err
	}
	if cap(text) > cap(w.buf) {
		w.buf = text[:0]
	}
	out := []liveEntry{}
	var seg *segment
	var wanted bool
	scanEntries(text, func(e *entry) {
		if !e.carries() || e.seq < s.run.from.seq || e.seq >= s.run.stopAt || e.seq > b.last {
			return
		}
		if seg == nil || seg.key.segment != e.segment || seg.key.lane != string(e.lane) {
			k := segKey{string(e.lane), e.segment}
			wanted = s.wanted(k)
			seg = s.run.segment(k)
		}
		if wanted && seg.mayHold(e.from, e.to) {
			out = append(out, liveEntry{e.seq, e.from, e.to, e.lines, entryTime(e.time), seg})
		}
	}, func(int, error) {})
	return out, nil
}

// wanted tells whether an entry's lines are to be read.
func (s *liveSource) wanted(k segKey) bool {
	switch {
	case s.only != nil:
		return s.only[k]
	case s.run.lives != nil:
		return s.run.lives[k]
	}
	return !s.run.indexed[k] && s.run.wantLane(k.lane)
}

// readEntries finds the matches in some entries, each of which stands in its
// segment's file.
func (r *run) readEntries(w *worker, entries []liveEntry, only *window, res *result) {
	sorted := entries
	if !slices.IsSortedFunc(entries, bySegment) {
		sorted = slices.Clone(entries)
		slices.SortFunc(sorted, bySegment)
	}
	lanes := 0
	for i := 0; i < len(sorted); {
		j := i + 1
		for j < len(sorted) && sorted[j].seg == sorted[i].seg && sorted[j].from == sorted[j-1].to && sorted[j].to-sorted[i].from <= r.engine.sizes.batch {
			j++
		}
		r.readStretch(w, sorted[i:j], only, res)
		lanes++
		i = j
	}
	if lanes > 1 {
		slices.SortFunc(res.hits, func(a, b hit) int { return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.line, b.line)) })
	}
}

// bySegment orders entries so that those of one segment follow each other.
func bySegment(a, b liveEntry) int {
	return cmp.Or(cmp.Compare(a.seg.n, b.seg.n), cmp.Compare(a.from, b.from))
}

var newline = []byte{'\n'}

// longEntry is what an entry is not longer than, unless it is one long line.
const longEntry = 4 << 20

// verdict tells whether a journaled line is what the request asks for: an
// event, or the record of a refused one.
func (p *pieces) verdict(seq uint64, off int64, line []byte, h *hit) bool {
	if len(line) == 0 || line[0] != '{' && contracts.Blank(line) {
		return false
	}
	r := p.run
	if r.req.Quarantined || p.seg.derived {
		return true
	}
	if seq >= r.view.unsettled {
		return r.checkLine(p.w, p.seg.key.lane, line, h)
	}
	if !p.asked {
		// An index that was believed until it was read answers for nothing.
		p.asked, p.refused = true, r.refusals(p.seg.key.lane, r.indexed[p.seg.key])[p.seg.key.segment]
	}
	if len(p.refused) == 0 {
		return true
	}
	x := findRefusal(p.refused, off)
	if !x.is {
		return true
	}
	h.off, h.flags = int(x.recovered), h.flags|flagRecovered
	return h.off > 0 && h.off < len(line)
}

// checkLine decides about a line that the daemon has not decided about.
func (r *run) checkLine(w *worker, lane string, line []byte, h *hit) bool {
	rules, err := r.rules()
	if err != nil {
		r.damage(Damage{Path: r.engine.layout.Settings(), Err: err})
		return false
	}
	why := rules.checker.Check(line, &w.check)
	if why == nil {
		return !rules.forged(&w.check, lane)
	}
	off, ok := rules.recover(line, lane, why, &w.check)
	h.off, h.flags = off, h.flags|flagRecovered
	return ok
}

func (x *rules) forged(ev *contracts.Event, lane string) bool {
	return x.policy != nil && x.policy.Forged(ev.Topic, lane)
}

// recover finds the record that a mangled line certainly ends with, where it
// counts as an event.
func (x *rules) recover(line []byte, lane string, why *contracts.Refusal, ev *contracts.Event) (int, bool) {
	if why != nil && !why.Mangled() || layout.Worker(lane) {
		return 0, false
	}
	off, ok := contracts.Recover(line, x.checker)
	return off, ok && x.checker.Check(line[off:], ev) == nil && !x.forged(ev, lane)
}
