package board

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
)

// One call records so many foreign lines (each is a record and an event, and a
// call derives at most 1,000 lines) or so many bytes of them, and then lets the
// other lanes have their turn.
const (
	foreignLines = 400
	foreignBytes = 1 << 20
)

// foreign records bytes that somebody else wrote into an owned lane: each of
// their lines is a refused one. The bytes stand in the CAS.
func foreign(tx *handlers.Tx, e *journal.Entry) {
	if e.SHA256 == "" || e.Lane == "" {
		return
	}
	at := contracts.Position{Lane: e.Lane, Segment: max(e.Segment, 1), Offset: e.From}
	foreignFrom(tx, strconv.FormatUint(e.Seq, 10), at, e.SHA256, 0)
}

// foreignMore goes on where the call before stopped: the key foreign/SEQ holds
// where the bytes stood, their SHA-256, and how many of them are recorded.
func foreignMore(tx *handlers.Tx, timer string) {
	v, _ := tx.Get(timer)
	tx.Delete(timer)
	where, rest, _ := strings.Cut(v, " ")
	sum, done, _ := strings.Cut(rest, " ")
	at, err := contracts.ParsePosition(where)
	n, err2 := strconv.Atoi(done)
	if err == nil && err2 == nil {
		foreignFrom(tx, strings.TrimPrefix(timer, "foreign/"), at, sum, n)
	}
}

func foreignFrom(tx *handlers.Tx, seq string, at contracts.Position, sum string, done int) {
	all, first := tx.CAS(sum), done
	for n := 0; done < len(all); n++ {
		if n == foreignLines || done-first >= foreignBytes {
			tx.Put("foreign/"+seq, fmt.Sprintf("%s %s %d", at, sum, done))
			tx.Continue("foreign/" + seq)
			return
		}
		line, _, _ := bytes.Cut(all[done:], []byte("\n"))
		if !contracts.Blank(line) {
			pos := at
			pos.Offset += int64(done)
			quarantine(tx, foreignLine(tx, pos, line))
		}
		done += len(line) + 1
	}
}

func foreignLine(tx *handlers.Tx, pos contracts.Position, line []byte) *handlers.Refused {
	r := &handlers.Refused{
		Pos: pos, Line: line, Length: int64(len(line)), SHA256: sha256.Sum256(line),
		Refusal: &contracts.Refusal{Reason: contracts.ReasonForeign, Errors: []contracts.FieldError{{
			Keyword: "x-owner", Expected: "only what the daemon derived", Got: "bytes from somebody else",
			Hint: "append to a lane of your own: lane " + pos.Lane + " is the daemon's",
		}}},
	}
	if r.Length > tx.Settings().MaxLine {
		r.Line = line[:maxText:maxText]
	}
	return r
}
