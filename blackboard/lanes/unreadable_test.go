package lanes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// asNobody runs a test in a process that file permissions bind. It says
// whether this is that process.
func asNobody(t *testing.T) bool {
	t.Helper()
	if os.Getuid() != 0 {
		return true
	}
	dir, err := os.MkdirTemp("", "lanes-nobody")
	must(t, err)
	defer os.RemoveAll(dir)
	must(t, os.Chmod(dir, 0o777))
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skipf("running as root, and there is no other user to run as: %v", err)
	}
	bin := filepath.Join(dir, "test")
	must(t, os.WriteFile(bin, self, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "foreign"), nil, 0o666))
	must(t, os.Chmod(filepath.Join(dir, "foreign"), 0o666))
	cmd := exec.Command(bin, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) {
		t.Skipf("running as root without the right to become nobody: %v", err)
	}
	if err != nil {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
	return false
}

func (r *reader) chmod(rel string, mode os.FileMode) {
	r.t.Helper()
	must(r.t, os.Chmod(r.path(rel), mode))
}

func TestUnreadable(t *testing.T) {
	if !asNobody(t) {
		return
	}
	for _, watch := range []bool{false, true} {
		r := newReader(t, Options{Watch: watch})
		r.append("a.jsonl", "1\n")
		r.append("b.jsonl", "1\n")
		r.append("x/c.jsonl", "1\n")
		r.chmod("a.jsonl", 0)
		r.start(nil)
		r.settle()
		r.append("b.jsonl", "2\n")
		r.settle()
		r.settle()
		r.chmod("a.jsonl", 0o644)
		r.settle()
		w := r.writer("b.jsonl")
		r.chmod("b.jsonl", 0)
		r.settle()
		write(t, w, "3\n") // it is held open: read, although it could not be opened
		must(t, w.Close())
		r.settle()
		saved := r.stop()
		r.start(saved)
		r.settle()
		r.chmod("b.jsonl", 0o644)
		r.append("b.jsonl", "4\n")
		r.settle()
		want := "unreadable a.jsonl\nfound b@1\nfound x/c@1\nreadable a.jsonl\nfound a@1\nunreadable b.jsonl\n" +
			"unreadable b.jsonl\nreadable b.jsonl\na@1 = 1/\nb@1 = 1/2/3/4/\nx/c@1 = 1/\n"
		if got := r.did(); got != want {
			t.Errorf("watch %v: got\n%swant\n%s", watch, got, want)
		}
		checkSet(t, r.set)
		must(t, r.set.Close())
	}
}

func TestUnreadableFolder(t *testing.T) {
	if !asNobody(t) {
		return
	}
	for _, mode := range []os.FileMode{0, 0o311, 0o444} {
		r := newReader(t, Options{})
		r.append("x/y/c.jsonl", "1\n")
		r.append("b.jsonl", "1\n")
		r.start(nil)
		r.settle()
		for range 2 { // as it runs, and over a restart
			r.append("x/y/c.jsonl", "2\n")
			r.chmod("x", mode)
			r.append("b.jsonl", "2\n")
			r.restart()
			r.settle()
			r.settle()
			if d := r.set.Describe(); mode != 0o311 && len(d.Unreadable) == 0 {
				t.Errorf("%o: nothing is unreadable", mode)
			}
			r.chmod("x", 0o755)
			r.settle()
		}
		if got := r.taken["x/y/c@1"]; string(got) != "1\n2\n2\n" || len(r.taken) != 2 || string(r.taken["b@1"]) != "1\n2\n2\n" {
			t.Errorf("%o: got\n%s", mode, r.did())
		}
		if d := r.set.Describe(); len(d.Unreadable) != 0 {
			t.Errorf("%o: still unreadable: %v", mode, d.Unreadable)
		}
		checkSet(t, r.set)
		must(t, r.set.Close())
	}
}

// TestForeignOwner: a lease is refused on somebody else's file, so that nobody
// can tell who has it open.
func TestForeignOwner(t *testing.T) {
	if !asNobody(t) {
		return
	}
	foreign := filepath.Join(os.TempDir(), "foreign")
	if _, err := os.Stat(foreign); err != nil {
		t.Skip("nobody else's file is at hand: run as root")
	}
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	must(t, os.Rename(foreign, r.path("a.jsonl")))
	r.append("a.jsonl", "1\n")
	r.settle()
	seg := r.rotate("a")
	if held, known := seg.HeldByWriter(); held || known {
		t.Errorf("held %v, known %v", held, known)
	}
	if sealed, known, err := r.set.Seal(seg, func() error { t.Error("called"); return nil }); sealed || known || err != nil {
		t.Errorf("sealed %v, known %v, %v", sealed, known, err)
	}
	if seg.UID() != 0 {
		t.Errorf("its owner is %d", seg.UID())
	}
}

// TestGhostsLeave: where it cannot be told who writes, an old file is let go
// after Options.Quiet.
func TestGhostsLeave(t *testing.T) {
	if !asNobody(t) {
		return
	}
	foreign := filepath.Join(os.TempDir(), "foreign")
	if _, err := os.Stat(foreign); err != nil {
		t.Skip("nobody else's file is at hand: run as root")
	}
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	must(t, os.Rename(foreign, r.path("a.jsonl")))
	r.append("a.jsonl", "1\n")
	r.settle()
	r.append("t", "1\n2\n")
	r.rename("t", "a.jsonl")
	r.settle()
	for _, want := range []int{1, 0} {
		if n := len(r.set.ghosts); n != want {
			t.Errorf("%d old files, want %d", n, want)
		}
		r.clock.add(r.set.opt.Quiet)
		r.sweep()
	}
	checkSet(t, r.set)
}
