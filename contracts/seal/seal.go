// Package seal is what a stranger needs to check what a board signed, and
// nothing else: checkpoints, the notes that carry their signatures, keys, and
// stand-alone proofs. No file, no clock.
//
// A checkpoint (C2SP tlog-checkpoint) is three lines: whose log, how many
// leaves, and the RFC 6962 root over them in base64. Signed, it is a note (C2SP
// signed-note, golang.org/x/mod/sumdb/note): the text, an empty line, and one
// line a signature:
//
//	stigmergy/0f8fad5bd9cb469fa165708677289500
//	17
//	Qxk1e0h8o0rUu9q6zG2tq0Y4m3XG2u1zQpJtqQk7aZ0=
//
//	— stigmergy/0f8fad5bd9cb469fa165708677289500 vC1p2Z…
//
// A verifier key is one line, NAME+HASH+BASE64, as `stigmergy certify key`
// prints it. The shell's way to the same check:
//
//	sed '/^$/,$d' checkpoint > text                                     # what is signed
//	sed -n 's/^— [^ ]* //p' checkpoint | base64 -d | tail -c 64 > sig   # the key's hash cut off
//	(printf '302a300506032b6570032100' | xxd -r -p; cut -d+ -f3- vkey | base64 -d | tail -c 32) |
//	  openssl pkey -pubin -inform DER -out pub.pem
//	openssl pkeyutl -verify -pubin -inkey pub.pem -rawin -in text -sigfile sig
package seal

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts/merkle"
)

// Checkpoint is a log's state: these leaves, and no others, in this order.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   merkle.Hash
}

// Text is what is signed: three lines.
func (c Checkpoint) Text() string {
	return c.Origin + "\n" + strconv.FormatUint(c.Size, 10) + "\n" + c.RootBase64() + "\n"
}

// RootBase64 is the root as it stands in the text.
func (c Checkpoint) RootBase64() string { return base64.StdEncoding.EncodeToString(c.Root[:]) }

// ParseCheckpoint reads a text as Text writes it. Extension lines are refused:
// this program signs none.
func ParseCheckpoint(text string) (Checkpoint, error) {
	var c Checkpoint
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] == "" {
		return c, fmt.Errorf("reading a checkpoint: expected three lines (origin, size, root), found %d", strings.Count(text, "\n"))
	}
	size, err := parseNumber(lines[1])
	if err != nil {
		return c, fmt.Errorf("reading a checkpoint: the size: %w", err)
	}
	root, err := parseBase64Hash(lines[2])
	if err != nil {
		return c, fmt.Errorf("reading a checkpoint: the root: %w", err)
	}
	return Checkpoint{Origin: lines[0], Size: size, Root: root}, nil
}

// parseNumber reads decimal digits without leading zeros or signs.
func parseNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, fmt.Errorf("expected a decimal number, found %q", clip(s))
	}
	return n, nil
}

// parseBase64Hash reads the one base64 text of 32 bytes.
func parseBase64Hash(s string) (merkle.Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) != len(merkle.Hash{}) || base64.StdEncoding.EncodeToString(b) != s {
		return merkle.Hash{}, fmt.Errorf("expected 32 bytes in base64, found %q", clip(s))
	}
	return merkle.Hash(b), nil
}

// clip shortens what an error quotes.
func clip(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
