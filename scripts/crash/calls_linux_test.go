package crash

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// writingCalls are the system calls that change what a board has on disk.
var writingCalls = []string{"pwrite64", "write", "openat", "renameat2", "renameat", "unlinkat", "fsync", "fdatasync", "ftruncate", "mkdirat", "linkat", "fchmod"}

// TestEveryCall: the same as TestEveryStep, without the product's help: strace
// kills the daemon as it enters its nth call of each kind.
func TestEveryCall(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed")
	}
	for _, call := range writingCalls[:scale(1, len(writingCalls), len(writingCalls))] {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			broken := 0
			for n := 1; ; n += scale(20, 10, 1) {
				b := newBoard(t, t.TempDir(), small)
				scenes[1].make(b)
				r := b.exec(nil, "strace", "-f", "-qq", "-o", os.DevNull, "-e", "trace="+call,
					"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", call, n), binaries.stigmergy, "up", "--once", "-C", b.dir)
				b.judge(fmt.Sprintf("killed at call %d of %s", n, call))
				b.must(os.RemoveAll(b.dir))
				if r.signal != syscall.SIGKILL && r.code != 128+int(syscall.SIGKILL) {
					break
				}
				broken++
			}
			t.Logf("%d calls broken", broken)
		})
	}
}
