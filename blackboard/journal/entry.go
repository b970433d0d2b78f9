// Package journal is the daemon's own append-only log: which bytes of which
// lane were taken in, in which order and when, and everything else that the
// fold depends on. It is plain JSONL, one entry a line:
//
//	{"seq":0,"time":"2026-01-29T02:31:13.000000000Z","elapsed_ms":0,"open":true,"board_id":"…","boot_id":"…","fold":1,"version":"…"}
//	{"seq":17,"time":"…","elapsed_ms":42,"lane":"agents/7","segment":1,"from":0,"to":2048,"lines":8,"root":"…"}
//
// seq counts from 0 without gaps; root is the RFC 6962 root over the entry's
// lines. An entry that carries lines and a cause is a derived one. Every other
// kind names itself by a member that is true: open, config, owner, tick,
// rotate, note, state, cut.
//
// The inputs of one lane, as a shell sees them:
//
//	cat .stigmergy/journal/*.jsonl | jq -c 'select(.lane=="agents/7" and .lines and (has("cause")|not))'
package journal

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"

	"stigmergy/contracts/merkle"
)

// Kind says what an entry records.
type Kind uint8

// The closed set of kinds.
const (
	Input   Kind = iota // new bytes of a lane
	Derived             // bytes that the fold made for an owned lane
	Open                // a run of the daemon begins
	Config              // settings and contracts in force from here on
	Owner               // a lane's file belongs to this uid
	Tick                // timers are due
	Rotate              // a segment ends, the next one begins
	Note                // a fact about the world
	State               // a base state stands in the CAS
	Cut                 // power was lost and the journal was cut
)

var markers = [...]string{Open: "open", Config: "config", Owner: "owner", Tick: "tick", Rotate: "rotate", Note: "note", State: "state", Cut: "cut"}

// MaxLen is the length no entry exceeds, its newline not counted.
const MaxLen = 65535

// TimeFormat is how times stand in the journal and in derived events.
const TimeFormat = "2006-01-02T15:04:05.000000000Z"

// Entry is one line of the journal. Which fields mean something depends on
// its kind; those that are zero are not written.
type Entry struct {
	Seq       uint64
	Time      int64 // nanoseconds since the epoch, UTC
	ElapsedMS int64 // the board's monotonic clock
	Kind      Kind

	Lane    string // escaped name
	Segment uint64
	From    int64 // offset in the segment (input, derived, note)
	To      int64
	Lines   int64
	Root    merkle.Hash
	Cause   uint64 // derived: seq of the entry whose fold made it

	BoardID string // open
	BootID  string
	Fold    int
	Version string
	UID     uint32 // open: the daemon's; owner: the lane's

	SHA256 string // config, state, note foreign: name of a CAS object

	Next   uint64 // rotate: the segment that begins
	Base   int64  // rotate after a cut: where in the lane's file the next segment begins
	Reason string // rotate, note

	Note       string // the kind of note
	Handler    string
	Position   string
	Path       string
	Errno      string
	Detail     string
	PowerEpoch uint64 // cut
	CutSeq     uint64 // cut: first seq that was cut away
}

// FormatTime writes nanoseconds since the epoch as the journal does.
func FormatTime(ns int64) string { return time.Unix(0, ns).UTC().Format(TimeFormat) }

// Append writes the entry as a line, without its newline.
func (e *Entry) Append(b []byte) []byte {
	b = append(b, `{"seq":`...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"time":"`...)
	b = time.Unix(0, e.Time).UTC().AppendFormat(b, TimeFormat)
	b = append(b, `","elapsed_ms":`...)
	b = strconv.AppendInt(b, e.ElapsedMS, 10)
	w := writer{b}
	if m := e.marker(); m != "" {
		w.raw(m, "true")
	}
	e.fields(&w)
	return append(w.b, '}')
}

func (e *Entry) marker() string { return markers[e.Kind] }

func (e *Entry) fields(w *writer) {
	switch e.Kind {
	case Input, Derived:
		w.text("lane", e.Lane)
		w.uint("segment", e.Segment)
		w.int("from", e.From)
		w.int("to", e.To)
		w.int("lines", e.Lines)
		w.b = append(w.b, `,"root":"`...)
		w.b = hex.AppendEncode(w.b, e.Root[:])
		w.b = append(w.b, '"')
		if e.Kind == Derived {
			w.uint("cause", e.Cause)
		}
	case Open:
		w.text("board_id", e.BoardID)
		w.text("boot_id", e.BootID)
		w.int("fold", int64(e.Fold))
		w.text("version", e.Version)
		w.uint("uid", uint64(e.UID))
	case Config, State:
		w.text("sha256", e.SHA256)
	case Owner:
		w.text("lane", e.Lane)
		w.uint("uid", uint64(e.UID))
	case Rotate:
		w.text("lane", e.Lane)
		w.uint("segment", e.Segment)
		w.uint("next", e.Next)
		w.int("to", e.To)
		w.optInt("base", e.Base)
		w.optText("path", e.Path)
		w.optText("reason", e.Reason)
	case Note:
		e.noteFields(w)
	case Cut:
		w.uint("power_epoch", e.PowerEpoch)
		w.uint("cut_seq", e.CutSeq)
	}
}

func (e *Entry) noteFields(w *writer) {
	w.text("kind", e.Note)
	w.optText("lane", e.Lane)
	if e.Segment != 0 {
		w.uint("segment", e.Segment)
	}
	if e.From != 0 || e.To != 0 {
		w.int("from", e.From)
		w.int("to", e.To)
	}
	if e.Next != 0 {
		w.uint("next", e.Next)
	}
	w.optText("handler", e.Handler)
	w.optText("position", e.Position)
	w.optText("path", e.Path)
	w.optText("reason", e.Reason)
	w.optText("errno", e.Errno)
	w.optText("detail", e.Detail)
	w.optText("sha256", e.SHA256)
}

// writer appends members to an object that is open.
type writer struct{ b []byte }

func (w *writer) key(k string) {
	w.b = append(w.b, ',', '"')
	w.b = append(w.b, k...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) raw(k, v string)         { w.key(k); w.b = append(w.b, v...) }
func (w *writer) int(k string, v int64)   { w.key(k); w.b = strconv.AppendInt(w.b, v, 10) }
func (w *writer) uint(k string, v uint64) { w.key(k); w.b = strconv.AppendUint(w.b, v, 10) }
func (w *writer) optInt(k string, v int64) {
	if v != 0 {
		w.int(k, v)
	}
}

func (w *writer) text(k, v string) {
	w.key(k)
	for i := 0; i < len(v); i++ {
		if c := v[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			q, _ := json.Marshal(v) // a string always marshals
			w.b = append(w.b, q...)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, v...)
	w.b = append(w.b, '"')
}

func (w *writer) optText(k, v string) {
	if v != "" {
		w.text(k, v)
	}
}
