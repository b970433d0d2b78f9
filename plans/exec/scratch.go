package exec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"stigmergy/blackboard/layout"
)

// mark is the variable that every process carries: the folder of who started
// it, so that what a killed executor left can be found.
const mark = "STIGMERGY_RUN"

// scratch is the folder in which the shards of one executor run:
//
//	BOARD/.stigmergy/run/RANDOM/        locked while the executor lives
//	BOARD/.stigmergy/run/RANDOM/N       where one shard runs
//	BOARD/.stigmergy/run/RANDOM/N.in/I  a part of a file that a shard has as input I
//
// A shard that needs no more has one folder: to make one costs a file system
// more, the more of them went away of late.
type scratch struct {
	dir  string
	lock *os.File
}

// newScratch makes one, and clears away those of executors that are gone.
func newScratch(l layout.Layout) (*scratch, error) {
	base := l.Private("run")
	if err := os.MkdirAll(base, 0o700); err != nil {
		return nil, err
	}
	sweep(base)
	dir, err := os.MkdirTemp(base, "")
	if err != nil {
		return nil, err
	}
	s := &scratch{dir: dir}
	if s.lock, err = hold(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), os.RemoveAll(dir))
	}
	return s, nil
}

// hold locks a folder for as long as this process lives.
func hold(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sweep removes the folders of executors that are gone, after the processes
// that they left.
func sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // what is left there harms nobody
	}
	for _, e := range entries {
		dir := filepath.Join(base, e.Name())
		lock, err := hold(dir)
		if err != nil {
			continue // somebody lives there
		}
		killMarked(mark + "=" + dir)
		removeAll(dir)
		_ = lock.Close()
	}
}

// make makes the folder of one shard.
func (s *scratch) make(n uint64) (string, error) {
	dir := filepath.Join(s.dir, strconv.FormatUint(n, 10))
	return dir, os.Mkdir(dir, 0o700)
}

// parts is where the parts of files stand that the shard of a folder has.
func parts(dir string) string { return dir + ".in" }

// remove deletes it with all that the shard left there.
func (s *scratch) remove(dir string) {
	if syscall.Rmdir(dir) != nil {
		removeAll(dir)
	}
	if !errors.Is(syscall.Rmdir(parts(dir)), fs.ErrNotExist) {
		removeAll(parts(dir))
	}
}

func (s *scratch) close() error {
	removeAll(s.dir)
	return s.lock.Close()
}

// removeAll is os.RemoveAll that gets into folders which a shard closed to
// itself. What stays is taken by the next sweep.
func removeAll(dir string) {
	if os.RemoveAll(dir) == nil {
		return
	}
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, _ error) error {
		if e != nil && e.IsDir() {
			_ = os.Chmod(path, 0o700) // before it is read: WalkDir asks first
		}
		return nil
	})
	_ = os.RemoveAll(dir)
}
