package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// A cosignature (C2SP tlog-cosignature, Ed25519) is a witness's word that, at
// that time, this was the largest tree it had seen of the log and that it
// continues every one before. The signature is a big-endian uint64 of seconds
// and an Ed25519 signature over
//
//	cosignature/v1
//	time SECONDS
//	the checkpoint's text
type witness struct {
	name string
	id   uint32
	key  ed25519.PublicKey
}

func publicKey(seed []byte) ed25519.PublicKey {
	return ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
}

// keyID is the first four bytes of SHA-256(NAME ‖ "\n" ‖ kind ‖ key).
func keyID(name string, key []byte) uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), key...))
	return bigEndian32(sum[:])
}

func newWitness(name, hash string, key []byte) (*witness, error) {
	if len(key) != 1+ed25519.PublicKeySize {
		return nil, fmt.Errorf("the key has %d bytes", len(key)-1)
	}
	id := keyID(name, key)
	if want := fmt.Sprintf("%08x", id); hash != want {
		return nil, fmt.Errorf("the key's hash is %s", want)
	}
	if strings.ContainsAny(name, " \t\n+") {
		return nil, fmt.Errorf("a key's name has no spaces")
	}
	return &witness{name, id, key[1:]}, nil
}

func (w *witness) Name() string    { return w.name }
func (w *witness) KeyHash() uint32 { return w.id }

// Verify checks a cosignature over a checkpoint's text.
func (w *witness) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	t := binary.BigEndian.Uint64(sig)
	return t < 1<<63 && ed25519.Verify(w.key, cosigned(t, msg), sig[8:])
}

func cosigned(seconds uint64, text []byte) []byte {
	return append([]byte("cosignature/v1\ntime "+strconv.FormatUint(seconds, 10)+"\n"), text...)
}

// Cosigner is a witness's private key. The daemon has none: witnesses are
// other people. Tests, and who wants to run one, make it from a seed.
type Cosigner struct {
	name string
	key  ed25519.PrivateKey
}

// NewCosigner makes a witness's key from 32 random bytes.
func NewCosigner(name string, seed []byte) (*Cosigner, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("making a witness's key: expected %d bytes, found %d", ed25519.SeedSize, len(seed))
	}
	return &Cosigner{name, ed25519.NewKeyFromSeed(seed)}, nil
}

// Public is the witness's verifier key.
func (c *Cosigner) Public() string {
	key := c.typed()
	return fmt.Sprintf("%s+%08x+%s", c.name, keyID(c.name, key), base64.StdEncoding.EncodeToString(key))
}

func (c *Cosigner) typed() []byte {
	return append([]byte{algCosign}, c.key.Public().(ed25519.PublicKey)...)
}

// Cosign is the signature line over a checkpoint's text, at a time in seconds
// since the epoch.
func (c *Cosigner) Cosign(text string, seconds uint64) string {
	sig := binary.BigEndian.AppendUint32(nil, keyID(c.name, c.typed()))
	sig = binary.BigEndian.AppendUint64(sig, seconds)
	sig = append(sig, ed25519.Sign(c.key, cosigned(seconds, []byte(text)))...)
	return "— " + c.name + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
}

// CosignedAt is the time of a cosignature, in seconds since the epoch.
func CosignedAt(sig note.Signature) (uint64, bool) {
	b, err := base64.StdEncoding.DecodeString(sig.Base64)
	if err != nil || len(b) != 4+8+ed25519.SignatureSize {
		return 0, false
	}
	return binary.BigEndian.Uint64(b[4:]), true
}
