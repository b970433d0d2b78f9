package cli

import (
	"os"

	"golang.org/x/sys/unix"
)

// keysAtOnce has a terminal hand over every key as it is pressed, and not show
// it, until restore.
func keysAtOnce(f *os.File) (restore func(), err error) {
	was, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, os.NewSyscallError("ioctl", err)
	}
	now := *was
	now.Lflag &^= unix.ICANON | unix.ECHO
	now.Cc[unix.VMIN], now.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &now); err != nil {
		return nil, os.NewSyscallError("ioctl", err)
	}
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, was) }, nil // it is gone, then
}
