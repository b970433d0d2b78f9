package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sort"
	"sync"
	"sync/atomic"
)

// Reader reads one archive. It is safe for parallel use and holds no more than
// its frames' table; f must stay open and must not change.
type Reader struct {
	f      io.ReaderAt
	size   int64
	dec    *Decoder
	frames []Frame
	sum    Summary
	damage *atomic.Pointer[error]
	lost   error

	// With an index: its trailer, table and directory, and what is read of it
	// when first asked for.
	t         trailer
	x         *table
	dir       []byte
	runs, odd lazy

	ends  []atomic.Uint32 // without an index: how frames end (lines.go)
	loose *loose          // a file whose frames cannot be decoded alone
}

// lazy is a section that is read when first asked for.
type lazy struct {
	once sync.Once
	b    []byte
	err  error
}

// ErrNoIndex says that only the lines themselves can tell.
var ErrNoIndex = errors.New("the archive has no index that tells")

// Summary sums the archive up; without an index only the sizes are known.
func (r *Reader) Summary() Summary { return r.sum }

// Indexed tells whether the index is there and used.
func (r *Reader) Indexed() bool { return r.sum.Indexed }

// Damage tells what is wrong with the index or the file, nil if nothing was
// found yet. What could be read is right all the same. A file without an index
// is damaged in this sense; Lost tells whether content is missing.
func (r *Reader) Damage() error {
	if err := r.damage.Load(); err != nil {
		return *err
	}
	return nil
}

// Lost tells why frames may be missing: without an index the file could be
// followed only to some place in it. A frame that is there and cannot be decoded
// is told by DecodeFrame.
func (r *Reader) Lost() error { return r.lost }

// Frames are the archive's frames in order. The slice must not be changed.
func (r *Reader) Frames() []Frame { return r.frames }

// Fields are the names of the indexed fields.
func (r *Reader) Fields() []string {
	if r.x == nil || r.x.flags&flagPosted == 0 {
		return nil
	}
	return r.x.fields
}

// DecodeFrame decodes frame i into dst[:0], which is used again where it is
// large enough. The checksum is verified.
func (r *Reader) DecodeFrame(i int, dst []byte) ([]byte, error) {
	dst, err := r.appendFrame(i, dst[:0])
	if err != nil {
		return dst[:0], err
	}
	return dst, nil
}

// appendFrame decodes frame i behind what dst holds. The compressed bytes are
// read into the end of the same buffer.
func (r *Reader) appendFrame(i int, dst []byte) ([]byte, error) {
	f := &r.frames[i]
	if r.loose != nil {
		return r.loose.append(dst, f)
	}
	if f.Size > maxContent+1<<20 {
		return dst, fmt.Errorf("frame %d at byte %d: %d compressed bytes: more than are read", i, f.Offset, f.Size)
	}
	buf := r.dec.buffer(f.Size)
	defer r.dec.buffers.Put(buf)
	if err := readAt(r.f, *buf, f.Offset); err != nil {
		return dst, fmt.Errorf("reading frame %d at byte %d: %w", i, f.Offset, err)
	}
	if err := r.verify(f, *buf); err != nil {
		return dst, fmt.Errorf("frame %d at byte %d: %w", i, f.Offset, err)
	}
	dst, err := r.dec.decode(dst, *buf, f.RawSize)
	if err != nil {
		return dst, fmt.Errorf("frame %d at byte %d: %w", i, f.Offset, err)
	}
	return dst, nil
}

// verify holds a compressed frame against what it is said to be, before any
// of it is decoded.
func (r *Reader) verify(f *Frame, b []byte) error {
	h, err := parseHeader(b[:min(len(b), maxFrameHead)])
	switch {
	case err != nil:
		return err
	case h.skippable || h.content != f.RawSize:
		return fmt.Errorf("expected a frame of %d bytes", f.RawSize)
	case h.window > maxWindow:
		return fmt.Errorf("a window of %d bytes: more than %d", h.window, maxWindow)
	case r.x != nil && (!h.checksum || binary.LittleEndian.Uint32(b[len(b)-4:]) != f.checksum):
		return errors.New("it is not the frame that the index is of")
	}
	return nil
}

// FrameAt is the frame that holds an offset of the segment, or -1.
func (r *Reader) FrameAt(offset int64) int {
	i := sort.Search(len(r.frames), func(i int) bool {
		return r.frames[i].RawOffset+r.frames[i].RawSize > offset
	})
	if offset < 0 || i == len(r.frames) || offset < r.frames[i].RawOffset {
		return -1
	}
	return i
}

// Runs appends the journal entries that took in the lines of frame i, in
// order. Lines behind the last run were not journaled. Without an index that
// says it fails: ask the journal.
func (r *Reader) Runs(i int, dst []FrameRun) ([]FrameRun, error) {
	if !r.sum.Entries {
		return dst, ErrNoIndex
	}
	f := &r.frames[i]
	b, err := r.load(&r.runs, &r.t.runs, r.t.runsAt, "runs")
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst, ok := parseRuns(b[f.runs.off:f.runs.end], f, dst)
	if !ok {
		err := fmt.Errorf("index: runs of frame %d: %w", i, errTable)
		r.damaged(err)
		return dst[:n], err
	}
	return dst, nil
}

// Odd appends the lines of frame i that are blank, refused or recovered, in
// order; all others are events. Without an index that says it fails: check
// every line.
func (r *Reader) Odd(i int, dst []OddRun) ([]OddRun, error) {
	if !r.sum.Examined {
		return dst, ErrNoIndex
	}
	f := &r.frames[i]
	if f.odd.off == f.odd.end {
		return dst, nil
	}
	b, err := r.load(&r.odd, &r.t.odd, r.t.oddAt, "odd lines")
	if err != nil {
		return dst, err
	}
	n := len(dst)
	dst, ok := parseOdd(b[f.odd.off:f.odd.end], f, dst)
	if !ok {
		err := fmt.Errorf("index: odd lines of frame %d: %w", i, errTable)
		r.damaged(err)
		return dst[:n], err
	}
	return dst, nil
}

// load reads a section once.
func (r *Reader) load(l *lazy, s *section, off int64, name string) ([]byte, error) {
	l.once.Do(func() {
		b := make([]byte, s.size)
		if l.err = readAt(r.f, b, off); l.err == nil {
			l.b, l.err = s.unpack(r.dec, b)
		}
		if l.err != nil {
			l.err = fmt.Errorf("index: %s: %w", name, l.err)
			r.damaged(l.err)
		}
	})
	return l.b, l.err
}
