package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
)

// laneFile is a lane's active file, open for appending.
//
//	openat(board, O_PATH|O_DIRECTORY|O_NOFOLLOW) … one folder after the other
//	openat(folder, NAME.jsonl, O_RDWR|O_APPEND|O_CREAT|O_NOFOLLOW|O_NONBLOCK)
//	write(fd, line + "\n")                         one call a line, whatever its size
//	lseek(fd, 0, SEEK_CUR)                         where the line's end stands
//
// No link is followed: what is reached through one is no lane.
type laneFile struct {
	lane     string // escaped
	path     string
	board    string
	fd       int
	ino, dev uint64
	blind    bool // may be written but not read
	named    bool // its folders are synced
}

// openLane opens a lane for appending and makes it where it is missing.
func openLane(l layout.Layout, lane string) (*laneFile, error) {
	rel := layout.LaneRel(lane)
	path := l.Lane(lane)
	dir, err := unix.Open(l.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, pathError("open", l.Dir, err)
	}
	defer func() { _ = unix.Close(dir) }() // a folder: nothing to lose
	elems := strings.Split(rel, "/")
	for i, name := range elems[:len(elems)-1] {
		next, err := enter(dir, name)
		if err != nil {
			return nil, laneError(filepath.Join(l.Dir, filepath.Join(elems[:i+1]...)), err)
		}
		_ = unix.Close(dir)
		dir = next
	}
	f := &laneFile{lane: lane, path: path, board: l.Dir}
	if err := f.open(dir, elems[len(elems)-1]); err != nil {
		return nil, laneError(path, err)
	}
	return f, nil
}

// enter opens the folder name below dir, and makes it where it is missing.
func enter(dir int, name string) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags, 0)
	if errors.Is(err, unix.ENOENT) {
		if err := unix.Mkdirat(dir, name, 0o777); err != nil && !errors.Is(err, unix.EEXIST) {
			return -1, err
		}
		fd, err = unix.Openat(dir, name, flags, 0)
	}
	return fd, err
}

// open opens the file below dir; one that may not be read is written blindly.
func (f *laneFile) open(dir int, name string) (err error) {
	const flags = unix.O_APPEND | unix.O_CREAT | openGuards
	f.fd, err = unix.Openat(dir, name, unix.O_RDWR|flags, 0o666)
	if errors.Is(err, unix.EACCES) {
		f.blind = true
		f.fd, err = unix.Openat(dir, name, unix.O_WRONLY|flags, 0o666)
	}
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err = unix.Fstat(f.fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errNotRegular
	}
	if err != nil {
		_ = unix.Close(f.fd)
		return err
	}
	f.ino, f.dev = uint64(st.Ino), uint64(st.Dev)
	return nil
}

var errNotRegular = errors.New("not a regular file")

// laneError says what is wrong with a lane's path.
func laneError(path string, err error) error {
	f := &Fault{Doing: "opening the lane", Path: path, Err: err, Code: codeUsage}
	switch {
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR), errors.Is(err, errNotRegular), errors.Is(err, unix.ENXIO), errors.Is(err, unix.EISDIR):
		f.Err, f.Expected, f.Found = nil, "a regular file below plain folders", "a link, folder, FIFO, socket or device"
		f.Try = "choose another lane with -l LANE"
	case errors.Is(err, unix.ENAMETOOLONG):
		f.Try = "choose a shorter lane with -l LANE"
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		f.Try = "choose a lane that you may write with -l LANE"
	}
	return f
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// tornError tells that only the beginning of a line stands on the disk.
type tornError struct {
	path   string
	offset int64
	n, of  int
	err    error
}

func (e *tornError) Error() string {
	return fmt.Sprintf("writing %s at offset %d: %v: %d of %d bytes stand there without a newline; they are no event, and the next post begins a line of its own",
		e.path, e.offset, e.err, e.n, e.of)
}

func (e *tornError) Unwrap() error { return e.err }

// append writes the line, which has no LF, with one write call, and returns
// the offset of its first byte. A line that somebody left unfinished is ended
// first, in the same call.
func (f *laneFile) append(line []byte) (offset int64, err error) {
	buf := make([]byte, 0, len(line)+2)
	if f.unfinished() {
		buf = append(buf, '\n')
	}
	lead := len(buf)
	buf = append(append(buf, line...), '\n')
	n, err := writeOnce(f.fd, buf)
	if n <= 0 && err != nil {
		return 0, pathError("write", f.path, err)
	}
	end, serr := unix.Seek(f.fd, 0, io.SeekCurrent)
	if serr != nil {
		return 0, pathError("seek", f.path, serr)
	}
	if n < len(buf) {
		if err == nil { // the kernel tells the reason only when asked again
			err = unix.ENOSPC
		}
		return 0, &tornError{path: f.path, offset: end - int64(n), n: n, of: len(buf), err: err}
	}
	return end - int64(len(buf)) + int64(lead), nil
}

// writeOnce is one write call; a signal that came before a byte was written
// is no reason to give up.
func writeOnce(fd int, buf []byte) (int, error) {
	for {
		n, err := unix.Write(fd, buf)
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// unfinished tells whether the file's last byte is no newline. Where that
// cannot be read it says yes: an empty line is harmless, a glued one is not.
func (f *laneFile) unfinished() bool {
	var st unix.Stat_t
	if unix.Fstat(f.fd, &st) != nil || st.Size == 0 {
		return false
	}
	if f.blind {
		return true
	}
	var last [1]byte
	n, err := unix.Pread(f.fd, last[:], st.Size-1)
	return err == nil && n == 1 && last[0] != '\n'
}

// sync makes what was written durable; the first time also the names of the
// folders in which the file stands, for it may be new.
func (f *laneFile) sync() error {
	if err := unix.Fsync(f.fd); err != nil {
		return &Fault{Doing: "syncing the lane", Path: f.path, Err: err, Code: codeDisk}
	}
	for dir := f.path; !f.named && dir != f.board; {
		dir = filepath.Dir(dir)
		if err := syncDir(dir); err != nil {
			return &Fault{Doing: "syncing the lane's folder", Path: dir, Err: err, Code: codeDisk}
		}
	}
	f.named = true
	return nil
}

func syncDir(dir string) error {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Fsync(fd), unix.Close(fd))
}

// moved tells whether the path names another file by now: the lane was
// rotated, and what was written stands in the segment before.
func (f *laneFile) moved() bool { return !f.is(f.path) }

// is tells whether path names the open file.
func (f *laneFile) is(path string) bool {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return err == nil && uint64(st.Ino) == f.ino && uint64(st.Dev) == f.dev
}

// close lets go of the file; twice is once.
func (f *laneFile) close() {
	if f.fd >= 0 {
		_ = unix.Close(f.fd) // nothing is buffered
		f.fd = -1
	}
}
