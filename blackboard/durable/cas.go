package durable

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stigmergy/blackboard/layout"
)

// CAS is the content-addressed store: .stigmergy/cas/ab/cdef…, the name being
// the SHA-256 of the bytes (`sha256sum`), written by rename, verified on read.
type CAS struct {
	Layout layout.Layout
	Disk   *Disk
}

// ErrDamaged says that an object's bytes are not those of its name.
var ErrDamaged = errors.New("its bytes do not have its SHA-256")

// Put stores the bytes, synced, and gives their name.
func (c CAS) Put(b []byte) (string, error) {
	sum := sha256.Sum256(b)
	name := hex.EncodeToString(sum[:])
	path := c.Layout.Blob(name)
	if got, err := os.ReadFile(path); err == nil && sha256.Sum256(got) == sum {
		return name, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("storing an object: %w", err)
	}
	if err := c.Disk.WriteFile(path, b, 0o444); err != nil {
		return "", fmt.Errorf("storing an object: %w", err)
	}
	return name, nil
}

// Get reads an object and checks its bytes.
func (c CAS) Get(name string) ([]byte, error) {
	if _, err := hex.DecodeString(name); err != nil || len(name) != 64 {
		return nil, fmt.Errorf("reading the object %q: expected 64 hex digits", name)
	}
	b, err := os.ReadFile(c.Layout.Blob(name))
	if err != nil {
		return nil, fmt.Errorf("reading an object: %w", err)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != name {
		return nil, fmt.Errorf("reading the object %s: %w", c.Layout.Blob(name), ErrDamaged)
	}
	return b, nil
}

// Has tells whether an object stands. Its bytes are verified when it is read.
func (c CAS) Has(name string) bool {
	if _, err := hex.DecodeString(name); err != nil || len(name) != 64 {
		return false
	}
	fi, err := os.Lstat(c.Layout.Blob(name))
	return err == nil && fi.Mode().IsRegular()
}

// Each calls fn with every object's name and size, in order.
func (c CAS) Each(fn func(name string, size int64) error) error {
	err := filepath.WalkDir(c.Layout.CAS(), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil
		}
		name := filepath.Base(filepath.Dir(path)) + e.Name()
		if len(name) != 64 {
			return nil
		}
		fi, err := e.Info()
		if err != nil {
			return nil
		}
		return fn(name, fi.Size())
	})
	if err != nil {
		return fmt.Errorf("walking the store: %w", err)
	}
	return nil
}
