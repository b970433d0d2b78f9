package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"stigmergy/blackboard/durable"
)

// StoreRequest asks for one archive to be made durable.
type StoreRequest struct {
	Raw    string // the sealed segment's file
	Path   string // the archive's file; its folder is made durably where it is missing
	Source Source
	Write  WriteOptions
	Seal   Seal // what the segment is known to be
	Disk   *durable.Disk
	// Context ends the work before its end; nil: nothing does.
	Context context.Context
}

// Store compresses a segment beside its final name, syncs it, reads it back and
// compares it with the seal, renames it into place and syncs the folder:
//
//	openat(.NAME-*.tmp, O_EXCL)  write…  fsync  read…  renameat(.NAME-*.tmp, NAME)  fsync(DIR)
//
// When it returns without error the segment may be deleted. An archive that
// stands there already and holds against the seal is kept as it is.
func Store(req StoreRequest) (w Written, err error) {
	atPriority(req.Write.Low, func() { w, err = req.store() })
	return w, err
}

func (req *StoreRequest) store() (Written, error) {
	if w, ok := req.stands(); ok {
		return w, req.Disk.SyncDir(filepath.Dir(req.Path))
	}
	raw, err := os.Open(req.Raw)
	if err != nil {
		return Written{}, fmt.Errorf("archiving: %w", err)
	}
	defer raw.Close()
	if err := folder(filepath.Dir(req.Path), req.Disk); err != nil {
		return Written{}, fmt.Errorf("archiving %s: %w", req.Raw, err)
	}
	var w Written
	err = replace(req.Path, req.Disk, func(out io.Writer) (err error) {
		w, err = Write(out, stoppable{raw, req.Context}, req.Source, req.Write)
		return err
	}, func(tmp string) error { return checkStored(tmp, &req.Seal) })
	if err != nil {
		return Written{}, fmt.Errorf("archiving %s: %w", req.Raw, err)
	}
	return w, nil
}

// folder makes a folder and those above it, and brings their names to the disk:
// an archive must not be lost with the folder that it alone lies in.
func folder(dir string, disk *durable.Disk) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if err := folder(above, disk); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return disk.SyncDir(above)
}

// stoppable reads until its context ends.
type stoppable struct {
	r   io.Reader
	ctx context.Context
}

func (s stoppable) Read(b []byte) (int, error) {
	if s.ctx != nil && s.ctx.Err() != nil {
		return 0, s.ctx.Err()
	}
	return s.r.Read(b)
}

func checkStored(path string, seal *Seal) error {
	rep, err := Check(path, CheckOptions{Seal: seal})
	if err == nil {
		err = rep.Err()
	}
	if err != nil {
		return fmt.Errorf("reading it back: %w", err)
	}
	return nil
}

// stands tells whether an archive from before a crash is whole.
func (req *StoreRequest) stands() (Written, bool) {
	if _, err := os.Lstat(req.Path); err != nil {
		return Written{}, false
	}
	rep, err := Check(req.Path, CheckOptions{Seal: &req.Seal, Lane: req.Source.Lane, Segment: req.Source.Segment})
	if err != nil || rep.Err() != nil || !rep.Summary.Indexed {
		return Written{}, false
	}
	return Written{Summary: rep.Summary, IndexBytes: rep.Summary.Size - rep.Summary.DataBytes,
		RawSHA256: rep.Seal.SHA256, DataSHA256: rep.DataSHA256}, true
}

// replace writes a file whole or not at all; check reads it before it gets its
// name. What a crash left behind of an earlier try is removed.
func replace(path string, disk *durable.Disk, write func(io.Writer) error, check func(tmp string) error) (err error) {
	dir, base := filepath.Dir(path), filepath.Base(path)
	if err := sweep(dir, "."+base+"-"); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+base+"-*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	b := bufio.NewWriterSize(diskWriter{f, disk}, 256<<10)
	if err := write(b); err != nil {
		return err
	}
	if err := errors.Join(b.Flush(), f.Chmod(mode(path))); err != nil {
		return err
	}
	if err := disk.Sync(f); err != nil {
		return err
	}
	if err := check(f.Name()); err != nil {
		return err
	}
	if err := disk.Rename(f.Name(), path); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing %s: %w", path, err)
	}
	return disk.SyncDir(dir)
}

// mode is that of the file that is replaced, or the usual one.
func mode(path string) fs.FileMode {
	if fi, err := os.Stat(path); err == nil {
		return fi.Mode().Perm()
	}
	return 0o644
}

// sweep removes the temporary files of an earlier try.
func sweep(dir, prefix string) error {
	des, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, d := range des {
		if strings.HasPrefix(d.Name(), prefix) && strings.HasSuffix(d.Name(), ".tmp") {
			if err := os.Remove(filepath.Join(dir, d.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// diskWriter makes every write a durable step.
type diskWriter struct {
	f    *os.File
	disk *durable.Disk
}

func (w diskWriter) Write(b []byte) (int, error) { return w.disk.Write(w.f, b) }
