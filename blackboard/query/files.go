package query

import (
	"container/list"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

// maxOpen is how many files are held open between reads at most; half of what
// the process may have open bounds it too.
const maxOpen = 4096

// files opens files for reading and holds the last few of them open.
type files struct {
	most int
	mu   sync.Mutex
	open *list.List // of *file, the one used last in front
}

func newFiles() *files {
	f := &files{most: 128, open: list.New()}
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) == nil {
		f.most = int(min(uint64(limit.Cur)/2, maxOpen))
	}
	return f
}

// file reads one file that may be closed between reads. It is always the same
// file: another one under its name is an error.
type file struct {
	owner *files
	path  string
	size  int64

	mu   sync.Mutex
	f    *os.File
	id   os.FileInfo
	elem *list.Element // guarded by owner.mu
}

// get opens a regular file.
func (s *files) get(path string) (*file, error) {
	x := &file{owner: s, path: path}
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.reopen(); err != nil {
		return nil, err
	}
	x.size = x.id.Size()
	return x, nil
}

// openRegular never follows a link, never waits for a FIFO's writer, and opens
// nothing but a regular file.
func openRegular(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = fmt.Errorf("opening %s: %w", path, errNotRegular)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

// reopen is called with x.mu held.
func (x *file) reopen() error {
	f, fi, err := openRegular(x.path)
	if err != nil {
		return err
	}
	if x.id != nil && !os.SameFile(x.id, fi) {
		return errors.Join(fmt.Errorf("opening %s again: %w", x.path, errReplaced), f.Close())
	}
	x.f, x.id = f, fi
	x.owner.mu.Lock()
	x.elem = x.owner.open.PushFront(x)
	var old *file
	if x.owner.open.Len() > x.owner.most {
		old = x.owner.open.Remove(x.owner.open.Back()).(*file)
		old.elem = nil
	}
	x.owner.mu.Unlock()
	if old != nil {
		go old.shut() // it may be reading just now
	}
	return nil
}

func (x *file) shut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.f != nil {
		_ = x.f.Close() // read only
		x.f = nil
	}
}

// close lets go of the file.
func (x *file) close() {
	x.owner.mu.Lock()
	if x.elem != nil {
		x.owner.open.Remove(x.elem)
		x.elem = nil
	}
	x.owner.mu.Unlock()
	x.shut()
}

// ReadAt implements io.ReaderAt.
func (x *file) ReadAt(p []byte, off int64) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.f == nil {
		if err := x.reopen(); err != nil {
			return 0, err
		}
	}
	return x.f.ReadAt(p, off)
}

// close closes every file.
func (s *files) close() error {
	for {
		s.mu.Lock()
		e := s.open.Front()
		s.mu.Unlock()
		if e == nil {
			return nil
		}
		e.Value.(*file).close()
	}
}

var errReplaced = errors.New("another file has its name")

var _ io.ReaderAt = (*file)(nil)
