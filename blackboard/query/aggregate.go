package query

import (
	"context"

	"stigmergy/blackboard/archive"
	"stigmergy/contracts"
)

// Count is how many events a request selects; where the indexes can tell, no
// event is read.
func (e *Engine) Count(ctx context.Context, req Request) (Result, error) {
	t, err := NewTable("", nil)
	if err != nil {
		return Result{}, err
	}
	return e.Aggregate(ctx, req, t)
}

// Aggregate takes every event that a request selects into the table. Without a
// limit order does not matter: every worker fills a table of its own.
func (e *Engine) Aggregate(ctx context.Context, req Request, t *Table) (Result, error) {
	if req.Reverse && req.Limit > 0 {
		req.Limit, req.Last = 0, max(req.Limit, req.Last)
	}
	req.Order, req.Reverse = BoardOrder, false
	if req.Limit > 0 || req.Last > 0 {
		return e.Run(ctx, req, func(h *Hit) error { return t.Add(h.Event()) })
	}
	r, err := e.prepare(ctx, req)
	if err != nil {
		return Result{}, err
	}
	defer r.close()
	r.newWork = func() *worker { return r.aggregator(t) }
	s := &sched{run: r}
	err = s.merge(r.aggregated(t), func(*result, *hit) error { return nil })
	for _, w := range r.done {
		r.matched += w.counted
		if err == nil {
			err = w.err
		}
		if err == nil {
			err = t.merge(w.table)
		}
	}
	return r.finish(), err
}

// aggregator is a worker that keeps what it finds in a table.
func (r *run) aggregator(t *Table) *worker {
	w := &worker{scratch: newScratch(r.matcher), table: t.empty()}
	counts := t.onlyCounts()
	w.consume = func(line []byte, at *contracts.Event) {
		if w.err != nil {
			return
		}
		if counts && t.by == "" {
			w.err = w.table.addCount("", 1)
			return
		}
		if counts && !r.req.Quarantined {
			if topic, _, ok := quickEnvelope(line, false); ok {
				w.err = w.table.addCount(w.scratch.intern(topic), 1)
				return
			}
		}
		if !w.scratch.parsed && !r.matcher.read(w.scratch, line, at) {
			return
		}
		w.err = w.table.Add(&w.scratch.ev)
	}
	if counts && !r.req.Quarantined {
		w.count = func(topics []archive.TopicCount) { w.err = w.addCounts(topics) }
	}
	return w
}

func (w *worker) addCounts(topics []archive.TopicCount) error {
	for _, t := range topics {
		w.counted += t.Count
		if err := w.table.addCount(t.Topic, t.Count); err != nil {
			return err
		}
	}
	return w.err
}

// aggregated are the sources without those archives of which the catalog says
// enough.
func (r *run) aggregated(t *Table) []source {
	all := r.sources()
	if !t.onlyCounts() || !r.matcher.counts() {
		return all
	}
	rest := all[:0]
	for _, s := range all {
		if a, ok := s.(*archiveSource); ok && r.summed(a.entry, t) {
			continue
		}
		rest = append(rest, s)
	}
	return rest
}

// behind tells whether everything of an entry is behind the cursor.
func (r *run) behind(seq uint64) bool {
	return seq > r.from.seq || seq == r.from.seq && r.from.line == 0
}

// summed takes an archive's counts in, if all its events are in time and
// behind the cursor.
func (r *run) summed(e *archive.Entry, t *Table) bool {
	s := &e.Summary
	if !r.behind(s.FirstSeq) || s.TimeMin < r.matcher.since || s.TimeMax > r.matcher.until {
		return false
	}
	for _, c := range r.wantedTopics(s.Topics) {
		if t.addCount(c.Topic, c.Count) != nil {
			return false
		}
		r.matched += c.Count
	}
	return true
}
