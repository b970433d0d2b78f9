package lanes

import "golang.org/x/sys/unix"

const statMask = unix.STATX_BASIC_STATS | unix.STATX_BTIME

// statAt looks at a path below a directory, not following a last link.
func statAt(dirfd int, rel string) (stat, error) {
	return statx(dirfd, rel, unix.AT_SYMLINK_NOFOLLOW)
}

// statThrough looks at what a path leads to, links followed.
func statThrough(dirfd int, rel string) (stat, error) { return statx(dirfd, rel, 0) }

// statFd looks at an open file.
func statFd(fd int) (stat, error) { return statx(fd, "", unix.AT_EMPTY_PATH) }

func statx(dirfd int, rel string, flags int) (stat, error) {
	var x unix.Statx_t
	for {
		err := unix.Statx(dirfd, rel, flags, statMask, &x)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return stat{}, err
		}
		break
	}
	st := stat{
		identity: identity{dev: unix.Mkdev(x.Dev_major, x.Dev_minor), ino: x.Ino},
		size:     int64(x.Size), ctime: nanos(x.Ctime), mtime: nanos(x.Mtime),
		uid: x.Uid, mode: uint32(x.Mode), nlink: x.Nlink,
	}
	if x.Mask&unix.STATX_BTIME != 0 {
		st.birth = nanos(x.Btime)
	}
	return st, nil
}

func nanos(t unix.StatxTimestamp) int64 { return t.Sec*1e9 + int64(t.Nsec) }
