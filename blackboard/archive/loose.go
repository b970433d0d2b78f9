package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
)

// loose reads a file whose frames cannot be decoded alone, as when somebody
// compressed an archive again with other tools: it is decoded from its
// beginning, once to cut it into pieces and then again as pieces are asked for,
// at best in order.
type loose struct {
	mu   sync.Mutex // over everything below
	f    io.ReaderAt
	size int64
	s    *Stream
	pos  int64 // of s, in raw bytes
}

// maxLoose is how many bytes such a file may hold: more is a bomb.
const maxLoose = 4 << 30

// openLoose finds the pieces: lines of about a MiB.
func (r *Reader) openLoose() error {
	l := &loose{f: r.f, size: r.size}
	if err := l.restart(); err != nil {
		return err
	}
	buf := make([]byte, 0, 2*defaultFrame)
	var frames []Frame
	var err error
	for err == nil {
		var n int
		n, err = io.ReadFull(l.s, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		for len(buf) >= defaultFrame || err != nil && len(buf) > 0 {
			at := min(defaultFrame, len(buf))
			if i := bytes.LastIndexByte(buf[:at], '\n'); i >= 0 && len(buf) > at {
				at = i + 1
			}
			frames = append(frames, Frame{RawOffset: rawEnd(frames), RawSize: int64(at), Lines: -1})
			buf = append(buf[:0], buf[at:]...)
		}
		if rawEnd(frames) > maxLoose {
			err = fmt.Errorf("%w: more than %d bytes in a file of %d", errStream, int64(maxLoose), r.size)
		}
	}
	l.pos = -1
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errStream) {
		r.damaged(err)
		r.lost = err
		if len(frames) == 0 {
			return err
		}
	}
	r.loose, r.frames = l, frames
	r.sum = summarize(frames, r.size)
	return nil
}

func rawEnd(frames []Frame) int64 {
	if len(frames) == 0 {
		return 0
	}
	f := frames[len(frames)-1]
	return f.RawOffset + f.RawSize
}

// restart goes back to the beginning.
func (l *loose) restart() (err error) {
	if l.s != nil {
		l.s.Close()
	}
	l.pos = 0
	l.s, err = NewStream(io.NewSectionReader(l.f, 0, l.size))
	return err
}

// append decodes a piece behind what dst holds.
func (l *loose) append(dst []byte, f *Frame) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.pos < 0 || l.pos > f.RawOffset {
		if err := l.restart(); err != nil {
			return dst, err
		}
	}
	if err := l.advance(f.RawOffset); err != nil {
		return dst, fmt.Errorf("byte %d of the content: %w", f.RawOffset, err)
	}
	n := len(dst)
	dst = append(dst, make([]byte, f.RawSize)...)
	m, err := io.ReadFull(l.s, dst[n:])
	if l.pos += int64(m); err != nil {
		l.pos = -1
		return dst[:n], fmt.Errorf("byte %d of the content: %w", f.RawOffset, err)
	}
	return dst, nil
}

func (l *loose) advance(to int64) error {
	m, err := io.CopyN(io.Discard, l.s, to-l.pos)
	if l.pos += m; err != nil {
		l.pos = -1
	}
	return err
}
