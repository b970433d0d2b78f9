package query

import "bytes"

// quickEnvelope reads the type, and if asked the time, of a line that is known
// to be an event, and stops there: most of a line is its data. What is written
// in an unusual way (white space, escapes) it leaves to the scanner: ok false.
func quickEnvelope(line []byte, timed bool) (topic, at []byte, ok bool) {
	i := 0
	if len(line) < 2 || line[0] != '{' {
		return nil, nil, false
	}
	for line[i] != '}' {
		i++
		key, n := plainString(line[i:])
		if n == 0 || i+n+1 >= len(line) || line[i+n] != ':' {
			return nil, nil, false
		}
		i += n + 1
		switch {
		case len(key) == 4 && string(key) == "type", len(key) == 5 && string(key) == "topic":
			if topic, n = plainString(line[i:]); n == 0 {
				return nil, nil, false
			}
		case timed && string(key) == "time":
			if at, n = plainString(line[i:]); n == 0 {
				return nil, nil, false
			}
		default:
			if n = skipValue(line[i:]); n == 0 {
				return nil, nil, false
			}
		}
		if topic != nil && (!timed || at != nil) {
			return topic, at, true
		}
		if i += n; i >= len(line) || line[i] != ',' && line[i] != '}' {
			return nil, nil, false
		}
	}
	return topic, at, topic != nil
}

// plainString is the text of a string without escapes and the length of the
// whole, 0 for anything else.
func plainString(b []byte) ([]byte, int) {
	if len(b) < 2 || b[0] != '"' {
		return nil, 0
	}
	n := bytes.IndexByte(b[1:], '"')
	if n < 0 || bytes.IndexByte(b[1:1+n], '\\') >= 0 {
		return nil, 0
	}
	return b[1 : 1+n], n + 2
}

// skipValue is the length of the value that valid JSON goes on with.
func skipValue(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return skipString(b)
	case '{', '[':
		return skipNested(b)
	}
	for i, c := range b {
		if c == ',' || c == '}' || c == ']' {
			return i
		}
	}
	return 0
}

func skipString(b []byte) int {
	for i := 1; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return 0
		}
		i += n
		back := 0
		for b[i-1-back] == '\\' {
			back++
		}
		i++
		if back%2 == 0 {
			return i
		}
	}
}

func skipNested(b []byte) int {
	depth := 0
	for i := 0; i < len(b); {
		switch b[i] {
		case '"':
			n := skipString(b[i:])
			if n == 0 {
				return 0
			}
			i += n
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return 0
}
