// Package jcs writes JSON in the one form that RFC 8785 (JSON Canonicalization
// Scheme) gives a value, so that equal values have equal hashes whoever wrote
// them: no white space, members sorted by their keys' UTF-16 code units,
// numbers as ECMAScript prints them, strings with the fewest escapes.
//
//	{"b":4.50,"a":"\u0061"}   →   {"a":"a","b":4.5}
//
// For text of which that is all that differs, jq computes the same:
//
//	jq -cSj . packet.json | sha256sum
//
// (jq sorts by code points, so keys beyond U+FFFF may differ, and prints
// numbers of its own.)
package jcs

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"stigmergy/contracts"
)

// ErrNotJSON is what is no JSON value in UTF-8, or holds a lone surrogate, or
// is nested deeper than contracts.MaxDepth.
var ErrNotJSON = errors.New("not one JSON value in UTF-8")

// Append appends the canonical form of one JSON value to dst. What RFC 8785
// gives no form to is refused: a key that stands twice in an object, and a
// number beyond the doubles.
//
// Numbers are doubles there, by definition: 9007199254740993 comes out as
// 9007199254740992. What must be told apart beyond 2^53 belongs in a string.
func Append(dst, value []byte) ([]byte, error) {
	if !contracts.Valid(value) {
		return dst, ErrNotJSON
	}
	// Nothing that reads on knows a newline between tokens.
	return appendValue(dst, contracts.ValueOf(contracts.AppendCompact(nil, value)))
}

// Sum is the SHA-256 of a value's canonical form, in hex.
func Sum(value []byte) (string, error) {
	b, err := Append(nil, value)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Marshal is the canonical form of what encoding/json makes of v.
func Marshal(v any) ([]byte, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Append(nil, raw)
}

func appendValue(dst []byte, v contracts.Value) ([]byte, error) {
	switch v.Kind {
	case contracts.Object:
		return appendObject(dst, v.Raw)
	case contracts.Array:
		return appendArray(dst, v.Raw)
	case contracts.String:
		return appendString(dst, v.Text()), nil
	case contracts.Number:
		f, err := strconv.ParseFloat(string(v.Raw), 64)
		if err != nil {
			return dst, fmt.Errorf("the number %s is beyond the doubles", clip(v.Raw))
		}
		return AppendNumber(dst, f), nil
	}
	return append(dst, v.Raw...), nil
}

func appendArray(dst, array []byte) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	first := true
	contracts.Elements(array, func(v contracts.Value) bool {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst, err = appendValue(dst, v)
		return err == nil
	})
	return append(dst, ']'), err
}

type member struct {
	key   string
	units []uint16 // of a key beyond ASCII
	value contracts.Value
}

func appendObject(dst, object []byte) ([]byte, error) {
	var members []member
	contracts.Members(object, func(key []byte, v contracts.Value) bool {
		m := member{key: string(key), value: v}
		if !ascii(m.key) {
			m.units = utf16.Encode([]rune(m.key))
		}
		members = append(members, m)
		return true
	})
	slices.SortStableFunc(members, compare)
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			if m.key == members[i-1].key {
				return dst, fmt.Errorf("the key %q stands twice in one object", clip([]byte(m.key)))
			}
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, m.key), ':')
		var err error
		if dst, err = appendValue(dst, m.value); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// compare orders keys by UTF-16 code units. UTF-8 has the order of code
// points, which is another one where a surrogate pair meets U+E000 to U+FFFF.
func compare(a, b member) int {
	if a.units == nil || b.units == nil {
		return cmp.Compare(a.key, b.key)
	}
	return slices.Compare(a.units, b.units)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func appendString(dst []byte, s string) []byte {
	const hexDigits = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ':
			dst = append(dst, c)
		case c == '\b':
			dst = append(dst, '\\', 'b')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\f':
			dst = append(dst, '\\', 'f')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}

// AppendNumber appends a finite double as ECMAScript's Number.toString does:
// the shortest digits that give the same double, an exponent from 1e21 on and
// below 1e-6.
func AppendNumber(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	switch {
	case f == 0: // and -0
		return append(dst, '0')
	case abs >= 1e-6 && abs < 1e21:
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes at least two digits of an exponent: e-07.
	if n := len(dst); n-start >= 4 && dst[n-2] == '0' && (dst[n-3] == '-' || dst[n-3] == '+') {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

func clip(b []byte) string {
	const most = 64
	if len(b) <= most {
		return string(b)
	}
	return string(b[:most]) + "…"
}
