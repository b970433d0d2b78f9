package seal

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signer is a private key: a name, and Ed25519.
type Signer struct {
	note   note.Signer
	secret string
	public string
}

// NewSigner makes a key of that name from random bytes.
func NewSigner(random io.Reader, name string) (*Signer, error) {
	secret, _, err := note.GenerateKey(random, name)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return ParseSigner(secret)
}

// ParseSigner reads a key as Secret writes it.
func ParseSigner(secret string) (*Signer, error) {
	s, err := note.NewSigner(secret)
	if err != nil {
		return nil, errors.New("reading a private key: expected PRIVATE+KEY+NAME+HASH+BASE64") // never the key itself
	}
	public, err := publicOf(secret)
	if err != nil {
		return nil, err
	}
	return &Signer{s, secret, public}, nil
}

// Name is the key's, which is the origin of what it signs.
func (s *Signer) Name() string { return s.note.Name() }

// Secret is the key as a line, for a file that nobody else can read.
func (s *Signer) Secret() string { return s.secret }

// Public is the verifier key: NAME+HASH+BASE64.
func (s *Signer) Public() string { return s.public }

// String never shows the key.
func (s *Signer) String() string { return "private key of " + s.public }

// Sign signs a text of whole lines with every key.
func Sign(text string, signers ...*Signer) ([]byte, error) {
	list := make([]note.Signer, len(signers))
	for i, s := range signers {
		list[i] = s.note
	}
	out, err := note.Sign(&note.Note{Text: text}, list...)
	if err != nil {
		return nil, fmt.Errorf("signing a note: %w", err)
	}
	return out, nil
}

// Sign signs the checkpoint. Its origin must be the keys' name, or begin with
// that and a slash: a log below the board's, as a plan's.
func (c Checkpoint) Sign(signers ...*Signer) ([]byte, error) {
	for _, s := range signers {
		if !speaksFor(s.Name(), c.Origin) {
			return nil, fmt.Errorf("signing a checkpoint: its origin is %q, the key's name %q", c.Origin, s.Name())
		}
	}
	return Sign(c.Text(), signers...)
}

// speaksFor says whether a key of that name may sign for an origin.
func speaksFor(name, origin string) bool {
	return origin == name || strings.HasPrefix(origin, name+"/")
}

// Verifier is a public key: of a log, or of a witness.
type Verifier struct {
	note   note.Verifier
	text   string
	cosign bool
}

// The kinds of keys: the byte before the key itself.
const (
	algEd25519 = 1
	algCosign  = 4 // C2SP tlog-cosignature: Ed25519 with a time
)

// ParseVerifier reads a verifier key: NAME+HASH+BASE64, a log's or a witness's.
func ParseVerifier(text string) (*Verifier, error) {
	text = strings.TrimSpace(text)
	bad := func(why string) error {
		return fmt.Errorf("reading a verifier key: expected NAME+HASH+BASE64, found %q: %s", clip(text), why)
	}
	name, rest, ok := strings.Cut(text, "+")
	hash, key64, ok2 := strings.Cut(rest, "+")
	key, err := base64.StdEncoding.DecodeString(key64)
	if !ok || !ok2 || err != nil || len(key) == 0 || name == "" {
		return nil, bad("it has no three parts")
	}
	if key[0] == algCosign {
		w, err := newWitness(name, hash, key)
		if err != nil {
			return nil, bad(err.Error())
		}
		return &Verifier{note: w, text: text, cosign: true}, nil
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, bad(err.Error())
	}
	if want := fmt.Sprintf("%08x", v.KeyHash()); hash != want {
		return nil, bad("the key's hash is " + want)
	}
	return &Verifier{note: v, text: text}, nil
}

// Name is the key's.
func (v *Verifier) Name() string { return v.note.Name() }

// ID is the first four bytes of the key's hash, as signature lines carry it.
func (v *Verifier) ID() uint32 { return v.note.KeyHash() }

// Witness says whether it is a cosigner's key.
func (v *Verifier) Witness() bool { return v.cosign }

// String is the key as ParseVerifier reads it.
func (v *Verifier) String() string { return v.text }

// publicOf is the verifier key of a private one.
func publicOf(secret string) (string, error) {
	s, err := note.NewSigner(secret)
	if err != nil {
		return "", errors.New("reading a private key: it is none")
	}
	// PRIVATE+KEY+NAME+HASH+BASE64(1, seed): the name holds no plus.
	parts := strings.SplitN(secret, "+", 5)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || len(parts) != 5 || len(raw) < 2 {
		return "", errors.New("reading a private key: it is none")
	}
	return note.NewEd25519VerifierKey(s.Name(), publicKey(raw[1:]))
}

func bigEndian32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
