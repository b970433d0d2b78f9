package lanes

import "golang.org/x/sys/unix"

// breakSignal is what the kernel sends when somebody wants to open a leased
// file: one that the Go runtime gets at any time anyway, in place of SIGIO.
const breakSignal = unix.SIGURG

// underLease runs fn while a read lease is held on f, which is granted only
// while nobody has f open for writing.
func underLease(f *file, fn func() error) (held, known bool, err error) {
	var inner error
	err = f.use(func(fd int) error {
		_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETSIG, int(breakSignal))
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
			known = err == unix.EAGAIN
			return nil
		}
		known = true
		defer unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
		inner = fn()
		now, err := unix.FcntlInt(uintptr(fd), unix.F_GETLEASE, 0)
		held = inner == nil && err == nil && now == unix.F_RDLCK
		return nil
	})
	if inner != nil {
		err = inner
	}
	return held, known, err
}
