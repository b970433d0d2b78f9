package contracts

import "math"

// MaxDepth is how many objects and arrays may stand inside one another in a
// line, the line's own object included.
const MaxDepth = 128

// Scan reads a line (without its LF) once, from left to right, and fills env
// with where its members stand. A line passes when it is one JSON object by
// RFC 8259, in UTF-8, without a lone surrogate escape, nested no deeper than
// MaxDepth, and no key stands twice in the object itself (keys are compared
// decoded; those of nested objects are not). White space, a byte order mark in
// front and a CR behind are tolerated. The member topic is another name of
// type: Env.Type is whichever stands there, and both must be equal.
//
// Scan does not allocate for a line that passes, unless a key is spelt with
// escapes or the object has more than a dozen members that Envelope does not
// know. Why a line is refused is found out by reading it a second time; the
// first thing wrong is told, and duplicate keys only in a line that is
// otherwise right.
func Scan(line []byte, env *Envelope) *Refusal {
	*env = Envelope{}
	if uint64(len(line)) <= math.MaxUint32 && scanEnvelope(line, env) && env.joinTopic(line) {
		return nil
	}
	*env = Envelope{}
	return explain(line)
}

// Blank tells whether a line holds nothing but white space (and a byte order
// mark): it counts as a line and is no event.
func Blank(line []byte) bool {
	for _, c := range trimLine(line) {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return false
		}
	}
	return true
}

// trimLine cuts what a line may carry without meaning: a byte order mark in
// front and the CR of a CRLF behind.
func trimLine(line []byte) []byte {
	line = line[bomLen(line):]
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// bomLen is the length of the byte order mark that a line begins with.
func bomLen(line []byte) int {
	if len(line) >= 3 && line[0] == 0xEF && line[1] == 0xBB && line[2] == 0xBF {
		return 3
	}
	return 0
}

// scanEnvelope is Scan's fast pass; false says that the line is refused, not
// why.
func scanEnvelope(b []byte, env *Envelope) bool {
	c, i := peek(b, bomLen(b))
	if c != '{' {
		return false
	}
	if c, i = peek(b, i+1); c == '}' {
		return atEnd(b, i+1)
	}
	var extra extraKeys
	for {
		if c != '"' {
			return false
		}
		off, esc := i+1, false
		slot, end := env.common(b, i)
		if slot == nil {
			if end, esc = scanString(b, off); end < 0 {
				return false
			}
			if slot = env.slot(b[off : end-1]); slot == nil {
				slot = extra.add(b, off, end-1, esc, env)
			}
		}
		if c, i = peek(b, end); c != ':' {
			return false
		}
		_, off = peek(b, i+1)
		if i, esc = scanValue(b, off); i < 0 {
			return false
		}
		if slot != nil {
			if slot.End != 0 {
				return false
			}
			*slot = Span{Off: uint32(off), End: uint32(i), Esc: esc}
			env.known++
		}
		env.Keys++
		if c, i = peek(b, i); c != ',' {
			return c == '}' && atEnd(b, i+1) && extra.unique(b)
		}
		c, i = peek(b, i+1)
	}
}

// scanValue passes over the JSON value at b[i] and gives the index behind it,
// -1 if none stands there; esc tells of a string with escapes.
func scanValue(b []byte, i int) (end int, esc bool) {
	if i >= len(b) {
		return -1, false
	}
	switch c := b[i]; {
	case c == '"':
		return scanString(b, i+1)
	case c == '{' || c == '[':
		return scanNested(b, i), false
	case c >= 'a':
		return scanLiteral(b, i), false
	}
	return scanNumber(b, i), false
}

// scanNested passes over the object or array at b[i], which stands directly in
// the line's object, without recursion: what is open is a stack of MaxDepth
// bits (1 an object, 0 an array) in two words. It gives the index behind the
// closing bracket, or -1.
func scanNested(b []byte, i int) int {
	var lo, hi uint64
	depth, c, isKey := 1, b[i], false
open:
	if depth++; depth > MaxDepth {
		return -1
	}
	lo, hi = lo<<1, hi<<1|lo>>63
	if c == '[' {
		if c, i = peek(b, i+1); c == ']' {
			goto shut
		}
		goto value
	}
	lo |= 1
	if c, i = peek(b, i+1); c == '}' {
		goto shut
	}
key:
	if isKey = true; c != '"' {
		return -1
	}
text:
	if i = plainRun(b, i+1); i < len(b) && b[i] == '"' {
		i++
	} else if i, _ = scanString(b, i); i < 0 {
		return -1
	}
	if c, i = peek(b, i); !isKey {
		goto after
	}
	if isKey = false; c != ':' {
		return -1
	}
	c, i = peek(b, i+1)
value:
	switch c {
	case '"':
		goto text
	case '{', '[':
		goto open
	}
	if i, _ = scanValue(b, i); i < 0 {
		return -1
	}
	c, i = peek(b, i)
after:
	if c == ',' {
		c, i = peek(b, i+1)
		if lo&1 != 0 {
			goto key
		}
		goto value
	}
	if lo&1 != 0 && c != '}' || lo&1 == 0 && c != ']' {
		return -1
	}
shut:
	i++
	lo, hi = lo>>1|hi<<63, hi>>1
	if depth--; depth > 1 {
		c, i = peek(b, i)
		goto after
	}
	return i
}
