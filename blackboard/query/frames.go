package query

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"

	"stigmergy/blackboard/archive"
)

// archiveSource is an archive that may hold matches and is not opened yet.
type archiveSource struct {
	run   *run
	entry *archive.Entry
}

func (s *archiveSource) bound() place {
	if s.run.reverse {
		return place{s.entry.Summary.LastSeq, math.MaxInt64}
	}
	return place{seq: s.entry.Summary.FirstSeq}
}

// last is where it begins: opening gives no matches.
func (s *archiveSource) last() uint64 { return s.bound().seq }

func (s *archiveSource) take() (work, source) { return s.open, nil }

// open reads the archive's index and goes on with the frames that it does not
// rule out; without a good index, with the journal.
func (s *archiveSource) open(*worker, int) *result {
	res := s.run.result()
	r := s.run
	key := segKey{s.entry.Lane, s.entry.Segment}
	path := r.engine.layout.Archive(key.lane, key.segment)
	f, err := r.engine.files.get(path)
	if errors.Is(err, fs.ErrNotExist) {
		r.hole(Hole{Kind: "missing", Lane: key.lane, Segment: key.segment, Detail: "its archive " + path + " went while it was to be read"})
		return res
	}
	if err != nil {
		r.damage(Damage{Path: path, Err: err})
		return res
	}
	rd, err := r.engine.decoder.Open(f, f.size)
	if err != nil {
		f.close()
		r.damage(Damage{Path: path, Err: err})
		return res
	}
	r.stats.Archives.Add(1)
	sum := rd.Summary()
	if !usable(&sum) || sum.Lane != key.lane || sum.Segment != key.segment {
		f.close()
		return r.byJournal(key, nil, res)
	}
	set := rd.Select(r.want)
	seg := r.segment(key)
	fs := &frameSource{run: r, seg: seg, file: f, reader: rd, set: set}
	if first := fs.first(); first != nil {
		res.rest = append(res.rest, first)
	} else {
		f.close()
	}
	return res
}

// usable tells whether an index says all that reading by it needs.
func usable(s *archive.Summary) bool {
	return s.Indexed && s.Examined && s.Entries && s.Journaled == s.Lines
}

// frameSource is the frames of an opened archive that are still to be read.
type frameSource struct {
	run    *run
	seg    *segment
	file   *file
	reader *archive.Reader
	set    archive.Set
	i      int
	part   bool // only lines from lo to hi of frame i are left
	lo, hi int
	at     place // of the line at lo; when reversed, of the one before hi
}

// first is the source at its first frame, nil where there is none.
func (s *frameSource) first() source {
	i := s.set.Next(0)
	if s.run.reverse {
		i = s.set.Prev(len(s.reader.Frames()) - 1)
	}
	return s.at_(i)
}

// at_ is the source at frame i, nil for -1.
func (s *frameSource) at_(i int) source {
	if i < 0 {
		return nil
	}
	n := *s
	n.i, n.part = i, false
	return &n
}

func (s *frameSource) next() source {
	if s.run.reverse {
		return s.at_(s.set.Prev(s.i - 1))
	}
	return s.at_(s.set.Next(s.i + 1))
}

func (s *frameSource) bound() place {
	f := &s.reader.Frames()[s.i]
	switch {
	case s.part:
		return s.at
	case s.run.reverse:
		return place{f.LastSeq, math.MaxInt64}
	}
	return place{seq: f.FirstSeq}
}

func (s *frameSource) last() uint64 {
	f := &s.reader.Frames()[s.i]
	if s.run.reverse {
		return f.FirstSeq
	}
	return f.LastSeq
}

func (s *frameSource) take() (work, source) {
	if s.part {
		return s.read, nil
	}
	return s.read, s.next()
}

// read decodes one frame and searches it.
func (s *frameSource) read(w *worker, budget int) *result {
	r, f := s.run, &s.reader.Frames()[s.i]
	res := r.resultOf(budget)
	known := r.known(f)
	if w.count != nil && known.time && r.matcher.counts() && r.within(f.FirstSeq, f.LastSeq) {
		w.count(r.wantedTopics(f.Topics))
		return res
	}
	chunk, err := s.decode(w)
	if err != nil {
		r.damage(Damage{Path: s.file.path, Offset: f.Offset, Err: err})
		return res
	}
	text := chunk.Bytes
	lines := frameLines{run: r, w: w, seg: s.seg, base: chunk.Offset, quarantined: r.req.Quarantined}
	if err := lines.load(s.reader, s.i, text); err != nil {
		return r.byJournal(s.seg.key, &window{chunk.Offset, chunk.Offset + int64(len(text))}, res)
	}
	all := r.matcher.topical && r.mostly(f)
	st := stretch{seg: s.seg, base: chunk.Offset, text: text, locate: lines.locate}
	if s.part {
		lines.from(s.lo)
		lines.cut = s.lo
		st.text, st.base = text[s.lo:s.hi], st.base+int64(s.lo)
	}
	if !r.reverse {
		st.budget = budget
	}
	end := st.search(r, w, known, all, res)
	if end < len(st.text) {
		n := *s
		n.part, n.lo, n.hi = true, end+lines.cut, len(text)
		if s.part {
			n.hi = s.hi
		}
		n.at = res.hits[len(res.hits)-1].place
		n.at.line++
		res.rest = append(res.rest, &n)
	}
	if r.reverse {
		s.keepLast(res, budget, chunk.Offset)
	}
	return res
}

// keepLast drops matches from the front until the rest fits, and comes back for
// them.
func (s *frameSource) keepLast(res *result, budget int, base int64) {
	used, i := 0, len(res.hits)
	for i > 0 && used <= budget {
		i--
		used += res.hits[i].end - res.hits[i].off + 64
	}
	if i == 0 {
		return
	}
	n := *s
	first := res.hits[i]
	n.part = true
	if !s.part {
		n.lo = 0
	}
	n.hi = int(first.offset - base)
	n.at = first.place
	res.matched -= int64(i)
	res.hits = res.hits[i:]
	text := append([]byte(nil), res.text[first.off:]...)
	for k := range res.hits {
		res.hits[k].off -= first.off
		res.hits[k].end -= first.off
	}
	res.text = text
	res.rest = append(res.rest, &n)
}

// decode gives the lines that begin in the frame.
func (s *frameSource) decode(w *worker) (archive.Chunk, error) {
	if need := int(s.reader.Frames()[s.i].RawSize); cap(w.raw) < need+need/16 {
		w.raw = make([]byte, 0, need+need/4+4096) // frames differ a little in size
	}
	c, err := s.reader.DecodeLines(s.i, w.raw)
	if err != nil {
		return c, err
	}
	w.raw = c.Bytes
	s.run.stats.Decoded.Add(1)
	s.run.stats.RawBytes.Add(int64(len(c.Bytes)))
	s.run.stats.ZstdBytes.Add(s.reader.Frames()[s.i].Size)
	c.Bytes = c.Bytes[:bytes.LastIndexByte(c.Bytes, '\n')+1] // what no newline ends is no event
	return c, nil
}

// known says what a frame's index tells of all its events.
func (r *run) known(f *archive.Frame) sure {
	if r.req.Quarantined {
		return sure{}
	}
	k := sure{topics: true, time: f.Events == 0 || f.TimeMin >= r.matcher.since && f.TimeMax <= r.matcher.until}
	if r.matcher.everyTopic() {
		return k
	}
	for i := range f.Topics {
		if !r.matcher.Match(f.Topics[i].Topic) {
			k.topics = false
			break
		}
	}
	return k
}

// mostly tells whether so many events of a frame are of the wanted topics that
// looking for their names costs more than it saves.
func (r *run) mostly(f *archive.Frame) bool {
	var n int64
	for i := range f.Topics {
		if r.matcher.Match(f.Topics[i].Topic) {
			n += f.Topics[i].Count
		}
	}
	return n*4 > f.Events
}

func (r *run) wantedTopics(all []archive.TopicCount) []archive.TopicCount {
	var some []archive.TopicCount
	for _, t := range all {
		if r.matcher.Match(t.Topic) {
			some = append(some, t)
		}
	}
	return some
}

// frameLines tells which journal entry each line of a frame belongs to and
// whether it is an event.
type frameLines struct {
	run         *run
	w           *worker
	seg         *segment
	base        int64 // of the frame in the segment
	text        []byte
	runs        []archive.FrameRun
	odd         []archive.OddRun
	quarantined bool
	cut         int   // what stands before the text that is asked about
	at          int   // counted up to here
	line        int64 // of the line at at
}

func (l *frameLines) load(rd *archive.Reader, i int, text []byte) (err error) {
	l.text = text
	if l.w.runs, err = rd.Runs(i, l.w.runs[:0]); err != nil {
		return err
	}
	if l.w.odd, err = rd.Odd(i, l.w.odd[:0]); err != nil {
		return err
	}
	l.runs, l.odd = l.w.runs, l.w.odd
	if len(l.runs) == 0 && len(text) > 0 {
		return fmt.Errorf("no journal entry names its lines")
	}
	return nil
}

// from begins in the middle of the text.
func (l *frameLines) from(off int) {
	l.line += int64(bytes.Count(l.text[l.at:off], newline))
	l.at = off
}

func (l *frameLines) locate(off int, h *hit) bool {
	l.from(off + l.cut)
	for len(l.runs) > 1 && l.line >= l.runs[0].Line+l.runs[0].Lines {
		l.runs = l.runs[1:]
	}
	run := &l.runs[0]
	if l.line < run.Line || l.line >= run.Line+run.Lines {
		return false // journaled by nobody
	}
	h.place = place{run.Seq, run.LineNo + l.line - run.Line}
	h.time = run.Time
	for len(l.odd) > 0 && l.line >= l.odd[0].Line+l.odd[0].Lines {
		l.odd = l.odd[1:]
	}
	kind := archive.Event
	if len(l.odd) > 0 && l.line >= l.odd[0].Line {
		kind = l.odd[0].Kind
	}
	switch {
	case kind == archive.Blank:
		return false
	case l.quarantined || kind == archive.Event:
		return true
	}
	return kind == archive.Recovered && l.recovered(h)
}

// recovered finds where in the line at hand its event begins: by the rule, else
// by the record that the daemon made.
func (l *frameLines) recovered(h *hit) bool {
	line := l.text[l.at:]
	line = line[:bytes.IndexByte(line, '\n')]
	h.flags |= flagRecovered
	if rules, err := l.run.rules(); err == nil {
		if off, ok := rules.recover(line, l.seg.key.lane, nil, &l.w.check); ok {
			h.off = off
			return true
		}
	}
	x := l.seg.refusedAt(l.base + int64(l.at))
	h.off = int(x.recovered)
	return h.off > 0 && h.off < len(line)
}
