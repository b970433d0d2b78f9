package cli

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Whoever may append to a lane may write anything into it. On a terminal every
// character that could do more than be seen is shown as what it is: control
// characters (ESC, C1, newlines in values), bidirectional overrides, other
// invisible format characters, line separators, and bytes that are no UTF-8.

// unsafeRune tells whether a terminal must not be given r.
func unsafeRune(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r < 0xad:
		return false
	case r == 0x200c || r == 0x200d: // joiners, needed to write Persian and emoji
		return false
	case r == 0x2028 || r == 0x2029:
		return true
	}
	return unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs, unicode.Noncharacter_Code_Point)
}

// appendVisible appends s to dst so that it is safe on a terminal. What it
// writes for a character inside JSON is that character's JSON escape.
func appendVisible[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c < 0x7f {
			dst = append(dst, c)
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(string(s[i:min(i+4, len(s))]))
		switch {
		case r == utf8.RuneError && n == 1:
			dst = append(dst, '\\', 'x', hexDigit(c>>4), hexDigit(c&15))
		case unsafeRune(r):
			dst = appendEscape(dst, r)
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst
}

func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	case '\r':
		return append(dst, '\\', 'r')
	}
	if r > 0xffff { // a surrogate pair, as JSON writes it
		r -= 0x10000
		return appendEscape(appendEscape(dst, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	dst = append(dst, '\\', 'u')
	for shift := 12; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigit(byte(r>>shift)&15))
	}
	return dst
}

func hexDigit(n byte) byte { return "0123456789abcdef"[n] }

// visible is appendVisible for our own messages, in which something of an
// agent's may stand: their newlines stay.
func visible(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == utf8.RuneError || r != '\n' && unsafeRune(r) }) {
		return s
	}
	var out []byte
	for i, line := range strings.Split(s, "\n") {
		if i > 0 {
			out = append(out, '\n')
		}
		out = appendVisible(out, line)
	}
	return string(out)
}
