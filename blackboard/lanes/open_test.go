package lanes

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOpenBeneath holds both ways of opening to the same answers.
func TestOpenBeneath(t *testing.T) {
	dir := t.TempDir()
	out := t.TempDir()
	must(t, os.WriteFile(filepath.Join(out, "secret"), []byte("s"), 0o644))
	must(t, os.MkdirAll(filepath.Join(dir, "a/b"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "a/b/c.jsonl"), []byte("c"), 0o644))
	must(t, os.Symlink(out, filepath.Join(dir, "link")))
	must(t, os.Symlink("a", filepath.Join(dir, "inside")))
	must(t, os.Symlink(filepath.Join(out, "secret"), filepath.Join(dir, "a/l.jsonl")))
	must(t, syscall.Mkfifo(filepath.Join(dir, "f.jsonl"), 0o644))
	dirfd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(dirfd)
	s := &Set{dirfd: dirfd, root: dir}
	for name, open := range map[string]func(int, string, int) (int, error){"system": openBeneath, "walk": walkBeneath} {
		for rel, ok := range map[string]bool{
			"a/b/c.jsonl": true, "a/b": true, ".": true, "f.jsonl": true,
			"link/secret": false, "inside/b/c.jsonl": false, "a/l.jsonl": false, "link": false,
			"../" + filepath.Base(out) + "/secret": false, "a/../../x": false, filepath.Join(out, "secret"): false,
			"none": false, "a/b/c.jsonl/d": false, "": false,
		} {
			fd, err := open(dirfd, rel, fileFlags)
			if err == nil {
				unix.Close(fd)
			}
			if (err == nil) != ok {
				t.Errorf("%s: opening %q: %v", name, rel, err)
			}
		}
	}
	for rel, want := range map[string]error{"f.jsonl": syscall.EINVAL, "a": syscall.EINVAL, "a/b/c.jsonl": nil} {
		fd, st, err := s.openFile(rel)
		if !errors.Is(err, want) {
			t.Errorf("opening %s as a lane: %v", rel, err)
		}
		if err == nil {
			unix.Close(fd)
			if !st.regular() || st.size != 1 || st.ino == 0 {
				t.Errorf("got %+v", st)
			}
		}
	}
}

func TestWhatThingsAre(t *testing.T) {
	for mode, want := range map[uint32]string{
		syscall.S_IFLNK: "symlink", syscall.S_IFIFO: "fifo", syscall.S_IFSOCK: "socket", syscall.S_IFDIR: "folder",
		syscall.S_IFCHR: "device", syscall.S_IFBLK: "device",
	} {
		if got := (stat{mode: mode | 0o644}).what(); got != want {
			t.Errorf("%o: %s, want %s", mode, got, want)
		}
	}
}

// TestBirthTells: a file that takes a deleted one's inode is another one.
func TestBirthTells(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	seen := map[identity]bool{}
	for range 3 {
		must(t, os.WriteFile(path, nil, 0o644))
		st, err := statAt(unix.AT_FDCWD, path)
		must(t, err)
		if st.birth == 0 {
			t.Skip("this file system keeps no birth times")
		}
		if seen[st.identity] {
			t.Errorf("twice the same identity: %+v", st.identity)
		}
		seen[st.identity] = true
		for racy(st.birth) { // the next one is born in another clock tick
		}
		must(t, os.Remove(path))
	}
}
