package handlers

import (
	"slices"
	"strconv"

	"stigmergy/contracts"
)

// Object writes a JSON object member by member, in the order of the calls.
//
//	data := new(handlers.Object).Str("lane", "ci").Int("segment", 3).Bytes()
type Object struct{ b []byte }

// Grow makes room for n bytes.
func (o *Object) Grow(n int) *Object {
	o.b = slices.Grow(o.b, n)
	return o
}

func (o *Object) key(k string) {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	} else {
		o.b = append(o.b, ',')
	}
	o.b = append(o.b, '"')
	o.b = append(o.b, k...)
	o.b = append(o.b, '"', ':')
}

// Str adds a string; bytes that are no UTF-8 become U+FFFD.
func (o *Object) Str(k, v string) *Object {
	o.key(k)
	o.b = contracts.AppendString(o.b, v)
	return o
}

// OptStr adds a string that is not empty.
func (o *Object) OptStr(k, v string) *Object {
	if v == "" {
		return o
	}
	return o.Str(k, v)
}

// Text adds bytes as a string.
func (o *Object) Text(k string, v []byte) *Object {
	o.key(k)
	o.b = contracts.AppendString(o.b, v)
	return o
}

// Int adds a whole number.
func (o *Object) Int(k string, v int64) *Object {
	o.key(k)
	o.b = strconv.AppendInt(o.b, v, 10)
	return o
}

// Uint adds a whole number.
func (o *Object) Uint(k string, v uint64) *Object {
	o.key(k)
	o.b = strconv.AppendUint(o.b, v, 10)
	return o
}

// Bool adds true or false.
func (o *Object) Bool(k string, v bool) *Object {
	o.key(k)
	o.b = strconv.AppendBool(o.b, v)
	return o
}

// Raw adds a value that is JSON already.
func (o *Object) Raw(k string, v []byte) *Object {
	o.key(k)
	o.b = append(o.b, v...)
	return o
}

// Position adds where a line stands.
func (o *Object) Position(k string, p contracts.Position) *Object {
	o.key(k)
	o.b = append(o.b, '"')
	o.b = p.Append(o.b)
	o.b = append(o.b, '"')
	return o
}

// Errors adds what is wrong with a line, at most contracts.MaxErrors of it.
func (o *Object) Errors(k string, errs []contracts.FieldError) *Object {
	o.key(k)
	o.b = append(o.b, '[')
	for i, e := range errs[:min(len(errs), contracts.MaxErrors)] {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, `{"pointer":`...)
		o.b = contracts.AppendString(o.b, e.Pointer)
		o.Str("keyword", e.Keyword).Str("expected", e.Expected).Str("got", e.Got).OptStr("hint", e.Hint)
		if e.Line > 0 {
			o.Int("line", int64(e.Line)).Int("column", int64(e.Column))
		}
		o.b = append(o.b, '}')
	}
	o.b = append(o.b, ']')
	return o
}

// Bytes ends the object.
func (o *Object) Bytes() []byte {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	}
	o.b = append(o.b, '}')
	return o.b
}

// Open goes on with an object that was ended: b is taken over.
func Open(b []byte) *Object { return &Object{b[:len(b)-1]} }
