package contracts

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Position is where a line stands for ever: the lane's escaped name, the
// segment's number (from 1) and the offset of the line's first byte in the
// uncompressed segment. Written, it is LANE@SEGMENT:OFFSET.
type Position struct {
	Lane    string
	Segment uint64
	Offset  int64
}

// String is the position as it is written everywhere, as agents/7@3:10482;
// the zero Position is the empty string.
func (p Position) String() string {
	if p == (Position{}) {
		return ""
	}
	return string(p.Append(make([]byte, 0, len(p.Lane)+24)))
}

// Append appends the position's text to dst.
func (p Position) Append(dst []byte) []byte {
	dst = append(dst, p.Lane...)
	dst = append(dst, '@')
	dst = strconv.AppendUint(dst, p.Segment, 10)
	dst = append(dst, ':')
	return strconv.AppendInt(dst, p.Offset, 10)
}

// Compare orders positions by lane, segment and offset.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Lane, q.Lane), cmp.Compare(p.Segment, q.Segment), cmp.Compare(p.Offset, q.Offset))
}

// ParsePosition reads LANE@SEGMENT:OFFSET. A position has one spelling: an
// unescaped byte, a leading zero, a sign or a segment 0 is an error.
func ParsePosition(s string) (Position, error) {
	lane, place, ok := strings.Cut(s, "@")
	segment, offset, ok2 := strings.Cut(place, ":")
	if !ok || !ok2 {
		return Position{}, fmt.Errorf("parsing position %q: expected LANE@SEGMENT:OFFSET", clip(s))
	}
	if !canonicalLane(lane) {
		return Position{}, fmt.Errorf("parsing position %q: %q is no lane name as positions write it", clip(s), clip(lane))
	}
	seg, ok := parseCount(segment)
	if !ok || seg == 0 {
		return Position{}, fmt.Errorf("parsing position %q: segment is %q, expected a whole number from 1", clip(s), clip(segment))
	}
	off, ok := parseCount(offset)
	if !ok || off > 1<<63-1 {
		return Position{}, fmt.Errorf("parsing position %q: offset is %q, expected a whole number from 0", clip(s), clip(offset))
	}
	return Position{Lane: lane, Segment: seg, Offset: int64(off)}, nil
}

// parseCount reads a decimal number in its one canonical form.
func parseCount(s string) (uint64, bool) {
	if s == "" || s[0] < '0' || s[0] > '9' || s[0] == '0' && len(s) > 1 {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// EscapeLane writes a lane's own name (a path without .jsonl, any bytes) as
// positions and the journal do: every byte outside [A-Za-z0-9._/-] as %XX,
// upper case. Distinct names stay distinct.
func EscapeLane(raw string) string {
	n := 0
	for i := 0; i < len(raw); i++ {
		if !laneByte(raw[i]) {
			n++
		}
	}
	if n == 0 {
		return raw
	}
	const hex = "0123456789ABCDEF"
	out := make([]byte, 0, len(raw)+2*n)
	for i := 0; i < len(raw); i++ {
		if c := raw[i]; laneByte(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}

// UnescapeLane gives back the lane's own name. It accepts only what EscapeLane
// writes: one name has one spelling.
func UnescapeLane(name string) (string, error) {
	if !escapedLane(name) {
		return "", fmt.Errorf("unescaping lane %q: expected [A-Za-z0-9._/-] and %%XX in upper case for every other byte", clip(name))
	}
	if !strings.Contains(name, "%") {
		return name, nil
	}
	out := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' {
			c = upperHex(name[i+1])<<4 | upperHex(name[i+2])
			i += 2
		}
		out = append(out, c)
	}
	return string(out), nil
}

// escapedLane tells whether name is one that EscapeLane writes.
func escapedLane(name string) bool {
	for i := 0; i < len(name); i++ {
		if laneByte(name[i]) {
			continue
		}
		if name[i] != '%' || i+2 >= len(name) {
			return false
		}
		hi, lo := upperHex(name[i+1]), upperHex(name[i+2])
		if hi > 15 || lo > 15 || laneByte(hi<<4|lo) {
			return false
		}
		i += 2
	}
	return true
}

// canonicalLane tells whether name is an escaped lane name that a board can
// hold: no empty, "." or ".." element.
func canonicalLane(name string) bool {
	if !escapedLane(name) {
		return false
	}
	for elem := range strings.SplitSeq(name, "/") {
		if elem == "" || elem == "." || elem == ".." {
			return false
		}
	}
	return true
}

func laneByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '.' || c == '_' || c == '/' || c == '-'
}

// upperHex is the value of an upper-case hex digit, 255 for any other byte.
func upperHex(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// clip shortens what an error message quotes.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	end := most
	for end > most-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}
