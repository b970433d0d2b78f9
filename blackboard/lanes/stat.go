package lanes

import (
	"errors"
	"syscall"
	"time"
)

// identity tells one file from another for as long as either exists, and,
// where the file system knows birth times, also after one was deleted.
type identity struct {
	dev, ino uint64 // dev 0: the board's own device, whose number may change with a reboot
	birth    int64  // ns; 0 where it is not known
}

// stat is what one look at a path or descriptor shows.
type stat struct {
	identity
	size, ctime, mtime int64
	uid, mode, nlink   uint32
}

func (st stat) kind() uint32  { return st.mode & syscall.S_IFMT }
func (st stat) regular() bool { return st.kind() == syscall.S_IFREG }
func (st stat) folder() bool  { return st.kind() == syscall.S_IFDIR }

// what names the kind of a thing that is no regular file.
func (st stat) what() string {
	switch st.kind() {
	case syscall.S_IFLNK:
		return "symlink"
	case syscall.S_IFIFO:
		return "fifo"
	case syscall.S_IFSOCK:
		return "socket"
	case syscall.S_IFDIR:
		return "folder"
	}
	return "device"
}

// racy says whether a change in the clock tick of st's ctime could still come
// without changing it: then equal times prove nothing yet.
func racy(ctime int64) bool {
	const tick = int64(20 * time.Millisecond)
	return time.Now().UnixNano()-ctime < tick
}

// missing says whether an error means that there is nothing under a name.
func missing(err error) bool {
	return errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}
