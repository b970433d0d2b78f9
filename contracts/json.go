package contracts

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// What follows reads JSON that is known to be valid and to have no newline
// between its tokens: an event's line, or a value in one. Nothing of it recurses,
// and of a key that stands twice in an object the last counts.

// Members gives the members of an object, keys decoded, until fn returns false;
// it is false when fn was. A value that is no object has none.
func Members(object []byte, fn func(key []byte, v Value) bool) bool {
	if len(object) == 0 || object[0] != '{' {
		return true
	}
	ok := true
	eachMember(object, 0, func(off, end int, s Span) bool {
		ok = fn(unquote(object[off:end]), ValueOf(s.Raw(object)))
		return ok
	})
	return ok
}

// Elements gives the elements of an array until fn returns false; it is false
// when fn was. A value that is no array has none.
func Elements(array []byte, fn func(v Value) bool) bool {
	if len(array) == 0 || array[0] != '[' {
		return true
	}
	c, i := peek(array, 1)
	for c != ']' {
		end, _ := scanValue(array, i)
		if end < 0 || !fn(ValueOf(array[i:end:end])) {
			return false
		}
		if c, i = peek(array, end); c != ',' {
			break
		}
		c, i = peek(array, i+1)
	}
	return true
}

// Lookup descends from an object by keys and gives what it finds, or nothing.
func Lookup(object []byte, keys ...string) Value {
	v := ValueOf(object)
	for _, k := range keys {
		if v.Kind != Object {
			return Value{}
		}
		v = member(v.Raw, 0, k)
	}
	return v
}

// GetString is the text of an object's member that is a string, else "".
func GetString(object []byte, key string) string {
	if v := Lookup(object, key); v.Kind == String {
		return v.Text()
	}
	return ""
}

// GetInt is an object's member that is a whole number.
func GetInt(object []byte, key string) (n int64, ok bool) { return Lookup(object, key).Int() }

// GetBool is an object's member that is true; any other is false.
func GetBool(object []byte, key string) bool {
	b, _ := Lookup(object, key).Bool()
	return b
}

// member finds the last member of that key in the object that stands at
// object[i].
func member(object []byte, i int, key string) (v Value) {
	eachMember(object, i, func(off, end int, s Span) bool {
		if k := object[off+1 : end-1]; string(k) == key ||
			bytes.IndexByte(k, '\\') >= 0 && string(unquote(object[off:end])) == key {
			v = ValueOf(s.Raw(object))
		}
		return true
	})
	return v
}

// Valid tells whether b is one JSON value by the rules of Scan (depth, UTF-8,
// surrogates). Newlines may stand between its tokens; AppendCompact removes
// them.
func Valid(b []byte) bool {
	b, ok := unbreak(b)
	if !ok {
		return false
	}
	_, i := peek(b, 0)
	end, _ := scanValue(b, i)
	return end >= 0 && atEnd(b, end)
}

// unbreak is b with a space for every newline between tokens; ok is false when
// a string does not end.
func unbreak(b []byte) (out []byte, ok bool) {
	if bytes.IndexByte(b, '\n') < 0 {
		return b, true
	}
	out = bytes.Clone(b)
	for i := 0; i < len(out); i++ {
		switch out[i] {
		case '\n':
			out[i] = ' '
		case '"':
			end, _ := scanString(out, i+1)
			if end < 0 {
				return nil, false
			}
			i = end - 1
		}
	}
	return out, true
}

// AppendCompact appends a valid JSON value without the white space between its
// tokens.
func AppendCompact(dst, value []byte) []byte {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; c {
		case ' ', '\t', '\r', '\n':
		case '"':
			end, _ := scanString(value, i+1)
			if end < 0 {
				return append(dst, value[i:]...)
			}
			dst = append(dst, value[i:end]...)
			i = end - 1
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// SetMember gives an object with one member set to a raw value: in place of the
// last of that key, or at the end.
func SetMember(object []byte, key string, raw []byte) []byte {
	at := Span{}
	keys := 0
	eachMember(object, 0, func(off, end int, s Span) bool {
		keys++
		if string(unquote(object[off:end])) == key {
			at = s
		}
		return true
	})
	if at.Present() {
		return bytes.Join([][]byte{object[:at.Off], raw, object[at.End:]}, nil)
	}
	shut := bytes.LastIndexByte(object, '}')
	out := append(make([]byte, 0, len(object)+len(key)+len(raw)+4), object[:shut]...)
	if keys > 0 {
		out = append(out, ',')
	}
	out = append(AppendString(out, key), ':')
	return append(append(out, raw...), object[shut:]...)
}

// unquote is the text of a valid JSON string; without escapes it is part of raw.
func unquote(raw []byte) []byte {
	body := raw[1 : len(raw)-1 : len(raw)-1]
	if bytes.IndexByte(body, '\\') < 0 {
		return body
	}
	return appendUnescaped(make([]byte, 0, len(body)), body)
}

// appendUnescaped appends the text of a valid JSON string's body to dst.
func appendUnescaped(dst, body []byte) []byte {
	for i := 0; i < len(body); {
		c := body[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch c = body[i+1]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := hex4(body[i+2:])
			i += 6
			if utf16.IsSurrogate(r) && i+6 <= len(body) {
				r = utf16.DecodeRune(r, hex4(body[i+2:]))
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
		i += 2
	}
	return dst
}

// hex4 is the value of the four hex digits that b begins with, -1 if they are
// none.
func hex4(b []byte) rune {
	if len(b) < 4 {
		return -1
	}
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

// AppendString appends s to dst as a JSON string: quotes, backslashes and
// control characters escaped, bytes that are no UTF-8 as U+FFFD, the rest as it
// stands.
func AppendString[T string | []byte](dst []byte, s T) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(string(s[i:min(i+4, len(s))]))
			dst = utf8.AppendRune(dst, r)
			i += n
			continue
		}
		i++
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
