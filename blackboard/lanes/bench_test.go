package lanes

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
)

// manyLanes makes a board of n lanes in folders of 100.
func manyLanes(b testing.TB, n int) (dir string) {
	b.Helper()
	dir = b.TempDir()
	for i := range n {
		d := filepath.Join(dir, fmt.Sprintf("agents/%03d", i/100))
		if i%100 == 0 {
			must(b, os.MkdirAll(d, 0o755))
		}
		must(b, os.WriteFile(filepath.Join(d, fmt.Sprintf("%d.jsonl", i)), []byte("{\"type\":\"a.b\"}\n"), 0o644))
	}
	<-time.NewTimer(40 * time.Millisecond).C // the files must be older than a clock tick
	return dir
}

func newSet(b testing.TB, dir string, opt Options, saved []Saved) *Set {
	b.Helper()
	s, err := New(layout.Layout{Dir: dir}, opt)
	must(b, err)
	_, err = s.Restore(saved)
	must(b, err)
	must(b, s.Start())
	return s
}

// takeAll tracks and takes in everything there is.
func takeAll(b testing.TB, s *Set) (saved []Saved) {
	b.Helper()
	buf := make([]byte, 1<<16)
	for range 3 {
		for _, f := range s.Findings() {
			t := f.Tail
			if f.Kind == Found {
				t = s.Track(f, f.Lane, 1)
			}
			if t == nil {
				continue
			}
			n, _ := t.ReadAt(buf, t.Offset())
			t.Advance(t.Offset()+int64(n), buf[:n])
		}
		s.Sweep()
	}
	s.Tails(func(t *Tail) { saved = append(saved, t.Save()) })
	return saved
}

// BenchmarkStart is a restart on a board that nobody touched meanwhile: from
// New until all is settled, watches set.
func BenchmarkStart(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := manyLanes(b, n)
			s := newSet(b, dir, Options{}, nil)
			saved := takeAll(b, s)
			must(b, s.Close())
			for b.Loop() {
				s := newSet(b, dir, Options{Watch: true}, saved)
				if fs := s.Findings(); len(fs) != 0 {
					b.Fatal(fs[0].Kind, fs[0].Path)
				}
				b.StopTimer()
				must(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

// BenchmarkFirstStart is a start on a board nobody has taken in yet.
func BenchmarkFirstStart(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := manyLanes(b, n)
			for b.Loop() {
				s := newSet(b, dir, Options{Watch: true}, nil)
				if fs := s.Findings(); len(fs) != n {
					b.Fatal(len(fs))
				}
				b.StopTimer()
				must(b, s.Close())
				b.StartTimer()
			}
		})
	}
}

func BenchmarkSweep(b *testing.B) {
	for _, n := range []int{1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newSet(b, manyLanes(b, n), Options{}, nil)
			defer s.Close()
			takeAll(b, s)
			for b.Loop() {
				s.Sweep()
				if fs := s.Findings(); len(fs) != 0 {
					b.Fatal(fs[0].Kind, fs[0].Path)
				}
			}
		})
	}
}

// BenchmarkFindings is what one append costs the reader's goroutine in this
// package: settle, read, check, advance.
func BenchmarkFindings(b *testing.B) {
	line := []byte(fmt.Sprintf("%0299d\n", 0))
	s := newSet(b, manyLanes(b, 1000), Options{}, nil)
	defer s.Close()
	takeAll(b, s)
	f, err := os.OpenFile(s.abs("agents/003/333.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(b, err)
	defer f.Close()
	buf := make([]byte, 1<<16)
	b.ReportAllocs()
	var all []time.Duration
	for b.Loop() {
		_, err := f.Write(line)
		must(b, err)
		at := time.Now()
		s.dirty.add("agents/003/333.jsonl", false)
		fs := s.Findings()
		if len(fs) != 1 || fs[0].Kind != Grown {
			b.Fatal(fs)
		}
		t := fs[0].Tail
		n, _ := t.ReadAt(buf, t.Offset())
		if !t.Intact() {
			b.Fatal("not intact")
		}
		t.Advance(t.Offset()+int64(n), buf[:n])
		all = append(all, time.Since(at))
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "ns/append-p50")
}

// BenchmarkLatency is from an append to its being taken in, over inotify.
func BenchmarkLatency(b *testing.B) {
	line := []byte(fmt.Sprintf("%0299d\n", 0))
	s := newSet(b, manyLanes(b, 1000), Options{Watch: true}, nil)
	defer s.Close()
	takeAll(b, s)
	f, err := os.OpenFile(s.abs("agents/003/333.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	must(b, err)
	defer f.Close()
	write, took := make(chan time.Time), make(chan time.Duration, 1)
	go func() {
		for at := range write {
			_, _ = f.Write(line)
			took <- time.Since(at)
		}
	}()
	defer close(write)
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	buf := make([]byte, 1<<16)
	var all []time.Duration
	for b.Loop() {
		<-pace.C // the reader is asleep in between
		at := time.Now()
		write <- at
		for done := false; !done; {
			must(b, s.Wait(context.Background(), time.Time{}))
			for _, f := range s.Findings() {
				if f.Kind == Grown {
					n, _ := f.Tail.ReadAt(buf, f.Tail.Offset())
					done = f.Tail.Intact()
					f.Tail.Advance(f.Tail.Offset()+int64(n), buf[:n])
				}
			}
		}
		all = append(all, time.Since(at)-<-took)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "ns/p50")
	b.ReportMetric(float64(all[len(all)*99/100].Nanoseconds()), "ns/p99")
}

// BenchmarkAdvance is taking in a file in batches of 4 MiB.
func BenchmarkAdvance(b *testing.B) {
	s := newSet(b, manyLanes(b, 1), Options{}, nil)
	defer s.Close()
	takeAll(b, s)
	var t *Tail
	s.Tails(func(x *Tail) { t = x })
	chunk := make([]byte, 4<<20)
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		t.Advance(t.Offset()+int64(len(chunk)), chunk)
	}
}

// BenchmarkIdle is the share of a core that 1,000 lanes cost while nothing
// happens, sweeps included: run it with -benchtime=1x.
func BenchmarkIdle(b *testing.B) {
	s := newSet(b, manyLanes(b, 1000), Options{Watch: true}, nil)
	defer s.Close()
	takeAll(b, s)
	var before, after unix.Rusage
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &before))
	start := time.Now()
	for b.Loop() {
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
			must(b, s.Wait(context.Background(), end))
			s.Findings()
		}
	}
	took := time.Since(start)
	must(b, unix.Getrusage(unix.RUSAGE_SELF, &after))
	cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(100*float64(cpu)/float64(took), "%cpu")
}
