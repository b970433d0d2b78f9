package blackboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"

	"stigmergy/contracts"
)

// suspect is the number, in its batch, of the first line that says by itself
// that it was changed: its own digest is wrong, it is no JSON although it was an
// event, or it was refused and is not what was refused. 0 where none does: a root
// alone does not tell which of its leaves is another one.
func (w *laneWorker) suspect(k segmentKey, s *span, raw []byte) int64 {
	refused := w.refused(k, s)
	c := contracts.Checker{Registry: contracts.Builtin(), UnknownTopics: "accept"}
	n, off := int64(0), s.from
	for line := range bytes.Lines(raw) {
		n++
		at := off
		off += int64(len(line))
		line = bytes.TrimSuffix(line, []byte("\n"))
		if was, ok := refused[at]; ok {
			if sum := sha256.Sum256(line); hex.EncodeToString(sum[:]) != was {
				return n
			}
			continue
		}
		if contracts.Blank(line) {
			continue
		}
		var ev contracts.Event
		if r := c.Check(line, &ev); r != nil && (r.Reason == contracts.ReasonNotJSON || r.Reason == contracts.ReasonBadUTF8) && refused != nil {
			return n
		}
		if has, ok := contracts.CheckDigest(ev.Line, &ev.Env); has && !ok {
			return n
		}
	}
	return 0
}

// refused are the hashes of the lines of an entry that were refused, by their
// offsets, as the quarantine has them; nil where it cannot be read.
func (w *laneWorker) refused(k segmentKey, s *span) map[int64]string {
	out := map[int64]string{}
	c := w.v.moved.again()
	defer c.close()
	for key, sum := range w.v.segments {
		if key.lane != "quarantine/"+k.lane {
			continue
		}
		for i := range sum.spans {
			q := &sum.spans[i]
			r, err := c.open(key.lane, key.segment, q.from, q.to)
			if err != nil {
				return nil
			}
			text, err := io.ReadAll(io.LimitReader(r, q.to-q.from))
			if err != nil {
				return nil
			}
			records(text, k, s, out)
		}
	}
	return out
}

func records(text []byte, k segmentKey, s *span, out map[int64]string) {
	for line := range bytes.Lines(text) {
		var rec struct {
			Position string `json:"position"`
			SHA256   string `json:"sha256"`
		}
		if json.Unmarshal(line, &rec) != nil {
			continue
		}
		at, err := contracts.ParsePosition(rec.Position)
		if err == nil && at.Lane == k.lane && at.Segment == k.segment && at.Offset >= s.from && at.Offset < s.to {
			out[at.Offset] = rec.SHA256
		}
	}
}
