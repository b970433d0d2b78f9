package contracts

// Recover finds the one record that a mangled line certainly ends with, as when
// a record cut short and a whole one were glued together. The rule guesses
// nothing: from its first byte to the end of the line the record is a whole
// valid event, and either that first byte stands where the JSON grammar of what
// is before it allows no {, or the record's linedigest proves it. Since one
// record cut short is the beginning of a JSON object up to its last byte, nothing
// within it can be taken for a second record.
//
// The line is one that c refuses; off is where the record begins in it.
func Recover(line []byte, c *Checker) (off int, ok bool) {
	off = lastObject(line)
	if off <= bomLen(line) {
		return 0, false
	}
	var ev Event
	if c.Check(line[off:], &ev) != nil {
		return 0, false
	}
	if noObjectAt(line, off) {
		return off, true
	}
	_, ok = CheckDigest(ev.Line, &ev.Env)
	return off, ok
}

// lastObject finds the only byte at which a JSON object can begin that ends with
// the line, or -1. It reads from the end, where one is known to be outside of
// any string: a quote opens or shuts a string unless an odd number of
// backslashes stands before it, and brackets are counted outside of strings.
// Were there two such bytes, the first object would hold the second: not as a
// value, for then it would end later, and not within a string, for then the
// second would end within one.
func lastObject(line []byte) int {
	depth, quoted := 0, false
	for i := len(line) - 1; i >= 0; i-- {
		c := line[i]
		if c == '"' {
			if n := backslashes(line[:i]); n%2 == 0 {
				quoted = !quoted
			} else if !quoted {
				return -1
			} else {
				i -= n
			}
			continue
		}
		if quoted {
			continue
		}
		switch c {
		case '}', ']':
			depth++
		case '{', '[':
			if depth--; depth == 0 && c == '{' {
				return i
			}
		}
		if depth == 0 && c != ' ' && c != '\t' && c != '\r' {
			return -1
		}
	}
	return -1
}

// backslashes counts those that b ends with.
func backslashes(b []byte) int {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n
}

// noObjectAt tells whether the grammar of what stands before line[off] allows no
// { there. What stands before may be several records cut short: where a { does
// not fit, the grammar begins anew with it. Anything else that does not fit is no
// record, and from it nothing follows.
func noObjectAt(line []byte, off int) bool {
	g := new(grammar)
	for from := bomLen(line); ; {
		at, v := g.read(line[:off+1], from)
		switch {
		case v == fine || v == tooDeep || line[at] != '{':
			return false
		case at == off:
			return true
		}
		*g = grammar{}
		from = at
	}
}
