// Package merkle hashes lines the way RFC 6962 (Certificate Transparency) does:
// a leaf is SHA-256(0x00 ‖ bytes), an inner node SHA-256(0x01 ‖ left ‖ right), and
// a tree of n leaves splits at the largest power of two below n, so that an odd
// node is promoted, never doubled. The tree of no leaves is SHA-256 of nothing.
//
// Everything that the board proves is such a tree: a batch's root over its lines,
// the board's root over the journal's lines, a plan's root over its shards.
//
//	var t merkle.Tree
//	for _, line := range lines {
//		t.Add(merkle.LeafHash(line))
//	}
//	fmt.Println(t.Root()) // hex
//
// The root of a lane with one line is the shell's
//
//	(printf '\0'; head -n1 lane.jsonl | tr -d '\n') | sha256sum
package merkle

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Hash is a SHA-256 value: a leaf's, a node's or a root's.
type Hash [sha256.Size]byte

// String is the hash as 64 lower-case hex digits, as it stands in events.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// AppendHex appends the 64 lower-case hex digits to dst.
func (h Hash) AppendHex(dst []byte) []byte { return hex.AppendEncode(dst, h[:]) }

// ParseHash reads 64 lower-case hex digits. Upper case is refused: one hash has
// one text, or two parties could sign different bytes for the same root.
func ParseHash(s string) (Hash, error) {
	var h Hash
	if len(s) != 2*len(h) {
		return h, fmt.Errorf("parsing hash: %d characters, want %d", len(s), 2*len(h))
	}
	for i := 0; i < len(s); i++ {
		v, ok := nibble(s[i])
		if !ok {
			return Hash{}, fmt.Errorf("parsing hash: %q at %d is no lower-case hex digit", s[i], i)
		}
		h[i/2] = h[i/2]<<4 | v
	}
	return h, nil
}

func nibble(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// short is the longest leaf that is hashed through a buffer on the stack. Longer
// ones are few, and a streaming hash costs them nothing that shows.
const short = 1023

// LeafHash is the hash of a leaf: SHA-256(0x00 ‖ b). It does not allocate.
func LeafHash(b []byte) Hash {
	switch {
	case len(b) < 384: // nearly every line: a small buffer is cheaper to clear
		var buf [384]byte
		return sha256.Sum256(buf[:1+copy(buf[1:], b)])
	case len(b) <= short:
		var buf [1 + short]byte
		return sha256.Sum256(buf[:1+copy(buf[1:], b)])
	}
	return longLeaf(b)
}

// longLeaf streams: the prefix, then the line where it lies.
func longLeaf(b []byte) (h Hash) {
	d := sha256.New()
	d.Write([]byte{0})
	d.Write(b)
	d.Sum(h[:0])
	return h
}

// NodeHash is the hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*sha256.Size]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+sha256.Size:], right[:])
	return sha256.Sum256(buf[:])
}

// Empty is the root of a tree without leaves: SHA-256 of the empty string.
func Empty() Hash { return sha256.Sum256(nil) }
