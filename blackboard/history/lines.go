package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// errEnd ends a walk.
var errEnd = errors.New("enough")

// ErrShort says that the journal ends before an entry that is asked for.
var ErrShort = errors.New("the journal ends before it")

// lines walks the journal's lines, without their newlines, from a cursor on,
// and numbers them from seq. Nothing is parsed. It returns the cursor behind
// the last line that fn was given without an error.
func lines(l layout.Layout, from journal.Cursor, seq uint64, fn func(seq uint64, line []byte) error) (journal.Cursor, error) {
	for tries := 0; ; tries++ {
		segs, err := journal.Segments(l)
		if errors.Is(err, fs.ErrNotExist) {
			return from, nil
		}
		if err != nil {
			return from, err
		}
		from, seq, err = segments(segs, from, seq, fn)
		if errors.Is(err, fs.ErrNotExist) && tries < 3 { // compressed under the reader
			continue
		}
		if errors.Is(err, errEnd) {
			err = nil
		}
		return from, err
	}
}

func segments(segs []journal.Segment, from journal.Cursor, seq uint64, fn func(uint64, []byte) error) (journal.Cursor, uint64, error) {
	for _, s := range segs {
		if s.N < from.Segment {
			continue
		}
		if s.N > from.Segment {
			from = journal.Cursor{Segment: s.N}
		}
		r, err := s.Open()
		if err != nil {
			return from, seq, fmt.Errorf("reading the journal: %w", err)
		}
		from.Offset, seq, err = oneSegment(r, from.Offset, seq, fn)
		if err = errors.Join(err, r.Close()); err != nil {
			return from, seq, err
		}
	}
	return from, seq, nil
}

func oneSegment(r io.Reader, off int64, seq uint64, fn func(uint64, []byte) error) (int64, uint64, error) {
	if err := skip(r, off); err != nil {
		return off, seq, fmt.Errorf("reading the journal at byte %d: %w", off, err)
	}
	br := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := br.ReadSlice('\n')
		if err == io.EOF { // an unfinished line is no entry yet
			return off, seq, nil
		}
		if err != nil {
			return off, seq, fmt.Errorf("reading the journal at byte %d: %w", off, err)
		}
		if err := fn(seq, line[:len(line)-1]); err != nil {
			return off, seq, err
		}
		off += int64(len(line))
		seq++
	}
}

func skip(r io.Reader, n int64) error {
	if n == 0 {
		return nil
	}
	if c, ok := r.(io.Seeker); ok {
		_, err := c.Seek(n, io.SeekStart)
		return err
	}
	_, err := io.CopyN(io.Discard, r, n)
	return err
}

// places finds entries by their seq: the first seq of every segment is read
// from its first line.
type places struct {
	layout layout.Layout
	segs   []journal.Segment
	first  []uint64
}

func newPlaces(l layout.Layout) (*places, error) {
	segs, err := journal.Segments(l)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &places{layout: l}
	for _, s := range segs {
		seq, ok, err := firstSeq(s)
		if err != nil {
			return nil, err
		}
		if ok {
			p.segs, p.first = append(p.segs, s), append(p.first, seq)
		}
	}
	return p, nil
}

// Entries is how many entries the journal holds: read from its newest segment
// that has one.
func Entries(l layout.Layout) (n uint64, err error) {
	segs, err := journal.Segments(l)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for i := len(segs) - 1; i >= 0; i-- {
		first, ok, err := firstSeq(segs[i])
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		n = first
		_, err = lines(l, journal.Cursor{Segment: segs[i].N}, first, func(seq uint64, _ []byte) error {
			n = seq + 1
			return nil
		})
		return n, err
	}
	return 0, nil
}

func firstSeq(s journal.Segment) (seq uint64, ok bool, err error) {
	r, err := s.Open()
	if err != nil {
		return 0, false, fmt.Errorf("reading the journal: %w", err)
	}
	defer r.Close()
	line, err := bufio.NewReaderSize(r, journal.MaxLen+1).ReadSlice('\n')
	if err == io.EOF {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("reading the journal %s: %w", s.Path, err)
	}
	e, err := journal.Parse(line[:len(line)-1])
	if err != nil {
		return 0, false, &journal.DamageError{Path: s.Path, Err: err}
	}
	return e.Seq, true, nil
}

// at is a cursor at or before an entry, and the seq that stands there: a
// segment's begin, or, in a file that is not compressed, near the entry.
func (p *places) at(seq uint64) (journal.Cursor, uint64, error) {
	for i := len(p.segs) - 1; i >= 0; i-- {
		if p.first[i] > seq {
			continue
		}
		s := p.segs[i]
		if s.Compressed {
			return journal.Cursor{Segment: s.N}, p.first[i], nil
		}
		off, at, err := near(s.Path, p.first[i], seq)
		return journal.Cursor{Segment: s.N, Offset: off}, at, err
	}
	return journal.Cursor{}, 0, nil
}

// nearBytes is how close a search comes before it reads on.
const nearBytes = 64 << 10

// near halves a plain segment until an entry is close. Entries are found by the
// seq that they name; where one cannot be read, the segment is read from its
// begin.
func near(path string, first, want uint64) (off int64, seq uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the journal: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, fmt.Errorf("reading the journal: %w", err)
	}
	buf := make([]byte, 2*journal.MaxLen+4)
	lo, hi := int64(0), size
	seq = first
	for hi-lo > nearBytes {
		mid := lo + (hi-lo)/2
		n, _ := f.ReadAt(buf, mid)
		a := bytes.IndexByte(buf[:n], '\n')
		if a < 0 {
			break
		}
		b := bytes.IndexByte(buf[a+1:n], '\n')
		if b < 0 {
			break
		}
		e, err := journal.Parse(buf[a+1 : a+1+b])
		if err != nil || mid+int64(a)+1 >= hi {
			break
		}
		if e.Seq <= want {
			lo, seq = mid+int64(a)+1, e.Seq
		} else {
			hi = mid
		}
	}
	return lo, seq, nil
}

// read calls fn with the lines of the entries from one seq to another.
func (p *places) read(from, to uint64, fn func(seq uint64, line []byte) error) error {
	c, at, err := p.at(from)
	if err != nil {
		return err
	}
	next := from
	_, err = lines(p.layout, c, at, func(seq uint64, line []byte) error {
		if seq < from {
			return nil
		}
		if seq >= to {
			return errEnd
		}
		next = seq + 1
		return fn(seq, line)
	})
	if err == nil && next < to {
		return fmt.Errorf("reading entry %d: %w", next, ErrShort)
	}
	return err
}
