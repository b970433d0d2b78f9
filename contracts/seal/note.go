package seal

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrSignature says that no signature of a known key stands under a note, or
// one that does not hold.
var ErrSignature = errors.New("it is not signed by the key that was given")

// Opened is a note whose signatures were checked.
type Opened struct {
	Text    string
	Signed  []*Verifier      // whose signatures hold
	Sigs    []note.Signature // theirs, in the same order
	Unknown int              // signatures of keys that nobody gave
}

// By says whether that key signed.
func (o *Opened) By(v *Verifier) bool {
	for _, s := range o.Signed {
		if s.Name() == v.Name() && s.ID() == v.ID() {
			return true
		}
	}
	return false
}

// Open checks a note's signatures. At least one of the keys must have signed
// it, and none of their signatures may be wrong.
func Open(signed []byte, keys ...*Verifier) (*Opened, error) {
	list := make([]note.Verifier, 0, len(keys))
	seen := map[string]bool{}
	for _, k := range keys { // one key given twice is one key
		if id := fmt.Sprintf("%s+%08x", k.Name(), k.ID()); !seen[id] {
			seen[id] = true
			list = append(list, k.note)
		}
	}
	n, err := note.Open(signed, note.VerifierList(list...))
	var unknown *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unknown):
		return nil, fmt.Errorf("opening a note: %w: it names %s", ErrSignature, signers(unknown.Note.UnverifiedSigs))
	case errors.As(err, &invalid):
		return nil, fmt.Errorf("opening a note: the signature of %s does not hold: %w", invalid.Name, ErrSignature)
	case err != nil:
		return nil, fmt.Errorf("opening a note: %w", err)
	}
	for _, s := range append(append([]note.Signature(nil), n.Sigs...), n.UnverifiedSigs...) {
		if b, err := base64.StdEncoding.DecodeString(s.Base64); err != nil || base64.StdEncoding.EncodeToString(b) != s.Base64 {
			// One signature has one text: bits that a decoder ignores were changed.
			return nil, fmt.Errorf("opening a note: the signature of %s is not written as it was made: %w", clip(s.Name), ErrSignature)
		}
	}
	out := &Opened{Text: n.Text, Sigs: n.Sigs, Unknown: len(n.UnverifiedSigs)}
	for _, s := range n.Sigs {
		for _, k := range keys {
			if k.Name() == s.Name && k.ID() == s.Hash {
				out.Signed = append(out.Signed, k)
				break
			}
		}
	}
	return out, nil
}

func signers(sigs []note.Signature) string {
	var names []string
	for _, s := range sigs {
		names = append(names, fmt.Sprintf("%s+%08x", clip(s.Name), s.Hash))
	}
	return strings.Join(names, ", ")
}

// OpenCheckpoint opens a signed checkpoint. A log's key that may speak for its
// origin must have signed it: a witness's word alone is none.
func OpenCheckpoint(signed []byte, keys ...*Verifier) (Checkpoint, *Opened, error) {
	o, err := Open(signed, keys...)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	c, err := ParseCheckpoint(o.Text)
	if err != nil {
		return Checkpoint{}, o, err
	}
	for _, k := range o.Signed {
		if !k.Witness() && speaksFor(k.Name(), c.Origin) {
			return c, o, nil
		}
	}
	return Checkpoint{}, o, fmt.Errorf("opening a checkpoint: its origin is %q, which is not the name of the key that signed it: %w", clip(c.Origin), ErrSignature)
}

// PeekCheckpoint reads a signed checkpoint without checking any signature.
func PeekCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, ok := strings.Cut(string(signed), "\n\n")
	if !ok {
		return Checkpoint{}, errors.New("reading a signed checkpoint: it has no empty line before its signatures")
	}
	return ParseCheckpoint(text + "\n")
}

// noteLines is how many lines a checkpoint with one signature has.
const noteLines = 5

// longestSig is the base64 of a key's hash and an Ed25519 signature.
const longestSig = 92

// Cut tells whether what does not open as a signed checkpoint is the begin of
// one, rather than one that was changed. One that two keys signed, at the change
// from one to the other, may end within the second signature.
func Cut(note []byte) bool {
	text := string(note)
	n := strings.Count(text, "\n")
	switch {
	case n >= noteLines && strings.HasSuffix(text, "\n"):
		return false
	case strings.HasSuffix(text, "\n"):
		return n < noteLines-1 || strings.HasSuffix(text, "\n\n")
	case n < noteLines-1:
		return true
	}
	_, sig, _ := strings.Cut(strings.TrimPrefix(text[strings.LastIndexByte(text, '\n')+1:], "— "), " ")
	return len(sig) <= longestSig
}
