// Package durable holds the steps that change the disk, so that each of them
// can be counted, made to fail, or be the last thing a process does.
//
// A file that must be whole or absent is written in five system calls:
//
//	openat(DIR/NAME-*.tmp, O_EXCL)  write  fsync  renameat(NAME-*.tmp, NAME)  fsync(DIR)
//
// STIGMERGY_FAILPOINT makes a crash test of any command:
//
//	STIGMERGY_FAILPOINT=42          SIGKILL to itself instead of step 42
//	STIGMERGY_FAILPOINT=42:ENOSPC   step 42 fails (also EIO, EDQUOT, EROFS)
//	STIGMERGY_FAILPOINT=42-50:EIO   steps 42 to 50 fail
//	STIGMERGY_FAILPOINT=count       writes the number of steps to standard error at the end
package durable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Env is the variable that sets a fail point.
const Env = "STIGMERGY_FAILPOINT"

// Disk does durable steps. A nil *Disk does them without a fail point.
type Disk struct {
	steps    atomic.Int64
	from, to int64
	errno    error // nil: die
	count    bool

	// Syncing, where a test sets it, is called before a file, or all that stands
	// below a folder, is brought to the disk; what it returns is called when it
	// is there. Any goroutine may call it.
	Syncing func(path string, all bool) (done func())
}

// syncing runs a sync and lets Syncing know.
func (d *Disk) syncing(path string, all bool, fn func() error) error {
	if d == nil || d.Syncing == nil {
		return fn()
	}
	done := d.Syncing(path, all)
	err := fn()
	if err == nil {
		done()
	}
	return err
}

// New reads a fail point; an empty one gives a nil Disk.
func New(failpoint string) (*Disk, error) {
	if failpoint == "" {
		return nil, nil
	}
	if failpoint == "count" {
		return &Disk{count: true}, nil
	}
	where, errno, _ := strings.Cut(failpoint, ":")
	first, last, ok := strings.Cut(where, "-")
	if !ok {
		last = first
	}
	d := &Disk{}
	var err1, err2 error
	d.from, err1 = strconv.ParseInt(first, 10, 64)
	d.to, err2 = strconv.ParseInt(last, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("reading %s=%s: expected N, N:ERRNO, N-M:ERRNO or count: %w", Env, failpoint, err)
	}
	switch errno {
	case "":
	case "ENOSPC":
		d.errno = syscall.ENOSPC
	case "EIO":
		d.errno = syscall.EIO
	case "EDQUOT":
		d.errno = syscall.EDQUOT
	case "EROFS":
		d.errno = syscall.EROFS
	default:
		return nil, fmt.Errorf("reading %s=%s: expected ENOSPC, EIO, EDQUOT or EROFS, found %s", Env, failpoint, errno)
	}
	return d, nil
}

// Steps is how many steps were done, and whether somebody wants to know.
func (d *Disk) Steps() (n int64, wanted bool) {
	if d == nil {
		return 0, false
	}
	return d.steps.Load(), d.count
}

// Step stands before every durable step.
func (d *Disk) Step() error {
	if d == nil {
		return nil
	}
	n := d.steps.Add(1)
	if d.count || n < d.from || n > d.to {
		return nil
	}
	if d.errno != nil {
		return d.errno
	}
	// No deferred call, no flush: what a power cut leaves of a process.
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}

// WriteAt is one pwrite; a short one is an error.
func (d *Disk) WriteAt(f *os.File, b []byte, off int64) (int, error) {
	if err := d.Step(); err != nil {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return f.WriteAt(b, off)
}

// Write is one write at the file's position, or its end for O_APPEND.
func (d *Disk) Write(f *os.File, b []byte) (int, error) {
	if err := d.Step(); err != nil {
		return 0, &os.PathError{Op: "write", Path: f.Name(), Err: err}
	}
	return f.Write(b)
}

// Truncate cuts a file.
func (d *Disk) Truncate(f *os.File, size int64) error {
	if err := d.Step(); err != nil {
		return &os.PathError{Op: "truncate", Path: f.Name(), Err: err}
	}
	return f.Truncate(size)
}

// Sync brings a file's bytes to the disk.
func (d *Disk) Sync(f *os.File) error {
	if err := d.Step(); err != nil {
		return &os.PathError{Op: "sync", Path: f.Name(), Err: err}
	}
	return d.syncing(f.Name(), false, func() error { return fdatasync(f) })
}

// SyncDir brings a folder's names to the disk.
func (d *Disk) SyncDir(dir string) error {
	if err := d.Step(); err != nil {
		return &os.PathError{Op: "sync", Path: dir, Err: err}
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Rename renames within one folder or file system, over what stands there.
func (d *Disk) Rename(from, to string) error {
	if err := d.Step(); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return os.Rename(from, to)
}

// RenameNew renames to a name that must not exist.
func (d *Disk) RenameNew(from, to string) error {
	if err := d.Step(); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return renameNew(from, to)
}

// Remove unlinks a file; one that is gone already is no error.
func (d *Disk) Remove(path string) error {
	if err := d.Step(); err != nil {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// WriteFile makes the file whole or not at all: see the package's comment.
func (d *Disk) WriteFile(path string, data []byte, mode os.FileMode) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err = d.Write(f, data); err != nil {
		return err
	}
	if err = f.Chmod(mode); err != nil {
		return err
	}
	if err = d.Sync(f); err != nil {
		return err
	}
	if err = d.Rename(f.Name(), path); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return d.SyncDir(filepath.Dir(path))
}
