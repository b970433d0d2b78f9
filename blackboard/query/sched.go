package query

import (
	"container/heap"
	"sync"
	"sync/atomic"
)

// source is a sequence of pieces of work in the board's order.
type source interface {
	// bound is a place that nothing which the source still gives comes
	// before; when reading backwards, behind.
	bound() place
	// last is the seq behind which (when reading backwards, before which) the
	// next piece gives nothing.
	last() uint64
	// take gives the next piece of work and what the source is behind it, nil
	// for nothing.
	take() (work, source)
}

// work is done by one of the workers. budget is how many bytes of matches it
// should give at most; what it did not come to goes into result.rest.
type work func(w *worker, budget int) *result

// result is what a piece of work came to.
type result struct {
	hits    []hit // in board order
	text    []byte
	rest    []source
	matched int64
	err     error
	cost    int
}

// hit is one match in a result.
type hit struct {
	place
	from   *segment
	offset int64 // in the segment
	time   int64 // the journal's
	off    int   // in result.text
	end    int
	flags  uint8
}

const (
	flagRecovered uint8 = 1 << iota
	flagPending
)

// sched does pieces of work on several goroutines, in order of their bounds,
// and merges what they give into the board's order. What is held back is
// bounded: the less room there is, the less each piece may give at once.
type sched struct {
	run     *run
	reverse bool
	sources sourceHeap
	ready   resultHeap
	flying  map[int]place
	serial  int
	held    int // bytes of ready results
	jobs    chan job
	results chan done
	over    atomic.Bool // nobody wants the results any more
}

type job struct {
	id     int
	work   work
	budget int
}

type done struct {
	id int
	r  *result
}

// merge runs everything the sources give through emit. The workers' own state
// is handed to finish when all is done.
func (s *sched) merge(sources []source, emit func(*result, *hit) error) error {
	s.sources = sourceHeap{reverse: s.reverse}
	for _, x := range sources {
		heap.Push(&s.sources, x)
	}
	s.ready = resultHeap{reverse: s.reverse}
	s.flying = map[int]place{}
	n := s.run.engine.opt.Workers
	s.jobs = make(chan job, s.most()) // neither side ever waits for room
	s.results = make(chan done, s.most())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(s.jobs)
	defer s.over.Store(true)
	for range n {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := s.run.worker()
			defer s.run.retire(w)
			for j := range s.jobs {
				if !s.over.Load() {
					s.results <- done{j.id, j.work(w, j.budget)}
				}
			}
		}()
	}
	return s.loop(emit)
}

// most is how many pieces may be out at a time. Where only some matches are
// asked for, more of it would be in vain.
func (s *sched) most() int {
	if s.few() {
		return 2 * s.run.engine.opt.Workers
	}
	return 8 * s.run.engine.opt.Workers
}

func (s *sched) few() bool { return s.run.req.Limit > 0 || s.run.req.Last > 0 }

// loop is the caller's goroutine: it hands out work, takes results in, and
// emits what nothing can come before any more.
func (s *sched) loop(emit func(*result, *hit) error) error {
	for {
		if err := s.run.ctx.Err(); err != nil {
			return err
		}
		for len(s.flying) < s.most() && s.sources.Len() > 0 && (s.room() || len(s.flying) == 0) {
			s.dispatch()
		}
		if err := s.emit(emit); err != nil {
			return err
		}
		if len(s.flying) == 0 && s.sources.Len() == 0 {
			return nil
		}
		if len(s.flying) == 0 {
			continue
		}
		if err := s.receive(); err != nil {
			return err
		}
	}
}

// receive waits for a result and takes in whatever others there are.
func (s *sched) receive() error {
	select {
	case d := <-s.results:
		if err := s.accept(d); err != nil {
			return err
		}
	case <-s.run.ctx.Done():
		return s.run.ctx.Err()
	}
	for {
		select {
		case d := <-s.results:
			if err := s.accept(d); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// room tells whether it is worth doing more before what is there can be given
// away.
func (s *sched) room() bool {
	return s.held < s.run.engine.opt.Budget && (!s.few() || s.ready.Len() < s.run.engine.opt.Workers)
}

// dispatch hands out the piece of work with the first bound.
func (s *sched) dispatch() {
	src := heap.Pop(&s.sources).(source)
	at := src.bound()
	share := s.share(src.last())
	w, rest := src.take()
	if rest != nil {
		heap.Push(&s.sources, rest)
	}
	s.flying[s.serial] = at
	s.jobs <- job{s.serial, w, share}
	s.serial++
}

// share is how many bytes of matches a piece may give that ends at a seq: all
// that overlap with it must fit together, for they are given away together.
func (s *sched) share(last uint64) int {
	n := 1 + s.ready.Len() + len(s.flying)
	for _, x := range s.sources.items {
		if at := x.bound().seq; s.reverse && at >= last || !s.reverse && at <= last {
			n++
		}
	}
	return max(s.run.engine.sizes.least, s.run.engine.opt.Budget/n)
}

func (s *sched) accept(d done) error {
	delete(s.flying, d.id)
	if d.r.err != nil {
		return d.r.err
	}
	s.run.matched += d.r.matched
	for _, x := range d.r.rest {
		heap.Push(&s.sources, x)
	}
	if len(d.r.hits) > 0 {
		d.r.cost = cap(d.r.text) + len(d.r.hits)*64
		s.held += d.r.cost
		heap.Push(&s.ready, d.r)
	}
	return nil
}

// limit is what may still come: the first bound of what is not done.
func (s *sched) limit() (place, bool) {
	var at place
	some := false
	see := func(p place) {
		if !some || s.before(p, at) {
			at, some = p, true
		}
	}
	if s.sources.Len() > 0 {
		see(s.sources.items[0].bound())
	}
	for _, p := range s.flying {
		see(p)
	}
	return at, some
}

func (s *sched) before(p, q place) bool {
	if s.reverse {
		return q.less(p)
	}
	return p.less(q)
}

// emit gives what is settled to the caller.
func (s *sched) emit(fn func(*result, *hit) error) error {
	limit, some := s.limit()
	for s.ready.Len() > 0 {
		r := s.ready.items[0]
		next, more := s.ready.second()
		for len(r.hits) > 0 {
			h := s.ready.head(r)
			if some && !s.before(h.place, limit) {
				return s.resettle(r)
			}
			if more && s.before(next, h.place) {
				break
			}
			if err := fn(r, h); err != nil {
				return err
			}
			s.ready.drop(r)
		}
		if err := s.resettle(r); err != nil {
			return err
		}
	}
	return nil
}

// resettle puts the first result back in order, or away when it is used up.
func (s *sched) resettle(r *result) error {
	if len(r.hits) > 0 {
		heap.Fix(&s.ready, 0)
		return nil
	}
	heap.Pop(&s.ready)
	s.held -= r.cost
	s.run.recycle(r)
	return nil
}

type sourceHeap struct {
	items   []source
	reverse bool
}

func (h *sourceHeap) Len() int { return len(h.items) }
func (h *sourceHeap) Less(i, j int) bool {
	p, q := h.items[i].bound(), h.items[j].bound()
	if h.reverse {
		return q.less(p)
	}
	return p.less(q)
}
func (h *sourceHeap) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *sourceHeap) Push(x any)    { h.items = append(h.items, x.(source)) }
func (h *sourceHeap) Pop() any {
	x := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return x
}

type resultHeap struct {
	items   []*result
	reverse bool
}

// head is the hit of a result whose turn comes first.
func (h *resultHeap) head(r *result) *hit {
	if h.reverse {
		return &r.hits[len(r.hits)-1]
	}
	return &r.hits[0]
}

func (h *resultHeap) drop(r *result) {
	if h.reverse {
		r.hits = r.hits[:len(r.hits)-1]
	} else {
		r.hits = r.hits[1:]
	}
}

// second is the place of the result that comes after the first one.
func (h *resultHeap) second() (place, bool) {
	if len(h.items) < 2 {
		return place{}, false
	}
	i := 1
	if len(h.items) > 2 && h.Less(2, 1) {
		i = 2
	}
	return h.head(h.items[i]).place, true
}

func (h *resultHeap) Len() int { return len(h.items) }
func (h *resultHeap) Less(i, j int) bool {
	p, q := h.head(h.items[i]).place, h.head(h.items[j]).place
	if h.reverse {
		return q.less(p)
	}
	return p.less(q)
}
func (h *resultHeap) Swap(i, j int) { h.items[i], h.items[j] = h.items[j], h.items[i] }
func (h *resultHeap) Push(x any)    { h.items = append(h.items, x.(*result)) }
func (h *resultHeap) Pop() any {
	x := h.items[len(h.items)-1]
	h.items = h.items[:len(h.items)-1]
	return x
}
