package gitops

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// The person's index is never written in place. A run works on copies, and
// installs one by compare and swap:
//
//	link(COPY, index.lock)     git's own lock; held by somebody: try again
//	stat(index)                still the file that the copy was made of?
//	rename(index.lock, index)  else unlink(index.lock) and begin anew
//
// publish.go has the reference moved in between.

// identity tells one state of the index from the next.
type identity struct {
	missing  bool
	dev, ino uint64
	size     int64
	mtime    time.Time
	tail     string // its checksum, the last 20 bytes
}

func identify(path string) (identity, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return identity{missing: true}, nil
	}
	if err != nil {
		return identity{}, err
	}
	defer f.Close()
	return identityOf(f)
}

func identityOf(f *os.File) (identity, error) {
	fi, err := f.Stat()
	if err != nil {
		return identity{}, err
	}
	id := identity{size: fi.Size(), mtime: fi.ModTime()}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		id.dev, id.ino = uint64(st.Dev), uint64(st.Ino)
	}
	var tail [20]byte
	n, err := f.ReadAt(tail[:], max(0, fi.Size()-int64(len(tail))))
	if err != nil && !errors.Is(err, io.EOF) {
		return identity{}, err
	}
	id.tail = string(tail[:n])
	return id, nil
}

func (i identity) same(j identity) bool {
	return i.missing == j.missing && i.dev == j.dev && i.ino == j.ino && i.size == j.size && i.mtime.Equal(j.mtime) && i.tail == j.tail
}

// copyIndex makes a private copy of the index and tells which state it is of.
// Its time is kept: by it git knows which entries may have changed in the same
// instant in which the index was written.
func (r *repo) copyIndex(to string) (identity, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return identity{}, fmt.Errorf("copying the index: %w", err)
	}
	for _, old := range []string{to, to + ".lock"} {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return identity{}, fmt.Errorf("copying the index: %w", err)
		}
	}
	f, err := os.Open(r.file("index"))
	if errors.Is(err, fs.ErrNotExist) {
		return identity{missing: true}, nil
	}
	if err != nil {
		return identity{}, fmt.Errorf("copying the index: %w", err)
	}
	defer f.Close()
	id, err := identityOf(f)
	if err != nil {
		return id, fmt.Errorf("copying the index: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		return id, fmt.Errorf("copying the index: %w", err)
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fi.Mode().Perm())
	if err == nil {
		_, err = io.Copy(out, f)
		err = errors.Join(err, out.Chmod(fi.Mode().Perm()), out.Close(), os.Chtimes(to, fi.ModTime(), fi.ModTime()))
	}
	if err != nil {
		return id, fmt.Errorf("copying the index: %w", err)
	}
	return id, nil
}

// errIndexMoved says that the index is not what it was copied from any more.
var errIndexMoved = errors.New("the index was changed meanwhile")

// errIndexLocked says that somebody else holds index.lock.
var errIndexLocked = errors.New("index.lock is held")

// nextIndex is a private index that is to take the person's place.
type nextIndex struct {
	path string // "": the person's holds it all
	was  identity
	left []string // entries of the person's that stay as they are
}

// lockIndex takes index.lock for a private index, if the person's still is what
// that was copied from.
func (r *repo) lockIndex(next *nextIndex) error {
	if next == nil || next.path == "" {
		return nil
	}
	if err := second(next.path, r.file("index.lock")); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return errIndexLocked
		}
		return fmt.Errorf("locking the index: %w", err)
	}
	now, err := identify(r.file("index"))
	if err == nil && !now.same(next.was) {
		err = errIndexMoved
	}
	if err != nil {
		err = errors.Join(err, r.unlockIndex(next))
	}
	return err
}

// second gives a file a second name that nobody has; where a file system knows
// no such thing, a copy.
func second(path, name string) error {
	err := os.Link(path, name)
	for _, no := range []syscall.Errno{syscall.EPERM, syscall.ENOTSUP, syscall.ENOSYS, syscall.EMLINK} {
		if errors.Is(err, no) {
			return copyFile(path, name)
		}
	}
	return err
}

// copyFile makes a new file with another's content, or none.
func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fi.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, f)
	if err = errors.Join(err, out.Chmod(fi.Mode().Perm()), out.Close()); err != nil {
		err = errors.Join(err, os.Remove(to))
	}
	return err
}

// installIndex puts the private index that holds the lock in its place.
func (r *repo) installIndex(next *nextIndex) error {
	if next == nil || next.path == "" {
		return nil
	}
	if err := os.Rename(r.file("index.lock"), r.file("index")); err != nil {
		return errors.Join(fmt.Errorf("bringing the index along: %w", err), r.unlockIndex(next))
	}
	// Of two names of one file rename removes none.
	return os.Remove(next.path)
}

// unlockIndex lets go of index.lock.
func (r *repo) unlockIndex(next *nextIndex) error {
	if next == nil || next.path == "" {
		return nil
	}
	return os.Remove(r.file("index.lock"))
}

// The pauses between attempts to get at the index, and how long it is tried.
const (
	indexPause = 5 * time.Millisecond
	indexTries = 600
)

// bring lets the person's index follow a commit: exactly the entries of its
// changes that still are what they were before it. It returns those that were
// left, and whether the lock was never to be had.
func (r *repo) bring(tmp string, changes []Change) (left []string, held bool, err error) {
	if len(changes) == 0 {
		return nil, false, nil
	}
	for try := 0; ; try++ {
		left, err = r.bringOnce(tmp, changes)
		if err == nil || !errors.Is(err, errIndexLocked) && !errors.Is(err, errIndexMoved) {
			return left, false, err
		}
		if try == indexTries {
			return paths(changes), true, nil
		}
		<-time.After(indexPause)
	}
}

func (r *repo) bringOnce(tmp string, changes []Change) (left []string, err error) {
	next, err := r.follow(tmp, changes)
	if err == nil {
		err = r.lockIndex(next)
	}
	if err != nil {
		return nil, err
	}
	return next.left, r.installIndex(next)
}

// follow makes, in tmp, the person's index with a commit's changes in it: those
// whose entries still are what they were before it.
func (r *repo) follow(tmp string, changes []Change) (*nextIndex, error) {
	if exists(r.file("index.lock")) {
		return nil, errIndexLocked // not worth the work yet
	}
	was, err := r.copyIndex(tmp)
	if err != nil {
		return nil, err
	}
	have, err := r.entries(tmp, changes)
	if err != nil {
		return nil, err
	}
	next := &nextIndex{path: tmp, was: was}
	var todo []Change
	for _, c := range changes {
		switch e := have[c.Path]; {
		case e.mode == c.Mode && e.blob == c.Blob: // there already
		case e.mode == c.OldMode && e.blob == c.OldBlob, c.OldMode == "" && e.blob == r.emptyBlob: // as before, or git add -N
			todo = append(todo, c)
		default:
			next.left = append(next.left, c.Path)
		}
	}
	if len(todo) == 0 {
		next.path = ""
		return next, os.Remove(tmp)
	}
	if _, err := r.run(call{args: []string{"update-index", "-z", "--index-info"}, in: indexInfo(r, todo), index: tmp}); err != nil {
		return nil, err
	}
	return next, r.refresh(tmp, todo)
}

// refresh notes in an index how the files stand that were just set there, so
// that the next `git status` need not read them.
func (r *repo) refresh(index string, changes []Change) error {
	var there []string
	for _, c := range changes {
		if c.Mode != "" && c.Mode != "160000" {
			there = append(there, c.Path)
		}
	}
	if len(there) == 0 {
		return nil
	}
	_, err := r.run(call{
		args: []string{"--literal-pathspecs", "add", "--refresh", "--ignore-errors", "--pathspec-from-file=-", "--pathspec-file-nul"},
		in:   nul(there), index: index, quiet: true,
	})
	var ge *GitError
	if errors.As(err, &ge) {
		return nil // a file that went meanwhile: its entry is right all the same
	}
	return err
}

// entry is what an index holds for a path.
type entry struct{ mode, blob string }

// argBytes bounds the paths given to one git as arguments.
const argBytes = 96 << 10

// entries reads the entries of the changes' paths out of an index; a path that
// has none is missing.
func (r *repo) entries(index string, changes []Change) (map[string]entry, error) {
	out := map[string]entry{}
	list := paths(changes)
	for len(list) > 0 {
		n, size := 0, 0
		for n < len(list) && size < argBytes {
			size += len(list[n]) + 1
			n++
		}
		args := append([]string{"--literal-pathspecs", "ls-files", "-s", "-z", "--"}, list[:n]...)
		got, err := r.run(call{args: args, index: index, quiet: true})
		if err != nil {
			return nil, err
		}
		for _, f := range fields(got) {
			// MODE BLOB STAGE \t PATH
			if len(f) < 8 {
				continue
			}
			var mode, blob, stage string
			if _, err := fmt.Sscan(f, &mode, &blob, &stage); err != nil {
				return nil, fmt.Errorf("reading the index: %q: %w", f, err)
			}
			name := f[len(mode)+len(blob)+len(stage)+3:]
			if stage != "0" {
				blob = "unmerged"
			}
			out[name] = entry{mode, blob}
		}
		list = list[n:]
	}
	return out, nil
}
