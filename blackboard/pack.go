package blackboard

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// pack compresses the journal's segments before the one that a restart begins
// in, oldest first, one at a time beside the kernel.
func (w *workers) pack(before uint64) {
	if w.busy || w.ctx.Err() != nil {
		return
	}
	segs, err := journal.Segments(w.k.layout)
	if err != nil {
		return // the next snapshot asks again
	}
	for _, s := range segs {
		if s.N >= before {
			return
		}
		if s.Compressed {
			continue
		}
		j := &job{Effect: Effect{Key: "journal:" + s.Path, Kind: "journal.pack"}}
		w.background(j, func(ctx context.Context) (func(context.Context) error, error) {
			err := packSegment(w.k, s)
			return func(context.Context) error { w.pack(before); return nil }, err
		})
		return
	}
}

// packSegment writes the compressed file, reads it back, and only then lets go
// of the plain one.
func packSegment(k *Kernel, s journal.Segment) error {
	path := strings.TrimSuffix(s.Path, layout.LaneExt) + layout.ArchiveExt
	raw, err := os.Open(s.Path)
	if err != nil {
		return fmt.Errorf("compressing the journal: %w", err)
	}
	defer raw.Close()
	tmp, err := os.CreateTemp(k.layout.Journal(), ".pack-*.tmp")
	if err != nil {
		return fmt.Errorf("compressing the journal: %w", err)
	}
	defer os.Remove(tmp.Name())
	made, err := archive.Write(tmp, raw, archive.Source{Lane: "journal", Segment: s.N}, archive.WriteOptions{Low: true})
	if err == nil {
		err = readBack(tmp, made.RawSHA256)
	}
	if err = errors.Join(err, tmp.Chmod(0o644), k.disk.Sync(tmp), tmp.Close()); err != nil {
		return fmt.Errorf("compressing the journal %s: %w", s.Path, err)
	}
	if err := k.disk.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("compressing the journal: %w", err)
	}
	if err := k.disk.SyncDir(k.layout.Journal()); err != nil {
		return fmt.Errorf("compressing the journal: %w", err)
	}
	return k.disk.Remove(s.Path)
}

func readBack(f *os.File, want [32]byte) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	z, err := archive.NewStream(f)
	if err != nil {
		return err
	}
	defer z.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, z); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), want[:]) {
		return errors.New("what was read back is not what was written")
	}
	return nil
}
