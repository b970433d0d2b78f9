package blackboard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// sealedLine is what is read of board.segment.sealed.
type sealedLine struct {
	Type string     `json:"type"`
	Data segmentJob `json:"data"`
}

// sealsIn keeps the seals among the archiver's lines.
func (w *laneWorker) sealsIn(s *span, raw []byte) {
	for line := range bytes.Lines(raw) {
		var l sealedLine
		if bytes.Contains(line, []byte("board.segment.sealed")) && json.Unmarshal(line, &l) == nil && l.Type == "board.segment.sealed" {
			w.mu.Lock()
			w.v.sealed = append(w.v.sealed, sealedSegment{l.Data, s.seq})
			w.mu.Unlock()
		}
	}
}

type sealedSegment struct {
	segmentJob
	seq uint64
}

// seals compares the flat SHA-256 of every sealed segment: what `zstdcat |
// sha256sum` says.
func (v *verifier) seals() error {
	c := v.moved.again()
	defer c.close()
	for _, s := range v.sealed {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		k := segmentKey{s.Lane, s.Segment}
		r, err := c.open(s.Lane, s.Segment, 0, s.Bytes)
		h := sha256.New()
		var n int64
		if err == nil {
			n, err = io.Copy(h, r)
		}
		if _, ok := v.pruned[k]; ok && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		sum := hex.EncodeToString(h.Sum(nil))
		if err == nil && n == s.Bytes && sum == s.SHA256 {
			v.out.Seals++
			continue
		}
		what := fmt.Sprintf("its SHA-256 is %s, its seal says %s", sum, s.SHA256)
		if err != nil {
			what = err.Error()
		}
		v.find(VerdictTampered, Finding{Path: v.place(k), Lane: s.Lane, Segment: s.Segment, Entry: ptr(s.seq), Detail: "a sealed segment: " + what})
	}
	return nil
}
