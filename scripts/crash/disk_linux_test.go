package crash

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"stigmergy/scripts/oracle"
)

// mount mounts and unmounts at the end. Without root it skips.
func mount(t *testing.T, at string, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root: run it as root, or let .ci/run do so")
	}
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("mount", append(args, at)...).CombinedOutput(); err != nil {
		t.Skipf("this machine mounts nothing here: %v: %s", err, said)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", at).Run() })
}

// fill takes what is left of a file system, to the last block.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for block := make([]byte, 64<<10); len(block) > 0; {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			block = block[:len(block)/2]
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// TestFullDisk: a disk that is full stops the work, loudly; room lets it go on
// by itself. Writers can still append, into blocks that their lanes have.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := filepath.Join(t.TempDir(), "disk")
	mount(t, disk, "-t", "tmpfs", "-o", "size=8m", "none")
	b := newBoard(t, disk, "256KiB")
	const lanes = 100
	for i := range lanes {
		b.write("good", fmt.Sprintf("agents/%d", i), notes(fmt.Sprintf("w%d", i), 1, 1, 50)...)
	}
	d := b.start()
	d.ready(b)
	b.until("the first lines are taken in", func() bool { return b.clean() })
	filler := filepath.Join(disk, "filler")
	fill(t, filler)
	for i := range lanes {
		b.write("good", fmt.Sprintf("agents/%d", i), notes(fmt.Sprintf("w%d", i), 2, 3, 50)...)
	}
	b.until("the daemon says that the disk is full", func() bool {
		return strings.Contains(d.said.String(), syscall.ENOSPC.Error())
	})
	b.must(os.Remove(filler))
	b.until("the daemon goes on by itself", func() bool { return b.clean() }, &d.said)
	if code := d.stop(); code != 143 {
		t.Fatalf("the daemon drained with exit %d:\n%s", code, d.said.String())
	}
	b.judge("after the disk was full")
}

// clean says whether the oracle finds everything taken in.
func (b *board) clean() bool {
	found, _, err := oracle.Check(b.dir, b.opt)
	return err == nil && len(found) == 0
}

// until looks again and again, until it is so.
func (b *board) until(what string, so func() bool, said ...fmt.Stringer) {
	b.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	end := time.After(patience)
	for !so() {
		select {
		case <-again.C:
		case <-end:
			found, _, err := oracle.Check(b.dir, b.opt)
			b.t.Fatalf("it never came that %s: %v %v %v", what, found[:min(len(found), 5)], err, said)
		}
	}
}
