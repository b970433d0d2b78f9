//go:build !linux

package durable

import (
	"os"
	"syscall"
)

func fdatasync(f *os.File) error { return f.Sync() }

// SyncFS brings everything to disk, as far as this system can.
func (d *Disk) SyncFS(dir string) error {
	if err := d.Step(); err != nil {
		return &os.PathError{Op: "sync", Path: dir, Err: err}
	}
	return d.syncing(dir, true, syscall.Sync)
}

func renameNew(from, to string) error { return renameLinked(from, to) }
