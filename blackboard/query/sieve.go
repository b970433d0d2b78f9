package query

import (
	"slices"
	"sync"
	"sync/atomic"
)

// Where the journal has an entry for every few lines, reading lanes in its
// order means many small reads. The sieve goes through each file once, in long
// ones, and tells which entries hold one of the literals looked for at all.
const (
	sieveBelow  = 64 << 10 // bytes an entry has on average
	sieveLeast  = 1000     // entries
	sievePlaces = 1000     // in one segment; with more of them it is read whole
)

// sieve looks through what is read by the journal, if that is worth it.
func (r *run) sieve() {
	if len(r.matcher.lits) == 0 || r.matcher.topical && (r.req.Limit > 0 || r.req.Last > 0) {
		return
	}
	var keys []segKey
	bytes, entries := int64(0), 0
	for k := range r.lives {
		keys = append(keys, k)
		bytes += r.view.endOf(k)
	}
	for _, b := range r.liveBlocks(r.lives) {
		entries += b.n
	}
	if entries < r.engine.sizes.sieve || bytes/int64(entries) > sieveBelow {
		return
	}
	r.sieveAll(keys)
	for _, k := range keys {
		if s := r.segment(k); s.sieved && len(s.places) == 0 {
			delete(r.lives, k)
		}
	}
}

func (r *run) sieveAll(keys []segKey) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(r.engine.opt.Workers, len(keys)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := &worker{scratch: newScratch(r.matcher)}
			for i := int(next.Add(1)) - 1; i < len(keys); i = int(next.Add(1)) - 1 {
				r.sieveOne(w, r.segment(keys[i]))
			}
		}()
	}
	wg.Wait()
}

// sieveOne finds the lines of one segment that hold a literal. Where it cannot
// be read, whoever reads its entries tells.
func (r *run) sieveOne(w *worker, s *segment) {
	var places []int64
	end := r.view.endOf(s.key)
	whole := s.pieces(w, 0, end, r.engine.sizes.piece, func(base int64, text []byte) bool {
		r.stats.LiveBytes.Add(int64(len(text)))
		r.matcher.candidates(w.scratch, text, false, func(off, _ int) bool {
			places = append(places, base+int64(off))
			return len(places) <= sievePlaces
		})
		return len(places) <= sievePlaces
	})
	if whole {
		s.sieved, s.places = true, places
	}
}

// pieces reads whole lines from one offset to another and calls fn with them,
// until fn has enough. It tells whether everything was read.
func (s *segment) pieces(w *worker, off, to, size int64, fn func(base int64, text []byte) bool) bool {
	buf := w.space(min(size, to-off))
	for carry := 0; off < to; {
		room := buf[carry:min(int64(len(buf)), int64(carry)+to-off)]
		n, _ := s.ReadAt(room, off)
		if n < len(room) {
			return false
		}
		base := off - int64(carry)
		off += int64(n)
		got := buf[:carry+n]
		whole := lastLine(got)
		if !fn(base, got[:whole]) {
			return false
		}
		if carry = copy(buf, got[whole:]); carry == len(buf) {
			if len(buf) >= maxRead {
				return false
			}
			more := make([]byte, 4*len(buf))
			copy(more, buf)
			buf, w.text = more, more
		}
	}
	return true
}

// mayHold tells whether the sieve left something in a stretch.
func (s *segment) mayHold(from, to int64) bool {
	if !s.sieved {
		return true
	}
	i, _ := slices.BinarySearch(s.places, from)
	return i < len(s.places) && s.places[i] < to
}
