package archive

// LineKind is what a line of a segment is to the board.
type LineKind uint8

// The kinds of a line.
const (
	// Event is a line that is one valid event.
	Event LineKind = iota
	// Blank is a line of nothing but white space.
	Blank
	// Refused is a line that was quarantined.
	Refused
	// Recovered is a refused line that ends in a record which counts as an
	// event; the record's facts are given.
	Recovered
)

// At is where a line stands.
type At struct {
	Lane   string
	Line   int64  // from 0, in the segment
	Offset int64  // of its first byte, in the segment
	Seq    uint64 // of the journal entry that took it in, if Known
	Time   int64  // of that entry, unix nanoseconds
	Known  bool
}

// Facts are what the index keeps of one line.
type Facts struct {
	Kind    LineKind
	Topic   []byte // the event's topic
	Time    int64  // the event's own time, unix nanoseconds
	HasTime bool   // false: the event carries none, the journal's counts
	ID      []byte // the event's own id; nil when it carries none
	// Values are the texts of the indexed fields that stand in the event,
	// more than one for a field that holds an array.
	Values []Value
}

// Value is the text of one indexed field of an event.
type Value struct {
	Field int // index into Extractor.Fields
	Text  []byte
}

// reset makes f ready for the next line.
func (f *Facts) reset() { *f = Facts{Values: f.Values[:0]} }

// An Extractor tells what a line is. It is called for each line in order, from
// one goroutine; what it puts into Facts is used before the next call.
type Extractor interface {
	// Fields are the names of the indexed fields, as a filter writes them.
	// A field that is listed is extracted from every event that has it,
	// whatever its topic: the index answers "no" for it.
	Fields() []string
	// MaxLine is the length in bytes beyond which a line is refused unseen.
	MaxLine() int
	// Extract fills f, which is empty, from a line without its LF.
	Extract(at At, line []byte, f *Facts)
}

// Run says which journal entry took in the next lines of a segment.
type Run struct {
	Seq   uint64
	Time  int64 // of the entry, unix nanoseconds; used for events without a time
	Lines int64
}

// TopicCount is how many events of a topic there are.
type TopicCount struct {
	Topic string
	Count int64
}
