package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// tailRead is how much of a file's end is read at first: seek table, trailer,
// table and directory of an index of the usual size.
const tailRead = 16 << 10

// Open reads what an archive says of itself. An index that is damaged, missing
// or another archive's is told by Damage and not used. It fails only where
// no frame can be found.
func (d *Decoder) Open(f io.ReaderAt, size int64) (*Reader, error) {
	r := &Reader{f: f, size: size, dec: d, damage: &atomic.Pointer[error]{}}
	err := r.openIndexed()
	if err == nil {
		return r, nil
	}
	r.damaged(fmt.Errorf("index: %w", err))
	if err := r.openWalked(); err != nil {
		return nil, fmt.Errorf("opening an archive: %w", err)
	}
	return r, nil
}

// Unindexed opens the same archive again as if it had no index.
func (r *Reader) Unindexed() (*Reader, error) {
	u := &Reader{f: r.f, size: r.size, dec: r.dec, damage: &atomic.Pointer[error]{}}
	if err := u.openWalked(); err != nil {
		return nil, fmt.Errorf("opening an archive: %w", err)
	}
	return u, nil
}

// Open is NewDecoder().Open.
func Open(f io.ReaderAt, size int64) (*Reader, error) { return NewDecoder().Open(f, size) }

// window is a stretch of a file in memory.
type window struct {
	f   io.ReaderAt
	b   []byte
	off int64
	buf *[]byte // of a Decoder, to which it goes back
}

// at gives n bytes at off, from memory if they are there.
func (w *window) at(off, n int64) ([]byte, error) {
	if off < 0 || n < 0 {
		return nil, io.ErrUnexpectedEOF
	}
	if off >= w.off && off+n <= w.off+int64(len(w.b)) {
		return w.b[off-w.off : off-w.off+n : off-w.off+n], nil
	}
	b := make([]byte, n)
	return b, readAt(w.f, b, off)
}

// openIndexed opens by the index; any error means that there is none to use.
func (r *Reader) openIndexed() error {
	w, err := r.tail()
	defer r.dec.buffers.Put(w.buf)
	if err != nil {
		return err
	}
	end, err := r.indexEnd(w)
	if err != nil {
		return err
	}
	t, x, err := r.loadTable(w, end)
	if err != nil {
		return err
	}
	if err := r.bind(w, &t, x.frames); err != nil {
		return err
	}
	dir, err := w.at(t.dirAt, int64(t.dir.size))
	if err != nil {
		return err
	}
	if dir, err = t.dir.unpack(r.dec, dir); err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	r.t, r.x, r.frames = t, x, x.frames
	r.dir = append([]byte(nil), dir...)
	r.sum = summarize(r.frames, r.size)
	x.describe(&r.sum)
	return nil
}

// tail reads the file's end.
func (r *Reader) tail() (*window, error) {
	n := min(r.size, tailRead)
	buf := r.dec.buffer(n)
	w := &window{f: r.f, b: *buf, off: r.size - n, buf: buf}
	return w, readAt(r.f, w.b, w.off)
}

// indexEnd finds where the index ends: before the seek table, or, where that is
// damaged, by walking.
func (r *Reader) indexEnd(w *window) (int64, error) {
	if r.size >= skippableHead+seekFooterSize {
		footer, err := w.at(r.size-seekFooterSize, seekFooterSize)
		if err != nil {
			return 0, err
		}
		if _, n, err := seekTableSize(footer); err == nil && n <= r.size-trailerSize {
			if b, err := w.at(r.size-n-trailerSize, 8); err == nil && string(b) == trailerMagic {
				return r.size - n, nil
			}
		}
	}
	r.damaged(fmt.Errorf("seek table: %w", errSeek))
	for off := int64(0); off < r.size; {
		h, end, err := skim(r.f, off, r.size)
		if err != nil {
			return 0, fmt.Errorf("at byte %d: %w", off, err)
		}
		if h.skippable && h.magic == indexMagic {
			return end, nil
		}
		off = end
	}
	return 0, errors.New("there is none")
}

// loadTable reads trailer and table of the index that ends at end.
func (r *Reader) loadTable(w *window, end int64) (t trailer, x *table, err error) {
	b, err := w.at(end-trailerSize, trailerSize)
	if err != nil {
		return t, nil, err
	}
	if t, err = parseTrailer(b, end); err != nil {
		return t, nil, fmt.Errorf("trailer: %w", err)
	}
	if b, err = w.at(t.tableAt, int64(t.table.size)); err != nil {
		return t, nil, err
	}
	if b, err = t.table.unpack(r.dec, b); err == nil {
		x, err = parseTable(b, &t)
	}
	if err != nil {
		return t, nil, fmt.Errorf("table: %w", err)
	}
	return t, x, nil
}

// bind holds the index against the frames before it, so that another archive's
// is not believed: the last frame must end where the index begins, with the
// checksum that the index names. Every other frame is held against its own
// when it is decoded.
func (r *Reader) bind(w *window, t *trailer, frames []Frame) error {
	b, err := w.at(int64(t.data), skippableHead+int64(len(indexHead)))
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(b) != indexMagic || uint64(binary.LittleEndian.Uint32(b[4:])) != t.payload ||
		string(b[skippableHead:]) != indexHead {
		return errors.New("it does not begin where it should")
	}
	if len(frames) == 0 {
		return nil
	}
	last := frames[len(frames)-1]
	if last.Size < 4 {
		return errTable
	}
	if b, err = w.at(int64(t.data)-4, 4); err != nil {
		return err
	}
	if sum := binary.LittleEndian.Uint32(b); sum != t.last || sum != last.checksum {
		return errors.New("it belongs to other frames")
	}
	return nil
}

// openWalked opens without the index.
func (r *Reader) openWalked() error {
	if err := r.findFrames(); err != nil {
		return err
	}
	r.ends = make([]atomic.Uint32, len(r.frames))
	return nil
}

func (r *Reader) findFrames() error {
	frames, loose, err := walk(r.f, r.size)
	if err != nil {
		r.damaged(err)
		table := r.seekFrames()
		if len(table) > len(frames) && !loose {
			frames = table // beyond the damage
		} else if len(table) == 0 || len(table) != len(frames) {
			r.lost = err
		}
	}
	if loose {
		return r.openLoose()
	}
	if len(frames) == 0 && (err != nil || r.size == 0) {
		return errors.Join(errors.New("it holds no zstd frame"), err)
	}
	r.frames = frames
	r.sum = summarize(frames, r.size)
	return nil
}

// seekFrames reads the frames from the seek table, if there is one.
func (r *Reader) seekFrames() []Frame {
	w, err := r.tail()
	defer r.dec.buffers.Put(w.buf)
	if err != nil || r.size < skippableHead+seekFooterSize {
		return nil
	}
	footer, err := w.at(r.size-seekFooterSize, seekFooterSize)
	if err != nil {
		return nil
	}
	_, n, err := seekTableSize(footer)
	if err != nil || n > r.size || n > maxFrames*seekEntrySize {
		return nil
	}
	b, err := w.at(r.size-n, n)
	if err != nil {
		return nil
	}
	frames, err := parseSeekTable(b, r.size-n)
	if err != nil {
		return nil
	}
	return frames
}

// damaged keeps the first damage found.
func (r *Reader) damaged(err error) { r.damage.CompareAndSwap(nil, &err) }
