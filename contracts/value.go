package contracts

import "strconv"

// Kind is what a JSON value is.
type Kind uint8

// The kinds of a Value; the zero Kind is a value that is not there.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Object
	Array
)

// String is the kind's name as JSON Schema writes it; "absent" for none.
func (k Kind) String() string {
	switch k {
	case Null:
		return "null"
	case Bool:
		return "boolean"
	case Number:
		return "number"
	case String:
		return "string"
	case Object:
		return "object"
	case Array:
		return "array"
	}
	return "absent"
}

// Value is a JSON value as it stands in a valid line. Its bytes belong to the
// line and must not be written to.
type Value struct {
	Raw  []byte
	Kind Kind
}

// ValueOf wraps one valid JSON value, trimmed of white space.
func ValueOf(raw []byte) Value {
	if len(raw) == 0 {
		return Value{}
	}
	return Value{Raw: raw, Kind: kindOf(raw[0])}
}

// textValue makes a string Value of text that stands in no line.
func textValue(s string) Value {
	return Value{Raw: AppendString(nil, s), Kind: String}
}

func kindOf(c byte) Kind {
	switch c {
	case '"':
		return String
	case '{':
		return Object
	case '[':
		return Array
	case 't', 'f':
		return Bool
	case 'n':
		return Null
	}
	return Number
}

// Exists tells whether the value is there; null is.
func (v Value) Exists() bool { return v.Kind != Absent }

// Text is a string's decoded text, or any other value's raw bytes.
func (v Value) Text() string { return string(v.TextBytes()) }

// TextBytes is Text as bytes; it allocates only for a string with escapes.
func (v Value) TextBytes() []byte {
	if v.Kind != String {
		return v.Raw
	}
	return unquote(v.Raw)
}

// Number is the value as a float64; ok is false when it is no JSON number. A
// number beyond the range of float64 is an infinity.
func (v Value) Number() (f float64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(v.Raw), 64)
	return f, err == nil || f != 0
}

// Int is the value as an int64; ok is false when it is no whole number written
// as one, or out of range.
func (v Value) Int() (n int64, ok bool) {
	if v.Kind != Number {
		return 0, false
	}
	n, err := strconv.ParseInt(string(v.Raw), 10, 64)
	return n, err == nil
}

// Bool is the value as a boolean; ok is false when it is none.
func (v Value) Bool() (b, ok bool) {
	return v.Kind == Bool && v.Raw[0] == 't', v.Kind == Bool
}
