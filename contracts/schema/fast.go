package schema

// verdict is the fast checker's answer. Unsure sends the value to the collecting
// checker, which is always right: after an escape in a name, say.
type verdict uint8

const (
	no verdict = iota
	yes
	unsure
)

// fast checks values without allocating: one pass over the bytes for most
// schemas. It only says whether; finding out what is wrong is collector's part.
type fast struct {
	b     []byte
	steps int // left
	depth int
}

const (
	// baseSteps and stepsPerByte bound the objects, arrays and combinations of one
	// check, for schemas whose alternatives multiply with depth.
	baseSteps    = 1 << 16
	stepsPerByte = 16
	// maxValueDepth bounds recursion where nobody bounded the value's depth before.
	maxValueDepth = 1000
)

// check holds the value at i against n and tells where it ends. With an answer
// other than yes, the end may be anything.
func (f *fast) check(n *node, i int) (end int, v verdict) {
	if i >= len(f.b) {
		return i, unsure
	}
	switch n.op {
	case opAny:
		return skipValue(f.b, i), yes
	case opNever:
		return i, no
	case opString:
		if f.b[i] != '"' {
			return i, no
		}
		return f.str(n.str, i)
	case opWord:
		return f.word(n, i)
	case opInteger:
		return f.integer(i)
	}
	return f.deeper(n, i)
}

// deeper checks what takes steps or recursion.
func (f *fast) deeper(n *node, i int) (end int, v verdict) {
	if n.steps {
		f.steps--
		if f.steps < 0 || f.depth > maxValueDepth {
			return i, unsure
		}
	}
	f.depth++
	if n.op == opObject {
		if f.b[i] == '{' {
			end, v = f.object(n.obj, i)
		}
	} else {
		end, v = f.mixed(n, i)
	}
	f.depth--
	return end, v
}

// mixed is the general way: the type decides which rules are asked.
func (f *fast) mixed(n *node, i int) (end int, v verdict) {
	end, v = f.byType(n, i)
	if v != yes {
		return end, v
	}
	if n.enum != nil {
		if v = f.enum(n.enum, i, end); v != yes {
			return end, v
		}
	}
	if n.also != nil {
		v = f.inPlace(n.also, i)
	}
	return end, v
}

func (f *fast) byType(n *node, i int) (end int, v verdict) {
	switch c := f.b[i]; c {
	case '"':
		if n.types&tString != 0 {
			return f.str(n.str, i)
		}
	case '{':
		if n.types&tObject != 0 {
			return f.maybeObject(n.obj, i)
		}
	case '[':
		if n.types&tArray != 0 {
			return f.array(n.arr, i)
		}
	case 't', 'f':
		return skipScalar(f.b, i), is(n.types&tBoolean != 0)
	case 'n':
		return skipScalar(f.b, i), is(n.types&tNull != 0)
	default:
		if n.types&(tInteger|tNumber) != 0 {
			return f.number(n, i)
		}
	}
	return i, no
}

func is(ok bool) verdict {
	if ok {
		return yes
	}
	return no
}

// str checks a string whose quote is at i.
func (f *fast) str(rule *stringRule, i int) (end int, v verdict) {
	if rule == nil {
		end, _ = skipString(f.b, i)
		return end, yes
	}
	if rule.size > 0 {
		if end = i + rule.size + 1; end < len(f.b) && f.b[end] == '"' && rule.match(f.b[i+1:end]) {
			return end + 1, yes
		}
	}
	end, plain := skipString(f.b, i)
	switch {
	case end-i < 2 || !plain && (rule.pattern != nil || rule.format != nil):
		return end, unsure
	case !plain:
		return end, is(rule.holds(escapedRunes(f.b[i+1 : end-1])))
	}
	return end, is(rule.match(f.b[i+1 : end-1]))
}

// escapedRunes counts the code points of a string's body that holds escapes.
func escapedRunes(s []byte) (n int) {
	for i := 0; i < len(s); i++ {
		switch {
		case s[i]&0xC0 == 0x80: // within a character
			continue
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == 'u':
			if i+6 < len(s) && pairBegins(s[i+2:]) && s[i+6] == '\\' {
				i += 6 // the second half follows, and counts for both
			}
			i += 5
		case s[i] == '\\':
			i++
		}
		n++
	}
	return n
}

// pairBegins tells whether four hex digits are the first half of a surrogate pair.
func pairBegins(hex []byte) bool {
	return len(hex) >= 2 && hex[0]|0x20 == 'd' && (hex[1] == '8' || hex[1] == '9' || hex[1]|0x20 == 'a' || hex[1]|0x20 == 'b')
}

// match holds a decoded string against the rule.
func (r *stringRule) match(s []byte) bool {
	return r.length(s) && (r.format == nil || r.format.ok(s)) && (r.pattern == nil || r.pattern.match(s))
}

// length compares code points, counting them only where bytes do not decide.
func (r *stringRule) length(s []byte) bool {
	if len(s) < r.min {
		return false
	}
	if (r.max < 0 || len(s) <= r.max) && (r.min <= 1 || len(s) >= 4*r.min) {
		return true
	}
	return r.holds(runes(s))
}

// holds compares a number of code points.
func (r *stringRule) holds(n int) bool { return n >= r.min && (r.max < 0 || n <= r.max) }

func runes(s []byte) (n int) {
	for _, c := range s {
		if c&0xC0 != 0x80 {
			n++
		}
	}
	return n
}

// word checks that a string is one of a few.
func (f *fast) word(n *node, i int) (end int, v verdict) {
	if f.b[i] != '"' {
		return i, no
	}
	for _, w := range n.words {
		end = i + 1 + len(w)
		if end < len(f.b) && f.b[end] == '"' && string(f.b[i+1:end]) == w {
			return end + 1, yes
		}
	}
	end, plain := skipString(f.b, i)
	if !plain {
		return end, unsure
	}
	return end, no
}

// integer checks for a whole number without bounds.
func (f *fast) integer(i int) (end int, v verdict) {
	end = skipScalar(f.b, i)
	if end == i || f.b[i] != '-' && f.b[i]-'0' > 9 {
		return end, no
	}
	for _, c := range f.b[i+1 : end] {
		if c-'0' > 9 {
			return end, is(newDecimal(f.b[i:end]).integer())
		}
	}
	return end, yes
}

func (f *fast) number(n *node, i int) (end int, v verdict) {
	if end, v = f.integer(i); end > i && n.types&tNumber != 0 {
		v = yes
	}
	if v == yes && n.num != nil {
		v = is(n.num.match(f.b[i:end]))
	}
	return end, v
}

func (r *numberRule) match(text []byte) bool {
	return r.min.below(text) && r.max.above(text) &&
		(r.multipleOf == nil || r.multipleOf.divides(newDecimal(text)))
}

// below reports whether the bound is a lower bound of the number; so is none.
func (b *bound) below(text []byte) bool {
	return b == nil || b.allows(-b.compare(text))
}

// above reports whether the bound is an upper bound of the number; so is none.
func (b *bound) above(text []byte) bool {
	return b == nil || b.allows(b.compare(text))
}

// allows takes how far the number is inside: 0 is on the bound.
func (b *bound) allows(inside int) bool { return inside > 0 || inside == 0 && !b.exclusive }

// compare orders the bound against a number.
func (b *bound) compare(text []byte) int {
	if n, ok := small(text); ok && b.isSmall {
		switch {
		case b.small < n:
			return -1
		case b.small > n:
			return 1
		}
		return 0
	}
	return b.value.compare(newDecimal(text))
}

// enum looks for a value among scalars; composites are the collector's.
func (f *fast) enum(enum []*Value, i, end int) verdict {
	raw := f.b[i:end]
	if raw[0] == '{' || raw[0] == '[' {
		return unsure
	}
	if raw[0] == '"' {
		if _, plain := skipString(raw, 0); !plain {
			return unsure
		}
	}
	for _, v := range enum {
		if v.equalScalar(raw) {
			return yes
		}
	}
	return no
}

// equalScalar compares with a raw scalar; strings without escapes.
func (v *Value) equalScalar(raw []byte) bool {
	switch v.Kind {
	case Null:
		return raw[0] == 'n'
	case Bool:
		return raw[0] == 't' && v.Bool || raw[0] == 'f' && !v.Bool
	case String:
		return raw[0] == '"' && len(raw) == len(v.Text)+2 && string(raw[1:len(raw)-1]) == v.Text
	case Number:
		return (raw[0] == '-' || raw[0]-'0' <= 9) && newDecimal(raw).compare(newDecimal([]byte(v.Text))) == 0
	}
	return false
}
