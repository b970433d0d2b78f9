package query

import (
	"bytes"
	"io"
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
	return findRefusal(s.run.refusals(s.key.lane)[s.key.segment], off)
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
	read  map[uint64]int64 // how far, by segment of the quarantine's lane
	by    map[uint64][]refusal
}

// refusals gives a lane's refused lines by segment. Nothing is opened for a
// lane that never had one.
func (r *run) refusals(lane string) map[uint64][]refusal {
	r.mu.Lock()
	x := r.refused[lane]
	if x == nil {
		x = &laneRefusals{stale: true, read: map[uint64]int64{}, by: map[uint64][]refusal{}}
		r.refused[lane] = x
	}
	r.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.stale {
		x.stale = false
		r.readRefusals(lane, x)
	}
	return x.by
}

// readRefusals goes through the records of a lane's refused lines.
func (r *run) readRefusals(lane string, x *laneRefusals) {
	for _, part := range r.partsOf("quarantine/" + lane) {
		n := part.seg.key.segment
		x.read[n] = r.eachLine(part, x.read[n], func(line []byte) {
			if pos, rec, ok := readRefusal(line); ok && pos.Lane == lane {
				x.by[pos.Segment] = append(x.by[pos.Segment], refusal{true, pos.Offset, rec})
			}
		})
	}
	for n, all := range x.by {
		if !sort.SliceIsSorted(all, func(i, j int) bool { return all[i].offset < all[j].offset }) {
			all = slices.Clone(all) // somebody may be looking
			sort.Slice(all, func(i, j int) bool { return all[i].offset < all[j].offset })
			x.by[n] = all
		}
	}
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
	end int64 // -1: to the file's end
}

// partsOf are all segments of a lane that stand on the board, in order.
func (r *run) partsOf(lane string) []part {
	seen := map[uint64]int64{}
	for k := range r.stored.segments {
		if k.lane == lane {
			seen[k.segment] = -1
		}
	}
	for i := range r.archives {
		if e := &r.archives[i]; e.Lane == lane && e.Err == nil {
			seen[e.Segment] = e.Summary.RawBytes
		}
	}
	if st := r.view.lanes[lane]; st != nil && st.end > 0 {
		if _, gone := seen[st.segment]; !gone {
			seen[st.segment] = st.end
		}
	}
	var parts []part
	for n, end := range seen {
		parts = append(parts, part{r.segment(segKey{lane, n}), end})
	}
	sort.Slice(parts, func(i, j int) bool { return parts[i].seg.key.segment < parts[j].seg.key.segment })
	return parts
}

// eachLine calls fn for every ended line of a part from an offset on, in bounded
// memory; a line beyond that is passed over. It returns where it ended.
func (r *run) eachLine(p part, off int64, fn func(line []byte)) int64 {
	buf := make([]byte, 0, 1<<20)
	skip := false
	for p.end < 0 || off < p.end {
		room := buf[len(buf):cap(buf)]
		if p.end >= 0 {
			room = room[:min(int64(len(room)), p.end-off)]
		}
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
			if err != nil && err != io.EOF || p.end >= 0 && off < p.end && !r.awaited(p.seg.key) {
				p.seg.missing(off, p.end, err)
			}
			break
		}
	}
	return off - int64(len(buf))
}

// awaited tells whether the last bytes of a segment may not be written yet.
func (r *run) awaited(k segKey) bool {
	for _, d := range r.view.tail {
		if d.key == k {
			return true
		}
	}
	return false
}

// cutQuarantine is the lane whose refused lines a lane keeps.
func cutQuarantine(lane string) (string, bool) { return strings.CutPrefix(lane, "quarantine/") }
