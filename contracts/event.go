package contracts

// Event is one line that is an event, with where it stands.
type Event struct {
	Line        []byte   // without byte order mark, CR and LF
	Env         Envelope // spans of Line
	Topic       *Topic   // its contract, nil when it has none
	TopicName   string
	Pos         Position
	Seq         uint64 // of the journal entry that took it in
	LineNo      int    // within that entry, from 0
	JournalTime int64  // unix nanoseconds
}

// ID is the event's id; without one, its position.
func (e *Event) ID() string { return "" }

// Source is the event's source; without one, its lane.
func (e *Event) Source() string { return "" }

// Subject is the event's subject, or nothing.
func (e *Event) Subject() string { return "" }

// Time is the event's time in unix nanoseconds; without one, the journal's.
func (e *Event) Time() int64 { return e.JournalTime }

// Data is the raw data member; without one, {}.
func (e *Event) Data() []byte { return nil }

// Get is the first value at a path.
func (e *Event) Get(path string) Value { return Value{} }

// Each gives every value at a path until fn returns false.
func (e *Event) Each(path Path, fn func(Value) bool) {}

// Path is a compiled path into an event.
type Path struct{ text string }

// ParsePath compiles a path: dots descend, \. is a dot.
func ParsePath(s string) (Path, error) { return Path{s}, nil }

// String is the path as it was written.
func (p Path) String() string { return p.text }
