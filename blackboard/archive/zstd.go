package archive

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Limits on what is written and read.
const (
	// MaxFrame is how many raw bytes a frame that we write holds at most; a
	// longer line is cut into several.
	MaxFrame = 8 << 20
	// maxWindow is the largest window that is read or written.
	maxWindow = 8 << 20
	// maxContent is how many raw bytes a frame that is read may hold.
	maxContent = 16 << 20
	// decodeSlack beyond the content lets the decoder write straight into
	// the caller's buffer.
	decodeSlack = 64
)

// Decoder reads archives; one is enough for a process, and it is safe for
// parallel use. It keeps as many decoders as were ever busy at once.
type Decoder struct {
	frames  sync.Pool // *zstd.Decoder, for whole frames
	buffers sync.Pool // *[]byte, for compressed ones
}

// NewDecoder makes a Decoder.
func NewDecoder() *Decoder { return &Decoder{} }

// buffer gives n bytes; they go back to d.buffers.
func (d *Decoder) buffer(n int64) *[]byte {
	b, _ := d.buffers.Get().(*[]byte)
	if b == nil || int64(cap(*b)) < n {
		c := make([]byte, n, n+n/4)
		b = &c
	}
	*b = (*b)[:n]
	return b
}

// decode appends the content of one frame, which must be exactly want bytes.
func (d *Decoder) decode(dst, frame []byte, want int64) ([]byte, error) {
	if want < 0 || want > maxContent {
		return dst, fmt.Errorf("a frame of %d bytes: more than the %d that are read", want, maxContent)
	}
	z, _ := d.frames.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		if z, err = newFrameDecoder(); err != nil {
			return dst, err
		}
	}
	defer d.frames.Put(z)
	n := len(dst)
	if int64(cap(dst)-n) < want+decodeSlack {
		grown := make([]byte, n, int64(n)+want+decodeSlack)
		copy(grown, dst)
		dst = grown
	}
	out, err := z.DecodeAll(frame, dst[:n:int64(n)+want+decodeSlack])
	if err != nil {
		return dst[:n], fmt.Errorf("decoding a zstd frame: %w", err)
	}
	if int64(len(out)-n) != want {
		return dst[:n], fmt.Errorf("decoding a zstd frame: expected %d bytes, found %d", want, len(out)-n)
	}
	if len(out) > 0 && &out[0] == &dst[:1][0] {
		out = dst[:len(out)] // with all of its room, for a next frame that is longer
	}
	return out, nil
}

func newFrameDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxMemory(maxContent), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
}

// Stream gives the uncompressed bytes of any sequence of zstd frames, in
// bounded memory. Windows over 8 MiB are refused.
type Stream struct{ z *zstd.Decoder }

// NewStream reads from r, which it does not close.
func NewStream(r io.Reader) (*Stream, error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, fmt.Errorf("reading zstd: %w", err)
	}
	return &Stream{z}, nil
}

// Read implements io.Reader; the checksums of the frames are verified.
func (s *Stream) Read(p []byte) (int, error) {
	n, err := s.z.Read(p)
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%w: %w", errStream, err)
	}
	return n, err
}

var errStream = errors.New("reading zstd")

// WriteTo implements io.WriterTo.
func (s *Stream) WriteTo(w io.Writer) (int64, error) { return s.z.WriteTo(w) }

// Close gives the memory back.
func (s *Stream) Close() error {
	s.z.Close()
	return nil
}

// encoder compresses frames; it is safe for as many goroutines as it was made
// for.
type encoder struct{ z *zstd.Encoder }

// newEncoder knows the levels fastest, default, better and best. Frames are of
// about that many bytes: matches reach no further back than such a frame.
func newEncoder(level string, workers int, frame int64) (*encoder, error) {
	known, l := zstd.EncoderLevelFromString(level)
	if !known {
		return nil, fmt.Errorf("archive.level %q: expected fastest, default, better or best", level)
	}
	window := 1 << bits.Len64(uint64(max(frame, 1<<20)-1))
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(l), zstd.WithEncoderConcurrency(workers),
		zstd.WithWindowSize(min(window, maxWindow)), zstd.WithSingleSegment(true), zstd.WithEncoderCRC(true),
		zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("making a zstd encoder: %w", err)
	}
	return &encoder{z}, nil
}

// frame appends src as one frame with its content size and checksum.
func (e *encoder) frame(dst, src []byte) []byte { return e.z.EncodeAll(src, dst) }
