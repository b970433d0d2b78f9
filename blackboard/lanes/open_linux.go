package lanes

import (
	"errors"

	"golang.org/x/sys/unix"
)

const resolveBeneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openBeneath opens rel below dirfd, following no link anywhere in it.
func openBeneath(dirfd int, rel string, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags), Resolve: resolveBeneath}
	for try := 0; ; try++ {
		fd, err := unix.Openat2(dirfd, rel, &how)
		switch {
		case err == unix.EINTR, err == unix.EAGAIN && try < 8: // EAGAIN for ever: somebody's lease
			continue
		case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL):
			// No openat2: an old kernel, or a sandbox that does not know it.
			return walkBeneath(dirfd, rel, flags)
		}
		return fd, err
	}
}
