package lanes

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestRotationLosesNothing(t *testing.T) {
	for _, watch := range []bool{false, true} {
		r := newReader(t, Options{Watch: watch})
		r.start(nil)
		r.append("x/a.jsonl", "1\n")
		r.settle()
		f := r.writer("x/a.jsonl")
		seg := r.rotate("x/a")
		r.append("x/a.jsonl", "2\n")
		write(t, f, "late\n")
		r.look()
		write(t, f, "later\n")
		r.look()
		if held, known := seg.HeldByWriter(); !held || !known {
			t.Errorf("held %v, known %v while a writer has it", held, known)
		}
		must(t, f.Close())
		if held, known := seg.HeldByWriter(); held || !known {
			t.Errorf("held %v, known %v when nobody has it", held, known)
		}
		want := "found x/a@1\nfound x/a@2\nx/a@1 = 1/late/later/\nx/a@2 = 2/\n"
		if got := r.did(); got != want {
			t.Errorf("watch %v: got\n%swant\n%s", watch, got, want)
		}
		checkSet(t, r.set)
		r.set.Drop(seg)
		checkSet(t, r.set)
		if len(r.set.abroad) != 0 {
			t.Errorf("still watched: %v", r.set.abroad)
		}
		must(t, r.set.Close())
	}
}

func TestSealTakesWhatIsNew(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	seg := r.rotate("a")
	r.append(seg.Path, "2\n") // unseen yet
	sealed, known, err := r.set.Seal(seg, func() error { r.read(seg); return nil })
	if !sealed || !known || err != nil {
		t.Fatalf("sealed %v, known %v, %v", sealed, known, err)
	}
	if got := string(r.taken["a@1"]); got != "1\n2\n" {
		t.Errorf("took in %q", got)
	}
	r.append(seg.Path, "3\n") // late, by somebody who knew the path
	late := r.set.Fork(seg, 2)
	r.tails[key(late)] = late
	r.read(late)
	r.append(seg.Path, "4\n")
	r.settle()
	if got := string(r.taken["a@2"]); got != "3\n4\n" || late.Offset() != 4 || late.Base != 4 {
		t.Errorf("took in %q at %d, base %d", got, late.Offset(), late.Base)
	}
	for _, turn := range []string{"5\n", "6\n"} {
		r.restart()
		seg, late = r.tails["a@1"], r.tails["a@2"]
		r.append(seg.Path, turn)
		r.settle()
		r.settle()
		b := make([]byte, 4)
		if n, err := seg.ReadAt(b, 0); n != 4 || err != nil || string(b) != "1\n2\n" {
			t.Errorf("the first segment reads %q, %v", b[:n], err)
		}
	}
	if got := string(r.taken["a@2"]); got != "3\n4\n5\n6\n" {
		t.Errorf("after restarts: took in %q", got)
	}
	checkSet(t, r.set)
	r.set.Drop(late)
	if _, err := seg.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("the first segment ended with the second: %v", err)
	}
	r.set.Drop(seg)
	checkSet(t, r.set)
}

// TestRestoredInAnyOrder: of two Tails of one file the later one goes on.
func TestRestoredInAnyOrder(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	r.append("a.jsonl", "1\n")
	r.settle()
	r.append("a.jsonl", "2\n")
	late := r.set.Fork(r.tails["a@1"], 2)
	r.tails[key(late)] = late
	r.read(late)
	saved := r.stop()
	for range 2 {
		saved[0], saved[1] = saved[1], saved[0]
		r.start(saved)
		r.append("a.jsonl", "3\n")
		r.settle()
		if got := string(r.taken["a@1"]); got != "1\n" {
			t.Errorf("the first segment took in %q", got)
		}
		checkSet(t, r.set)
		r.stop()
	}
	if got := string(r.taken["a@2"]); got != "2\n3\n3\n3\n" {
		t.Errorf("took in %q", got)
	}
}

func TestSealIsRefusedWhileHeld(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	f := r.writer("a.jsonl")
	defer f.Close()
	seg := r.rotate("a")
	sealed, known, err := r.set.Seal(seg, func() error { t.Error("called"); return nil })
	if sealed || !known || err != nil {
		t.Errorf("sealed %v, known %v, %v", sealed, known, err)
	}
}

func TestSealSaysWhatWentWrong(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	seg := r.rotate("a")
	want := errors.New("disk full")
	if sealed, known, err := r.set.Seal(seg, func() error { return want }); sealed || !known || !errors.Is(err, want) {
		t.Errorf("sealed %v, known %v, %v", sealed, known, err)
	}
	if sealed, _, err := r.set.Seal(seg, func() error { return nil }); !sealed || err != nil {
		t.Errorf("the lease was not given back: %v, %v", sealed, err)
	}
	r.set.Drop(seg)
	if sealed, _, err := r.set.Seal(seg, func() error { return nil }); sealed || !errors.Is(err, ErrNoFile) {
		t.Errorf("a dropped one: sealed %v, %v", sealed, err)
	}
}

// TestSealBroken has a writer open the file during the lease: it waits, gets
// the file, the seal does not hold, and no signal disturbs this process.
func TestSealBroken(t *testing.T) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGIO)
	defer signal.Stop(signals)
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	seg := r.rotate("a")
	var wg sync.WaitGroup
	sealed, known, err := r.set.Seal(seg, func() error {
		wg.Go(func() {
			f := r.writer(seg.Path) // blocks until the lease is given back
			write(t, f, "late\n")
			must(t, f.Close())
		})
		return seg.file.use(func(fd int) error { // until the break is asked for
			for {
				lease, err := unix.FcntlInt(uintptr(fd), unix.F_GETLEASE, 0)
				if err != nil || lease != unix.F_RDLCK {
					return err
				}
			}
		})
	})
	if sealed || !known || err != nil {
		t.Errorf("sealed %v, known %v, %v", sealed, known, err)
	}
	wg.Wait()
	r.sweep()
	if got := string(r.taken["a@1"]); got != "1\nlate\n" {
		t.Errorf("took in %q", got)
	}
	select {
	case s := <-signals:
		t.Errorf("got signal %v", s)
	default:
	}
}

// TestSealOfADeletedFile: a lease needs no name.
func TestSealOfADeletedFile(t *testing.T) {
	r := newReader(t, Options{})
	r.start(nil)
	defer r.set.Close()
	r.append("a.jsonl", "1\n")
	r.settle()
	f := r.writer("a.jsonl")
	tail := r.tails["a@1"]
	r.remove("a.jsonl")
	r.settle()
	if held, known := tail.HeldByWriter(); !held || !known {
		t.Errorf("held %v, known %v", held, known)
	}
	write(t, f, "2\n")
	must(t, f.Close())
	if sealed, known, err := r.set.Seal(tail, func() error { r.read(tail); return nil }); !sealed || !known || err != nil {
		t.Errorf("sealed %v, known %v, %v", sealed, known, err)
	}
	if got := string(r.taken["a@1"]); got != "1\n2\n" {
		t.Errorf("took in %q", got)
	}
	r.set.Drop(tail)
	if _, err := tail.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrNoFile) || errors.Is(err, io.EOF) {
		t.Errorf("reading a dropped tail: %v", err)
	}
}
