package board

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"stigmergy/handlers"
)

// maxText is how much of a line board.quarantined quotes.
const maxText = 1024

// quarantine records one refused line and derives its board.quarantined.
func quarantine(tx *handlers.Tx, r *handlers.Refused) {
	why := r.Refusal
	text := head(r.Line)
	data := new(handlers.Object).Grow(512+len(text)+len(text)/4+256*len(why.Errors)).
		Position("position", r.Pos).
		Str("lane", r.Pos.Lane).
		Int("length", r.Length).
		Str("sha256", hex.EncodeToString(r.SHA256[:])).
		Str("reason", string(why.Reason)).
		OptStr("topic", why.Topic).
		OptStr("contract", why.Contract).
		Errors("errors", why.Errors).
		Text("text", text)
	if r.Recovered.Segment != 0 {
		data.Position("recovered", r.Recovered)
	}
	whole := data.Bytes()
	tx.Emit("board", "board.quarantined", r.Pos.Lane, whole)
	tx.Record(laneOf(r.Pos.Lane), record(tx, r, whole))
}

// record is the line of quarantine/LANE.
func record(tx *handlers.Tx, r *handlers.Refused, data []byte) []byte {
	b := handlers.Open(append(make([]byte, 0, len(data)+len(r.Line)+len(r.Line)/4+64), data...))
	b.Str("time", tx.Time())
	if utf8.Valid(r.Line) {
		b.Text("line", r.Line)
	} else {
		b.Str("line_base64", base64.StdEncoding.EncodeToString(r.Line))
	}
	return b.Bytes()
}

// laneOf is where the refused lines of a lane go. What stands foreign in a
// lane of quarantine stays there, as a record.
func laneOf(lane string) string {
	if strings.HasPrefix(lane, "quarantine/") {
		return lane
	}
	return "quarantine/" + lane
}

// head is the first KiB of a line, not ending within a character.
func head(line []byte) []byte {
	if len(line) <= maxText {
		return line
	}
	n := maxText
	for i := n; i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(line[i]) {
			return line[:i]
		}
	}
	return line[:n]
}
