package journal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// ErrEntry says that a line is no journal entry.
var ErrEntry = errors.New("not a journal entry")

// Parse reads one line (without its newline). Members it does not know are
// passed over, so that an older build can read a newer journal's known kinds.
func Parse(line []byte) (Entry, error) {
	p := parser{in: line}
	var e Entry
	if err := p.object(&e); err != nil {
		return Entry{}, fmt.Errorf("%w at byte %d: %w", ErrEntry, p.i, err)
	}
	return e, nil
}

// parser reads a flat object; values are strings, numbers and true.
type parser struct {
	in   []byte
	i    int
	seen fields
}

type fields uint8

const (
	sawSeq fields = 1 << iota
	sawTime
	sawLines
	sawCause
	sawMarker
)

var errShape = errors.New("expected a flat JSON object of strings, numbers and true")

func (p *parser) object(e *Entry) error {
	if len(p.in) > MaxLen || !p.take('{') {
		return errShape
	}
	for {
		key, err := p.str()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return errShape
		}
		if err := p.member(e, key); err != nil {
			return err
		}
		if p.take(',') {
			continue
		}
		if !p.take('}') || p.i != len(p.in) {
			return errShape
		}
		return p.finish(e)
	}
}

func (p *parser) finish(e *Entry) error {
	if p.seen&sawSeq == 0 || p.seen&sawTime == 0 {
		return errors.New("seq or time is missing")
	}
	if p.seen&sawMarker != 0 {
		if (e.Kind == Config || e.Kind == State) && len(e.SHA256) != 64 {
			return errors.New("it names no object of the CAS")
		}
		return nil
	}
	if p.seen&sawLines == 0 {
		return errors.New("it is of no known kind")
	}
	e.Kind = Input
	if p.seen&sawCause != 0 {
		e.Kind = Derived
	}
	if e.Lane == "" || e.Segment == 0 || e.From < 0 || e.To <= e.From || e.Lines <= 0 {
		return errors.New("an input or derived entry names no range")
	}
	return nil
}

func (p *parser) member(e *Entry, key []byte) error {
	if p.i >= len(p.in) {
		return errShape
	}
	switch c := p.in[p.i]; {
	case c == '"':
		v, err := p.str()
		if err != nil {
			return err
		}
		return p.text(e, key, v)
	case c == 't':
		if !bytes.HasPrefix(p.in[p.i:], []byte("true")) {
			return errShape
		}
		p.i += 4
		p.marker(e, key)
		return nil
	}
	return p.number(e, key)
}

func (p *parser) marker(e *Entry, key []byte) {
	for k, m := range markers {
		if m != "" && m == string(key) {
			e.Kind = Kind(k)
			p.seen |= sawMarker
		}
	}
}

func (p *parser) number(e *Entry, key []byte) error {
	start := p.i
	for p.i < len(p.in) && (p.in[p.i] == '-' || p.in[p.i] >= '0' && p.in[p.i] <= '9') {
		p.i++
	}
	digits := p.in[start:p.i]
	if len(digits) == 0 || len(digits) > 20 {
		return errShape
	}
	u, err := parseUint(digits)
	if err != nil {
		return fmt.Errorf("member %s: %w", key, err)
	}
	switch string(key) {
	case "seq":
		e.Seq = u
		p.seen |= sawSeq
	case "segment":
		e.Segment = u
	case "cause":
		e.Cause = u
		p.seen |= sawCause
	case "next":
		e.Next = u
	case "power_epoch":
		e.PowerEpoch = u
	case "cut_seq":
		e.CutSeq = u
	default:
		return p.signed(e, key, u)
	}
	return nil
}

func (p *parser) signed(e *Entry, key []byte, u uint64) error {
	if u > 1<<63-1 {
		return fmt.Errorf("member %s: %d is out of range", key, u)
	}
	n := int64(u)
	switch string(key) {
	case "elapsed_ms":
		e.ElapsedMS = n
	case "from":
		e.From = n
	case "to":
		e.To = n
	case "lines":
		e.Lines = n
		p.seen |= sawLines
	case "fold":
		e.Fold = int(n)
	case "base":
		e.Base = n
	case "uid":
		if n > 1<<32-1 {
			return fmt.Errorf("member uid: %d is out of range", n)
		}
		e.UID = uint32(n)
	}
	return nil
}

func (p *parser) text(e *Entry, key, v []byte) (err error) {
	switch string(key) {
	case "time":
		e.Time, err = parseTime(v)
		p.seen |= sawTime
	case "root":
		if len(v) != 64 {
			return errors.New("root is not 64 hex digits")
		}
		_, err = hex.Decode(e.Root[:], v)
	default:
		if f := e.textField(string(key)); f != nil {
			*f = string(v)
		}
	}
	return err
}

func (e *Entry) textField(key string) *string {
	switch key {
	case "lane":
		return &e.Lane
	case "board_id":
		return &e.BoardID
	case "boot_id":
		return &e.BootID
	case "version":
		return &e.Version
	case "sha256":
		return &e.SHA256
	case "reason":
		return &e.Reason
	case "kind":
		return &e.Note
	case "handler":
		return &e.Handler
	case "position":
		return &e.Position
	case "path":
		return &e.Path
	case "errno":
		return &e.Errno
	case "detail":
		return &e.Detail
	}
	return nil
}

func (p *parser) take(c byte) bool {
	if p.i < len(p.in) && p.in[p.i] == c {
		p.i++
		return true
	}
	return false
}

// str reads a string; one without escapes is a slice of the input.
func (p *parser) str() ([]byte, error) {
	if !p.take('"') {
		return nil, errShape
	}
	start := p.i
	for ; p.i < len(p.in); p.i++ {
		switch c := p.in[p.i]; {
		case c == '"':
			p.i++
			return p.in[start : p.i-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return nil, errShape
		}
	}
	return nil, errShape
}

func (p *parser) escaped(start int) ([]byte, error) {
	for ; p.i < len(p.in) && p.in[p.i] != '"'; p.i++ {
		if p.in[p.i] == '\\' {
			p.i++
		}
	}
	if !p.take('"') {
		return nil, errShape
	}
	var s string
	if err := json.Unmarshal(p.in[start-1:p.i], &s); err != nil {
		return nil, err
	}
	return []byte(s), nil
}

func parseUint(b []byte) (uint64, error) {
	var n uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, fmt.Errorf("%q is no whole number", b)
		}
		d := uint64(c - '0')
		if n > (1<<64-1-d)/10 {
			return 0, fmt.Errorf("%q is out of range", b)
		}
		n = n*10 + d
	}
	if len(b) > 1 && b[0] == '0' {
		return 0, strconv.ErrSyntax
	}
	return n, nil
}

// parseTime reads TimeFormat, the only form the journal writes.
func parseTime(b []byte) (int64, error) {
	const shape = "dddd-dd-ddTdd:dd:dd.dddddddddZ"
	if len(b) != len(shape) {
		return 0, fmt.Errorf("time %q is not RFC 3339 in UTC with nine decimals", b)
	}
	for i, c := range b {
		if s := shape[i]; s == 'd' && (c < '0' || c > '9') || s != 'd' && c != s {
			return 0, fmt.Errorf("time %q is not RFC 3339 in UTC with nine decimals", b)
		}
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	y, mo, d := two(0)*100+two(2), two(5), two(8)
	if mo < 1 || mo > 12 || d < 1 || d > 31 || two(11) > 23 || two(14) > 59 || two(17) > 59 {
		return 0, fmt.Errorf("time %q names no moment", b)
	}
	var ns int64
	for _, c := range b[20:29] {
		ns = ns*10 + int64(c-'0')
	}
	return time.Date(y, time.Month(mo), d, two(11), two(14), two(17), 0, time.UTC).UnixNano() + ns, nil
}
