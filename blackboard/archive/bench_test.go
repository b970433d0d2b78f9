package archive

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// benchSegment is 200,000 lines of HXO's history, about a segment.
func benchSegment(b *testing.B) ([]byte, Source) {
	raw := corpus(b, 200_000)
	reg, checker := testContracts(b)
	src := Source{Lane: testLane, Segment: testSegment, Extract: NewExtractor(Contracts{Registry: reg, Checker: checker})}
	for i := range 2000 {
		src.Runs = append(src.Runs, Run{Seq: uint64(i) * 2, Time: int64(i), Lines: 100})
	}
	return raw, src
}

func BenchmarkWrite(b *testing.B) {
	raw, src := benchSegment(b)
	for _, level := range []string{"fastest", "default", "better"} {
		for workers := 1; workers <= 2; workers++ {
			b.Run(fmt.Sprintf("%s/%d", level, workers), func(b *testing.B) {
				b.SetBytes(int64(len(raw)))
				for b.Loop() {
					w, err := Write(io.Discard, bytes.NewReader(raw), src, WriteOptions{Level: level, Workers: workers})
					if err != nil {
						b.Fatal(err)
					}
					b.ReportMetric(100*float64(w.Size)/float64(w.RawBytes), "%raw")
					b.ReportMetric(100*float64(w.IndexBytes)/float64(w.Size), "%index")
				}
			})
		}
	}
}

// benchFile is an archive on disk.
func benchFile(b *testing.B) (*os.File, Written) {
	raw, src := benchSegment(b)
	f, err := os.Create(filepath.Join(b.TempDir(), "a.zst"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	w, err := Write(f, bytes.NewReader(raw), src, WriteOptions{})
	if err != nil {
		b.Fatal(err)
	}
	return f, w
}

func BenchmarkRead(b *testing.B) {
	f, w := benchFile(b)
	dec := NewDecoder()
	r, err := dec.Open(f, w.Size)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dec.Open(f, w.Size); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("open by name and miss", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, err := dec.OpenFile(f.Name())
			if err != nil {
				b.Fatal(err)
			}
			f.Select(Want{Fields: []Field{{"plan_id", "7c9e6679-7425-40de-944b-e07fc1f90ae7"}}})
			f.Close()
		}
	})
	b.Run("miss", func(b *testing.B) {
		for b.Loop() {
			r.MayMatch("plan_id", "7c9e6679-7425-40de-944b-e07fc1f90ae7")
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(w.RawBytes)
		var buf []byte
		for b.Loop() {
			for i := range r.Frames() {
				c, err := r.DecodeLines(i, buf)
				if err != nil {
					b.Fatal(err)
				}
				buf = c.Bytes
			}
		}
	})
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Unindexed(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("check", func(b *testing.B) {
		b.SetBytes(w.RawBytes)
		for b.Loop() {
			if rep, err := CheckAt(f, w.Size, CheckOptions{}); err != nil || rep.Err() != nil {
				b.Fatal(err, rep.Problems)
			}
		}
	})
}

// BenchmarkCatalog opens a board of 1,000 archives.
func BenchmarkCatalog(b *testing.B) {
	l, d := testBoard(b)
	file, err := os.ReadFile(l.Archive("ci", 3))
	if err != nil {
		b.Fatal(err)
	}
	for i := range 1000 {
		if err := os.WriteFile(l.Archive("ci", uint64(i+10)), file, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	c := catalog(b, l, d)
	b.Run("all opened", func(b *testing.B) {
		for b.Loop() {
			catalog(b, l, d)
		}
	})
	if err := c.Save(nil); err != nil {
		b.Fatal(err)
	}
	b.Run("from its file", func(b *testing.B) {
		for b.Loop() {
			if c := catalog(b, l, d); c.Dirty() {
				b.Fatal("stale")
			}
		}
	})
}
