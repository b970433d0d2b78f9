package schema

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strings"
)

// The functions here walk JSON bytes that are known to be valid. On others they
// give nonsense, but never read past the end and never loop.

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' {
		i++
	}
	return i
}

// skipString steps over the string whose opening quote is at i. plain is false if
// it holds an escape.
func skipString(b []byte, i int) (end int, plain bool) {
	plain = true
	for i++; i < len(b); {
		i = findStop(b, i)
		if i >= len(b) || b[i] == '"' {
			break
		}
		plain = false
		i += 2
	}
	return min(i+1, len(b)), plain
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// findStop is the index of the next quote or backslash, eight bytes at a time.
func findStop(b []byte, i int) int {
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		q, s := w^('"'*ones), w^('\\'*ones)
		hit := ((q - ones) &^ q & highs) | ((s - ones) &^ s & highs)
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	for i < len(b) && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// skipScalar steps over a number or a literal.
func skipScalar(b []byte, i int) int {
	for i < len(b) && scalarByte[b[i]] {
		i++
	}
	return i
}

// scalarByte marks the bytes of numbers, true, false and null.
var scalarByte = func() (t [256]bool) {
	for _, c := range "+-.0123456789Eaeflnrstu" {
		t[c] = true
	}
	return t
}()

// skipValue steps over the value that begins at i.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return len(b)
	}
	switch b[i] {
	case '"':
		end, _ := skipString(b, i)
		return end
	case '{', '[':
		return skipNested(b, i)
	}
	if end := skipScalar(b, i); end > i {
		return end
	}
	return i + 1
}

func skipNested(b []byte, i int) int {
	for depth := 0; i < len(b); {
		switch b[i] {
		case '"':
			i, _ = skipString(b, i)
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
	return len(b)
}

// unquote decodes a string with its quotes.
func unquote(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	if body := string(raw[1 : len(raw)-1]); strings.IndexByte(body, '\\') < 0 {
		return body
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

// span is a value within the checked bytes.
type span struct{ from, to int }

// eachMember calls fn with each name and value of the object at i, in order.
func eachMember(b []byte, i int, fn func(name, value span)) {
	for i = skipSpace(b, i+1); i < len(b) && b[i] == '"'; {
		end, _ := skipString(b, i)
		name := span{i, end}
		i = skipSpace(b, skipSpace(b, end)+1) // past the colon
		end = skipValue(b, i)
		fn(name, span{min(i, len(b)), end})
		i = skipSpace(b, skipSpace(b, end)+1) // past the comma
	}
}

// eachItem calls fn with each value of the array at i, in order.
func eachItem(b []byte, i int, fn func(value span)) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return
	}
	for i < len(b) {
		end := skipValue(b, i)
		fn(span{i, end})
		i = skipSpace(b, end)
		if i >= len(b) || b[i] != ',' {
			return
		}
		i = skipSpace(b, i+1)
	}
}
