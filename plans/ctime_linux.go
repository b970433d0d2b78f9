package plans

import (
	"io/fs"
	"syscall"
)

// changeTime is when a file's bytes or its inode last changed, in nanoseconds.
func changeTime(fi fs.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return syscall.TimespecToNsec(st.Ctim)
	}
	return 0
}
