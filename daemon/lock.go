package daemon

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"stigmergy/blackboard/layout"
)

// ErrBusy says that another daemon holds the board: exit 75.
var ErrBusy = errors.New("another daemon holds the board")

// Lock is the board's lock. The kernel of the system owns it: it is gone with
// the process, however that ends, and nothing is written for it.
type Lock struct{ f *os.File }

// Acquire takes the lock, or says who has it.
func Acquire(l layout.Layout) (*Lock, error) {
	f, err := os.OpenFile(l.Lock(), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o644)
	if err != nil {
		return nil, fmt.Errorf("locking the board: %w", err)
	}
	err = lock(f)
	for tries := 0; errors.Is(err, syscall.EWOULDBLOCK) && tries < 1000; tries++ {
		if _, kind := holder(l); kind == "WRITE" {
			break
		}
		time.Sleep(time.Millisecond) // somebody only looks whether a daemon is there (Held)
		err = lock(f)
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		who := Holder(l)
		return nil, errors.Join(fmt.Errorf("locking the board %s: %w%s: `stigmergy down` ends it", l.Dir, ErrBusy, who), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the board %s: %w", l.Dir, err), f.Close())
	}
	return &Lock{f}, nil
}

func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// Release lets go.
func (k *Lock) Release() error { return k.f.Close() }

// Held says whether a daemon holds the board, without taking the lock for
// longer than a moment.
func Held(l layout.Layout) bool {
	f, err := os.OpenFile(l.Lock(), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Holder says who holds the lock, as ": process 4711 (stigmergy up)"; empty
// where the system does not tell.
func Holder(l layout.Layout) string {
	pid, _ := holder(l)
	if pid == 0 {
		return ""
	}
	cmd, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // gone or another's: the number is enough
	what := strings.TrimSpace(strings.ReplaceAll(string(cmd), "\x00", " "))
	if len(what) > 80 {
		what = what[:80] + "…"
	}
	if what == "" {
		return fmt.Sprintf(": process %d", pid)
	}
	return fmt.Sprintf(": process %d (%s)", pid, strconv.QuoteToGraphic(what))
}

// holder looks the lock's inode up in /proc/locks: who holds it, and how (WRITE
// or READ).
func holder(l layout.Layout) (pid int, kind string) {
	fi, err := os.Stat(l.Lock())
	if err != nil {
		return 0, ""
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, ""
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0, ""
	}
	defer f.Close()
	suffix := ":" + strconv.FormatUint(st.Ino, 10)
	for sc := bufio.NewScanner(f); sc.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 4711 fe:00:131 0 EOF
		w := strings.Fields(sc.Text())
		if len(w) >= 6 && w[1] == "FLOCK" && strings.HasSuffix(w[5], suffix) {
			pid, _ := strconv.Atoi(w[4])
			return pid, w[3]
		}
	}
	return 0, ""
}
