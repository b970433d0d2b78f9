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
	r.unplaced = t.onlyCounts() && r.from == (place{})
	r.newWork = func() *worker { return r.aggregator(t) }
	s := &sched{run: r}
	err = s.merge(r.aggregated(t), func(*result, *hit) error { return nil })
	for _, w := range r.done {
		r.matched += w.counted
		if err == nil {
			err = w.close()
		}
		if err == nil {
			err = t.merge(w.table)
		}
	}
	return r.finish(), err
}

// aggregator is a worker that keeps what it finds in a table.
func (r *run) aggregator(t *Table) *worker {
	w := &worker{scratch: newScratch(r.matcher), table: t.empty(), topics: map[string]*int64{}}
	counts := t.onlyCounts() && !r.req.Quarantined
	w.consume = func(line []byte, at *contracts.Event) {
		if counts {
			w.tally(t, r.countedAs(w, t, line), 1)
			return
		}
		if w.err == nil && (w.scratch.parsed || r.matcher.read(w.scratch, line, at)) {
			w.err = w.table.Add(&w.scratch.ev)
		}
	}
	if counts {
		w.count = func(topics []archive.TopicCount) {
			for _, c := range topics {
				w.counted += c.Count
				w.tally(t, []byte(c.Topic), c.Count)
			}
		}
	}
	return w
}

// tally counts n events of a topic.
func (w *worker) tally(t *Table, topic []byte, n int64) {
	c := w.topics[string(topic)]
	if c == nil {
		if len(w.topics) >= maxGroups {
			w.err = t.tooMany()
			return
		}
		c = new(int64)
		w.topics[string(topic)] = c
	}
	*c += n
}

// countedAs is the topic of a line that is only counted; nothing, where the
// topic does not matter.
func (r *run) countedAs(w *worker, t *Table, line []byte) []byte {
	if t.by == "" {
		return nil
	}
	if topic := w.scratch.topic; topic != nil {
		return topic
	}
	if topic, _, ok := quickEnvelope(line, false); ok {
		return topic
	}
	if w.scratch.parsed || r.matcher.read(w.scratch, line, &contracts.Event{}) {
		return []byte(w.scratch.ev.TopicName)
	}
	return nil
}

// close adds what was only counted to the table.
func (w *worker) close() error {
	for topic, n := range w.topics {
		if w.err == nil {
			w.err = w.table.addCount(topic, *n)
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

// within tells whether all lines of some entries are behind the cursor and
// before the end.
func (r *run) within(first, last uint64) bool {
	return (first > r.from.seq || first == r.from.seq && r.from.line == 0) && last < r.stopAt
}

// summed takes an archive's counts in, if all its events are in time and
// behind the cursor.
func (r *run) summed(e *archive.Entry, t *Table) bool {
	s := &e.Summary
	if !r.within(s.FirstSeq, s.LastSeq) || s.TimeMin < r.matcher.since || s.TimeMax > r.matcher.until {
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
