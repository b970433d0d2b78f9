package seal

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// SignBytes signs bytes that are no note, such as a DSSE envelope's, with the
// same Ed25519 key. What is signed must begin so that it cannot be a note's
// text: "DSSEv1 " does, for a note's first line is an origin.
func (s *Signer) SignBytes(msg []byte) ([]byte, error) {
	if !strings.HasPrefix(string(msg), "DSSEv1 ") {
		return nil, errors.New("signing bytes: expected a DSSE pre-authentication encoding")
	}
	sig, err := s.note.Sign(msg)
	if err != nil {
		return nil, fmt.Errorf("signing bytes: %w", err)
	}
	return sig, nil
}

// VerifyBytes checks a signature of SignBytes.
func (v *Verifier) VerifyBytes(msg, sig []byte) error {
	parts := strings.SplitN(v.text, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err != nil || v.cosign || len(key) != 1+ed25519.PublicKeySize {
		return errors.New("checking a signature: expected a log's Ed25519 key")
	}
	if !ed25519.Verify(ed25519.PublicKey(key[1:]), msg, sig) {
		return fmt.Errorf("the signature is not one of %s", v.Name())
	}
	return nil
}
