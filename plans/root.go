package plans

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"stigmergy/contracts/plan"
)

// world is the files below a plan's root, as one resolution sees them.
type world struct {
	root  *os.Root
	dir   string // absolute
	skip  string // the board's folder below the root, which globs do not look into
	dirs  map[string][]fs.DirEntry
	known map[string][sha256.Size]byte // of files that were hashed
}

// trouble is why a path cannot be an input.
type trouble struct {
	path     string
	expected string
	got      string
	hint     string
}

func (t *trouble) Error() string { return t.path + ": expected " + t.expected + ", got " + t.got }

func openWorld(dir, board string) (*world, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the root of plans: %w", err)
	}
	w := &world{root: root, dir: dir, dirs: map[string][]fs.DirEntry{}, known: map[string][sha256.Size]byte{}}
	if rel, err := filepath.Rel(real(dir), real(board)); err == nil && board != "" {
		w.skip = filepath.ToSlash(rel)
	}
	return w, nil
}

// real is a path without links, if that can be told.
func real(dir string) string {
	if p, err := filepath.EvalSymlinks(dir); err == nil {
		return p
	}
	return dir
}

func (w *world) close() error { return w.root.Close() }

// open opens a regular file below the root, without waiting for anybody at the
// other end of a pipe.
func (w *world) open(name string) (*os.File, fs.FileInfo, error) {
	if !utf8.ValidString(name) {
		return nil, nil, &trouble{name, "a name in UTF-8", fmt.Sprintf("%q", name), "rename the file: shards are named by JSON, which has no other text"}
	}
	f, err := w.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, w.trouble(name, err)
	}
	fi, err := f.Stat()
	if err == nil && !fi.Mode().IsRegular() {
		err = &trouble{name, "a file", kindOf(fi.Mode()), ""}
		if fi.IsDir() {
			err.(*trouble).hint = "name the files in it: " + name + "/**"
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

func kindOf(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeSymlink != 0:
		return "a link"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// trouble says in a person's words why a path cannot be opened.
func (w *world) trouble(name string, err error) error {
	t := &trouble{path: name, expected: "a file that can be read", got: err.Error()}
	var at *fs.PathError
	if errors.As(err, &at) {
		t.got = at.Err.Error()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		t.expected, t.got, t.hint = "a file", "nothing there", "paths begin at "+w.dir
		if near := w.near(name); near != "" {
			t.hint = "did you mean " + near + "?"
		}
	case errors.Is(err, fs.ErrPermission):
		t.hint = "the daemon's user may not read it"
	case errors.Is(err, syscall.ENOTDIR):
		t.hint = "one of the folders in the path is a file"
	case strings.Contains(t.got, "escapes"):
		t.expected, t.got, t.hint = "a path below the root", "one that leads out of "+w.dir, "a link on the way leaves it: copy the file, or set root to a folder above both"
	}
	return t
}

// near is a path in the same folder that is spelt nearly like it.
func (w *world) near(name string) string {
	entries, err := w.list(path.Dir(name))
	if err != nil {
		return ""
	}
	words := make([]string, len(entries))
	for i, e := range entries {
		words[i] = e.Name()
	}
	if near := plan.Nearest(path.Base(name), words); near != "" {
		return path.Join(path.Dir(name), near)
	}
	return ""
}

// list gives a folder's entries in the order of their names.
func (w *world) list(dir string) ([]fs.DirEntry, error) {
	if got, ok := w.dirs[dir]; ok {
		return got, nil
	}
	f, err := w.root.OpenFile(dir, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	entries, err := f.ReadDir(-1)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	sortEntries(entries)
	w.dirs[dir] = entries
	return entries, nil
}

// copyContext copies and stops when the context ends.
func copyContext(ctx context.Context, dst io.Writer, src io.Reader, buf []byte) (n int64, err error) {
	for ctx.Err() == nil {
		got, err := src.Read(buf)
		n += int64(got)
		if _, werr := dst.Write(buf[:got]); werr != nil {
			return n, werr
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}
