package history

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
)

// KeyError is a private key that is not used: it is missing, or others may have
// read it.
type KeyError struct {
	Path  string
	Found string
	Try   string
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("reading the board's private key %s: expected a regular file that only its owner can read, found %s; try: %s", e.Path, e.Found, e.Try)
}

// Known is one line of .stigmergy/verifiers: a key whose signatures count. The
// first was made with the board; each later one stands there by the word of the
// one before.
type Known struct {
	Key  string `json:"key"`
	From uint64 `json:"from,omitempty"` // the size that both keys signed
	Note string `json:"note,omitempty"` // signed by the key before: see RotationText
}

const (
	keyPrefix    = "board-"
	keySuffix    = ".key"
	maxKey       = 4 << 10
	maxVerifiers = 4 << 20
)

func verifiersPath(l layout.Layout) string { return l.Private("verifiers") }

func keyPath(l layout.Layout, n int) string {
	return filepath.Join(l.Keys(), fmt.Sprintf("%s%04d%s", keyPrefix, n, keySuffix))
}

// keyFiles are the numbers of the private keys, in order.
func keyFiles(l layout.Layout) ([]int, error) {
	des, err := os.ReadDir(l.Keys())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("looking for the board's keys: %w", err)
	}
	var out []int
	for _, d := range des {
		digits, ok := strings.CutPrefix(d.Name(), keyPrefix)
		digits, ok2 := strings.CutSuffix(digits, keySuffix)
		if n, err := strconv.Atoi(digits); err == nil && ok && ok2 && n > 0 {
			out = append(out, n)
		}
	}
	sort.Ints(out)
	return out, nil
}

// EnsureKey gives the board its first key where it has none, and says whether
// it did. Two that try make one.
func EnsureKey(l layout.Layout, disk *durable.Disk, origin string) (made bool, err error) {
	if _, err := os.Lstat(verifiersPath(l)); err == nil {
		return false, nil
	}
	if err := keysFolder(l); err != nil {
		return false, err
	}
	files, err := keyFiles(l)
	if err != nil {
		return false, err
	}
	if len(files) == 0 {
		if _, err := newKey(l, disk, 1, origin); err != nil && !errors.Is(err, fs.ErrExist) {
			return false, err
		}
	}
	key, err := readKey(keyPath(l, 1))
	if err != nil {
		return false, err
	}
	return true, writeVerifiers(l, disk, []Known{{Key: key.Public()}})
}

// keysFolder makes the folder, and refuses one that others can look into.
func keysFolder(l layout.Layout) error {
	dir := l.Keys()
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the folder of the board's keys: %w", err)
	}
	fi, err := os.Lstat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("looking at the board's keys: %w", err)
	case !fi.IsDir():
		return &KeyError{dir, "no folder (" + fi.Mode().Type().String() + ")", "rm " + dir}
	case fi.Mode().Perm()&0o077 != 0:
		return &KeyError{dir, "a folder of mode " + fmt.Sprintf("%04o", fi.Mode().Perm()), "chmod 700 " + dir}
	}
	return nil
}

// newKey makes a private key's file: whole under a name that nobody looks for,
// then linked to its own, which must be free.
func newKey(l layout.Layout, disk *durable.Disk, n int, origin string) (*seal.Signer, error) {
	key, err := seal.NewSigner(rand.Reader, origin)
	if err != nil {
		return nil, err
	}
	path := keyPath(l, n)
	tmp := filepath.Join(l.Keys(), ".new-"+rand.Text())
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the board's key: %w", err)
	}
	defer os.Remove(tmp)
	_, err = disk.Write(f, []byte(key.Secret()+"\n"))
	if err = errors.Join(err, disk.Sync(f), f.Close()); err != nil {
		return nil, fmt.Errorf("making the board's key: %w", err)
	}
	if err := disk.Step(); err != nil {
		return nil, fmt.Errorf("making the board's key: %w", err)
	}
	if err := os.Link(tmp, path); err != nil {
		return nil, fmt.Errorf("making the board's key: %w", err)
	}
	if err := disk.SyncDir(l.Keys()); err != nil {
		return nil, fmt.Errorf("making the board's key: %w", err)
	}
	return key, nil
}

// readKey reads a private key that nobody else can.
func readKey(path string) (*seal.Signer, error) {
	b, fi, err := readGuarded(path, maxKey)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, &KeyError{path, "a link", "put the key itself there"}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &KeyError{path, "none", "restore it from a copy, or stigmergy doctor --new-epoch"}
	case err != nil:
		return nil, fmt.Errorf("reading the board's private key: %w", err)
	case fi.Mode().Perm()&0o077 != 0:
		return nil, &KeyError{path, "one of mode " + fmt.Sprintf("%04o", fi.Mode().Perm()), "chmod 600 " + path + ", or, if somebody may have read it, stigmergy certify rotate"}
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() && os.Geteuid() != 0 {
		return nil, &KeyError{path, fmt.Sprintf("one that belongs to uid %d", st.Uid), "chown it"}
	}
	key, err := seal.ParseSigner(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, &KeyError{path, "bytes that are no key", "restore it from a copy"}
	}
	return key, nil
}

// Key is the private key that signs now: that of the newest verifier.
func Key(l layout.Layout) (*seal.Signer, error) {
	known, err := Verifiers(l)
	if err != nil {
		return nil, err
	}
	if err := keysFolder(l); err != nil {
		return nil, err
	}
	want := known[len(known)-1].Key
	files, err := keyFiles(l)
	if err != nil {
		return nil, err
	}
	for i := len(files) - 1; i >= 0; i-- {
		key, err := readKey(keyPath(l, files[i]))
		if err != nil {
			return nil, err
		}
		if key.Public() == want {
			return key, nil
		}
	}
	return nil, &KeyError{keyPath(l, len(known)), "none that belongs to " + want, "restore it from a copy, or stigmergy doctor --new-epoch"}
}

// ErrNoKey says that the board was given no key yet.
var ErrNoKey = errors.New("the board has no key yet")

// Verifiers are the lines of .stigmergy/verifiers as they stand there.
func Verifiers(l layout.Layout) ([]Known, error) {
	b, err := readSmall(verifiersPath(l), maxVerifiers)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: %w", verifiersPath(l), ErrNoKey)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the board's verifier keys: %w", err)
	}
	var out []Known
	for i, line := range bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n")) {
		var k Known
		if err := json.Unmarshal(line, &k); err != nil || k.Key == "" {
			return nil, fmt.Errorf("reading %s: line %d: expected {\"key\":…}: %w", verifiersPath(l), i+1, errors.Join(err, seal.ErrSignature))
		}
		if text, err := k.encode(); err != nil || !bytes.Equal(text, line) { // a decoder takes any case of a name
			return nil, fmt.Errorf("reading %s: line %d: it is not as it was written: %w", verifiersPath(l), i+1, seal.ErrSignature)
		}
		out = append(out, k)
	}
	return out, nil
}

// encode is the line without its newline.
func (k Known) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(k)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func writeVerifiers(l layout.Layout, disk *durable.Disk, known []Known) error {
	var b bytes.Buffer
	for _, k := range known {
		line, err := k.encode()
		if err != nil {
			return fmt.Errorf("writing the board's verifier keys: %w", err)
		}
		b.Write(append(line, '\n'))
	}
	if err := disk.WriteFile(verifiersPath(l), b.Bytes(), 0o644); err != nil {
		return fmt.Errorf("writing the board's verifier keys: %w", err)
	}
	return nil
}

// RotationText is what a key signs to name the one that follows it, at a size
// that both sign. Its first line is no origin, so it is no checkpoint.
func RotationText(origin, key string, size uint64) string {
	return "stigmergy key rotation\n" + origin + "\n" + key + "\n" + strconv.FormatUint(size, 10) + "\n"
}

// Trusted are the keys that may have signed a board's checkpoints: from the
// given ones on, each that a trusted key names. Without any, the board's first
// key is believed.
func Trusted(known []Known, given ...*seal.Verifier) ([]*seal.Verifier, error) {
	out := append([]*seal.Verifier(nil), given...)
	for i, k := range known {
		v, err := seal.ParseVerifier(k.Key)
		if err != nil {
			return out, err
		}
		if i == 0 && len(given) == 0 {
			out = append(out, v)
			continue
		}
		if k.Note == "" || trusts(out, v) {
			continue
		}
		o, err := seal.Open([]byte(k.Note), out...)
		if err != nil {
			if len(given) > 0 { // the chain before the given key is not ours to follow
				continue
			}
			return out, fmt.Errorf("following the board's keys to %s: %w", k.Key, err)
		}
		if o.Text != RotationText(v.Name(), k.Key, k.From) {
			return out, fmt.Errorf("following the board's keys to %s: %w: another text is signed", k.Key, seal.ErrSignature)
		}
		out = append(out, v)
	}
	return out, nil
}

func trusts(list []*seal.Verifier, v *seal.Verifier) bool {
	for _, k := range list {
		if k.Name() == v.Name() && k.ID() == v.ID() && k.String() == v.String() {
			return true
		}
	}
	return false
}
