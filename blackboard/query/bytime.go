package query

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sort"
)

// timed is a match that waits for its turn by time.
type timed struct {
	time int64
	n    uint64 // its turn in the board's order
	hit  Hit
}

// before tells whether a comes before b; when falling, the other way round.
func (a *timed) before(b *timed, falling bool) bool {
	if falling {
		a, b = b, a
	}
	return a.time < b.time || a.time == b.time && a.n < b.n
}

// sorter puts matches in the order of their events' time. What is more than is
// sorted in memory goes to a temporary file, in sorted runs.
type sorter struct {
	run     *run
	falling bool // the newest first
	first   int  // so many at most are given; 0: all
	last    int  // so many of the last ones at most; 0: all
	held    []timed
	bytes   int
	spill   *os.File
	size    int64
	runs    []*io.SectionReader
}

// byTime answers in the order of time. Few matches are picked in memory; many
// are sorted through a temporary file.
func (r *run) byTime(fn func(*Hit) error) error {
	s := &sorter{run: r, falling: r.req.Reverse, first: r.req.Limit, last: r.req.Last}
	defer s.close()
	if s.falling && s.last > 0 { // the last ones come first then
		if s.first == 0 || s.last < s.first {
			s.first = s.last
		}
		s.last = 0
	}
	sub, req := *r.req, r.req
	sub.Limit, sub.Last, sub.Reverse = 0, 0, false
	r.req, r.reverse = &sub, false
	var n uint64
	err := r.stream(0, func(h *Hit) error { n++; return s.add(h, n) })
	r.req = req
	if err != nil {
		return err
	}
	return s.give(n, fn)
}

// few is how many matches need to be kept at all, 0 for too many to count on.
func (s *sorter) few() int {
	switch {
	case s.last > 0 && s.last <= keepLast:
		return s.last
	case s.first > 0 && s.first <= keepLast && s.last == 0:
		return s.first
	}
	return 0
}

func (s *sorter) add(h *Hit, n uint64) error {
	t := timed{time: h.Event().Time(), n: n, hit: *h}
	t.hit.Line, t.hit.parsed = bytes.Clone(h.Line), false
	s.held = append(s.held, t)
	s.bytes += len(h.Line) + 512
	if few := s.few(); few > 0 {
		if len(s.held) >= 2*few+64 {
			s.cut(few)
		}
		return nil
	}
	if s.bytes < s.run.engine.sizes.sort {
		return nil
	}
	return s.flush()
}

func (s *sorter) sort() {
	sort.Slice(s.held, func(i, j int) bool { return s.held[i].before(&s.held[j], s.falling) })
}

// cut keeps the wanted ones.
func (s *sorter) cut(few int) {
	s.sort()
	switch {
	case len(s.held) <= few:
	case s.last > 0:
		s.held = append(s.held[:0], s.held[len(s.held)-few:]...)
	default:
		s.held = s.held[:few]
	}
}

// flush writes what is held to the temporary file, sorted.
func (s *sorter) flush() error {
	if s.spill == nil {
		f, err := os.CreateTemp("", "stigmergy-sort-*")
		if err != nil {
			return fmt.Errorf("sorting by time: %w", err)
		}
		s.spill = f
		if err := os.Remove(f.Name()); err != nil {
			return fmt.Errorf("sorting by time: %w", err)
		}
	}
	s.sort()
	w := bufio.NewWriterSize(io.NewOffsetWriter(s.spill, s.size), 256<<10)
	size := int64(0)
	for i := range s.held {
		b := s.held[i].append(nil)
		size += int64(len(b))
		if _, err := w.Write(b); err != nil {
			return fmt.Errorf("sorting by time: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("sorting by time: %w", err)
	}
	s.runs = append(s.runs, io.NewSectionReader(s.spill, s.size, size))
	s.size += size
	s.held, s.bytes = s.held[:0], 0
	return nil
}

func (s *sorter) close() {
	if s.spill != nil {
		_ = s.spill.Close() // it has no name any more
	}
}

// give hands out what was asked for.
func (s *sorter) give(total uint64, fn func(*Hit) error) error {
	if s.spill == nil {
		s.sort()
		if s.last > 0 {
			s.held = s.held[max(0, len(s.held)-s.last):]
		}
		if s.first > 0 {
			s.held = s.held[:min(len(s.held), s.first)]
		}
		s.run.matched = int64(len(s.held))
		for i := range s.held {
			if err := fn(&s.held[i].hit); err != nil {
				return err
			}
		}
		return nil
	}
	if err := s.flush(); err != nil {
		return err
	}
	skip, most := uint64(0), total
	if n := uint64(s.last); n > 0 && n < total {
		skip = total - n
	}
	if n := uint64(s.first); n > 0 && n < total-skip {
		most = n
	}
	return s.mergeRuns(skip, most, fn)
}

// mergeRuns merges the sorted runs.
func (s *sorter) mergeRuns(skip, most uint64, fn func(*Hit) error) error {
	h := &runHeap{falling: s.falling}
	for _, r := range s.runs {
		x := &sortedRun{r: bufio.NewReaderSize(r, 64<<10)}
		if err := x.next(s.run); err == nil {
			h.runs = append(h.runs, x)
		} else if err != io.EOF {
			return fmt.Errorf("sorting by time: %w", err)
		}
	}
	heap.Init(h)
	s.run.matched = 0
	for h.Len() > 0 && uint64(s.run.matched) < most {
		x := h.runs[0]
		if skip > 0 {
			skip--
		} else {
			s.run.matched++
			if err := fn(&x.head.hit); err != nil {
				return err
			}
		}
		err := x.next(s.run)
		if err == io.EOF {
			heap.Pop(h)
			continue
		}
		if err != nil {
			return fmt.Errorf("sorting by time: %w", err)
		}
		heap.Fix(h, 0)
	}
	return nil
}

// append writes a match for the temporary file.
func (t *timed) append(b []byte) []byte {
	var flags uint64
	if t.hit.Pending {
		flags |= uint64(flagPending)
	}
	if t.hit.Recovered {
		flags |= uint64(flagRecovered)
	}
	b = binary.AppendVarint(b, t.time)
	for _, v := range []uint64{t.n, flags, t.hit.Seq, uint64(t.hit.LineNo), uint64(t.hit.JournalTime), t.hit.Pos.Segment, uint64(t.hit.Pos.Offset), uint64(len(t.hit.Pos.Lane)), uint64(len(t.hit.Line))} {
		b = binary.AppendUvarint(b, v)
	}
	return append(append(b, t.hit.Pos.Lane...), t.hit.Line...)
}

// sortedRun is one run of the temporary file at its next match.
type sortedRun struct {
	r    *bufio.Reader
	head timed
}

func (x *sortedRun) next(r *run) error {
	at, err := binary.ReadVarint(x.r)
	if err != nil {
		return err
	}
	var v [9]uint64
	for i := range v {
		if v[i], err = binary.ReadUvarint(x.r); err != nil {
			return io.ErrUnexpectedEOF
		}
	}
	b := make([]byte, v[7]+v[8])
	if _, err := io.ReadFull(x.r, b); err != nil {
		return io.ErrUnexpectedEOF
	}
	h := Hit{run: r, Line: b[v[7]:], Seq: v[2], LineNo: int64(v[3]), JournalTime: int64(v[4]),
		Pending: v[1]&uint64(flagPending) != 0, Recovered: v[1]&uint64(flagRecovered) != 0}
	h.Pos.Lane, h.Pos.Segment, h.Pos.Offset = string(b[:v[7]]), v[5], int64(v[6])
	x.head = timed{time: at, n: v[0], hit: h}
	return nil
}

type runHeap struct {
	runs    []*sortedRun
	falling bool
}

func (h *runHeap) Len() int { return len(h.runs) }
func (h *runHeap) Less(i, j int) bool {
	return h.runs[i].head.before(&h.runs[j].head, h.falling)
}
func (h *runHeap) Swap(i, j int) { h.runs[i], h.runs[j] = h.runs[j], h.runs[i] }
func (h *runHeap) Push(x any)    { h.runs = append(h.runs, x.(*sortedRun)) }
func (h *runHeap) Pop() any {
	x := h.runs[len(h.runs)-1]
	h.runs = h.runs[:len(h.runs)-1]
	return x
}
