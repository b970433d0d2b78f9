package archive

import (
	"bytes"
	"fmt"
)

// Chunk is the lines that begin in one frame.
type Chunk struct {
	// Bytes are whole lines with their LF. Behind the last LF stand, if
	// anything, the first bytes of a line that never ended or, if Cut, of one
	// that was refused for its length.
	Bytes  []byte
	Offset int64 // of Bytes[0] in the segment
	// Cut: the last line is too long to be an event and only begun here. It
	// counts as a line though its LF is missing.
	Cut bool
}

// DecodeLines decodes the lines that begin in frame i, into dst[:0], which is
// used again where it is large enough (give it Chunk.Bytes of the call
// before). A line that was cut into several frames is put together for the
// frame in which it begins, unless it was refused. All frames' chunks together
// are all lines.
func (r *Reader) DecodeLines(i int, dst []byte) (Chunk, error) {
	if !r.sum.Indexed {
		return r.unindexedLines(i, dst[:0])
	}
	f := &r.frames[i]
	c := Chunk{Bytes: dst[:0], Offset: f.RawOffset}
	if f.Part == Middle || f.Part == Last {
		return c, nil
	}
	var err error
	if c.Bytes, err = r.appendFrame(i, dst[:0]); err != nil {
		return c, err
	}
	if f.Part == First {
		if f.Lines > 0 && r.sum.Examined && f.Events+f.Blank == 0 {
			c.Cut = true
			return c, nil
		}
		err = r.join(i+1, &c)
	}
	return c, err
}

// join appends the frames from i on until a line ends.
func (r *Reader) join(i int, c *Chunk) error {
	for ; i < len(r.frames); i++ {
		if r.sum.Indexed && (r.frames[i].Part == Whole || r.frames[i].Part == First) {
			return nil
		}
		if int64(len(c.Bytes))+r.frames[i].RawSize > maxHold+2*MaxFrame {
			c.Cut = true
			return nil
		}
		n := len(c.Bytes)
		var err error
		if c.Bytes, err = r.appendFrame(i, c.Bytes); err != nil {
			return err
		}
		if at := bytes.IndexByte(c.Bytes[n:], '\n'); at >= 0 {
			c.Bytes = c.Bytes[:n+at+1]
			return nil
		}
	}
	return nil
}

// unindexedLines finds where lines begin and end by the bytes alone.
func (r *Reader) unindexedLines(i int, dst []byte) (Chunk, error) {
	f := &r.frames[i]
	c := Chunk{Bytes: dst, Offset: f.RawOffset}
	begins, err := r.lineBegins(i, dst)
	if err != nil {
		return c, fmt.Errorf("looking for the line that ends in frame %d: %w", i, err)
	}
	if c.Bytes, err = r.appendFrame(i, dst); err != nil || len(c.Bytes) == 0 {
		return c, err
	}
	r.noteEnd(i, c.Bytes)
	if !begins {
		n := bytes.IndexByte(c.Bytes, '\n') + 1
		if n == 0 {
			n = len(c.Bytes)
		}
		c.Offset += int64(n)
		c.Bytes = append(c.Bytes[:0], c.Bytes[n:]...)
	}
	if len(c.Bytes) > 0 && c.Bytes[len(c.Bytes)-1] != '\n' {
		err = r.join(i+1, &c)
	}
	return c, err
}

// What is known of a frame's end.
const (
	endUnknown = iota
	endLine
	endOpen
)

// lineBegins tells whether a line begins where frame i does.
func (r *Reader) lineBegins(i int, buf []byte) (bool, error) {
	for i--; i >= 0; i-- {
		switch r.ends[i].Load() {
		case endLine:
			return true, nil
		case endOpen:
			return false, nil
		}
		b, err := r.appendFrame(i, buf[:0])
		if err != nil {
			return false, err
		}
		if r.noteEnd(i, b); len(b) > 0 {
			return b[len(b)-1] == '\n', nil
		}
	}
	return true, nil
}

// noteEnd keeps how a frame ends; of an empty one nothing is kept.
func (r *Reader) noteEnd(i int, b []byte) {
	switch {
	case len(b) == 0:
	case b[len(b)-1] == '\n':
		r.ends[i].Store(endLine)
	default:
		r.ends[i].Store(endOpen)
	}
}
