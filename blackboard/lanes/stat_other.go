//go:build !linux

package lanes

import "golang.org/x/sys/unix"

func statAt(dirfd int, rel string) (stat, error) {
	return fstatat(dirfd, rel, unix.AT_SYMLINK_NOFOLLOW)
}

func statThrough(dirfd int, rel string) (stat, error) { return fstatat(dirfd, rel, 0) }

func fstatat(dirfd int, rel string, flags int) (stat, error) {
	var x unix.Stat_t
	if err := unix.Fstatat(dirfd, rel, &x, flags); err != nil {
		return stat{}, err
	}
	return convert(&x), nil
}

func statFd(fd int) (stat, error) {
	var x unix.Stat_t
	if err := unix.Fstat(fd, &x); err != nil {
		return stat{}, err
	}
	return convert(&x), nil
}

// convert leaves the birth time out: identity is (device, inode) here, and a
// reused inode is told by its content.
func convert(x *unix.Stat_t) stat {
	return stat{
		identity: identity{dev: uint64(x.Dev), ino: uint64(x.Ino)},
		size:     x.Size, ctime: x.Ctim.Nano(), mtime: x.Mtim.Nano(),
		uid: x.Uid, mode: uint32(x.Mode), nlink: uint32(x.Nlink),
	}
}
