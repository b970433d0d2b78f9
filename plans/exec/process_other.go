//go:build !linux

package exec

import (
	"io/fs"
	"os"
	"syscall"
)

// attributes make the process a group of its own.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// await blocks until a process has ended.
func await(p *os.Process) (reap func() (*os.ProcessState, error)) {
	state, err := p.Wait()
	return func() (*os.ProcessState, error) { return state, err }
}

// changeTime is not known here; size and modification time must do.
func changeTime(fs.FileInfo) int64 { return 0 }

// forker starts processes.
type forker struct{}

func newForker() *forker { return &forker{} }

// start is os.StartProcess.
func (f *forker) start(path string, argv []string, attr *os.ProcAttr) (*os.Process, error) {
	return os.StartProcess(path, argv, attr)
}

func (f *forker) close() {}

// killMarked finds nobody here.
func killMarked(string) {}
