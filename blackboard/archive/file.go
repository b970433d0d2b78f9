package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// File is an archive that is open by its name.
type File struct {
	*Reader
	f  *os.File
	fi fs.FileInfo
}

// OpenFile opens an archive by its name; links are not followed, and what is no
// regular file is not opened.
func (d *Decoder) OpenFile(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("opening an archive: %w", err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = errors.New("no regular file")
	}
	var r *Reader
	if err == nil {
		r, err = d.Open(f, fi.Size())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	return &File{Reader: r, f: f, fi: fi}, nil
}

// Close closes the file; nothing may be read from it after that.
func (f *File) Close() error { return f.f.Close() }
