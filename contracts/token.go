package contracts

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// The tokens of JSON, each passed over by one function that is given the index
// where the token begins and gives the index behind it, or -1 where it is none.

// peek gives the first byte at or after b[i] that is no white space, and its
// index; 0 at the end. A newline is none: a line has none.
func peek(b []byte, i int) (byte, int) {
	if uint(i) < uint(len(b)) && b[i] > ' ' {
		return b[i], i
	}
	return peekSlow(b, i)
}

func peekSlow(b []byte, i int) (byte, int) {
	for ; i < len(b); i++ {
		if c := b[i]; c != ' ' && c != '\t' && c != '\r' {
			return c, i
		}
	}
	return 0, i
}

// atEnd tells whether only white space stands from b[i] on.
func atEnd(b []byte, i int) bool {
	_, i = peekSlow(b, i)
	return i == len(b)
}

const (
	ones  = 0x0101010101010101 // times a byte: that byte in every lane
	highs = 0x8080808080808080
)

// special has the high bit set in the first byte of x (the lowest) that ends a
// plain run of a string: a quote, a backslash, a control character or one
// outside ASCII. Bytes above the first may be marked wrongly: the borrow of a
// subtraction only spreads upwards from a marked byte.
func special(x uint64) uint64 {
	return (((x ^ ones*2) - ones*0x21) | ((x ^ ones*'\\') - ones) | x) & highs
}

// plainRun passes over the plain bytes of a string, eight at once, up to the first
// special one or to the line's last seven bytes. That it stops at the end of a
// short word rather than go on without a branch is worth a sixth of Scan's time:
// most lines are like those before, and a branch guessed rightly lets the next
// word be read before this one is understood.
func plainRun(b []byte, i int) int {
	for i <= len(b)-8 {
		if x := special(binary.LittleEndian.Uint64(b[i:])); x != 0 {
			return i + bits.TrailingZeros64(x)>>3
		}
		i += 8
	}
	return i
}

// scanString passes over a string whose opening quote stands before b[i]; esc
// tells whether it has escapes.
func scanString(b []byte, i int) (end int, esc bool) {
	for {
		i = plainRun(b, i)
		for i < len(b) && stringPlain(b[i]) {
			i++
		}
		if i == len(b) {
			return -1, esc
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, esc
		case c == '\\':
			esc = true
			i = scanEscape(b, i+1)
		case c >= utf8.RuneSelf:
			i = scanRunes(b, i)
		default:
			return -1, esc
		}
		if i < 0 {
			return -1, esc
		}
	}
}

func stringPlain(c byte) bool {
	return c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\'
}

// scanEscape passes over an escape whose backslash stands before b[i], and over
// the second half of a surrogate pair with it.
func scanEscape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
	default:
		return -1
	}
	r := hex4(b[i+1:])
	if r < 0xD800 || r > 0xDFFF {
		if r < 0 {
			return -1
		}
		return i + 5
	}
	i += 5
	if r > 0xDBFF || i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return -1
	}
	if r = hex4(b[i+2:]); r < 0xDC00 || r > 0xDFFF {
		return -1
	}
	return i + 6
}

// scanRunes passes over a run of characters outside ASCII. utf8.DecodeRune
// takes neither overlong forms nor surrogates nor anything above U+10FFFF.
func scanRunes(b []byte, i int) int {
	for i < len(b) && b[i] >= utf8.RuneSelf {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return -1
		}
		i += n
	}
	return i
}

// scanNumber passes over a number.
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = scanDigits(b, i); i < 0 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = scanDigits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return scanDigits(b, i)
	}
	return i
}

// scanDigits passes over one or more digits.
func scanDigits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

// scanLiteral passes over true, false or null.
func scanLiteral(b []byte, i int) int {
	if len(b)-i < 4 {
		return -1
	}
	switch string(b[i : i+4]) {
	case "true", "null":
		return i + 4
	case "fals":
		if i+4 < len(b) && b[i+4] == 'e' {
			return i + 5
		}
	}
	return -1
}
