package seal

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts/merkle"
)

// proofHead is the first line of a stand-alone proof.
const proofHead = "c2sp.org/tlog-proof@v1"

// MaxProof bounds a proof's text: the longest line with its entry, and a note.
const MaxProof = 4 << 20

// Proof is a stand-alone proof (C2SP tlog-proof) that a leaf stands in a log:
//
//	c2sp.org/tlog-proof@v1
//	extra BASE64          (optional; not authenticated by itself)
//	index 17
//	BASE64                (the path, from the leaf's sibling to the root's child)
//
//	the signed checkpoint
type Proof struct {
	Extra      []byte
	Index      uint64
	Path       []merkle.Hash
	Checkpoint []byte // signed
}

// Text writes the proof.
func (p *Proof) Text() []byte {
	b := []byte(proofHead + "\n")
	if len(p.Extra) > 0 {
		b = append(b, "extra "...)
		b = base64.StdEncoding.AppendEncode(b, p.Extra)
		b = append(b, '\n')
	}
	b = append(b, "index "...)
	b = strconv.AppendUint(b, p.Index, 10)
	b = append(b, '\n')
	for _, h := range p.Path {
		b = base64.StdEncoding.AppendEncode(b, h[:])
		b = append(b, '\n')
	}
	return append(append(b, '\n'), p.Checkpoint...)
}

// IsProof tells whether a text claims to be one.
func IsProof(text []byte) bool { return strings.HasPrefix(string(text), "c2sp.org/tlog-proof@") }

// ParseProof reads a proof as Text writes it, and nothing else.
func ParseProof(text []byte) (*Proof, error) {
	bad := func(line int, expected, found string) error {
		return fmt.Errorf("reading a proof: line %d: expected %s, found %q", line, expected, clip(found))
	}
	if len(text) > MaxProof {
		return nil, fmt.Errorf("reading a proof: %d bytes, more than the %d that one may have", len(text), MaxProof)
	}
	head, signed, ok := strings.Cut(string(text), "\n\n")
	lines := strings.Split(head, "\n")
	if lines[0] != proofHead {
		return nil, bad(1, proofHead, lines[0])
	}
	if !ok {
		return nil, bad(len(lines), "an empty line and a signed checkpoint", "the end")
	}
	p, at, err := &Proof{Checkpoint: []byte(signed)}, 1, error(nil)
	if at < len(lines) && strings.HasPrefix(lines[at], "extra ") {
		if p.Extra, err = base64.StdEncoding.Strict().DecodeString(lines[at][len("extra "):]); err != nil {
			return nil, bad(at+1, "extra and base64", lines[at])
		}
		at++
	}
	if at >= len(lines) || !strings.HasPrefix(lines[at], "index ") {
		return nil, bad(at+1, "index and a number", strings.Join(lines[min(at, len(lines)):], "\n"))
	}
	if p.Index, err = parseNumber(lines[at][len("index "):]); err != nil {
		return nil, bad(at+1, "index and a number", lines[at])
	}
	for at++; at < len(lines); at++ {
		h, err := parseBase64Hash(lines[at])
		if err != nil {
			return nil, bad(at+1, "a hash in base64", lines[at])
		}
		if p.Path = append(p.Path, h); len(p.Path) > 63 {
			return nil, bad(at+1, "a path of at most 63 hashes", lines[at])
		}
	}
	return p, nil
}

// Check checks that the leaf stands at the proof's index under a checkpoint
// that one of the keys signed, and gives that checkpoint.
func (p *Proof) Check(leaf merkle.Hash, keys ...*Verifier) (Checkpoint, error) {
	c, _, err := OpenCheckpoint(p.Checkpoint, keys...)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := merkle.CheckInclusion(p.Index, c.Size, leaf, p.Path, c.Root); err != nil {
		return Checkpoint{}, fmt.Errorf("checking leaf %d under the checkpoint of size %d: %w", p.Index, c.Size, err)
	}
	return c, nil
}
