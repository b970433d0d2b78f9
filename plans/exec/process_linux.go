package exec

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes make the process a group of its own that does not outlive us:
// even of a daemon that is killed, nothing is left that writes.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// await blocks until a process has ended and leaves it a zombie, so that its
// number, which is its group's, is not given to anybody else before reap.
func await(p *os.Process) (reap func() (*os.ProcessState, error)) {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return p.Wait
		}
	}
}

// changeTime is the file's, in nanoseconds.
func changeTime(fi fs.FileInfo) int64 {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return syscall.TimespecToNsec(st.Ctim)
	}
	return 0
}

// forker starts processes from one thread that stays: the kernel takes the end
// of the thread that started a process for the end of its parent.
type forker struct{ work chan func() }

func newForker() *forker {
	f := &forker{work: make(chan func())}
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		for fn := range f.work {
			fn()
		}
	}()
	return f
}

// start is os.StartProcess.
func (f *forker) start(path string, argv []string, attr *os.ProcAttr) (p *os.Process, err error) {
	done := make(chan struct{})
	f.work <- func() {
		p, err = os.StartProcess(path, argv, attr)
		close(done)
	}
	<-done
	return p, err
}

func (f *forker) close() { close(f.work) }

// killMarked ends every process in whose environment the variable stands.
func killMarked(variable string) {
	want := []byte(variable)
	dirs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return
	}
	for _, path := range dirs {
		env, err := os.ReadFile(path)
		if err != nil {
			continue // not ours
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil || pid == os.Getpid() {
			continue
		}
		for _, v := range bytes.Split(env, []byte{0}) {
			if bytes.Equal(v, want) {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may be gone
			}
		}
	}
}
