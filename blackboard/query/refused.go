package query

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"math"
	"slices"
	"sort"
	"strings"
	"sync"

	"stigmergy/contracts"
)

// refusal is what the quarantine says of one line.
type refusal struct {
	is        bool
	offset    int64 // of the line in its segment
	recovered int64 // where in the line its event begins; 0: there is none
}

// refusedAt tells whether the journaled line at an offset was refused when it
// was taken in. Every refused line has a record, so the records are the truth,
// whatever the contracts say by now.
func (s *segment) refusedAt(off int64) refusal {
	if s.derived {
		return refusal{}
	}
	return findRefusal(s.run.refusals(s.key.lane, s.run.indexed[s.key])[s.key.segment], off)
}

func findRefusal(all []refusal, off int64) refusal {
	i := sort.Search(len(all), func(i int) bool { return all[i].offset >= off })
	if i < len(all) && all[i].offset == off {
		return all[i]
	}
	return refusal{}
}

// laneRefusals are what the quarantine says of one lane's lines, as far as it
// was read.
type laneRefusals struct {
	mu    sync.Mutex
	stale bool
	full  bool             // also what concerns archived segments
	read  map[uint64]int64 // how far, by segment of the quarantine's lane
	by    map[uint64][]refusal
}

// refusals gives a lane's refused lines by segment: those that no index knows,
// or all of them. Nothing is opened for a lane that never had one.
func (r *run) refusals(lane string, full bool) map[uint64][]refusal {
	r.mu.Lock()
	x := r.refused[lane]
	if x == nil {
		x = &laneRefusals{stale: true, read: map[uint64]int64{}, by: map[uint64][]refusal{}}
		r.refused[lane] = x
	}
	r.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if full && !x.full {
		x.stale, x.full = true, true
		x.read, x.by = map[uint64]int64{}, map[uint64][]refusal{}
	}
	if x.stale {
		x.stale = false
		r.readRefusals(lane, x)
	}
	return x.by
}

// readRefusals goes through the records of a lane's refused lines, as far as
// they were not read.
func (r *run) readRefusals(lane string, x *laneRefusals) {
	since := 0
	if !x.full {
		since = r.firstLive(lane)
	}
	for _, part := range r.partsOf("quarantine/"+lane, since) {
		n := part.seg.key.segment
		x.read[n] = r.eachLine(part, x.read[n], func(line []byte) {
			if pos, rec, ok := readRefusal(line); ok && pos.Lane == lane {
				x.by[pos.Segment] = append(x.by[pos.Segment], refusal{true, pos.Offset, rec})
			}
		})
	}
	byOffset := func(a, b refusal) int { return cmp.Compare(a.offset, b.offset) }
	for n, all := range x.by {
		if !slices.IsSortedFunc(all, byOffset) {
			all = slices.Clone(all) // somebody may be looking
			slices.SortFunc(all, byOffset)
			x.by[n] = all
		}
	}
}

// firstLive is the first block of the journal that has a line of one of the
// lane's segments which no index answers for.
func (r *run) firstLive(lane string) int {
	first := math.MaxInt
	for _, e := range r.view.segmentsOf(lane) {
		if !r.indexed[segKey{lane, e.segment}] {
			first = min(first, e.first)
		}
	}
	return first
}

// readRefusal reads where a refused line stands from its record.
func readRefusal(line []byte) (pos contracts.Position, recovered int64, ok bool) {
	const first = `{"position":"`
	text := ""
	if rest, has := bytes.CutPrefix(line, []byte(first)); has {
		if n := bytes.IndexByte(rest, '"'); n > 0 {
			text = string(rest[:n])
		}
	} else {
		text = contracts.GetString(line, "position")
	}
	pos, err := contracts.ParsePosition(text)
	if err != nil {
		return pos, 0, false
	}
	if bytes.Contains(line, []byte(`"recovered"`)) {
		if rec, err := contracts.ParsePosition(contracts.GetString(line, "recovered")); err == nil && rec.Lane == pos.Lane && rec.Segment == pos.Segment {
			recovered = rec.Offset - pos.Offset
		}
	}
	return pos, recovered, true
}

// part is a stretch of a segment.
type part struct {
	seg *segment
	end int64
}

// partsOf are the segments of a lane that stand on the board and have a line
// from a block of the journal on, in order.
func (r *run) partsOf(lane string, since int) []part {
	var parts []part
	for _, e := range r.view.segmentsOf(lane) {
		k := segKey{lane, e.segment}
		if e.last >= since && (r.indexed[k] || r.present(k)) {
			parts = append(parts, part{r.segment(k), e.end})
		}
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].seg.key.segment < parts[j].seg.key.segment })
	return parts
}

// eachLine calls fn for every ended line of a part from an offset on, in bounded
// memory; a line beyond that is passed over. It returns where it ended.
func (r *run) eachLine(p part, off int64, fn func(line []byte)) int64 {
	buf := make([]byte, 0, 1<<20)
	skip := false
	for off < p.end {
		room := buf[len(buf):cap(buf)]
		room = room[:min(int64(len(room)), p.end-off)]
		n, err := p.seg.ReadAt(room, off)
		off += int64(n)
		buf = buf[:len(buf)+n]
		last := bytes.LastIndexByte(buf, '\n') + 1
		for line := range bytes.Lines(buf[:last]) {
			if !skip {
				fn(line[:len(line)-1])
			}
			skip = false
		}
		buf = buf[:copy(buf[:cap(buf)], buf[last:])]
		if len(buf) == cap(buf) {
			if cap(buf) < maxRead {
				buf = append(make([]byte, 0, 4*cap(buf)), buf...)
			} else {
				buf, skip = buf[:0], true
			}
		}
		if err != nil || n == 0 {
			if short := err == nil || err == io.EOF || errors.Is(err, fs.ErrNotExist); off < p.end && !(short && r.awaited(p.seg.key)) {
				p.seg.missing(off, p.end, err)
			}
			break
		}
	}
	return off - int64(len(buf))
}

// cutQuarantine is the lane whose refused lines a lane keeps.
func cutQuarantine(lane string) (string, bool) { return strings.CutPrefix(lane, "quarantine/") }
