package handlers

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
)

// headKey is where the store keeps an owned lane's head.
const headKey = "k/head/"

// epochKey is where the store keeps how often power was lost.
const epochKey = "k/power_epoch"

// outLane is what is being derived for one owned lane.
type outLane struct {
	lane    string
	segment uint64
	from    int64 // offset of buf[0] in the segment
	buf     []byte
	lines   int64
	touched bool   // by this Apply
	call    uint64 // that marked it last
}

// next is the offset of the next byte.
func (o *outLane) next() int64 { return o.from + int64(len(o.buf)) }

// outMark is how far a lane was when a call first wrote to it.
type outMark struct {
	out   *outLane
	size  int
	lines int64
}

// keptBuffer is how large a lane's buffer may stay between two entries.
const keptBuffer = 8 << 20

// out is an owned lane, ready to be appended to.
func (m *Machine) out(lane string) *outLane {
	o := m.outs[lane]
	if o == nil {
		o = &outLane{lane: lane}
		o.segment, o.from = m.Head(lane)
		m.outs[lane] = o
	}
	if !o.touched {
		o.touched = true
		m.touched = append(m.touched, o)
	}
	if o.call != m.stage.call {
		o.call = m.stage.call
		m.stage.outs = append(m.stage.outs, outMark{o, len(o.buf), o.lines})
	}
	return o
}

// Head is where the next byte of an owned lane goes. A lane without a byte
// begins in segment 1; after power was lost, behind whatever segment the lane
// may have had that nobody remembers.
func (m *Machine) Head(lane string) (segment uint64, offset int64) {
	if o := m.outs[lane]; o != nil {
		return o.segment, o.next()
	}
	if v, ok := m.state.get(headKey + lane); ok {
		return parseHead(v)
	}
	v, _ := m.state.get(epochKey)
	epoch, _ := strconv.ParseUint(v, 10, 64) // none is 0
	return epoch + 1, 0
}

func parseHead(v string) (segment uint64, offset int64) {
	if _, err := fmt.Sscanf(v, "%d %d", &segment, &offset); err != nil {
		return 1, 0
	}
	return segment, offset
}

// Heads calls fn for every owned lane that has had a byte, by name.
func (m *Machine) Heads(fn func(lane string, segment uint64, offset int64)) {
	m.state.scan(headKey, func(key, value string) bool {
		segment, offset := parseHead(value)
		fn(strings.TrimPrefix(key, headKey), segment, offset)
		return true
	})
}

// SetHead puts an owned lane's head where the journal says it is, when the
// cause of its last bytes is gone and cannot be folded.
func (m *Machine) SetHead(lane string, segment uint64, offset int64) {
	if layout.Owned(lane) {
		delete(m.outs, lane)
		m.setHead(lane, segment, offset)
	}
}

func (m *Machine) setHead(lane string, segment uint64, offset int64) {
	m.state.put(headKey+lane, fmt.Sprintf("%d %d", segment, offset))
}

// resetOuts forgets what the last step derived; its bytes are written by now.
func (m *Machine) resetOuts() {
	for _, o := range m.touched {
		o.from = o.next()
		o.lines, o.touched, o.call = 0, false, 0
		if cap(o.buf) > keptBuffer {
			o.buf = nil
		}
		o.buf = o.buf[:0]
	}
	m.touched = m.touched[:0]
}

// finish puts what was derived into the step, by lane.
func (m *Machine) finish() {
	slices.SortFunc(m.touched, func(a, b *outLane) int { return cmp.Compare(a.lane, b.lane) })
	for _, o := range m.touched {
		if len(o.buf) == 0 {
			continue
		}
		m.step.Derived = append(m.step.Derived, blackboard.Derived{
			Lane: o.lane, Segment: o.segment, From: o.from, Bytes: o.buf, Lines: o.lines,
		})
		m.setHead(o.lane, o.segment, o.next())
	}
}
