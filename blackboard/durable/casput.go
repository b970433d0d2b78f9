package durable

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Object is one that is being written: it streams in, and has no name before
// all of it is there and on the disk.
//
//	openat(CAS/.NEW-*.tmp, O_EXCL)  write …  fdatasync  renameat(…, CAS/ab/cdef…)  fsync(CAS/ab)
//
// What is small is held back until it is complete: an object that stands
// already is not written again.
type Object struct {
	cas  CAS
	hash hash.Hash
	held []byte   // all of it, while it is small
	file *os.File // else
	size int64
	name string
}

// heldBytes is how much of an object is kept in memory.
const heldBytes = 64 << 10

// New begins an object. Publish gives it its name; Discard lets go of it.
func (c CAS) New() *Object { return &Object{cas: c, hash: sha256.New()} }

// Write takes in more of it.
func (o *Object) Write(b []byte) (int, error) {
	if o.file == nil && len(o.held)+len(b) > heldBytes {
		if err := o.spill(); err != nil {
			return 0, err
		}
	}
	o.hash.Write(b)
	o.size += int64(len(b))
	if o.file == nil {
		o.held = append(o.held, b...)
		return len(b), nil
	}
	n, err := o.cas.Disk.Write(o.file, b)
	if err != nil {
		return n, fmt.Errorf("storing an object: %w", err)
	}
	return n, nil
}

// spill begins the file.
func (o *Object) spill() error {
	if err := os.MkdirAll(o.cas.Layout.CAS(), 0o755); err != nil {
		return fmt.Errorf("storing an object: %w", err)
	}
	f, err := os.CreateTemp(o.cas.Layout.CAS(), ".NEW-*.tmp")
	if err != nil {
		return fmt.Errorf("storing an object: %w", err)
	}
	o.file = f
	if len(o.held) > 0 {
		if _, err := o.cas.Disk.Write(f, o.held); err != nil {
			return fmt.Errorf("storing an object: %w", err)
		}
	}
	o.held = nil
	return nil
}

// Size is how many bytes it has so far.
func (o *Object) Size() int64 { return o.size }

// Name is the SHA-256 of what was written, in hex.
func (o *Object) Name() string {
	if o.name == "" {
		o.name = hex.EncodeToString(o.hash.Sum(nil))
	}
	return o.name
}

// Discard lets go of an object that is not wanted; after Publish it does
// nothing.
func (o *Object) Discard() {
	if o.file != nil {
		_ = o.file.Close()           // it is not wanted
		_ = os.Remove(o.file.Name()) // cas gc takes what stays
		o.file = nil
	}
	o.held = nil
}

// Publish gives complete objects their names, and returns when all of them are
// on the disk: one error for each, nil where it stands. Many objects cost less
// in one call than in one each, for the disk is waited for once.
func (c CAS) Publish(list ...*Object) []error {
	dirs := map[string]bool{}
	for _, o := range list {
		dirs[filepath.Dir(c.Layout.Blob(o.Name()))] = true
	}
	made, err := c.folders(dirs)
	errs := each(list, func(o *Object) error { return errors.Join(err, o.settle()) })
	for i, o := range list {
		if errs[i] == nil && o.file != nil {
			errs[i] = o.rename()
		}
	}
	if made {
		dirs[c.Layout.CAS()] = true
	}
	names := slices.Sorted(maps.Keys(dirs))
	err = errors.Join(each(names, c.Disk.SyncDir)...)
	for i, o := range list {
		if errs[i] = errors.Join(errs[i], err); errs[i] != nil {
			errs[i] = fmt.Errorf("storing an object: %w", errs[i])
		}
		o.Discard()
	}
	return errs
}

// folders makes those that are missing.
func (c CAS) folders(dirs map[string]bool) (made bool, err error) {
	for dir := range dirs {
		if _, err := os.Stat(dir); err == nil {
			continue
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return made, err
		}
		made = true
	}
	return made, nil
}

// settle brings the bytes to the disk, under no name yet, unless they stand
// under theirs.
func (o *Object) settle() error {
	if o.file == nil {
		if o.Stands() {
			return nil
		}
		if err := o.spill(); err != nil {
			return err
		}
	}
	if err := o.file.Chmod(0o444); err != nil {
		return err
	}
	return o.cas.Disk.Sync(o.file)
}

// Stands tells whether a small object's bytes stand under their name already.
// Whether they are on the disk is for whoever put them there to know.
func (o *Object) Stands() bool {
	if o.file != nil {
		return false
	}
	path := o.cas.Layout.Blob(o.Name())
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, o.held) {
		return false
	}
	now := time.Now()
	_ = os.Chtimes(path, now, now) // wanted anew: what sweeps by age lets it be
	return true
}

func (o *Object) rename() error {
	if err := o.cas.Disk.Rename(o.file.Name(), o.cas.Layout.Blob(o.Name())); err != nil {
		return err
	}
	err := o.file.Close()
	o.file = nil
	return err
}

// each calls fn for all of the list, several at a time: who waits for the disk
// waits beside the others.
func each[T any](list []T, fn func(T) error) []error {
	errs := make([]error, len(list))
	if len(list) == 1 {
		errs[0] = fn(list[0])
		return errs
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, x := range list {
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer wg.Done()
			errs[i] = fn(x)
			<-slots
		}()
	}
	wg.Wait()
	return errs
}
