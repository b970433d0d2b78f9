package archive

import (
	"encoding/binary"
	"errors"
	"io"
)

// Intact reads every byte of an archive without decoding its frames, for who
// decodes them anyway, and tells everything that is wrong.
func Intact(f io.ReaderAt, size int64) []Problem {
	c := &checker{f: f, size: size, dec: NewDecoder(), data: io.Discard}
	r, err := c.dec.Open(f, size)
	if err != nil {
		c.problem(0, "%v", err)
		return c.rep.Problems
	}
	c.r = r
	if err := r.Damage(); err != nil {
		c.problem(r.sum.DataBytes, "%v", err)
	}
	var buf []byte
	if r.loose == nil {
		for i := range r.frames {
			buf = c.packed(i, buf)
		}
	}
	if r.x != nil {
		c.index()
	}
	return c.rep.Problems
}

// Truncated tells whether an archive ends before its end: what comes last in a
// whole one, the seek table, is not there, and no other byte before it is known
// to be wrong.
func Truncated(f io.ReaderAt, size int64) bool {
	if size < skippableHead+seekFooterSize {
		return true
	}
	var end [4]byte
	if err := readAt(f, end[:], size-4); err == nil && binary.LittleEndian.Uint32(end[:]) == seekFooterMagic {
		return false
	}
	last := uint32(0)
	for off := int64(0); off < size; {
		h, next, err := skim(f, off, size)
		if err != nil && last == seekMagic {
			return false // its end is there, and something behind it
		}
		if err != nil {
			return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || size-off < maxFrameHead
		}
		last, off = 0, next
		if h.skippable {
			last = h.magic
		}
	}
	return last != seekMagic
}
