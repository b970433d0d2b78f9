package contracts

import (
	"bytes"
	"encoding/binary"
)

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

// common is slot for the attributes that nearly every line has, told from the
// eight bytes at b[i], where the key's opening quote stands; end is behind the
// closing one. It answers with a constant's length, so that what follows need
// not wait for the key to be read.
func (e *Envelope) common(b []byte, i int) (slot *Span, end int) {
	if i > len(b)-16 {
		return nil, 0
	}
	const (
		three = 1<<24 - 1
		six   = 1<<48 - 1
		typ   = '"' | 't'<<8 | 'y'<<16 | 'p'<<24 | 'e'<<32 | '"'<<40
		tim   = '"' | 't'<<8 | 'i'<<16 | 'm'<<24 | 'e'<<32 | '"'<<40
		data  = '"' | 'd'<<8 | 'a'<<16 | 't'<<24 | 'a'<<32 | '"'<<40
		id    = 'i' | 'd'<<8 | '"'<<16
		sourc = '"' | 's'<<8 | 'o'<<16 | 'u'<<24 | 'r'<<32 | 'c'<<40
		subje = '"' | 's'<<8 | 'u'<<16 | 'b'<<24 | 'j'<<32 | 'e'<<40
		specv = '"' | 's'<<8 | 'p'<<16 | 'e'<<24 | 'c'<<32 | 'v'<<40
	)
	w := binary.LittleEndian.Uint64(b[i:])
	switch w & six {
	case typ:
		return &e.Type, i + 6
	case tim:
		return &e.Time, i + 6
	case data:
		return &e.Data, i + 6
	case sourc:
		if string(b[i+6:i+8]) == `e"` {
			return &e.Source, i + 8
		}
	case subje:
		if string(b[i+6:i+9]) == `ct"` {
			return &e.Subject, i + 9
		}
	case specv:
		if string(b[i+6:i+13]) == `ersion"` {
			return &e.SpecVersion, i + 13
		}
	}
	if w>>8&three == id {
		return &e.ID, i + 4
	}
	return nil, 0
}
