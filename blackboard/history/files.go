package history

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// readSmall reads a regular file of at most max bytes, following no link and
// waiting for nobody.
func readSmall(path string, max int64) ([]byte, error) {
	b, _, err := readGuarded(path, max)
	return b, err
}

func readGuarded(path string, max int64) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	switch {
	case err != nil:
		return nil, nil, err
	case !fi.Mode().IsRegular():
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it is not a regular file")}
	case fi.Size() > max:
		return nil, nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%d bytes, more than the %d that it may have", fi.Size(), max)}
	}
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	return b, fi, err
}
