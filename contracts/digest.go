package contracts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// digestMember is how the member linedigest begins, as Build writes it.
const digestMember = `,"linedigest":"`

// CheckDigest tells whether a line carries linedigest, and whether it is right:
// the last member, written as Build writes it, and the SHA-256 of all that
// stands before it. A line whose digest is wrong was changed after it was
// written; it is an event all the same.
func CheckDigest(line []byte, env *Envelope) (has, ok bool) {
	s := env.LineDigest
	if !s.Present() {
		return false, false
	}
	before := line[:s.Off+1]
	body, sum := s.Raw(line), sha256.Size*2+2
	if len(body) != sum || s.Esc || !bytes.HasSuffix(before, []byte(digestMember)) {
		return true, false
	}
	if tail := bytes.TrimRight(line[s.End:], " \t\r"); len(tail) != 1 {
		return true, false
	}
	digest := sha256.Sum256(before[:len(before)-len(digestMember)])
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], digest[:])
	return true, bytes.Equal(text[:], body[1:len(body)-1])
}
