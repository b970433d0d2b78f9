package plans

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"

	"stigmergy/contracts/plan"
)

// block is how much of a file is read at a time.
const block = 256 << 10

// part is a stretch of a file, and the SHA-256 of its bytes.
type part struct {
	from, to int64
	sum      [sha256.Size]byte
}

// errChanged says that a file was another one after reading it.
var errChanged = errors.New("it changes while it is read")

// tries is how often a file that changes is read again.
const tries = 3

// steady calls fn with a file that is the same before and after: what was read
// of one that changes is of no time.
func (w *world) steady(name string, fn func(f *os.File, size int64) error) error {
	for try := 1; ; try++ {
		err := w.once(name, fn)
		if !errors.Is(err, errChanged) {
			return err
		}
		if try == tries {
			return &trouble{name, "a file that stays as it is while it is read", "one that changes", "submit the plan when nobody writes to it, or name a copy"}
		}
	}
}

func (w *world) once(name string, fn func(f *os.File, size int64) error) error {
	f, before, err := w.open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := fn(f, before.Size()); err != nil {
		var t *trouble
		if errors.Is(err, errChanged) || errors.As(err, &t) || errors.Is(err, context.Canceled) {
			return err
		}
		return w.trouble(name, err)
	}
	after, err := f.Stat()
	if err != nil {
		return w.trouble(name, err)
	}
	if after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()) || changeTime(after) != changeTime(before) {
		return errChanged
	}
	return nil
}

// sums hashes whole files, several at a time, and gives their SHA-256 in the
// order of their names. Files that cannot be read are in the errors. A file that
// several stages name is hashed once: the plan sees it as it was then.
func (w *world) sums(ctx context.Context, names []string) (sums [][sha256.Size]byte, errs []error) {
	sums = make([][sha256.Size]byte, len(names))
	errs = make([]error, len(names))
	var todo []int
	for i, name := range names {
		if sum, ok := w.known[name]; ok {
			sums[i] = sum
		} else {
			todo = append(todo, i)
		}
	}
	parallel(len(todo), func(buf []byte, k int) {
		i := todo[k]
		errs[i] = w.steady(names[i], func(f *os.File, size int64) error {
			h := sha256.New()
			n, err := copyContext(ctx, h, f, buf)
			if err == nil && n != size {
				return errChanged
			}
			h.Sum(sums[i][:0])
			return err
		})
	})
	for _, i := range todo {
		if errs[i] == nil {
			w.known[names[i]] = sums[i]
		}
	}
	return sums, errs
}

// parallel calls fn for 0 to n-1 on as many goroutines as there are processors.
func parallel(n int, fn func(buf []byte, i int)) {
	jobs := make(chan int)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			buf := make([]byte, block)
			for i := range jobs {
				fn(buf, i)
			}
		})
	}
	for i := range n {
		jobs <- i
	}
	close(jobs)
	wg.Wait()
}

// cutter says where the parts of a stretch of a file end.
type cutter = func(f io.ReaderAt, from, to int64) ([]int64, error)

// parts takes a file apart.
func (w *world) parts(ctx context.Context, name string, cut cutter) (parts []part, err error) {
	err = w.steady(name, func(f *os.File, size int64) error {
		parts, err = cutUp(ctx, f, 0, size, cut)
		return err
	})
	return parts, err
}

// cutUp takes a stretch of a file apart and hashes what comes of it.
func cutUp(ctx context.Context, f io.ReaderAt, from, to int64, cut cutter) ([]part, error) {
	ends, err := cut(f, from, to)
	if err != nil {
		return nil, err
	}
	parts := make([]part, len(ends))
	errs := make([]error, len(ends))
	parallel(len(ends), func(buf []byte, i int) {
		p := &parts[i]
		if p.from, p.to = from, ends[i]; i > 0 {
			p.from = ends[i-1]
		}
		errs[i] = p.hash(ctx, f, buf)
	})
	return parts, errors.Join(errs...)
}

// hash fills in the digest of a part's bytes.
func (p *part) hash(ctx context.Context, f io.ReaderAt, buf []byte) error {
	h := sha256.New()
	n, err := copyContext(ctx, h, io.NewSectionReader(f, p.from, p.to-p.from), buf)
	if err == nil && n != p.to-p.from {
		err = errChanged
	}
	h.Sum(p.sum[:0])
	return err
}

// cutLines ends a part after every per lines.
func cutLines(ctx context.Context, per int64) cutter {
	return func(f io.ReaderAt, from, to int64) (ends []int64, err error) {
		buf := make([]byte, block)
		var lines int64
		for at := from; at < to; {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			n, err := f.ReadAt(buf[:min(block, to-at)], at)
			if err != nil {
				return nil, orChanged(err)
			}
			for rest, off := buf[:n], at; ; {
				if count := int64(bytes.Count(rest, []byte{'\n'})); lines+count < per {
					lines += count
					break
				}
				for ; lines < per; lines++ {
					next := bytes.IndexByte(rest, '\n') + 1
					rest, off = rest[next:], off+int64(next)
				}
				lines, ends = 0, append(ends, off)
				if len(ends) > plan.MaxShards {
					return ends, nil
				}
			}
			at += int64(n)
		}
		return last(ends, from, to), nil
	}
}

// cutBytes ends a part at the last newline within per bytes, or, where a line
// is longer than that, at its own.
func cutBytes(ctx context.Context, per int64) cutter {
	return func(f io.ReaderAt, from, to int64) (ends []int64, err error) {
		buf := make([]byte, block)
		for at := from; to-at > per && len(ends) <= plan.MaxShards; {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			end, err := newlineBefore(f, buf, at, at+per)
			if err == nil && end < 0 {
				end, err = newlineAfter(f, buf, at+per, to)
			}
			if err != nil {
				return nil, orChanged(err)
			}
			ends, at = append(ends, end), end
		}
		return last(ends, from, to), nil
	}
}

// cutEven makes at most n parts of about one length, each of whole lines.
func cutEven(n int) cutter {
	return func(f io.ReaderAt, from, to int64) (ends []int64, err error) {
		buf := make([]byte, block)
		at := from
		for k := 1; k < n && at < to; k++ {
			target := from + int64(float64(to-from)*float64(k)/float64(n))
			if target <= at {
				continue
			}
			if at, err = newlineAfter(f, buf, target-1, to); err != nil {
				return nil, orChanged(err)
			}
			ends = append(ends, at)
		}
		return last(ends, from, to), nil
	}
}

// last adds the end of the stretch.
func last(ends []int64, from, to int64) []int64 {
	if to > from && (len(ends) == 0 || ends[len(ends)-1] < to) {
		ends = append(ends, to)
	}
	return ends
}

func orChanged(err error) error {
	if errors.Is(err, io.EOF) {
		return errChanged
	}
	return err
}

// newlineBefore is where the last line that ends in [from, to) ends, or -1.
func newlineBefore(f io.ReaderAt, buf []byte, from, to int64) (int64, error) {
	for to > from {
		start := max(from, to-int64(len(buf)))
		b := buf[:to-start]
		if _, err := f.ReadAt(b, start); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		to = start
	}
	return -1, nil
}

// newlineAfter is where the line ends that goes on at from: size at the latest.
func newlineAfter(f io.ReaderAt, buf []byte, from, size int64) (int64, error) {
	for from < size {
		b := buf[:min(int64(len(buf)), size-from)]
		if _, err := f.ReadAt(b, from); err != nil {
			return 0, err
		}
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			return from + int64(i) + 1, nil
		}
		from += int64(len(b))
	}
	return size, nil
}
