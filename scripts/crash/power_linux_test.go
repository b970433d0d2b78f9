package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"stigmergy/scripts/oracle"
)

// disk is a loop image on a tmpfs whose power can be cut.
type disk struct {
	t     *testing.T
	image string
	at    string
}

func newDisk(t *testing.T, fs string) *disk {
	t.Helper()
	if _, err := exec.LookPath("mkfs." + fs); err != nil {
		t.Skipf("mkfs.%s is not installed", fs)
	}
	under := t.TempDir()
	mount(t, under, "-t", "tmpfs", "-o", "size=700m", "none")
	// What is unmounted here must go from every process's view, those in mount
	// namespaces of their own too: a dead disk that one of them still has
	// mounted would be mounted again as it is, dead.
	if said, err := exec.Command("mount", "--make-rshared", under).CombinedOutput(); err != nil {
		t.Skipf("this machine shares no mounts: %v: %s", err, said)
	}
	d := &disk{t: t, image: filepath.Join(under, "image"), at: filepath.Join(under, "disk")}
	f, err := os.Create(d.image)
	if err == nil {
		err = f.Truncate(320 << 20)
	}
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if said, err := exec.Command("mkfs."+fs, "-q", d.image).CombinedOutput(); err != nil {
		t.Skipf("mkfs.%s: %v: %s", fs, err, said)
	}
	if err := os.Mkdir(d.at, 0o755); err != nil {
		t.Fatal(err)
	}
	d.mount()
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.at).Run() })
	return d
}

func (d *disk) mount() {
	d.t.Helper()
	if said, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		d.t.Skipf("this machine mounts no loop image: %v: %s", err, said)
	}
}

// The ways in which FS_IOC_SHUTDOWN ends a file system: with its log written
// out first (names survive, bytes may not), or without.
const (
	shutdown   = 0x8004587d
	logFlush   = 1
	noLogFlush = 2
)

// cut ends the file system as a power cut does: nothing more reaches it.
func (d *disk) cut(how uint32) {
	d.t.Helper()
	f, err := os.Open(d.at)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if err := unix.IoctlSetPointerInt(int(f.Fd()), shutdown, int(how)); err != nil {
		d.t.Skipf("this kernel does not cut a file system off: %v", err)
	}
}

// again mounts what the power cut left.
func (d *disk) again() {
	d.t.Helper()
	if said, err := exec.Command("umount", d.at).CombinedOutput(); err != nil {
		d.t.Fatalf("umount: %v: %s", err, said)
	}
	d.mount()
	if _, err := os.ReadDir(d.at); err != nil {
		d.t.Skipf("somebody holds the dead disk: %v", err)
	}
}

// boot lets the binary see the boot id of the nth boot: a machine whose power
// went has another one, and a test does not reboot. The file is mounted over
// the kernel's in a mount namespace of the process's own.
func (b *board) boot(n int) {
	b.t.Helper()
	id := filepath.Join(b.truth, "boot_id")
	b.must(os.WriteFile(id, fmt.Appendf(nil, "00000000-0000-4000-8000-%012d\n", n), 0o644))
	b.under = []string{"unshare", "--mount", "--propagation", "slave", "sh", "-c",
		"mount --bind " + id + " /proc/sys/kernel/random/boot_id && exec \"$@\"", "sh"}
}

// writeSynced appends lines, until the disk is gone, that are acknowledged by
// fsync only; what was not synced by then may be there or not.
func (b *board) writeSynced(lane string, first int) {
	f, err := os.OpenFile(b.lane(lane), os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return // the power is gone already
	}
	defer f.Close()
	if fi, err := f.Stat(); err == nil && fi.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, fi.Size()-1); err == nil && last[0] != '\n' {
			_, _ = f.WriteString("\n")
		}
	}
	// A sync that is under way while the file system ends may say that it
	// worked. One counts only when the next one worked too.
	var last []string
	for n := first; ; n += 10 {
		lines := notes(lane, n, 10, 100)
		_, err := f.WriteString(strings.Join(lines, "\n") + "\n")
		if err == nil {
			err = f.Sync()
		}
		if err != nil {
			b.know("tried", lane, append(last, lines...)...)
			return
		}
		if last != nil {
			b.know("good", lane, last...)
		}
		last = lines
	}
}

// TestPower: the power goes at random moments. What writers had synced is
// there once, in both durabilities, and the board is whole. These tests run
// one after another: a process in a mount namespace of its own keeps every
// other test's disk mounted, shut down as it is.
func TestPower(t *testing.T) {
	cuts := scale(0, 5, 100)
	if cuts == 0 {
		t.Skip("it mounts disks and takes a minute: run with -some, as .ci/run does")
	}
	for _, fs := range []string{"ext4", "xfs"} {
		for _, durability := range []string{"process", "disk"} {
			t.Run(fs+" "+durability, func(t *testing.T) {
				d := newDisk(t, fs)
				b := newBoard(t, d.at, "16KiB", "durability: "+durability)
				b.must(exec.Command("sync", "-f", d.at).Run())
				b.boot(1)
				rnd := rand.New(rand.NewPCG(*seed, 1))
				for i := range cuts {
					run := b.start()
					powerCut(d, b, rnd, i)
					run.kill()
					d.again()
					b.boot(i + 2)
					b.judge(fmt.Sprintf("cut %d (seed %d)", i+1, *seed))
				}
			})
		}
	}
}

// powerCut writes to three lanes and cuts the power meanwhile.
func powerCut(d *disk, b *board, rnd *rand.Rand, round int) {
	b.must(os.MkdirAll(filepath.Dir(b.lane("agents/x")), 0o755))
	done := make(chan struct{}, 3)
	for i := range 3 {
		lane := "agents/" + strconv.Itoa(i)
		appendFile(b.t, b.lane(lane), "")
		go func() {
			b.writeSynced(lane, 1+round*1_000_000)
			done <- struct{}{}
		}()
	}
	b.must(exec.Command("sync", "-f", d.at).Run()) // their names are there
	<-time.After(time.Duration(20+rnd.IntN(300)) * time.Millisecond)
	d.cut([]uint32{logFlush, noLogFlush}[rnd.IntN(2)])
	for range 3 {
		<-done
	}
}

// TestPowerControl: with a daemon whose fsync does nothing, the same test must
// find something. If it does not, it proves nothing.
func TestPowerControl(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed: fsync cannot be made a no-op")
	}
	for round := range 20 {
		if lies := powerLie(t, round); lies != "" {
			t.Logf("found in round %d: %s", round+1, lies)
			return
		}
	}
	t.Fatal("twenty power cuts without a single fsync, and nothing was found: the power test is blind")
}

// powerLie archives segments without syncing them, cuts the power, and says
// what is missing.
func powerLie(t *testing.T, round int) string {
	d := newDisk(t, "ext4")
	b := newBoard(t, d.at, "4KiB")
	b.write("good", "agents/0", notes("w", 1, 100, 100)...)
	b.must(exec.Command("sync", "-f", d.at).Run())
	b.boot(1)
	lie := []string{"-f", "-qq", "-o", os.DevNull, "-e", "trace=fsync,fdatasync,syncfs,sync", "-e", "inject=fsync,fdatasync,syncfs,sync:retval=0"}
	for range 2 + round%3 {
		b.exec(nil, "strace", append(append(lie, b.under...), binaries.stigmergy, "up", "--once", "-C", b.dir)...)
	}
	d.cut(logFlush)
	d.again()
	b.boot(2)
	if r := b.once(); r.code != 0 {
		return r.String()
	}
	found, _, err := oracle.Check(b.dir, b.opt)
	if err != nil {
		return err.Error()
	}
	if len(found) > 0 {
		return found[0].String()
	}
	return ""
}
