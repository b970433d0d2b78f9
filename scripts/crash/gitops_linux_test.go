package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFullDiskRun: a GitOps run on a disk with ever less room, from none to
// enough, commits whole batches or nothing and says that the disk is full; with
// room again the next run finishes its receipt, its events and its exemplar,
// and commits the rest.
func TestFullDiskRun(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("SKIP no git")
	}
	disk := filepath.Join(t.TempDir(), "disk")
	stopped := 0
	for room := 0; room <= 320; room += scale(64, 16, 4) {
		mount(t, disk, "-t", "tmpfs", "-o", "size=3m", "none")
		stopped += fullDiskRun(t, filepath.Join(disk, "repo"), filepath.Join(disk, "filler"), room)
		if said, err := exec.Command("umount", "-l", disk).CombinedOutput(); err != nil {
			t.Fatalf("unmounting: %v: %s", err, said)
		}
	}
	if stopped == 0 {
		t.Error("the disk was never full")
	}
	t.Logf("%d runs had no room", stopped)
}

// fullDiskRun runs with so many KiB of room, then with enough; it gives 1 if
// the first had too little.
func fullDiskRun(t *testing.T, top, filler string, room int) (stopped int) {
	b := &board{t: t, dir: filepath.Join(top, "board")}
	b.must(os.MkdirAll(filepath.Join(top, ".gitops"), 0o755))
	git := func(args ...string) string {
		t.Helper()
		r := b.exec(nil, "git", append([]string{"-c", "user.name=me", "-c", "user.email=me@example.org"}, args...)...)
		if r.code != 0 {
			t.Fatalf("%d KiB: git %v: %v", room, args, r)
		}
		return r.out
	}
	change := func(text string) {
		for _, dir := range []string{"a", "b"} {
			b.must(os.MkdirAll(filepath.Join(top, dir), 0o755))
			for i := range 20 {
				b.must(os.WriteFile(filepath.Join(top, dir, fmt.Sprint(i)), []byte(text), 0o644))
			}
		}
	}
	git("init", "-q", "-b", "main")
	git("config", "user.name", "me")
	git("config", "user.email", "me@example.org")
	change("1\n")
	b.must(os.WriteFile(filepath.Join(top, ".gitops/batches.json"), []byte(`{"scope":"t","batches":[{"batch_id":"a","paths":["a"]},{"batch_id":"b","paths":["b"]}]}`), 0o644))
	git("add", "-A")
	git("commit", "-q", "-m", "start")
	b.ok("init", b.dir)
	b.ok("gitops", "plan") // the store of exemplars is there
	change("2\n")
	fill(t, filler)
	fi, err := os.Stat(filler)
	b.must(err)
	b.must(os.Truncate(filler, fi.Size()-int64(room)<<10))
	switch r := b.run(nil, "gitops", "run"); {
	case r.code == 74 && strings.Contains(r.err, "no space left"), r.code == 74 && strings.Contains(r.err, "disk I/O error"):
		stopped = 1
	case r.code != 0:
		t.Errorf("%d KiB: %v", room, r)
	}
	b.must(os.Remove(filler))
	b.ok("gitops", "run")
	git("fsck", "--no-dangling")
	if out := git("status", "--porcelain", "--untracked-files=no"); out != "" {
		t.Errorf("%d KiB: status %q", room, out)
	}
	if n := strings.TrimSpace(git("rev-list", "--count", "HEAD")); n != "3" {
		t.Errorf("%d KiB: %s commits, want 3", room, n)
	}
	receipts, err := filepath.Glob(filepath.Join(top, "artifacts/proofs/*/gitops_receipt.json"))
	b.must(err)
	for _, path := range receipts {
		b.ok("gitops", "verify", filepath.Dir(path))
	}
	told := func(args ...string) int { return strings.Count(b.ok(append(args, "-o", "jsonl")...).out, "\n") }
	if n := told("query", "gitops.batch"); n != 2*len(receipts) {
		t.Errorf("%d KiB: %d runs told of %d batches", room, len(receipts), n)
	}
	if n := told("query", "gitops.run"); n != len(receipts) {
		t.Errorf("%d KiB: %d runs were told %d times", room, len(receipts), n)
	}
	if n := told("exemplar", "ls"); n != len(receipts) {
		t.Errorf("%d KiB: %d runs have %d exemplars", room, len(receipts), n)
	}
	return stopped
}
