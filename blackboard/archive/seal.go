package archive

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"

	"stigmergy/contracts/merkle"
)

// Seal is what a segment was found to be before it was archived
// (board.segment.sealed).
type Seal struct {
	Lines  int64 // ended by LF
	Bytes  int64
	SHA256 [32]byte // of all bytes
	Root   [32]byte // RFC 6962 over the LF-ended lines, each without its LF
}

// sealer computes a Seal from bytes that come in pieces of any size.
type sealer struct {
	seal Seal
	sum  hash.Hash
	tree merkle.Tree
	leaf hash.Hash // of a line that goes on in the next piece; nil: none does
}

func newSealer() *sealer { return &sealer{sum: sha256.New()} }

// Write implements io.Writer.
func (s *sealer) Write(b []byte) (int, error) {
	s.sum.Write(b)
	s.seal.Bytes += int64(len(b))
	for rest := b; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			s.open(rest)
			break
		}
		s.line(rest[:n])
		rest = rest[n+1:]
	}
	return len(b), nil
}

// open takes in the beginning or middle of a line.
func (s *sealer) open(b []byte) {
	if s.leaf == nil {
		s.leaf = sha256.New()
		s.leaf.Write([]byte{0})
	}
	s.leaf.Write(b)
}

// line takes in the end of a line.
func (s *sealer) line(b []byte) {
	s.seal.Lines++
	if s.leaf == nil {
		s.tree.Add(merkle.LeafHash(b))
		return
	}
	var h merkle.Hash
	s.leaf.Write(b)
	s.leaf.Sum(h[:0])
	s.leaf = nil
	s.tree.Add(h)
}

// done is the seal of all that was written.
func (s *sealer) done() Seal {
	s.sum.Sum(s.seal.SHA256[:0])
	s.seal.Root = s.tree.Root()
	return s.seal
}

// differs says in words how got is not the seal, or nothing.
func (s *Seal) differs(got *Seal) string {
	switch {
	case s.Bytes != got.Bytes:
		return fmt.Sprintf("seal: %d bytes instead of the %d that were sealed", got.Bytes, s.Bytes)
	case s.Lines != got.Lines:
		return fmt.Sprintf("seal: %d lines instead of the %d that were sealed", got.Lines, s.Lines)
	case s.SHA256 != got.SHA256:
		return fmt.Sprintf("seal: SHA-256 %x instead of %x", got.SHA256, s.SHA256)
	case s.Root != got.Root:
		return fmt.Sprintf("seal: Merkle root %x instead of %x", got.Root, s.Root)
	}
	return ""
}
