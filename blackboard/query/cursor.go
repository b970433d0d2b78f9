package query

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"stigmergy/contracts"
)

// Cursor is a place in the board's order: everything before it has been seen.
// Written down it is opaque: c1- and base64url of (board tag, power epoch, seq,
// line, checksum). In its place start, now and a position (whose event has been
// seen) are taken.
type Cursor struct {
	kind  cursorKind
	board uint32
	epoch uint64
	seq   uint64
	line  int64
	pos   contracts.Position
}

type cursorKind uint8

const (
	cursorNone  cursorKind = iota // the zero Cursor: from the beginning
	cursorPlace                   // epoch, seq, line
	cursorNow                     // behind everything taken in at the time of asking
	cursorPos                     // behind the event at pos
)

const cursorMark = "c1-"

// ErrCursor says that a text is no cursor.
var ErrCursor = errors.New("no cursor")

// LostError says that what a cursor stood behind was lost when the power went,
// or that it is from another board. Go is where one can go on.
type LostError struct {
	Cursor Cursor
	Go     Cursor
	Why    string
}

func (e *LostError) Error() string {
	return fmt.Sprintf("reading from the cursor %s: %s; go on with --cursor %s", e.Cursor, e.Why, e.Go)
}

// ParseCursor reads a cursor, start, now, or a position.
func ParseCursor(s string) (Cursor, error) {
	switch s {
	case "start":
		return Cursor{}, nil
	case "now":
		return Cursor{kind: cursorNow}, nil
	}
	if rest, ok := strings.CutPrefix(s, cursorMark); ok && !strings.Contains(s, "@") {
		return parsePlace(s, rest)
	}
	pos, err := contracts.ParsePosition(s)
	if err != nil {
		return Cursor{}, fmt.Errorf("reading the cursor %q: %w: expected what --show-cursor printed, start, now, or a position LANE@SEGMENT:OFFSET", clip(s), ErrCursor)
	}
	return Cursor{kind: cursorPos, pos: pos}, nil
}

func parsePlace(s, rest string) (Cursor, error) {
	fail := fmt.Errorf("reading the cursor %q: %w: it was cut or changed", clip(s), ErrCursor)
	b, err := base64.RawURLEncoding.Strict().DecodeString(rest)
	if err != nil || len(b) < 4+3+2 || len(b) > 64 {
		return Cursor{}, fail
	}
	body, sum := b[:len(b)-2], binary.BigEndian.Uint16(b[len(b)-2:])
	if uint16(crc32.ChecksumIEEE(body)) != sum {
		return Cursor{}, fail
	}
	c := Cursor{kind: cursorPlace, board: binary.BigEndian.Uint32(body)}
	var line uint64
	body = body[4:]
	for _, p := range []*uint64{&c.epoch, &c.seq, &line} {
		v, n := binary.Uvarint(body)
		if n <= 0 || n != len(binary.AppendUvarint(nil, v)) {
			return Cursor{}, fail
		}
		*p, body = v, body[n:]
	}
	if len(body) != 0 || line > 1<<62 {
		return Cursor{}, fail
	}
	c.line = int64(line)
	return c, nil
}

// String is the cursor as ParseCursor reads it.
func (c Cursor) String() string {
	switch c.kind {
	case cursorNone:
		return "start"
	case cursorNow:
		return "now"
	case cursorPos:
		return c.pos.String()
	}
	b := binary.BigEndian.AppendUint32(nil, c.board)
	b = binary.AppendUvarint(b, c.epoch)
	b = binary.AppendUvarint(b, c.seq)
	b = binary.AppendUvarint(b, uint64(c.line))
	b = binary.BigEndian.AppendUint16(b, uint16(crc32.ChecksumIEEE(b)))
	return cursorMark + base64.RawURLEncoding.EncodeToString(b)
}

// IsStart tells whether the cursor stands before everything.
func (c Cursor) IsStart() bool { return c.kind == cursorNone }

// place is a point in the board's order; pending lines have none.
type place struct {
	seq  uint64
	line int64
}

func (p place) less(q place) bool {
	return p.seq < q.seq || p.seq == q.seq && p.line < q.line
}
