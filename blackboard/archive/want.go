package archive

// Want is what somebody looks for; the zero Want is everything. All conditions
// hold together.
type Want struct {
	// Topics matches the topics wanted, contracts.Patterns for one; nil: any.
	Topics interface{ Match(topic string) bool }
	// Fields are equalities on fields, by their text. "id" is a field.
	Fields []Field
	// Time bounds the events' time, unix nanoseconds.
	Time Range
	// Seq bounds the journal entry.
	Seq Range
	// Lines asks for every line, also those that are no events: records of refused
	// lines, for one. Only Seq excludes then.
	Lines bool
}

// Field is an equality: the field's text is Value. A name that the archive
// does not index excludes nothing.
type Field struct{ Name, Value string }

// Range is from Min to Max, both included; the zero Range is everything.
type Range struct{ Min, Max int64 }

// any tells that the range excludes nothing.
func (r Range) any() bool { return r == Range{} }

// meets tells whether anything from min to max is in the range.
func (r Range) meets(min, max int64) bool { return r.any() || r.Min <= max && min <= r.Max }
