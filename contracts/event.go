package contracts

// Event is one line that is an event, with where it stands. Checker.Check fills
// in the line, its spans and its topic; the reader that found it adds the rest.
type Event struct {
	Line        []byte   // without byte order mark, CR and LF
	Env         Envelope // spans of Line
	Topic       *Topic   // its contract, nil when it has none
	TopicName   string   // shared with Topic when that is set
	Pos         Position
	Seq         uint64 // of the journal entry that took it in
	LineNo      int    // within that entry, from 0
	JournalTime int64  // unix nanoseconds

	time   int64 // the line's own, in unix nanoseconds
	timeIs uint8 // whether time is known
}

// What is known of an event's own time.
const (
	timeUnread uint8 = iota
	timeAbsent
	timeRead
)

// ID is the event's id; without one, its position.
func (e *Event) ID() string {
	if s, ok := e.text(e.Env.ID); ok {
		return s
	}
	return e.Pos.String()
}

// Source is the event's source; without one, its lane.
func (e *Event) Source() string {
	if s, ok := e.text(e.Env.Source); ok {
		return s
	}
	return e.Pos.Lane
}

// Subject is the event's subject, or nothing.
func (e *Event) Subject() string {
	s, _ := e.text(e.Env.Subject)
	return s
}

func (e *Event) text(s Span) (string, bool) {
	if !s.IsString(e.Line) {
		return "", false
	}
	return s.Text(e.Line), true
}

// Time is the event's time in unix nanoseconds; without one, the journal's.
func (e *Event) Time() int64 {
	if ns, ok := e.OwnTime(); ok {
		return ns
	}
	return e.JournalTime
}

// OwnTime is the time that stands in the line, in unix nanoseconds.
func (e *Event) OwnTime() (ns int64, ok bool) {
	if e.timeIs != timeUnread {
		return e.time, e.timeIs == timeRead
	}
	if !e.Env.Time.IsString(e.Line) {
		return 0, false
	}
	return ParseTime(e.Env.Time.TextBytes(e.Line))
}

// Data is the raw data member; without one, {}.
func (e *Event) Data() []byte {
	if !e.Env.Data.Present() {
		return noData
	}
	return e.Env.Data.Raw(e.Line)
}

// noData is what an event without data has; nobody writes to it.
var noData = []byte("{}")

// attribute is the value of an attribute that Envelope knows, or that the board
// gives to a line without it. ok is false for any other name.
func (e *Event) attribute(name string) (v Value, ok bool) {
	span, ok := e.Env.Attr(name)
	if !ok {
		return Value{}, false
	}
	if span.Present() && (name == "data" || !span.isNull(e.Line)) {
		return ValueOf(span.Raw(e.Line)), true
	}
	switch name {
	case "specversion":
		return textValue("1.0"), true
	case "id":
		return textValue(e.ID()), true
	case "source":
		return textValue(e.Source()), true
	case "time":
		if e.JournalTime != 0 {
			return textValue(FormatTime(e.JournalTime)), true
		}
	case "data":
		return ValueOf(noData), true
	}
	return Value{}, true
}
