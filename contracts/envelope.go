package contracts

import "bytes"

// Span is where a JSON value stands in a line: line[Off:End], with the quotes
// of a string. The zero Span is an absent member.
type Span struct {
	Off, End uint32
	// Esc tells that the value is a string with at least one escape.
	Esc bool
}

// Present tells whether the member stands in the line.
func (s Span) Present() bool { return s.End != 0 }

// Raw is the value's own bytes in the line it was found in.
func (s Span) Raw(line []byte) []byte { return line[s.Off:s.End:s.End] }

// IsString tells whether the value is a JSON string.
func (s Span) IsString(line []byte) bool { return s.End != 0 && line[s.Off] == '"' }

// isNull tells whether the value is null, which CloudEvents reads as unset.
func (s Span) isNull(line []byte) bool { return s.End != 0 && line[s.Off] == 'n' }

// Text is a string's decoded text, or any other value's raw bytes.
func (s Span) Text(line []byte) string { return string(s.TextBytes(line)) }

// TextBytes is Text as bytes; it allocates only for a string with escapes.
// What it returns may be part of the line and must not be written to.
func (s Span) TextBytes(line []byte) []byte {
	if !s.IsString(line) {
		return s.Raw(line)
	}
	body := line[s.Off+1 : s.End-1 : s.End-1]
	if !s.Esc {
		return body
	}
	return appendUnescaped(nil, body)
}

// Envelope holds the top-level members that the board knows, as spans of the
// line that Scan was given.
type Envelope struct {
	SpecVersion, ID, Source, Type, Subject, Time Span
	DataContentType, DataSchema                  Span
	Data, DataBase64                             Span
	LineDigest, EffectKey, Cause, RetryOf        Span
	TraceParent, TraceState                      Span

	// Keys counts the members of the line's object, known or not.
	Keys int

	known int  // how many of them have a field here
	alias Span // the member topic
}

// extensions tells whether the line has members that have no field here.
func (e *Envelope) extensions() bool { return e.Keys > e.known }

// joinTopic makes the member topic stand for a missing type. It is false when
// both stand and differ.
func (e *Envelope) joinTopic(line []byte) bool {
	if !e.alias.Present() || e.alias.isNull(line) {
		return true
	}
	if !e.Type.Present() || e.Type.isNull(line) {
		e.Type = e.alias
		return true
	}
	return e.Type.IsString(line) == e.alias.IsString(line) &&
		bytes.Equal(e.Type.TextBytes(line), e.alias.TextBytes(line))
}

// typePointer points to the member that names the topic.
func (e *Envelope) typePointer() string {
	if e.alias.Present() && e.Type == e.alias {
		return "/topic"
	}
	return "/type"
}

// Attr is the span of a known attribute by name ("topic" is "type"); known is
// false for any other name.
func (e *Envelope) Attr(name string) (s Span, known bool) {
	if name == "topic" {
		return e.Type, true
	}
	if len(name) > len("datacontenttype") {
		return Span{}, false
	}
	if p := e.slot([]byte(name)); p != nil {
		return *p, true
	}
	return Span{}, false
}

// slot is where the member of that (decoded) name is kept, nil when it is none
// of ours.
func (e *Envelope) slot(name []byte) *Span {
	switch string(name) {
	case "specversion":
		return &e.SpecVersion
	case "id":
		return &e.ID
	case "source":
		return &e.Source
	case "type":
		return &e.Type
	case "topic":
		return &e.alias
	case "subject":
		return &e.Subject
	case "time":
		return &e.Time
	case "datacontenttype":
		return &e.DataContentType
	case "dataschema":
		return &e.DataSchema
	case "data":
		return &e.Data
	case "data_base64":
		return &e.DataBase64
	case "linedigest":
		return &e.LineDigest
	case "effectkey":
		return &e.EffectKey
	case "cause":
		return &e.Cause
	case "retryof":
		return &e.RetryOf
	case "traceparent":
		return &e.TraceParent
	case "tracestate":
		return &e.TraceState
	}
	return nil
}
