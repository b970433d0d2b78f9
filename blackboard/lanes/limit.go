package lanes

import "golang.org/x/sys/unix"

// maxOpen is how many lane files may be held open: the limit less a reserve
// for journal, archives, sockets and children.
func maxOpen() int {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return 128
	}
	const most = 1 << 16
	n := int(min(uint64(lim.Cur), most))
	return max(n-max(n/4, min(256, n/2)), 8)
}
