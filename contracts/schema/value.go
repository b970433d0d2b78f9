package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Limits on a schema's text. Contracts are files anybody with write permission on a
// board may put there; these keep compiling one a matter of milliseconds.
const (
	MaxText  = 256 << 10 // bytes
	maxDepth = 64        // nesting
	maxNodes = 8192      // JSON values
)

// Kind is a JSON value's type.
type Kind uint8

// The kinds of JSON values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value that remembers the order of its members and where it stood
// in the text: what schemas are read from, and what is made out of them.
type Value struct {
	Kind    Kind
	Bool    bool
	Text    string // the decoded string, or the number as written
	Items   []*Value
	Members []Member
	Offset  int // of its first byte
}

// Member is one name and value of an object.
type Member struct {
	Name  string
	Value *Value
}

// Get is the member of that name, or nil.
func (v *Value) Get(name string) *Value {
	if v == nil {
		return nil
	}
	for i := range v.Members {
		if v.Members[i].Name == name {
			return v.Members[i].Value
		}
	}
	return nil
}

// Str is the member of that name if it is a string, else "".
func (v *Value) Str(name string) string {
	if m := v.Get(name); m != nil && m.Kind == String {
		return m.Text
	}
	return ""
}

// Strings is the member of that name as strings: the strings of an array.
func (v *Value) Strings(name string) []string {
	m := v.Get(name)
	if m == nil {
		return nil
	}
	var out []string
	for _, item := range m.Items {
		if item.Kind == String {
			out = append(out, item.Text)
		}
	}
	return out
}

// True reports whether the member of that name is true.
func (v *Value) True(name string) bool {
	m := v.Get(name)
	return m != nil && m.Kind == Bool && m.Bool
}

// At follows a JSON pointer; nil if it leads nowhere.
func (v *Value) At(pointer string) *Value {
	for pointer != "" && v != nil {
		var token string
		token, pointer = cutToken(pointer)
		if v.Kind != Array {
			v = v.Get(token)
			continue
		}
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || i >= len(v.Items) {
			return nil
		}
		v = v.Items[i]
	}
	return v
}

// TextError is a fault in a schema's text, with its place.
type TextError struct {
	Line, Column int    // from 1; columns count bytes
	Pointer      string // into the schema, if it is well-formed
	Msg          string
}

func (e *TextError) Error() string {
	s := fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, e.Msg)
	if e.Pointer != "" {
		s += " (at " + e.Pointer + ")"
	}
	return s
}

// faultAt makes the error for an offset in text.
func faultAt(text []byte, offset int, pointer, msg string) *TextError {
	offset = max(0, min(offset, len(text)))
	before := text[:offset]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := offset - bytes.LastIndexByte(before, '\n')
	return &TextError{Line: line, Column: column, Pointer: pointer, Msg: msg}
}

// ParseText reads one JSON text. Duplicate names, which every reader understands
// otherwise, and texts over the limits are faults.
func ParseText(text []byte) (*Value, error) {
	if len(text) > MaxText {
		return nil, faultAt(text, 0, "", fmt.Sprintf("%d bytes, a schema has at most %d", len(text), MaxText))
	}
	body := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	skipped := len(text) - len(body)
	if !json.Valid(body) {
		return nil, syntaxFault(text, body)
	}
	if !utf8.Valid(text) {
		return nil, faultAt(text, invalidUTF8(text), "", "not UTF-8")
	}
	p := parser{text: text, i: skipped}
	v := p.value(0)
	if p.fault != nil {
		return nil, p.fault
	}
	return v, nil
}

// syntaxFault asks the decoder what is wrong, and where.
func syntaxFault(text, body []byte) error {
	at := len(text) - len(body)
	var raw json.RawMessage
	err := json.Unmarshal(body, &raw)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at += max(0, int(syntax.Offset)-1)
	}
	return faultAt(text, at, "", fmt.Sprintf("not JSON: %v", err))
}

// invalidUTF8 is where b stops being UTF-8.
func invalidUTF8(b []byte) (i int) {
	for i < len(b) {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			break
		}
		i += n
	}
	return i
}

// parser walks a text that is known to be valid JSON.
type parser struct {
	text  []byte
	i     int
	nodes int
	fault *TextError
}

func (p *parser) value(depth int) *Value {
	p.i = skipSpace(p.text, p.i)
	v := &Value{Offset: p.i}
	p.nodes++
	if p.fault == nil && (depth > maxDepth || p.nodes > maxNodes) {
		p.fault = faultAt(p.text, p.i, "", fmt.Sprintf("a schema is at most %d deep and has at most %d values", maxDepth, maxNodes))
	}
	if p.fault != nil {
		return v
	}
	switch p.text[p.i] {
	case '{':
		v.Kind = Object
		p.object(v, depth)
	case '[':
		v.Kind = Array
		p.array(v, depth)
	case '"':
		v.Kind, v.Text = String, p.str()
	default:
		p.scalar(v)
	}
	return v
}

func (p *parser) object(v *Value, depth int) {
	var seen map[string]bool // of many members: comparing each is slow then
	for p.next('}') {
		at := p.i
		name := p.str()
		if (seen[name] || seen == nil && v.Get(name) != nil) && p.fault == nil {
			p.fault = faultAt(p.text, at, "", fmt.Sprintf("%q stands twice", name))
		}
		if len(v.Members) == 32 {
			seen = map[string]bool{}
			for _, m := range v.Members {
				seen[m.Name] = true
			}
		}
		if seen != nil {
			seen[name] = true
		}
		p.i = skipSpace(p.text, p.i) + 1 // the colon
		v.Members = append(v.Members, Member{name, p.value(depth + 1)})
	}
}

func (p *parser) array(v *Value, depth int) {
	v.Items = []*Value{} // an empty enum is not the same as none
	for p.next(']') {
		v.Items = append(v.Items, p.value(depth+1))
	}
}

// next steps over the opening bracket or a comma; false at the closing bracket.
func (p *parser) next(end byte) bool {
	if p.fault != nil {
		return false
	}
	p.i = skipSpace(p.text, p.i)
	if p.text[p.i] != end {
		p.i = skipSpace(p.text, p.i+1)
	}
	if p.text[p.i] == end {
		p.i++
		return false
	}
	return true
}

func (p *parser) str() string {
	end := skipValue(p.text, p.i)
	s := unquote(p.text[p.i:end])
	p.i = end
	return s
}

func (p *parser) scalar(v *Value) {
	end := skipValue(p.text, p.i)
	word := string(p.text[p.i:end])
	p.i = end
	switch word {
	case "null":
	case "true", "false":
		v.Kind, v.Bool = Bool, word == "true"
	default:
		v.Kind, v.Text = Number, word
	}
}

// At makes the error for a value of a text.
func At(text []byte, v *Value, msg string) error { return faultAt(text, v.Offset, "", msg) }
