package query

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/settings"
	"stigmergy/contracts"
)

var errTooLong = errors.New("one journal entry names more bytes than are read at once")

// Stats say what it took to answer.
type Stats struct {
	Entries        int64 // of the journal
	Lanes          int
	Archives       int   // on the board
	ArchivesOpened int64 // the others were ruled out by the catalog
	Frames         int64 // in archives that concern the lanes asked for
	FramesDecoded  int64 // the others were ruled out by an index, or not needed
	ZstdBytes      int64 // decoded
	RawBytes       int64 // searched in archives
	LiveBytes      int64 // searched in lanes and segments
}

// keepLast is up to how many events --last keeps in memory; for more the board
// is read twice.
const keepLast = 4096

// answer runs a prepared request.
func (r *run) answer(fn func(*Hit) error) (Result, error) {
	var err error
	switch {
	case r.req.Order == TimeOrder:
		err = r.byTime(fn)
	case r.req.Last > 0 && !r.req.Reverse:
		err = r.last(fn)
	default:
		limit := r.req.Limit
		if r.req.Last > 0 && (limit == 0 || r.req.Last < limit) {
			limit = r.req.Last
		}
		err = r.stream(limit, fn)
	}
	if errors.Is(err, errEnough) {
		err = nil
	}
	return r.finish(), err
}

// finish is what there is to say at the end.
func (r *run) finish() Result {
	if r.matched == 0 {
		r.findHoles()
	}
	return Result{Matched: r.matched, Cursor: r.end, Holes: r.holes, Damaged: r.damaged, Stats: Stats{
		Entries: r.view.entries, Lanes: len(r.view.lanes), Archives: len(r.archives),
		ArchivesOpened: r.stats.Archives.Load(), Frames: r.stats.Frames.Load(), FramesDecoded: r.stats.Decoded.Load(),
		ZstdBytes: r.stats.ZstdBytes.Load(), RawBytes: r.stats.RawBytes.Load(), LiveBytes: r.stats.LiveBytes.Load(),
	}}
}

// stream gives the first matches (all, for 0) in the order asked for.
func (r *run) stream(limit int, fn func(*Hit) error) error {
	h := &Hit{run: r}
	n := 0
	s := &sched{run: r, reverse: r.reverse}
	err := s.merge(r.sources(), func(res *result, x *hit) error {
		r.fill(h, res, x)
		n++
		if err := fn(h); err != nil {
			return err
		}
		if limit > 0 && n >= limit {
			if !r.reverse && !h.Pending && r.req.Last == 0 {
				r.end = h.Cursor()
			}
			return errEnough
		}
		return nil
	})
	r.matched = int64(n)
	return err
}

// fill makes a Hit of a hit.
func (r *run) fill(h *Hit, res *result, x *hit) {
	h.Line = res.text[x.off:x.end:x.end]
	h.Pos = contracts.Position{Lane: x.from.key.lane, Segment: x.from.key.segment, Offset: x.offset}
	h.JournalTime, h.parsed = x.time, false
	h.Pending, h.Recovered = x.flags&flagPending != 0, x.flags&flagRecovered != 0
	h.Seq, h.LineNo = x.seq, x.line
	if h.Pending {
		h.Seq, h.LineNo = 0, 0
	}
}

// last gives the last N in the board's order.
func (r *run) last(fn func(*Hit) error) error {
	if r.req.Last > keepLast {
		return r.lastTwice(fn)
	}
	var kept []*Hit
	r.reverse = true
	err := r.stream(r.req.Last, func(h *Hit) error {
		c := *h
		c.Line = slices.Clone(h.Line)
		kept = append(kept, &c)
		return nil
	})
	r.reverse = false
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	for i := len(kept) - 1; i >= 0; i-- {
		if err := fn(kept[i]); err != nil {
			return err
		}
	}
	return nil
}

// lastTwice reads backwards to where the last N begin, then forwards from there.
func (r *run) lastTwice(fn func(*Hit) error) error {
	var from place
	r.reverse = true
	s := &sched{run: r, reverse: true}
	n := 0
	err := s.merge(r.sources(), func(_ *result, x *hit) error {
		from = x.place
		if n++; n >= r.req.Last {
			return errEnough
		}
		return nil
	})
	r.reverse = false
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	if n == 0 {
		return nil
	}
	r.from = from
	if from.seq < math.MaxInt64 {
		r.want = r.wanted()
	}
	return r.stream(r.req.Last, fn)
}

// boardRules are the contracts and the policy that the board's own files say.
func boardRules(l layout.Layout) (*contracts.Checker, *contracts.Policy, error) {
	text, err := readIf(l.Settings())
	if err != nil {
		return nil, nil, err
	}
	set, faults := settings.Load(text, nil, nil)
	if len(faults) > 0 {
		return nil, nil, fmt.Errorf("reading the settings: %w", faults[0])
	}
	files, err := contractFiles(l.Contracts())
	if err != nil {
		return nil, nil, err
	}
	reg, _ := contracts.Builtin().With(files) // faulty ones are the daemon's to tell
	pol, err := contracts.NewPolicy(set.Roles, set.PolicyForeignOwned, 0, func(uint32) string { return "" })
	if err != nil {
		return nil, nil, fmt.Errorf("reading the settings: %w", err)
	}
	return &contracts.Checker{Registry: reg, MaxLine: int(set.MaxLine), UnknownTopics: set.UnknownTopics}, pol, nil
}
