package archive

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// maxFrames is how many frames an archive with an index has at most.
const maxFrames = 1 << 18

// limits bound what is gathered. Where a segment is so odd that its index would
// not be small, the index says less instead.
type limits struct {
	topicBytes  int // names and counts beyond these: topics are not counted
	topicCounts int
	pairs       int // beyond these and the frames: fields are not indexed
	postFrames  int
}

func defaultLimits() limits {
	return limits{topicBytes: 8 << 20, topicCounts: 2 << 20, pairs: maxPairs, postFrames: maxPostFrame}
}

// collector gathers what the index says while the lines of a segment pass by.
type collector struct {
	src    Source
	limits limits
	ids    bool
	fields []string
	facts  Facts

	frames []Frame
	runs   []byte // the runs section
	odd    []byte // the odd section
	pairs  []uint64
	// examined: there is an extractor and topics are counted; posted: fields
	// are indexed.
	examined, posted bool

	topics     map[string]int
	names      []string
	topicBytes int
	topicPairs int

	run   int   // how many runs were begun
	entry Run   // the one in hand
	left  int64 // of its lines
	no    int64 // line within the entry
	line  int64 // of the segment
	err   error // what is wrong with the runs

	cur        Frame // the frame in hand
	curRuns    []FrameRun
	curOdd     []OddRun
	curCounts  []int64 // by topic number
	curTouched []int
	curPairs   int // where its pairs begin
	key        []byte
}

func newCollector(src Source, ids bool) *collector {
	c := &collector{src: src, ids: ids, limits: defaultLimits(), topics: map[string]int{}}
	if src.Extract != nil {
		c.examined, c.posted = true, true
		c.fields = slices.Clone(src.Extract.Fields())
	}
	c.begin(0)
	return c
}

// begin starts the next frame.
func (c *collector) begin(offset int64) {
	c.cur = Frame{RawOffset: offset, FirstLine: c.line, TimeMin: math.MaxInt64, TimeMax: math.MinInt64, ids: noIDs()}
	if n := len(c.frames); n > 0 {
		c.cur.LastSeq = c.frames[n-1].LastSeq
	}
	c.curRuns, c.curOdd, c.curPairs = c.curRuns[:0], c.curOdd[:0], len(c.pairs)
}

// at takes the next line off the runs.
func (c *collector) at(offset int64) At {
	for c.left == 0 && c.run < len(c.src.Runs) {
		c.next(c.src.Runs[c.run])
	}
	at := At{Lane: c.src.Lane, Line: c.line, Offset: offset}
	if c.left > 0 {
		at.Seq, at.Time, at.Known = c.entry.Seq, c.entry.Time, true
	}
	return at
}

// next takes the next run in hand. Runs of one entry may follow each other.
func (c *collector) next(r Run) {
	switch {
	case c.run > 0 && r.Seq < c.entry.Seq, r.Lines < 0:
		c.err = fmt.Errorf("run %d: entry %d with %d lines after entry %d", c.run, r.Seq, r.Lines, c.entry.Seq)
		c.run = len(c.src.Runs)
		return
	case c.run == 0 || r.Seq != c.entry.Seq:
		c.no = 0
	}
	c.run++
	c.entry, c.left = r, r.Lines
}

// take adds a line of that kind to the frame in hand.
func (c *collector) take(at At, kind LineKind) {
	f := &c.cur
	if at.Known {
		c.addRun(at)
		c.left--
		c.no++
	}
	if kind != Event {
		c.addOdd(kind)
	}
	f.Lines++
	c.line++
}

func (c *collector) addRun(at At) {
	f := &c.cur
	if f.Journaled == 0 {
		f.FirstSeq, f.seq0 = at.Seq, c.no
	}
	f.LastSeq = at.Seq
	if n := len(c.curRuns); n > 0 && c.curRuns[n-1].Seq == at.Seq {
		c.curRuns[n-1].Lines++
	} else {
		c.curRuns = append(c.curRuns, FrameRun{Seq: at.Seq, Time: at.Time, Lines: 1})
	}
	f.Journaled++
}

func (c *collector) addOdd(kind LineKind) {
	f := &c.cur
	switch kind {
	case Blank:
		f.Blank++
	case Recovered:
		f.Recovered++
		f.Refused++
	default:
		f.Refused++
	}
	if n := len(c.curOdd); n > 0 && c.curOdd[n-1].Kind == kind && c.curOdd[n-1].Line+c.curOdd[n-1].Lines == f.Lines {
		c.curOdd[n-1].Lines++
		return
	}
	c.curOdd = append(c.curOdd, OddRun{Line: f.Lines, Lines: 1, Kind: kind})
}

// add takes in one line without its LF, which begins at offset.
func (c *collector) add(line []byte, offset int64) {
	at := c.at(offset)
	if !c.examined {
		c.take(at, Event)
		return
	}
	f := &c.facts
	f.reset()
	c.src.Extract.Extract(at, line, f)
	if f.Kind == Event || f.Kind == Recovered {
		c.event(at, f)
	}
	c.take(at, f.Kind)
}

// addLong takes in a line that was too long to be looked at.
func (c *collector) addLong(offset int64) {
	at := c.at(offset)
	if c.examined {
		c.take(at, Refused)
		return
	}
	c.take(at, Event)
}

func (c *collector) event(at At, f *Facts) {
	cur := &c.cur
	switch {
	case f.HasTime:
		cur.TimeMin, cur.TimeMax = min(cur.TimeMin, f.Time), max(cur.TimeMax, f.Time)
	case at.Known:
		cur.TimeMin, cur.TimeMax = min(cur.TimeMin, at.Time), max(cur.TimeMax, at.Time)
		cur.timed = true
	default: // no time is known: any may be meant
		cur.TimeMin, cur.TimeMax = math.MinInt64, math.MaxInt64
	}
	cur.Events++
	c.count(f.Topic)
	if f.ID != nil {
		cur.ids.add(f.ID)
	}
	if !c.posted {
		return
	}
	for _, v := range f.Values {
		c.post(c.fields[v.Field], v.Text)
	}
	if c.ids && f.ID != nil {
		c.post("id", f.ID)
	}
}

func (c *collector) count(topic []byte) {
	n, ok := c.topics[string(topic)]
	if !ok {
		n = len(c.names)
		c.names = append(c.names, string(topic))
		c.topics[c.names[n]] = n
		c.curCounts = append(c.curCounts, 0)
		c.topicBytes += len(topic) + 16
	}
	if c.curCounts[n] == 0 {
		c.curTouched = append(c.curTouched, n)
	}
	c.curCounts[n]++
}

func (c *collector) post(field string, value []byte) {
	var key uint64
	key, c.key = fieldKey(field, value, c.key)
	c.pairs = append(c.pairs, pair(key, len(c.frames)))
	if len(c.pairs) > c.limits.pairs {
		if c.compact(); len(c.pairs) > c.limits.pairs*3/4 {
			c.posted, c.pairs, c.curPairs = false, nil, 0
		}
	}
}

// compact drops the repeats among the current frame's pairs.
func (c *collector) compact() {
	cur := c.pairs[c.curPairs:]
	slices.Sort(cur)
	c.pairs = c.pairs[:c.curPairs+len(slices.Compact(cur))]
}

// end finishes the frame in hand with bytes up to offset and begins the next.
func (c *collector) end(offset int64, part Part) {
	f := &c.cur
	f.RawSize, f.Part = offset-f.RawOffset, part
	c.compact()
	if len(c.frames) >= c.limits.postFrames {
		c.posted, c.pairs = false, nil
	}
	f.runs.off = len(c.runs)
	c.runs = appendRuns(c.runs, c.curRuns, f.timed)
	f.runs.end = len(c.runs)
	f.odd.off = len(c.odd)
	c.odd = appendOdd(c.odd, c.curOdd)
	f.odd.end = len(c.odd)
	c.endTopics(f)
	if f.Events == 0 { // as it will be read
		f.TimeMin, f.TimeMax = 0, 0
		if n := len(c.frames); n > 0 {
			f.TimeMin = c.frames[n-1].TimeMin
		}
	}
	c.frames = append(c.frames, *f)
	c.begin(offset)
}

// endTopics moves the frame's counts into it.
func (c *collector) endTopics(f *Frame) {
	if c.topicPairs += len(c.curTouched); c.topicPairs > c.limits.topicCounts || c.topicBytes > c.limits.topicBytes {
		c.forget()
	}
	f.Topics = make([]TopicCount, 0, len(c.curTouched))
	for _, n := range c.curTouched {
		f.Topics = append(f.Topics, TopicCount{c.names[n], c.curCounts[n]})
		c.curCounts[n] = 0
	}
	sort.Slice(f.Topics, func(i, j int) bool { return f.Topics[i].Topic < f.Topics[j].Topic })
	c.curTouched = c.curTouched[:0]
}

// forget gives up what was examined: the index then says where the frames and
// lines are and whose they are, nothing about what they hold.
func (c *collector) forget() {
	c.examined, c.posted, c.pairs, c.odd = false, false, nil, nil
	c.topics, c.names, c.curCounts, c.curTouched = map[string]int{}, nil, nil, nil
	for i := range c.frames {
		c.frames[i].unexamine()
	}
	c.cur.unexamine()
}

func (f *Frame) unexamine() {
	f.Events, f.Blank, f.Refused, f.Recovered, f.Topics = 0, 0, 0, 0, nil
	f.odd, f.ids, f.TimeMin, f.TimeMax = span{}, noIDs(), 0, 0
}

// finish checks that no run is left over.
func (c *collector) finish() error {
	if c.err != nil {
		return c.err
	}
	left := c.left
	for _, r := range c.src.Runs[c.run:] {
		left += r.Lines
	}
	if left > 0 {
		return fmt.Errorf("the journal's entries hold %d lines more than the segment's %d", left, c.line)
	}
	return nil
}
