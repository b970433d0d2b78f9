package archive

import (
	"encoding/binary"
	"errors"
	"math"
	"sort"
)

// What the table's flags say.
const (
	flagExamined = 1 << iota // topics, times and odd lines are known
	flagPosted               // fields are indexed
	flagIDs                  // ids too
	flagNoRuns               // the runs section is left out
	flagsKnown   = 1<<iota - 1
)

// What a frame's flags say; the lowest two bits are its part.
const (
	frameTimed = 4 << iota // its runs carry times
	frameIDs               // some event's id holds a time
	frameOdd               // some line is no plain event
	frameFlags = 4<<iota - 1
)

func (x *index) flags() (f byte) {
	for i, on := range []bool{x.c.examined, x.c.posted, x.c.ids, x.noRuns} {
		if on {
			f |= 1 << i
		}
	}
	return f
}

// appendTable writes the table section.
func (x *index) appendTable(b []byte) []byte {
	b = append(b, x.flags())
	b = appendText(b, x.c.src.Lane)
	b = binary.AppendUvarint(b, x.c.src.Segment)
	b = appendTexts(b, x.c.fields)
	names := append([]string(nil), x.c.names...)
	sort.Strings(names)
	b = appendTexts(b, names)
	numbers := make(map[string]int, len(names))
	for i, n := range names {
		numbers[n] = i
	}
	for _, v := range []int64{x.post.keys, x.post.buckets, int64(x.post.keyBits), int64(x.post.cntRice), int64(x.post.gapRice)} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendUvarint(b, uint64(len(x.frames)))
	prev := Frame{}
	for i := range x.frames {
		b = x.frames[i].append(b, &prev, x.c.examined, numbers)
		prev = x.frames[i]
	}
	return b
}

func appendTexts(b []byte, texts []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, t := range texts {
		b = appendText(b, t)
	}
	return b
}

// append writes a frame's row.
func (f *Frame) append(b []byte, prev *Frame, examined bool, numbers map[string]int) []byte {
	flags := byte(f.Part)
	for i, on := range []bool{f.timed, f.ids.min <= f.ids.max, f.Blank+f.Refused > 0} {
		if on {
			flags |= frameTimed << i
		}
	}
	b = append(b, flags)
	b = binary.LittleEndian.AppendUint32(b, f.checksum)
	b = binary.LittleEndian.AppendUint32(b, f.crc)
	for _, v := range []int64{f.Size, f.RawSize, f.Lines, f.Journaled, int64(f.runs.end - f.runs.off)} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	if f.Journaled > 0 {
		b = binary.AppendUvarint(b, f.FirstSeq-prev.LastSeq)
		b = binary.AppendUvarint(b, f.LastSeq-f.FirstSeq)
		b = binary.AppendUvarint(b, uint64(f.seq0))
	}
	if !examined {
		return b
	}
	if flags&frameOdd != 0 {
		for _, v := range []int64{f.Blank, f.Refused, f.Recovered, int64(f.odd.end - f.odd.off)} {
			b = binary.AppendUvarint(b, uint64(v))
		}
	}
	return f.appendEvents(b, prev, numbers)
}

func (f *Frame) appendEvents(b []byte, prev *Frame, numbers map[string]int) []byte {
	b = binary.AppendUvarint(b, uint64(len(f.Topics)))
	last := -1
	for _, t := range f.Topics {
		n := numbers[t.Topic]
		b = binary.AppendUvarint(b, uint64(n-last-1))
		b = binary.AppendUvarint(b, uint64(t.Count))
		last = n
	}
	if f.Events == 0 {
		return b
	}
	b = binary.AppendUvarint(b, zigzag(f.TimeMin-prev.TimeMin))
	b = binary.AppendUvarint(b, uint64(f.TimeMax)-uint64(f.TimeMin))
	b = binary.AppendUvarint(b, uint64(f.ids.others))
	if f.ids.min <= f.ids.max {
		b = binary.AppendUvarint(b, uint64(f.ids.min))
		b = binary.AppendUvarint(b, uint64(f.ids.max-f.ids.min))
	}
	return b
}

// table is the table section as it is read.
type table struct {
	flags   byte
	lane    string
	segment uint64
	fields  []string
	topics  []string
	post    postings
	frames  []Frame
	counts  []int64 // events by topic
}

var errTable = errors.New("a table that contradicts itself")

// parseTable reads the table section of an archive whose frames are data
// bytes long.
func parseTable(b []byte, t *trailer) (*table, error) {
	p := &parser{b: b}
	x := &table{}
	if flags := p.bytes(1); flags != nil {
		x.flags = flags[0]
	}
	x.lane, x.segment = p.text(), p.uint()
	x.fields, x.topics = p.texts(), p.texts()
	x.post.keys, x.post.buckets = p.count(math.MaxInt64), p.count(int64(t.dir.size/4))
	x.post.keyBits = uint(p.count(maxKeyBits))
	x.post.cntRice, x.post.gapRice = uint(p.count(16)), uint(p.count(16))
	n := p.count(min(int64(len(p.b))/14, maxFrames))
	if p.bad || x.flags&^flagsKnown != 0 || x.post.keyBits < minKeyBits && x.post.buckets > 0 ||
		x.post.buckets*4 != int64(t.dir.size) || !sort.StringsAreSorted(x.topics) {
		return nil, errTable
	}
	x.post.frames = int(n)
	x.frames = make([]Frame, 0, n)
	counts := make([]TopicCount, 0, min(len(p.b)/2, int(n)*len(x.topics)))
	x.counts = make([]int64, len(x.topics))
	prev := Frame{}
	for range n {
		f, ok := x.frame(p, &prev, &counts)
		if !ok {
			return nil, errTable
		}
		x.frames = append(x.frames, f)
		prev = f
	}
	if !p.done() || dataBytes(x.frames) != int64(t.data) || !x.sections(t) || !parts(x.frames) {
		return nil, errTable
	}
	return x, nil
}

func (p *parser) texts() []string {
	n := p.count(int64(len(p.b)))
	out := make([]string, 0, n)
	for range n {
		out = append(out, p.text())
	}
	return out
}

// frame reads a row. Everything that can be held against something else is.
func (x *table) frame(p *parser, prev *Frame, counts *[]TopicCount) (f Frame, ok bool) {
	flags := p.bytes(1)
	f.checksum, f.crc = p.u32(), p.u32()
	if p.bad || flags[0]&^frameFlags != 0 {
		return f, false
	}
	f.Part, f.timed = Part(flags[0]&3), flags[0]&frameTimed != 0
	f.Offset, f.RawOffset = prev.Offset+prev.Size, prev.RawOffset+prev.RawSize
	f.FirstLine = prev.FirstLine + prev.Lines
	f.Size, f.RawSize = p.count(math.MaxInt32), p.count(maxContent)
	f.Lines = p.count(f.RawSize)
	f.Journaled = p.count(f.Lines)
	f.runs.off = prev.runs.end
	f.runs.end = f.runs.off + int(p.count(maxContent))
	f.LastSeq, f.ids = prev.LastSeq, noIDs()
	if f.Journaled > 0 {
		f.FirstSeq = prev.LastSeq + p.uint()
		f.LastSeq = f.FirstSeq + p.uint()
		f.seq0 = p.count(math.MaxInt64)
		p.bad = p.bad || f.FirstSeq < prev.LastSeq || f.LastSeq < f.FirstSeq
	}
	f.odd = span{prev.odd.end, prev.odd.end}
	if x.flags&flagExamined == 0 {
		return f, !p.bad && flags[0]&(frameIDs|frameOdd) == 0
	}
	return f, x.events(p, prev, &f, flags[0], counts)
}

// events reads what an examined frame holds.
func (x *table) events(p *parser, prev, f *Frame, flags byte, counts *[]TopicCount) bool {
	if flags&frameOdd != 0 {
		f.Blank, f.Refused = p.count(f.Lines), p.count(f.Lines)
		f.Recovered = p.count(f.Refused)
		f.odd.end += int(p.count(maxContent))
	}
	start, last := len(*counts), int64(-1)
	for range p.count(int64(len(x.topics))) {
		last += 1 + p.count(int64(len(x.topics))-2-last)
		n := p.count(f.RawSize)
		if p.bad || n == 0 {
			return false
		}
		f.Events += n
		x.counts[last] += n
		*counts = append(*counts, TopicCount{x.topics[last], n})
	}
	f.Topics = (*counts)[start:len(*counts):len(*counts)]
	if f.Blank+f.Refused > f.Lines || f.Events != f.Lines-f.Blank-f.Refused+f.Recovered {
		return false
	}
	f.TimeMin = prev.TimeMin
	if f.Events == 0 {
		return !p.bad && flags&frameIDs == 0
	}
	f.TimeMin += p.int()
	f.TimeMax = int64(uint64(f.TimeMin) + p.uint())
	f.ids.others = p.count(f.Events)
	if flags&frameIDs != 0 {
		f.ids.min = p.count(1 << 48)
		f.ids.max = f.ids.min + p.count(1<<48)
	}
	return !p.bad && f.TimeMin <= f.TimeMax
}

// describe adds what the table says to a summary.
func (x *table) describe(s *Summary) {
	s.describe(x.lane, x.segment, x.frames, x.topics, x.counts)
	s.Examined, s.Entries = x.flags&flagExamined != 0, x.flags&flagNoRuns == 0
}

// sections holds the frames' stretches against the sections' sizes.
func (x *table) sections(t *trailer) bool {
	if len(x.frames) == 0 {
		return t.odd.raw == 0 && t.runs.raw == 0
	}
	f := x.frames[len(x.frames)-1]
	runs := int64(t.runs.raw)
	return int64(f.odd.end) == int64(t.odd.raw) && (int64(f.runs.end) == runs || x.flags&flagNoRuns != 0 && runs == 0)
}

// parts tells whether the pieces of cut lines follow each other as they must.
func parts(frames []Frame) bool {
	open := false
	for i := range frames {
		f := &frames[i]
		if goesOn := f.Part == Middle || f.Part == Last; goesOn != open || goesOn && f.Lines > 0 || f.Part == First && f.Lines > 1 {
			return false
		}
		open = f.Part == First || f.Part == Middle
	}
	return !open
}
