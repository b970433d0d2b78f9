package lanes

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOwner: who owns a lane's file decides what it may say.
func TestOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root gives files away")
	}
	r := newReader(t, Options{Watch: true})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("a.jsonl", "1\n")
	r.settle()
	must(t, os.Chown(r.path("a.jsonl"), 1234, -1))
	r.settle()
	if got := r.did(); got != "found a@1\nowner a.jsonl\na@1 = 1/\n" || r.tails["a@1"].UID() != 1234 {
		t.Errorf("uid %d, got\n%s", r.tails["a@1"].UID(), got)
	}
}

// TestMountedFolder: lanes on another file system are lanes; when it goes they
// are gone, when it comes back they are known.
func TestMountedFolder(t *testing.T) {
	r := newReader(t, Options{})
	must(t, os.Mkdir(r.path("m"), 0o755))
	must(t, os.Mkdir(r.away(), 0o755))
	defer func() { must(t, os.RemoveAll(r.away())) }()
	if err := unix.Mount("lanes", r.away(), "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("mounting: %v", err)
	}
	defer func() { must(t, unix.Unmount(r.away(), unix.MNT_DETACH)) }()
	mount := func() { must(t, unix.Mount(r.away(), r.path("m"), "", unix.MS_BIND, "")) }
	unmount := func() { must(t, unix.Unmount(r.path("m"), unix.MNT_DETACH)) }
	mount()
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.append("m/a.jsonl", "1\n")
	r.settle()
	unmount()
	r.settle()
	mount()
	defer unmount()
	r.append("m/a.jsonl", "2\n")
	r.settle()
	want := "found m/a@1\ngone m/a@1 away\nreturned m/a@1: m/a.jsonl → m/a.jsonl\nm/a@1 = 1/2/\n"
	if got := r.did(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	checkSet(t, r.set)
}

// TestNetworkFileSystems: what their magic numbers lead to.
func TestNetworkFileSystems(t *testing.T) {
	for magic, want := range map[int64]bool{unix.NFS_SUPER_MAGIC: true, unix.FUSE_SUPER_MAGIC: true, unix.SMB2_SUPER_MAGIC: true,
		unix.CIFS_SUPER_MAGIC: true, unix.CEPH_SUPER_MAGIC: true, unix.V9FS_MAGIC: true, unix.EXT4_SUPER_MAGIC: false,
		unix.TMPFS_MAGIC: false, unix.BTRFS_SUPER_MAGIC: false, unix.OVERLAYFS_SUPER_MAGIC: false, unix.XFS_SUPER_MAGIC: false} {
		if got := remote(magic); got != want {
			t.Errorf("%#x: %v", magic, got)
		}
	}
	r := newReader(t, Options{Watch: true})
	r.start(nil)
	defer func() { must(t, r.set.Close()) }()
	r.set.polling.network = errNetwork
	r.append("a.jsonl", "1\n")
	r.settle()
	if sealed, known, err := r.set.Seal(r.rotate("a"), nil); sealed || known || err != nil {
		t.Errorf("a lease binds no other machine: %v, %v, %v", sealed, known, err)
	}
	r.sweep()
	if d := r.set.Describe(); d.Interval != r.set.opt.Poll || !strings.Contains(d.Polling, "network") || d.Watched == 0 {
		t.Errorf("got %+v", d)
	}
}
