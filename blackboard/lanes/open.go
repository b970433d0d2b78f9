package lanes

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileFlags never block on a FIFO, never follow a link, never leak.
const fileFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC

// walkBeneath opens rel below dirfd folder by folder, following no link.
func walkBeneath(dirfd int, rel string, flags int) (int, error) {
	at := dirfd
	for {
		part, rest, more := strings.Cut(rel, "/")
		if part == "" || part == ".." {
			closeStep(at, dirfd)
			return -1, syscall.EINVAL
		}
		how := flags
		if more {
			how = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		}
		fd, err := openStep(at, part, how)
		closeStep(at, dirfd)
		if err != nil || !more {
			return fd, err
		}
		at, rel = fd, rest
	}
}

func openStep(at int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func closeStep(fd, keep int) {
	if fd != keep {
		unix.Close(fd)
	}
}

// openFile opens a regular file below the board and looks at it.
func (s *Set) openFile(rel string) (int, stat, error) {
	fd, err := openBeneath(s.dirfd, rel, fileFlags)
	if err != nil {
		return -1, stat{}, err
	}
	st, err := statFd(fd)
	if err == nil && !st.regular() {
		err = syscall.EINVAL
	}
	if err != nil {
		unix.Close(fd)
		return -1, stat{}, err
	}
	return fd, s.local(st), nil
}

// openFolder opens a folder below the board for listing.
func (s *Set) openFolder(rel string) (*os.File, error) {
	fd, err := openBeneath(s.dirfd, rel, fileFlags|unix.O_DIRECTORY)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), s.abs(rel)), nil
}

// stat looks at a board-relative path, not following a last link.
func (s *Set) stat(rel string) (stat, error) {
	st, err := statAt(s.dirfd, rel)
	return s.local(st), err
}

// local makes the board's own device 0, so that identities outlive reboots
// that number devices anew.
func (s *Set) local(st stat) stat {
	if st.dev == s.dev {
		st.dev = 0
	}
	return st
}
