package query

import (
	"bytes"

	"stigmergy/blackboard/journal"
)

// entry is what reading needs of a journal entry. Its slices are parts of the
// text it was read from.
type entry struct {
	kind    journal.Kind
	seq     uint64
	segment uint64
	from    int64
	to      int64
	lines   int64
	lane    []byte
	time    []byte         // as written; entryTime reads it
	root    []byte         // in hex
	other   *journal.Entry // the whole entry, for every kind that carries no lines
}

// carries tells whether the entry takes in or derives lines.
func (e *entry) carries() bool { return e.other == nil }

// scanEntries calls fn for every line of the journal's text; all lines are
// ended. A line that is no entry is told and passed over.
func scanEntries(text []byte, fn func(*entry), bad func(off int, err error)) {
	var e entry
	for off := 0; off < len(text); {
		n := bytes.IndexByte(text[off:], '\n')
		if n < 0 {
			return
		}
		line := text[off : off+n]
		if !e.quick(line) {
			if err := e.parse(line); err != nil {
				bad(off, err)
				off += n + 1
				continue
			}
		}
		fn(&e)
		off += n + 1
	}
}

// parse is for whatever quick does not know.
func (e *entry) parse(line []byte) error {
	j, err := journal.Parse(line)
	if err != nil {
		return err
	}
	*e = entry{kind: j.Kind, seq: j.Seq, segment: j.Segment, from: j.From, to: j.To, lines: j.Lines, lane: []byte(j.Lane)}
	if j.Kind != journal.Input && j.Kind != journal.Derived {
		e.other = &j
		return nil
	}
	e.time, e.root = []byte(journal.FormatTime(j.Time)), []byte(j.Root.String())
	return nil
}

// quick reads an input or derived entry whose members stand in the order in
// which they are written: several times faster than a parser that looks at
// every name, and a board has one such line for every few events.
func (e *entry) quick(b []byte) bool {
	r := reader{b: b, ok: true}
	r.lit(`{"seq":`)
	e.seq = r.uint()
	r.lit(`,"time":"`)
	e.time = r.take(len(journal.TimeFormat))
	r.lit(`","elapsed_ms":`)
	r.uint()
	r.lit(`,"lane":"`)
	if !r.ok {
		return false
	}
	n := bytes.IndexByte(r.b, '"')
	if n <= 0 {
		return false
	}
	e.lane = r.take(n)
	r.lit(`","segment":`)
	e.segment = r.uint()
	r.lit(`,"from":`)
	e.from = int64(r.uint())
	r.lit(`,"to":`)
	e.to = int64(r.uint())
	r.lit(`,"lines":`)
	e.lines = int64(r.uint())
	r.lit(`,"root":"`)
	e.root = r.take(64)
	e.kind, e.other = journal.Input, nil
	if r.ok && len(r.b) > 2 {
		e.kind = journal.Derived
		r.lit(`","cause":`)
		r.uint()
		r.lit(`}`)
	} else {
		r.lit(`"}`)
	}
	return r.ok && len(r.b) == 0 && e.segment > 0 && e.from >= 0 && e.to > e.from && e.lines > 0 && bytes.IndexByte(e.lane, '\\') < 0
}

// reader takes known pieces from the front of b until one is not there.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) lit(s string) {
	if len(r.b) < len(s) || string(r.b[:len(s)]) != s {
		r.ok = false
		return
	}
	r.b = r.b[len(s):]
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.ok = false
		return nil
	}
	t := r.b[:n]
	r.b = r.b[n:]
	return t
}

// uint reads digits; more than eighteen are left to the careful parser.
func (r *reader) uint() uint64 {
	var v uint64
	n := 0
	for n < len(r.b) && n < 19 {
		d := r.b[n] - '0'
		if d > 9 {
			break
		}
		v = v*10 + uint64(d)
		n++
	}
	if n == 0 || n == 19 {
		r.ok = false
		return 0
	}
	r.b = r.b[n:]
	return v
}

// entryTime reads the only form in which the journal writes a time.
func entryTime(b []byte) int64 {
	const shape = len("2006-01-02T15:04:05.000000000Z")
	if len(b) != shape {
		return 0
	}
	two := func(i int) int64 { return int64(b[i]-'0')*10 + int64(b[i+1]-'0') }
	var ns int64
	for _, c := range b[20:29] {
		ns = ns*10 + int64(c-'0')
	}
	secs := daysSince1970(two(0)*100+two(2), two(5), two(8))*86400 + two(11)*3600 + two(14)*60 + two(17)
	return secs*1e9 + ns
}

// daysSince1970 counts days of the Gregorian calendar (Hinnant's algorithm).
func daysSince1970(y, m, d int64) int64 {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yoe := y - era*400
	doy := (153*(m-3)+2)/5 + d - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}
