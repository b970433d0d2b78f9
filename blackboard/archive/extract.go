package archive

import (
	"bytes"
	"sort"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// Contracts is what decides whether a line is an event and which fields are
// indexed: subject, and every field that some contract marks with x-index.
type Contracts struct {
	Registry *contracts.Registry
	Checker  *contracts.Checker
	// Forged tells whether an event of that topic is forged on this lane
	// (contracts.Policy.Forged); nil: none is.
	Forged func(t *contracts.Topic) bool
	// Refused tells what was decided when a line was taken in, by its offset
	// in the segment, as the lane's quarantine recorded it: it is refused, and
	// recovered bytes into it (0: nowhere) an event begins. nil: the lines are
	// checked again, by the contracts of now.
	Refused func(offset int64) (refused bool, recovered int)
}

// NewExtractor makes the Extractor of a board's contracts. It is for one
// goroutine at a time.
func NewExtractor(c Contracts) Extractor {
	x := &extractor{c: c, members: map[string]int{}}
	names := map[string]bool{}
	if c.Registry != nil {
		for _, t := range c.Registry.Topics() {
			for _, name := range t.Index {
				names[name] = true
			}
		}
	}
	x.fields = []string{"subject"}
	for name := range names {
		x.fields = append(x.fields, fieldPath(name))
	}
	sort.Strings(x.fields[1:])
	for i, path := range x.fields {
		for name := range names {
			if fieldPath(name) == path {
				x.members[name] = i
			}
		}
	}
	return x
}

// fieldPath is how a filter names a member of data.
func fieldPath(name string) string {
	if _, attribute := new(contracts.Envelope).Attr(name); attribute {
		return "data." + contracts.EscapeKey(name)
	}
	return contracts.EscapeKey(name)
}

type extractor struct {
	c       Contracts
	fields  []string
	members map[string]int // indexed members of data, or extensions, by name
	ev      contracts.Event
}

func (x *extractor) Fields() []string { return x.fields }

func (x *extractor) MaxLine() int { return x.c.Checker.MaxLine }

// Extract implements Extractor.
func (x *extractor) Extract(at At, line []byte, f *Facts) {
	if contracts.Blank(line) {
		f.Kind = Blank
		return
	}
	off, kind := x.verdict(at, line)
	if f.Kind = kind; kind == Event || kind == Recovered {
		x.facts(line[off:], f)
	}
}

// verdict says what a line is and where in it its event begins.
func (x *extractor) verdict(at At, line []byte) (off int, kind LineKind) {
	if x.c.Refused != nil {
		refused, recovered := x.c.Refused(at.Offset)
		switch {
		case !refused:
			return 0, Event
		case recovered > 0 && recovered < len(line):
			return recovered, Recovered
		}
		return 0, Refused
	}
	r := x.c.Checker.Check(line, &x.ev)
	switch {
	case r == nil && !x.forged():
		return 0, Event
	case r == nil || !r.Mangled() || layout.Worker(at.Lane):
		return 0, Refused
	}
	off, ok := contracts.Recover(line, x.c.Checker)
	if !ok || x.c.Checker.Check(line[off:], &x.ev) != nil || x.forged() {
		return 0, Refused
	}
	return off, Recovered
}

func (x *extractor) forged() bool { return x.c.Forged != nil && x.c.Forged(x.ev.Topic) }

// facts reads an event. What was taken in as one and cannot be read as one
// counts as refused: a reader cannot read it either.
func (x *extractor) facts(line []byte, f *Facts) {
	ev := &x.ev
	if x.c.Refused != nil {
		*ev = contracts.Event{Line: trim(line)}
		if contracts.Scan(ev.Line, &ev.Env) != nil {
			f.Kind = Refused
			return
		}
	}
	f.Topic = ev.Env.Type.TextBytes(ev.Line)
	f.Time, f.HasTime = ev.OwnTime()
	if ev.Env.ID.IsString(ev.Line) {
		f.ID = ev.Env.ID.TextBytes(ev.Line)
	}
	if s := ev.Env.Subject; s.Present() && ev.Line[s.Off] != 'n' {
		x.value(f, 0, contracts.ValueOf(s.Raw(ev.Line)))
	}
	if x.extensions() {
		contracts.Members(ev.Line, func(key []byte, v contracts.Value) bool {
			if _, attribute := ev.Env.Attr(string(key)); !attribute {
				x.member(f, key, v)
			}
			return true
		})
	}
	x.data(f, contracts.ValueOf(ev.Data()))
}

// data looks for indexed members, in every element of an array too.
func (x *extractor) data(f *Facts, v contracts.Value) {
	if v.Kind == contracts.Array {
		contracts.Elements(v.Raw, func(el contracts.Value) bool {
			x.data(f, el)
			return true
		})
		return
	}
	contracts.Members(v.Raw, func(key []byte, v contracts.Value) bool {
		x.member(f, key, v)
		return true
	})
}

// trim cuts a byte order mark and a CR, as contracts.Checker does.
func trim(line []byte) []byte {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// extensions tells whether the line may have members that Envelope does not
// know; where one name of a member means the same as another it is wrong, and
// nothing is found.
func (x *extractor) extensions() bool {
	e := &x.ev.Env
	known := 0
	for _, s := range [...]contracts.Span{
		e.SpecVersion, e.ID, e.Source, e.Type, e.Subject, e.Time, e.DataContentType, e.DataSchema, e.Data, e.DataBase64,
		e.LineDigest, e.EffectKey, e.Cause, e.RetryOf, e.TraceParent, e.TraceState,
	} {
		if s.Present() {
			known++
		}
	}
	return e.Keys != known
}

func (x *extractor) member(f *Facts, key []byte, v contracts.Value) {
	if field, indexed := x.members[string(key)]; indexed {
		x.value(f, field, v)
	}
}

// value adds every scalar that an equality may meet: a filter looks through
// arrays, and compares by text.
func (x *extractor) value(f *Facts, field int, v contracts.Value) {
	switch v.Kind {
	case contracts.Array:
		contracts.Elements(v.Raw, func(el contracts.Value) bool {
			x.value(f, field, el)
			return true
		})
	case contracts.Object, contracts.Absent:
	default:
		f.Values = append(f.Values, Value{field, v.TextBytes()})
	}
}
