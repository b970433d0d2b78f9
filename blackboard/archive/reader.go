package archive

import (
	"errors"
	"io"
)

// Reader reads one archive. It is safe for parallel use and holds no more than
// its frames' table; f must stay open and must not change.
type Reader struct {
	f      io.ReaderAt
	size   int64
	dec    *Decoder
	frames []Frame
	sum    Summary
	damage error
}

// Open reads what an archive says of itself. An index that is damaged, missing
// or another archive's is told by Damage and not used. It fails only where
// no frame can be found.
func (d *Decoder) Open(f io.ReaderAt, size int64) (*Reader, error) {
	return nil, errors.ErrUnsupported
}

// Open is NewDecoder().Open.
func Open(f io.ReaderAt, size int64) (*Reader, error) { return NewDecoder().Open(f, size) }

// Summary sums the archive up; without an index only the sizes are known.
func (r *Reader) Summary() Summary { return r.sum }

// Indexed tells whether the index is there and used.
func (r *Reader) Indexed() bool { return r.sum.Indexed }

// Damage tells what is wrong with the index or the file, nil if nothing was
// found yet. What could be read is right all the same.
func (r *Reader) Damage() error { return r.damage }

// Frames are the archive's frames in order. The slice must not be changed.
func (r *Reader) Frames() []Frame { return r.frames }

// DecodeFrame decodes frame i into dst[:0], which is used again where it is
// large enough. The checksum is verified.
func (r *Reader) DecodeFrame(i int, dst []byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// DecodeLines decodes the lines that begin in frame i into dst[:0]: the frame,
// or for the First part of a line that was cut the whole line if it is an
// event and the First part alone if it was refused; nothing for the other
// parts.
func (r *Reader) DecodeLines(i int, dst []byte) ([]byte, error) { return nil, errors.ErrUnsupported }

// FrameAt is the frame that holds an offset of the segment, or -1.
func (r *Reader) FrameAt(offset int64) int { return -1 }

// Runs appends the journal entries that took in the lines of frame i, in
// order. Lines behind the last run were not journaled. Without an index it
// fails: ask the journal.
func (r *Reader) Runs(i int, dst []FrameRun) ([]FrameRun, error) { return dst, errors.ErrUnsupported }

// Odd appends the lines of frame i that are blank, refused or recovered, in
// order; all others are events. Without an index it fails: check every line.
func (r *Reader) Odd(i int, dst []OddRun) ([]OddRun, error) { return dst, errors.ErrUnsupported }

// Select is the frames that may hold what is wanted. It never leaves out one
// that does.
func (r *Reader) Select(w Want) Set { return fullSet(len(r.frames)) }

// MayMatch is the frames that may hold an event whose field has that text;
// indexed is false, and every frame in the set, when the index cannot tell.
func (r *Reader) MayMatch(field, value string) (frames Set, indexed bool) {
	return fullSet(len(r.frames)), false
}

// Fields are the names of the indexed fields.
func (r *Reader) Fields() []string { return nil }
