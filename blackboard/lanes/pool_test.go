package lanes

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestFewDescriptorsSuffice(t *testing.T) {
	r := newReader(t, Options{MaxOpen: 3})
	r.start(nil)
	defer r.set.Close()
	for i := range 20 {
		r.append("x/"+itoa(i)+".jsonl", "1\n")
	}
	r.settle()
	for i := range 20 {
		r.append("x/"+itoa(i)+".jsonl", "2\n")
	}
	r.settle()
	for i := range 20 {
		if got := string(r.taken["x/"+itoa(i)+"@1"]); got != "1\n2\n" {
			t.Errorf("lane %d: took in %q", i, got)
		}
	}
	if d := r.set.Describe(); d.Open > 3 || d.Tails != 20 || d.MaxOpen != 3 {
		t.Errorf("got %+v", d)
	}
	checkSet(t, r.set)
}

// TestDeletedFilesStayOpen: what has no name cannot be opened again.
func TestDeletedFilesStayOpen(t *testing.T) {
	r := newReader(t, Options{MaxOpen: 2})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	f := r.writer("a.jsonl")
	r.remove("a.jsonl")
	r.settle()
	for i := range 9 {
		r.append(itoa(i)+".jsonl", "1\n")
		r.settle()
	}
	write(t, f, "late\n")
	must(t, f.Close())
	r.sweep()
	if got := string(r.taken["a@1"]); got != "1\nlate\n" {
		t.Errorf("took in %q", got)
	}
}

// TestNoDescriptors takes all descriptors of the process away.
func TestNoDescriptors(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	for i := range 30 {
		r.append("x/"+itoa(i)+".jsonl", "1\n")
	}
	r.settle()
	r.append("x/new.jsonl", "1\n")
	r.append("x/3.jsonl", "2\n")
	var all []*os.File
	for {
		f, err := os.Open(r.dir)
		if errors.Is(err, syscall.EMFILE) {
			break
		}
		must(t, err)
		all = append(all, f)
	}
	r.settle()
	for _, f := range all {
		must(t, f.Close())
	}
	r.settle()
	if string(r.taken["x/new@1"]) != "1\n" || string(r.taken["x/3@1"]) != "1\n2\n" {
		t.Errorf("got\n%s", r.did())
	}
	checkSet(t, r.set)
}

// TestReadersBesideEviction reads from many goroutines through two descriptors.
func TestReadersBesideEviction(t *testing.T) {
	dir := t.TempDir()
	dirfd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	must(t, err)
	defer unix.Close(dirfd)
	s := &Set{dirfd: dirfd, root: dir}
	p := newPool(2, s.openFile)
	defer p.close()
	var files []*file
	for i := range 8 {
		must(t, os.WriteFile(filepath.Join(dir, itoa(i)), []byte(itoa(i)), 0o644))
		st, err := s.stat(itoa(i))
		must(t, err)
		files = append(files, p.file(st.identity, itoa(i), -1))
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			b := make([]byte, 8)
			for i := range 4000 {
				k := (i*7 + g) % len(files)
				if n, err := files[k].ReadAt(b, 0); n != 1 || err != io.EOF || string(b[:1]) != itoa(k) {
					t.Errorf("file %d: %q, %v", k, b[:n], err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := p.count(); n > 4 {
		t.Errorf("%d open", n)
	}
	must(t, os.Rename(filepath.Join(dir, "1"), filepath.Join(dir, "0")))
	p.yield()
	p.yield()
	if _, err := files[0].ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrNoFile) && p.count() == 0 {
		t.Errorf("read another file under the same name: %v", err)
	}
}
