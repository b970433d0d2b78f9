package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// CheckOptions say what else to hold an archive against; each may be nil.
type CheckOptions struct {
	Seal *Seal
	// Extract makes the index anew and compares what it says.
	Extract Extractor
	// DataSHA256 is what Written.DataSHA256 was.
	DataSHA256 *[32]byte
	// Lane and Segment are those of the archive's name.
	Lane    string
	Segment uint64
}

// Problem is one thing wrong with an archive.
type Problem struct {
	Offset int64  // where in the file, or where what holds it begins
	What   string // "frame 12: …", "index: …", "seek table: …", "seal: …"
}

// String tells what and where.
func (p Problem) String() string { return fmt.Sprintf("%s (at byte %d)", p.What, p.Offset) }

// Report is what a check found.
type Report struct {
	Seal       Seal     // of the bytes as they are
	DataSHA256 [32]byte // of the frames as they stand in the file
	Summary    Summary
	Problems   []Problem
}

// Err is nil when nothing is wrong.
func (r *Report) Err() error {
	if len(r.Problems) == 0 {
		return nil
	}
	more := ""
	if n := len(r.Problems); n > 1 {
		more = fmt.Sprintf("; and %d more", n-1)
	}
	return fmt.Errorf("%s%s", r.Problems[0], more)
}

const maxProblems = 1000

// Check reads every byte of an archive and tells everything that is wrong: no
// bit of the file can change unseen. The error is nil when the file could be
// read, damaged or not.
func Check(path string, opt CheckOptions) (Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("checking an archive: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return Report{}, fmt.Errorf("checking an archive: %w", err)
	}
	rep, err := CheckAt(f, fi.Size(), opt)
	if err != nil {
		return rep, fmt.Errorf("checking %s: %w", path, err)
	}
	return rep, nil
}

// CheckAt is Check for an open file.
func CheckAt(f io.ReaderAt, size int64, opt CheckOptions) (Report, error) {
	data := sha256.New()
	c := &checker{f: f, size: size, opt: opt, dec: NewDecoder(), sealer: newSealer(), data: data}
	r, err := c.dec.Open(f, size)
	if err != nil {
		if e := new(os.PathError); errors.As(err, &e) {
			return c.rep, err
		}
		c.problem(0, "%v", err)
		return c.rep, nil
	}
	c.r = r
	c.rep.Summary = r.Summary()
	if err := r.Damage(); err != nil {
		c.problem(r.sum.DataBytes, "%v", err)
	}
	c.frames()
	if r.x != nil {
		c.index()
	}
	c.rep.Seal = c.sealer.done()
	data.Sum(c.rep.DataSHA256[:0])
	c.compare()
	slices.SortStableFunc(c.rep.Problems, func(a, b Problem) int { return int(min(max(a.Offset-b.Offset, -1), 1)) })
	return c.rep, nil
}

type checker struct {
	f      io.ReaderAt
	size   int64
	opt    CheckOptions
	dec    *Decoder
	r      *Reader
	rep    Report
	sealer *sealer
	data   io.Writer
	feed   *feeder // nil: the index is not made anew
}

func (c *checker) problem(offset int64, format string, args ...any) {
	if len(c.rep.Problems) < maxProblems {
		c.rep.Problems = append(c.rep.Problems, Problem{offset, fmt.Sprintf(format, args...)})
	}
}

// frames reads and decodes every frame.
func (c *checker) frames() {
	if c.opt.Extract != nil && c.r.sum.Examined {
		c.feed = newFeeder(newCollector(Source{Lane: c.r.sum.Lane, Segment: c.r.sum.Segment, Extract: c.opt.Extract},
			c.r.x.flags&flagIDs != 0))
	}
	if c.r.loose != nil {
		c.problem(0, "frames: their sizes are not said, or larger than %d bytes: no archive of ours", maxContent)
	}
	var raw, packed []byte
	for i := range c.r.frames {
		f := &c.r.frames[i]
		if c.r.loose == nil {
			packed = c.packed(i, packed)
		}
		var err error
		if raw, err = c.r.DecodeFrame(i, raw); err != nil {
			c.problem(f.Offset, "%v", err)
			c.feed = nil
			continue
		}
		c.sealer.Write(raw)
		c.lines(i, raw)
	}
}

// packed checks a frame as it stands in the file.
func (c *checker) packed(i int, buf []byte) []byte {
	f := &c.r.frames[i]
	n := int(min(f.Size, maxContent+1<<20))
	buf = slices.Grow(buf[:0], n)[:n]
	if err := readAt(c.f, buf, f.Offset); err != nil {
		c.problem(f.Offset, "frame %d: %v", i, err)
		return buf
	}
	c.data.Write(buf)
	h, end, err := skim(c.f, f.Offset, c.size)
	switch {
	case err != nil:
		c.problem(f.Offset, "frame %d: %v", i, err)
	case end != f.Offset+f.Size:
		c.problem(f.Offset, "frame %d: it ends at byte %d instead of %d", i, end, f.Offset+f.Size)
	case h.odd != "":
		c.problem(f.Offset, "frame %d: %s", i, h.odd)
	case !h.checksum:
		c.problem(f.Offset, "frame %d: it has no checksum", i)
	case c.r.x != nil && crc32.Checksum(buf, castagnoli) != f.crc:
		c.problem(f.Offset, "frame %d: its bytes are not those that were written", i)
	}
	return buf
}

// lines holds a frame's lines against what the index says of them.
func (c *checker) lines(i int, raw []byte) {
	f := &c.r.frames[i]
	n := int64(bytes.Count(raw, lf))
	if f.Part == Whole && f.Lines >= 0 && f.Lines != n {
		c.problem(f.Offset, "frame %d: %d lines instead of the %d that the index says", i, n, f.Lines)
	}
	if c.feed != nil {
		if err := c.feed.frame(raw, f.RawOffset, i == len(c.r.frames)-1); err != nil {
			c.problem(f.Offset, "frame %d: %v", i, err)
			c.feed = nil
		}
	}
}

// compare holds the whole against what the caller knows.
func (c *checker) compare() {
	r, o := &c.rep, &c.opt
	if o.Seal != nil {
		if what := o.Seal.differs(&r.Seal); what != "" {
			c.problem(0, "%s", what)
		}
	}
	if o.DataSHA256 != nil && *o.DataSHA256 != r.DataSHA256 {
		c.problem(0, "frames: SHA-256 %x instead of %x", r.DataSHA256, *o.DataSHA256)
	}
	s := &c.r.sum
	if s.Indexed && s.Lines != r.Seal.Lines {
		c.problem(s.DataBytes, "index: %d lines instead of %d", s.Lines, r.Seal.Lines)
	}
	if o.Lane != "" && s.Indexed && (s.Lane != o.Lane || s.Segment != o.Segment) {
		c.problem(s.DataBytes, "index: it is that of %s@%d, not of %s@%d", s.Lane, s.Segment, o.Lane, o.Segment)
	}
}
