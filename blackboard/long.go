package blackboard

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"io"

	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// batchBytes is how much one input entry takes in at most, one long line
// excepted; readBytes how much is read at a time.
const (
	batchBytes = 4 << 20
	readBytes  = 1 << 20
	headBytes  = 1024
)

// long is a line that is streamed past: hashed, its first KiB kept.
type long struct {
	line *LongLine
	leaf merkle.Hash
}

// longScan goes over a long line piece by piece, so that a line that grows is
// never read twice.
type longScan struct {
	flat, leaf hash.Hash
	length     int64
	head       []byte
}

func newLongScan() *longScan {
	s := &longScan{flat: sha256.New(), leaf: sha256.New()}
	s.leaf.Write([]byte{0})
	return s
}

func (s *longScan) add(b []byte) {
	s.flat.Write(b)
	s.leaf.Write(b)
	s.length += int64(len(b))
	if room := headBytes - len(s.head); room > 0 {
		s.head = append(s.head, b[:min(room, len(b))]...)
	}
}

func (s *longScan) end() long {
	l := long{line: &LongLine{Length: s.length, Head: s.head}}
	s.flat.Sum(l.line.SHA256[:0])
	s.leaf.Sum(l.leaf[:0])
	return l
}

// scanLong reads n bytes of a line without its newline.
func scanLong(r io.Reader, n int64) (long, error) {
	s := newLongScan()
	buf := make([]byte, 256<<10)
	for s.length < n {
		m, err := r.Read(buf)
		s.add(buf[:m])
		if err == io.EOF {
			break
		}
		if err != nil {
			return long{}, err
		}
	}
	if s.length != n {
		return long{}, fmt.Errorf("expected %d bytes, found %d", n, s.length)
	}
	return s.end(), nil
}

func tooLong(n int64, limit int) *contracts.Refusal {
	return &contracts.Refusal{Reason: contracts.ReasonTooLong, Errors: []contracts.FieldError{{
		Keyword: "max_line", Expected: fmt.Sprintf("at most %d bytes", limit), Got: fmt.Sprintf("%d bytes", n),
		Hint: "put what is large into a file and post its path and SHA-256, or raise max_line",
	}}}
}
