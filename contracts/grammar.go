package contracts

// grammar is the JSON grammar fed one byte at a time. It is Scan's slow twin:
// it knows at which byte a line stopped being the beginning of any JSON object,
// what could have stood there, and so what is wrong.
type grammar struct {
	state gstate
	depth int
	inObj [MaxDepth + 1]bool // by depth: an object is open, not an array
	isKey bool               // the string being read is a key
	rest  string             // of the literal being read
	hex   int                // digits read of a \u escape
	code  rune
	pair  bool // a high surrogate stands before this escape
	more  int  // bytes that a UTF-8 sequence still lacks
	lo    byte // the next of them is from lo to hi
	hi    byte
}

// verdict is what the grammar says of one byte.
type verdict uint8

const (
	fine verdict = iota
	notJSON
	badUTF8
	tooDeep
)

type gstate uint8

const (
	beforeObject gstate = iota
	keyOrClose          // after {
	keyNext             // after a comma in an object
	colonNext
	valueNext    // after a colon, or a comma in an array
	valueOrClose // after [
	afterValue
	afterObject // the line's object is closed
	inString
	inEscape
	inHex
	lowSlash // a high surrogate's other half: its backslash
	lowU     // and its u
	inUTF8
	afterMinus
	afterZero
	inInt
	afterDot
	inFraction
	afterE
	afterESign
	inExponent
	inLiteral
)

// step takes in one byte; once it has answered anything but fine the grammar is
// at its end.
func (g *grammar) step(c byte) verdict {
	switch {
	case g.state >= inString && g.state <= inUTF8:
		return g.text(c)
	case g.state == inLiteral:
		return g.literal(c)
	case g.state >= afterMinus:
		return g.number(c)
	}
	return g.structure(c)
}

func (g *grammar) structure(c byte) verdict {
	if c == ' ' || c == '\t' || c == '\r' {
		return fine
	}
	switch g.state {
	case beforeObject:
		if c == '{' {
			return g.open(c)
		}
	case keyOrClose, keyNext:
		if c == '"' {
			g.state, g.isKey = inString, true
			return fine
		}
		if c == '}' && g.state == keyOrClose {
			return g.shut(c)
		}
	case colonNext:
		if c == ':' {
			g.state = valueNext
			return fine
		}
	case valueNext:
		return g.value(c)
	case valueOrClose:
		if c == ']' {
			return g.shut(c)
		}
		return g.value(c)
	case afterValue:
		return g.separator(c)
	}
	return notJSON
}

func (g *grammar) separator(c byte) verdict {
	switch c {
	case ',':
		g.state = valueNext
		if g.inObj[g.depth] {
			g.state = keyNext
		}
		return fine
	case '}', ']':
		return g.shut(c)
	}
	return notJSON
}

func (g *grammar) value(c byte) verdict {
	switch {
	case c == '{' || c == '[':
		return g.open(c)
	case c == '"':
		g.state, g.isKey = inString, false
	case c == '-':
		g.state = afterMinus
	case c == '0':
		g.state = afterZero
	case '1' <= c && c <= '9':
		g.state = inInt
	case c == 't':
		g.state, g.rest = inLiteral, "rue"
	case c == 'f':
		g.state, g.rest = inLiteral, "alse"
	case c == 'n':
		g.state, g.rest = inLiteral, "ull"
	default:
		return notJSON
	}
	return fine
}

func (g *grammar) open(c byte) verdict {
	if g.depth == MaxDepth {
		return tooDeep
	}
	g.depth++
	g.inObj[g.depth] = c == '{'
	g.state = valueOrClose
	if c == '{' {
		g.state = keyOrClose
	}
	return fine
}

func (g *grammar) shut(c byte) verdict {
	if g.inObj[g.depth] != (c == '}') {
		return notJSON
	}
	g.depth--
	g.state = afterValue
	if g.depth == 0 {
		g.state = afterObject
	}
	return fine
}

func (g *grammar) literal(c byte) verdict {
	if c != g.rest[0] {
		return notJSON
	}
	if g.rest = g.rest[1:]; g.rest == "" {
		g.state = afterValue
	}
	return fine
}

// number goes on in a number, or ends it and gives the byte to the structure.
func (g *grammar) number(c byte) verdict {
	digit := '0' <= c && c <= '9'
	next := gstate(0)
	switch s := g.state; {
	case s == afterMinus && c == '0':
		next = afterZero
	case (s == afterMinus || s == inInt) && digit:
		next = inInt
	case (s == afterDot || s == inFraction) && digit:
		next = inFraction
	case s >= afterE && s <= inExponent && digit:
		next = inExponent
	case (s == afterZero || s == inInt) && c == '.':
		next = afterDot
	case (s == afterZero || s == inInt || s == inFraction) && c|0x20 == 'e':
		next = afterE
	case s == afterE && (c == '+' || c == '-'):
		next = afterESign
	case s == afterMinus || s == afterDot || s == afterE || s == afterESign:
		return notJSON
	default:
		g.state = afterValue
		return g.structure(c)
	}
	g.state = next
	return fine
}

// text goes on in a string.
func (g *grammar) text(c byte) verdict {
	switch g.state {
	case inEscape:
		return g.escape(c)
	case inHex:
		return g.hexDigit(c)
	case lowSlash, lowU:
		if want := [...]byte{'\\', 'u'}[g.state-lowSlash]; c != want {
			return badUTF8
		}
		g.state++
		if g.state > lowU {
			g.state, g.hex, g.code, g.pair = inHex, 0, 0, true
		}
		return fine
	case inUTF8:
		return g.continuation(c)
	}
	switch {
	case c == '"':
		g.state = afterValue
		if g.isKey {
			g.state = colonNext
		}
	case c == '\\':
		g.state = inEscape
	case c >= 0x80:
		return g.lead(c)
	case c < ' ':
		return notJSON
	}
	return fine
}

func (g *grammar) escape(c byte) verdict {
	switch c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		g.state = inString
	case 'u':
		g.state, g.hex, g.code, g.pair = inHex, 0, 0, false
	default:
		return notJSON
	}
	return fine
}

// hexDigit takes a digit of \uXXXX. A low half without its high one, and after a
// high one anything but a low one, is found at the first digit that settles it.
func (g *grammar) hexDigit(c byte) verdict {
	d := hex4([]byte{'0', '0', '0', c})
	if d < 0 {
		return notJSON
	}
	g.code = g.code<<4 | d
	g.hex++
	low := g.hex == 1 && d == 0xD || g.hex == 2 && g.code >= 0xDC && g.code <= 0xDF
	if g.hex <= 2 && g.pair != low && (g.pair || g.hex == 2) {
		return badUTF8
	}
	if g.hex < 4 {
		return fine
	}
	g.state = inString
	if g.code >= 0xD800 && g.code <= 0xDBFF {
		g.state = lowSlash
	}
	return fine
}

// lead begins a UTF-8 sequence, by table 3-7 of the Unicode standard.
func (g *grammar) lead(c byte) verdict {
	g.state, g.lo, g.hi = inUTF8, 0x80, 0xBF
	switch {
	case c >= 0xC2 && c <= 0xDF:
		g.more = 1
	case c >= 0xE0 && c <= 0xEF:
		g.more = 2
	case c >= 0xF0 && c <= 0xF4:
		g.more = 3
	default:
		return badUTF8
	}
	switch c {
	case 0xE0:
		g.lo = 0xA0
	case 0xED:
		g.hi = 0x9F
	case 0xF0:
		g.lo = 0x90
	case 0xF4:
		g.hi = 0x8F
	}
	return fine
}

func (g *grammar) continuation(c byte) verdict {
	if c < g.lo || c > g.hi {
		return badUTF8
	}
	g.lo, g.hi = 0x80, 0xBF
	if g.more--; g.more == 0 {
		g.state = inString
	}
	return fine
}

// read feeds line[from:] and stops at the first byte that does not fit; without
// one, at is len(line).
func (g *grammar) read(line []byte, from int) (at int, v verdict) {
	for at = from; at < len(line); at++ {
		if v = g.step(line[at]); v != fine {
			return at, v
		}
	}
	return at, fine
}
