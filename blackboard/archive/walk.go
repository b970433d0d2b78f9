package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// header is what a frame says of itself (RFC 8878, 3.1).
type header struct {
	size      int64 // of the header
	skippable bool
	magic     uint32
	payload   int64 // of a skippable frame
	content   int64 // raw bytes; -1: not said
	window    int64
	checksum  bool
	odd       string // what a frame of ours never has
}

const (
	frameMagic    = 0xFD2FB528
	maxFrameHead  = 18
	maxBlock      = 128 << 10
	maxBlockCount = 1 << 20
)

var errHeader = errors.New("no zstd frame begins here")

// parseHeader reads a frame's header from its first bytes.
func parseHeader(b []byte) (h header, err error) {
	p := parser{b: b}
	h.magic = p.u32()
	if h.magic&^0xf == skippableMagic {
		h.skippable, h.payload, h.size = true, int64(p.u32()), skippableHead
		return h, p.err()
	}
	desc := p.bytes(1)
	if h.magic != frameMagic || desc == nil {
		return h, errHeader
	}
	d := desc[0]
	single := d&0x20 != 0
	h.checksum = d&0x04 != 0
	if d&0x08 != 0 {
		return h, errHeader // reserved
	}
	if d&0x10 != 0 {
		h.odd = "a reserved bit of the header is set"
	}
	if !single {
		if w := p.bytes(1); w != nil {
			base := int64(1) << (10 + w[0]>>3)
			h.window = base + base/8*int64(w[0]&7)
		}
		h.odd = "it has a window of its own"
	}
	if dict := []int64{0, 1, 2, 4}[d&3]; dict > 0 {
		p.bytes(dict)
		h.odd = "it names a dictionary"
	}
	h.content = p.contentSize(d>>6, single)
	h.size = int64(len(b) - len(p.b))
	if single {
		h.window = h.content
	}
	return h, p.err()
}

func (p *parser) contentSize(code byte, single bool) int64 {
	n := int64(1) << code
	if code == 0 && !single {
		return -1
	}
	var v [8]byte
	copy(v[:], p.bytes(n))
	size := binary.LittleEndian.Uint64(v[:])
	if n == 2 {
		size += 256
	}
	if size > 1<<62 {
		p.bad = true
	}
	return int64(size)
}

func (p *parser) err() error {
	if p.bad {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// readAt fills b or fails.
func readAt(f io.ReaderAt, b []byte, off int64) error {
	n, err := f.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// headerAt reads the header of the frame at off.
func headerAt(f io.ReaderAt, off, size int64) (header, error) {
	b := make([]byte, min(maxFrameHead, max(size-off, 0)))
	if err := readAt(f, b, off); err != nil {
		return header{}, err
	}
	return parseHeader(b)
}

// skim finds where the frame at off ends, by its blocks' headers.
func skim(f io.ReaderAt, off, size int64) (h header, end int64, err error) {
	if h, err = headerAt(f, off, size); err != nil {
		return h, off, err
	}
	end = off + h.size
	if h.skippable {
		end += h.payload
	}
	for last, n := h.skippable, 0; !last; n++ {
		if n == maxBlockCount {
			return h, end, fmt.Errorf("more than %d blocks at byte %d", n, off)
		}
		var b [3]byte
		if err := readAt(f, b[:], end); err != nil {
			return h, end, err
		}
		v := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
		last = v&1 != 0
		n := v >> 3
		switch v >> 1 & 3 {
		case 1:
			n = 1 // one byte, repeated
		case 3:
			return h, end, fmt.Errorf("a block of the reserved kind at byte %d", end)
		}
		if n > maxBlock {
			return h, end, fmt.Errorf("a block of %d bytes at byte %d", n, end)
		}
		end += 3 + n
	}
	if h.checksum {
		end += 4
	}
	if end > size {
		return h, size, io.ErrUnexpectedEOF
	}
	return h, end, nil
}

// walk finds the frames of a file without its index, up to the first place
// that is no frame. loose is true when a frame is not one that can be decoded
// alone: too large, or of unsaid size.
func walk(f io.ReaderAt, size int64) (frames []Frame, loose bool, err error) {
	for off := int64(0); off < size; {
		h, end, err := skim(f, off, size)
		if !h.skippable && (h.content < 0 || h.content > maxContent || h.window > maxWindow) {
			loose = true
		}
		if err != nil {
			return frames, loose, fmt.Errorf("at byte %d: %w", off, err)
		}
		if !h.skippable {
			if len(frames) >= maxFrames {
				return frames, loose, fmt.Errorf("at byte %d: more than %d frames", off, maxFrames)
			}
			fr := Frame{Offset: off, Size: end - off, RawSize: h.content, Lines: -1}
			if n := len(frames); n > 0 {
				fr.RawOffset = frames[n-1].RawOffset + frames[n-1].RawSize
			}
			frames = append(frames, fr)
		}
		off = end
	}
	return frames, loose, nil
}
