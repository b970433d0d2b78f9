package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/layout"
)

// Cursor is a place in the journal's files: the segment and the offset of an
// entry in its uncompressed bytes. The zero Cursor is the beginning.
type Cursor struct {
	Segment uint64 `json:"segment"`
	Offset  int64  `json:"offset"`
}

// Segment is one of the journal's files.
type Segment struct {
	N          uint64
	Path       string
	Compressed bool
}

// Segments lists the journal's files in order. Where a segment stands both
// plain and compressed (a crash between the two), the plain one counts. Empty
// ones at the end are left out: a crash can leave the name of the next segment
// before this one is whole, and this one is then the last.
func Segments(l layout.Layout) ([]Segment, error) {
	des, err := os.ReadDir(l.Journal())
	if err != nil {
		return nil, fmt.Errorf("listing the journal: %w", err)
	}
	byN := map[uint64]Segment{}
	for _, d := range des {
		base, plain := strings.CutSuffix(d.Name(), layout.LaneExt)
		if !plain {
			var ok bool
			if base, ok = strings.CutSuffix(d.Name(), layout.ArchiveExt); !ok {
				continue
			}
		}
		n, err := strconv.ParseUint(base, 10, 64)
		if err != nil || n == 0 {
			continue
		}
		if _, both := byN[n]; both && !plain {
			continue
		}
		byN[n] = Segment{N: n, Path: filepath.Join(l.Journal(), d.Name()), Compressed: !plain}
	}
	out := make([]Segment, 0, len(byN))
	for _, s := range byN {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].N < out[j].N })
	for len(out) > 1 && out[len(out)-1].empty() {
		out = out[:len(out)-1]
	}
	return out, nil
}

func (s Segment) empty() bool {
	fi, err := os.Stat(s.Path)
	return err == nil && fi.Size() == 0
}

// Open opens a segment for reading its uncompressed bytes.
func (s Segment) Open() (io.ReadCloser, error) {
	f, err := os.Open(s.Path)
	if err != nil || !s.Compressed {
		return f, err
	}
	r, err := archive.NewStream(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("reading the journal %s: %w", s.Path, err), f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{r, closers{r, f}}, nil
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, x := range c {
		errs = append(errs, x.Close())
	}
	return errors.Join(errs...)
}

// Stop, returned by a callback, ends a scan without an error.
//
//lint:ignore ST1012 it is no error, as fs.SkipDir is none
var Stop = errors.New("stop")

// DamageError says where the journal cannot be read.
type DamageError struct {
	Path   string
	Offset int64
	Err    error
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("reading the journal %s at byte %d: %v; run `stigmergy doctor`", e.Path, e.Offset, e.Err)
}

// Unwrap gives the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// Scan reads the journal from a cursor on and calls fn for every entry with
// its line (valid during the call) and the cursor behind it. A last line
// without a newline is not an entry yet. It returns the cursor behind the
// last whole entry.
func Scan(l layout.Layout, from Cursor, fn func(e *Entry, line []byte, next Cursor) error) (Cursor, error) {
	for tries := 0; ; tries++ {
		segs, err := Segments(l)
		if err != nil {
			return from, err
		}
		from, err = scan(segs, from, fn)
		// A segment was compressed and removed under the reader: look again.
		if errors.Is(err, fs.ErrNotExist) && tries < 3 {
			continue
		}
		if errors.Is(err, Stop) {
			err = nil
		}
		return from, err
	}
}

func scan(segs []Segment, from Cursor, fn func(*Entry, []byte, Cursor) error) (Cursor, error) {
	for i, s := range segs {
		if s.N < from.Segment {
			continue
		}
		if s.N > from.Segment {
			from = Cursor{Segment: s.N}
		}
		next, err := scanSegment(s, from, i == len(segs)-1, fn)
		if err != nil {
			return next, err
		}
		from = next
	}
	return from, nil
}

func scanSegment(s Segment, from Cursor, last bool, fn func(*Entry, []byte, Cursor) error) (Cursor, error) {
	r, err := s.Open()
	if err != nil {
		return from, fmt.Errorf("reading the journal: %w", err)
	}
	defer r.Close()
	if err := skip(r, from.Offset); err != nil {
		return from, &DamageError{s.Path, from.Offset, err}
	}
	br := bufio.NewReaderSize(r, 256<<10)
	for {
		line, err := br.ReadSlice('\n')
		if err == io.EOF {
			if len(line) > 0 && !last {
				return from, &DamageError{s.Path, from.Offset, errors.New("the last line of a finished segment has no newline")}
			}
			return from, nil
		}
		if err != nil {
			return from, &DamageError{s.Path, from.Offset, err}
		}
		body := line[:len(line)-1]
		e, err := Parse(body)
		if err != nil {
			return from, &DamageError{s.Path, from.Offset, err}
		}
		next := Cursor{s.N, from.Offset + int64(len(line))}
		if err := fn(&e, body, next); err != nil {
			if errors.Is(err, Stop) {
				return next, err
			}
			return from, err
		}
		from = next
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
