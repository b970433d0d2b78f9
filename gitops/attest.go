package gitops

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
)

// An attestation is one line of attestation.jsonl: an in-toto statement
// (https://in-toto.io/Statement/v1) in a DSSE envelope
// (https://github.com/secure-systems-lab/dsse), signed with the board's
// Ed25519 key. Its subjects are the receipt, by SHA-256, and the commits. What
// is signed is, with the payload p,
//
//	DSSEv1 28 application/vnd.in-toto+json LEN(p) p
const (
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	// PredicateType says what the statement says of its subjects.
	PredicateType = "urn:stigmergy:gitops-run:v1"
)

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     predicate `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

type predicate struct {
	RunID      string  `json:"run_id"`
	Scope      string  `json:"scope"`
	Outcome    string  `json:"outcome"`
	Started    string  `json:"started"`
	Ended      *string `json:"ended"`
	ConfigSHA  string  `json:"config_sha256"`
	HeadBefore *string `json:"head_before"`
	HeadAfter  *string `json:"head_after"`
	Exemplar   string  `json:"exemplar_id,omitempty"`
}

type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"`
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"`
}

// signedBytes is DSSE's pre-authentication encoding.
func signedBytes(payload []byte) []byte {
	head := "DSSEv1 " + strconv.Itoa(len(payloadType)) + " " + payloadType + " " + strconv.Itoa(len(payload)) + " "
	return append([]byte(head), payload...)
}

// Attest writes attestation.jsonl into a finished bundle. sign is Ed25519 over
// the bytes that it is given.
func Attest(f *Finished, exemplarID, keyID string, sign func([]byte) ([]byte, error)) error {
	sum, _, err := hashFile(filepath.Join(f.Dir, ReceiptFile))
	if err != nil {
		return fmt.Errorf("attesting the run: %w", err)
	}
	r := f.Receipt
	s := statement{Type: statementType, PredicateType: PredicateType, Subject: []subject{{ReceiptFile, map[string]string{"sha256": sum}}}}
	for _, c := range r.Commits {
		s.Subject = append(s.Subject, subject{"git+commit:" + c, map[string]string{"gitCommit": c}})
	}
	s.Predicate = predicate{r.RunID, r.Scope, r.Outcome, r.Started, r.Ended, r.ConfigSHA, r.HeadBefore, r.HeadAfter, exemplarID}
	payload := marshal(s)
	sig, err := sign(signedBytes(payload))
	if err != nil {
		return fmt.Errorf("attesting the run: %w", err)
	}
	line := marshal(envelope{payloadType, base64.StdEncoding.EncodeToString(payload), []signature{{keyID, base64.StdEncoding.EncodeToString(sig)}}})
	if err := f.Place(AttestationFile, append(line, '\n')); err != nil {
		return fmt.Errorf("attesting the run: %w", err)
	}
	return nil
}

// attested checks the attestation: that it is about this receipt and these
// commits, and its signature where a key is known.
func (v *Verdict) attested(receipt []byte, opt VerifyOptions) {
	text, err := readBundleFile(v.dir, AttestationFile)
	if errors.Is(err, fs.ErrNotExist) {
		v.unchecked("attestation", "the bundle has none")
		return
	}
	var e envelope
	var s statement
	var payload, sig []byte
	if err == nil {
		err = json.Unmarshal(bytes.TrimSpace(text), &e)
	}
	if err == nil && (e.PayloadType != payloadType || len(e.Signatures) != 1) {
		err = errors.New("expected one signed in-toto statement")
	}
	if err == nil {
		payload, err = base64.StdEncoding.DecodeString(e.Payload)
	}
	if err == nil {
		sig, err = base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	}
	if err == nil {
		err = json.Unmarshal(payload, &s)
	}
	if err == nil {
		err = s.about(receipt, v.receipt)
	}
	if err != nil {
		v.failed("attestation", "%v", err)
		return
	}
	if opt.Signature == nil {
		v.unchecked("attestation", "it is about this receipt; no key to check its signature with")
		return
	}
	if err := opt.Signature(e.Signatures[0].KeyID, signedBytes(payload), sig); err != nil {
		v.failed("attestation", "%v", err)
		return
	}
	v.ok("attestation", "signed by %s", printable(e.Signatures[0].KeyID))
}

// about tells what a statement is about other than a receipt and its commits.
func (s statement) about(receipt []byte, r *Receipt) error {
	sum := sha256.Sum256(receipt)
	if s.Type != statementType || s.PredicateType != PredicateType || len(s.Subject) != 1+len(r.Commits) {
		return errors.New("it is a statement about something else")
	}
	if s.Subject[0].Digest["sha256"] != hex.EncodeToString(sum[:]) {
		return errors.New("it is about another receipt")
	}
	for i, c := range r.Commits {
		if s.Subject[i+1].Digest["gitCommit"] != c {
			return errors.New("it is about other commits")
		}
	}
	return nil
}
