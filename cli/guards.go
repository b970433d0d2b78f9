package cli

import "golang.org/x/sys/unix"

// openGuards keep an open from following a link or hanging on a FIFO.
const openGuards = unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
