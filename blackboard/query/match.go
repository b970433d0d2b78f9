package query

import (
	"bytes"
	"math"

	"stigmergy/contracts"
)

// matcher is a request made ready to be held against lines. It is immutable.
type matcher struct {
	topics      contracts.Patterns
	exclude     contracts.Patterns
	where       []Filter
	since       int64
	until       int64
	timed       bool
	grep        *Grep
	quarantined bool
	lits        needles // every line that can match holds one; nil: unknown
	topical     bool    // lits are those of the topics alone
}

// sure says what is known of all events of a stretch without looking.
type sure struct{ topics, time bool }

func newMatcher(req *Request) *matcher {
	m := &matcher{topics: req.Topics, exclude: req.Exclude, where: req.Where, grep: req.Grep, quarantined: req.Quarantined,
		since: math.MinInt64, until: math.MaxInt64}
	if !req.Since.IsZero() {
		m.since, m.timed = req.Since.UnixNano(), true
	}
	if !req.Until.IsZero() {
		m.until, m.timed = req.Until.UnixNano(), true
	}
	m.lits, m.topical = chooseNeedles(req)
	return m
}

// Match implements the interface of archive.Want.
func (m *matcher) Match(topic string) bool {
	return m.topics.Match(topic) && (len(m.exclude) == 0 || !m.exclude.Match(topic))
}

// everyTopic tells that no topic is ruled out.
func (m *matcher) everyTopic() bool { return len(m.topics) == 0 && len(m.exclude) == 0 }

// counts tells that events are selected by topic and time alone.
func (m *matcher) counts() bool { return len(m.where) == 0 && m.grep == nil && !m.quarantined }

// chooseNeedles picks the literals that rule out most lines: a value that must
// stand in the line, then the pattern's, then the topic's, then a field's name.
func chooseNeedles(req *Request) (ns needles, topical bool) {
	var best needles
	for i := range req.Where {
		if l := req.Where[i].literal(); len(l) >= 4 && len(l) > best.length() {
			best = escapable(newNeedle(l, false))
		}
	}
	if best.length() >= 8 {
		return best, false
	}
	if g := req.Grep.prefilter(); len(g) > 0 && g.worth() > needles(best).worth() {
		return g, false
	}
	if len(best) > 0 {
		return best, false
	}
	if t := topicNeedles(req); t != nil {
		return t, true
	}
	for i := range req.Where {
		if n := req.Where[i].name(); len(n) >= 4 && len(n) > best.length() {
			best = escapable(newNeedle(n, false))
		}
	}
	return best, false
}

// length is that of the first needle's text.
func (ns needles) length() int {
	if len(ns) == 0 {
		return 0
	}
	return len(ns[0].text)
}

// escapable adds the one way in which text that needs no escape can still be
// written otherwise in JSON.
func escapable(n ...*needle) needles { return append(n, newNeedle([]byte(`\u`), false)) }

// topicNeedles finds lines of the wanted topics; a topic is a whole string.
func topicNeedles(req *Request) needles {
	if len(req.Topics) == 0 || len(req.Topics) > maxNeedles/2 || req.Quarantined {
		return nil
	}
	var ns needles
	for _, p := range req.Topics {
		if t, ok := p.Literal(); ok {
			ns = append(ns, newNeedle([]byte(`"`+t+`"`), false))
			continue
		}
		t := p.Prefix()
		if len(t) < 3 {
			return nil
		}
		ns = append(ns, newNeedle([]byte(`"`+t), false))
	}
	return escapable(ns...)
}

// literal is the longest stretch of an equality's value that JSON can only
// write as it stands, or with \u.
func (f *Filter) literal() []byte {
	if f.op != Equal {
		return nil
	}
	keys := f.path.Keys()
	named := len(keys) == 1 && (keys[0] == "type" || keys[0] == "topic")
	if len(keys) == 1 && keys[0] == "id" {
		_, err := contracts.ParsePosition(string(f.want.text))
		named = err != nil // what a line without an id has is its position
	}
	if !named && !f.written() {
		return nil
	}
	return plainRun(f.want.text)
}

// name is the last name of the path, where the line must hold it to pass.
func (f *Filter) name() []byte {
	if f.op == Absent || f.op == Differs || !f.written() {
		return nil
	}
	keys := f.path.Keys()
	return plainRun([]byte(keys[len(keys)-1]))
}

// written tells that what the filter looks for must stand in the line: it is
// none of the attributes that a line may leave out, nor a line's whole data.
func (f *Filter) written() bool {
	keys := f.path.Keys()
	if len(keys) > 1 {
		return true
	}
	switch keys[0] {
	case "id", "source", "time", "specversion", "data", "type", "topic":
		return false
	}
	return true
}

// plainRun is the longest run of bytes that JSON does not escape.
func plainRun(b []byte) []byte {
	var best []byte
	for start := 0; start < len(b); {
		end := start
		for end < len(b) && b[end] >= ' ' && b[end] != '"' && b[end] != '\\' && b[end] != '/' && b[end] != 0x7f {
			end++
		}
		if end-start > len(best) {
			best = b[start:end]
		}
		start = end + 1
	}
	return best
}

// scratch is what one goroutine needs to hold lines against a matcher.
type scratch struct {
	ev     contracts.Event
	parsed bool   // ev is the line tested last
	topic  []byte // of the line tested last, where it was found without a scan
	dense  int8   // most lines hold a literal: 1; not: -1; not known yet: 0
	walk   *walk
	topics map[string]string
}

func newScratch(m *matcher) *scratch {
	return &scratch{walk: m.lits.walk(), topics: map[string]string{}}
}

// intern gives a topic's name without an allocation for each event.
func (s *scratch) intern(b []byte) string {
	if t, ok := s.topics[string(b)]; ok {
		return t
	}
	t := string(b)
	if len(s.topics) < 10_000 {
		s.topics[t] = t
	}
	return t
}

// test tells whether a line, which is an event (or a quarantine record), is
// wanted. at tells where it stands.
func (m *matcher) test(s *scratch, line []byte, at *contracts.Event, known sure) bool {
	line, s.parsed, s.topic = trim(line), false, nil
	if m.grep != nil && !m.grep.Match(line) {
		return false
	}
	topics := known.topics || m.everyTopic()
	time := known.time || !m.timed
	if !m.quarantined && (!topics || !time) {
		ok, sure := m.quick(s, line, at, topics, time)
		if !ok {
			return false
		}
		topics, time = topics || sure, time || sure
	}
	if topics && time && len(m.where) == 0 {
		return true
	}
	if !m.read(s, line, at) {
		return false
	}
	if !topics && !m.Match(s.ev.TopicName) {
		return false
	}
	if !time {
		if t := s.ev.Time(); t < m.since || t > m.until {
			return false
		}
	}
	for i := range m.where {
		if !m.where[i].Match(&s.ev) {
			return false
		}
	}
	return true
}

// quick decides by topic and time where they can be found without a whole scan.
func (m *matcher) quick(s *scratch, line []byte, at *contracts.Event, topics, time bool) (ok, sure bool) {
	topic, when, found := quickEnvelope(line, !time)
	if !found {
		return true, false
	}
	s.topic = topic
	if !topics && !(m.topics.MatchBytes(topic) && (len(m.exclude) == 0 || !m.exclude.MatchBytes(topic))) {
		return false, true
	}
	if time {
		return true, true
	}
	t := at.JournalTime
	if when != nil {
		own, good := contracts.ParseTime(when)
		if !good {
			return true, false
		}
		t = own
	}
	return m.since <= t && t <= m.until, true
}

// read makes s.ev the event that a line is.
func (m *matcher) read(s *scratch, line []byte, at *contracts.Event) bool {
	s.ev = contracts.Event{Line: line, Pos: at.Pos, Seq: at.Seq, LineNo: at.LineNo, JournalTime: at.JournalTime}
	if m.quarantined {
		s.parsed = recordEvent(&s.ev)
		return s.parsed
	}
	if contracts.Scan(line, &s.ev.Env) != nil {
		return false
	}
	s.ev.TopicName = s.intern(s.ev.Env.Type.TextBytes(line))
	s.parsed = true
	return true
}

// recordEvent reads a quarantine record as if its members were an event's data
// and its topic the refused line's.
func recordEvent(ev *contracts.Event) bool {
	var env contracts.Envelope
	if contracts.Scan(ev.Line, &env) != nil {
		return false
	}
	ev.Env = contracts.Envelope{Time: env.Time, Type: env.Type}
	ev.Env.Data = contracts.Span{End: uint32(len(ev.Line))}
	ev.TopicName = env.Type.Text(ev.Line)
	return true
}

// trim cuts what a line may carry without meaning: a byte order mark and a CR.
func trim(line []byte) []byte {
	if len(line) >= 3 && line[0] == 0xEF && line[1] == 0xBB && line[2] == 0xBF {
		line = line[3:]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// candidates calls fn for every line of text that may match, in order. All
// lines of text are ended by LF.
func (m *matcher) candidates(s *scratch, text []byte, all bool, fn func(off, end int) bool) {
	if all || len(m.lits) == 0 || m.topical && m.dense(s, text) {
		for off := 0; off < len(text); {
			n := bytes.IndexByte(text[off:], '\n')
			if n < 0 {
				return
			}
			if !fn(off, off+n) {
				return
			}
			off += n + 1
		}
		return
	}
	m.each(s, text, fn)
}

// each calls fn for every line that holds one of the literals.
func (m *matcher) each(s *scratch, text []byte, fn func(off, end int) bool) {
	s.walk.reset()
	for i := 0; ; {
		at := s.walk.from(text, i)
		if at >= len(text) {
			return
		}
		off := bytes.LastIndexByte(text[i:at], '\n') + 1 + i
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return
		}
		if !fn(off, at+n) {
			return
		}
		i = at + n + 1
	}
}

// sampled is how much of a text tells how often the literals stand in it.
const sampled = 64 << 10

// dense tells whether so many lines hold a wanted topic's name that looking for
// it costs more than it saves. The first texts of some size decide.
func (m *matcher) dense(s *scratch, text []byte) bool {
	if s.dense == 0 && len(text) >= sampled/4 {
		text = text[:bytes.LastIndexByte(text[:min(len(text), sampled)], '\n')+1]
		lines, found := bytes.Count(text, newline), 0
		m.each(s, text, func(int, int) bool { found++; return true })
		if s.dense = -1; found*2 > lines {
			s.dense = 1
		}
	}
	return s.dense > 0
}
