package archive

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
)

// Source says whose bytes are archived and what its lines are.
type Source struct {
	Lane    string // escaped name
	Segment uint64
	// Runs are the journal entries that took in the segment's lines, in
	// order; fewer lines than the segment holds, or nil, when not all (or
	// none) are known.
	Runs []Run
	// Extract tells what each line is; nil: lines are counted, nothing more.
	Extract Extractor
}

// WriteOptions are settings; zero values mean the defaults.
type WriteOptions struct {
	FrameBytes int64  // archive.frame_bytes, default 1 MiB
	Level      string // archive.level, default better
	IDs        bool   // index.ids
	Workers    int    // goroutines that compress, default 1
	Low        bool   // they run at the lowest priority
}

// Sizes in which lines are cut that are too long for a frame.
const (
	defaultFrame = 1 << 20
	minFrame     = 256
	longPiece    = 1 << 20
	holdFrame    = 4 << 20  // a line that fits this is not cut
	maxHold      = 64 << 20 // a line is looked at up to this length, if max_line allows
)

func (o WriteOptions) withDefaults() WriteOptions {
	if o.FrameBytes == 0 {
		o.FrameBytes = defaultFrame
	}
	o.FrameBytes = max(minFrame, min(o.FrameBytes, MaxFrame))
	if o.Level == "" {
		o.Level = "better"
	}
	o.Workers = max(o.Workers, 1)
	return o
}

// Written is what Write made.
type Written struct {
	Summary
	IndexBytes int64    // of index and seek table
	RawSHA256  [32]byte // of the segment's bytes
	DataSHA256 [32]byte // of the zstd frames, without index and seek table
}

// Write archives a segment: it reads raw to its end and writes the whole file
// to w, in memory bounded by the frame size and the index.
func Write(w io.Writer, raw io.Reader, src Source, opt WriteOptions) (Written, error) {
	opt = opt.withDefaults()
	enc, err := newEncoder(opt.Level, opt.Workers, opt.FrameBytes)
	if err != nil {
		return Written{}, err
	}
	out := &output{w: w, sum: sha256.New()}
	p := startPool(enc, out, opt.Workers, opt.Low)
	c := &cutter{raw: raw, col: newCollector(src, opt.IDs), pool: p, frame: int(opt.FrameBytes), sum: sha256.New()}
	err = c.run()
	if perr := p.close(); err == nil {
		err = perr
	}
	if err == nil {
		err = c.col.finish()
	}
	if err != nil {
		return Written{}, fmt.Errorf("archiving %s@%d: %w", src.Lane, src.Segment, err)
	}
	written, err := finish(w, c.col, out)
	if err != nil {
		return Written{}, fmt.Errorf("archiving %s@%d: %w", src.Lane, src.Segment, err)
	}
	c.sum.Sum(written.RawSHA256[:0])
	out.sum.Sum(written.DataSHA256[:0])
	return written, nil
}

// finish writes index and seek table behind the frames.
func finish(w io.Writer, col *collector, out *output) (Written, error) {
	enc, err := newEncoder("default", 1, defaultFrame)
	if err != nil {
		return Written{}, err
	}
	for i := range col.frames {
		f, z := &col.frames[i], out.frames[i]
		f.Offset, f.Size, f.checksum, f.crc = z.offset, z.size, z.checksum, z.crc
	}
	x := newIndex(col)
	tail, err := x.append(nil, enc)
	if err != nil {
		return Written{}, err
	}
	sum := summarize(x.frames, 0)
	if len(tail) > 0 {
		x.describe(&sum)
	}
	tail = appendSeekTable(tail, x.frames)
	if _, err := w.Write(tail); err != nil {
		return Written{}, err
	}
	sum.Size = out.offset + int64(len(tail))
	return Written{Summary: sum, IndexBytes: int64(len(tail))}, nil
}

// packed is a frame as it stands in the file.
type packed struct {
	offset, size  int64
	checksum, crc uint32
}

// output takes the compressed frames in order.
type output struct {
	w      io.Writer
	sum    hash.Hash
	offset int64
	frames []packed
}

func (o *output) frame(b []byte) error {
	if len(b) < 4 {
		return fmt.Errorf("compressing: a frame of %d bytes", len(b))
	}
	z := packed{offset: o.offset, size: int64(len(b)), crc: crc32.Checksum(b, castagnoli)}
	z.checksum = binary.LittleEndian.Uint32(b[len(b)-4:])
	o.frames = append(o.frames, z)
	o.offset += z.size
	o.sum.Write(b)
	_, err := o.w.Write(b)
	return err
}

// cutter reads a segment and cuts it into frames.
type cutter struct {
	raw    io.Reader
	col    *collector
	pool   *pool
	frame  int
	sum    hash.Hash
	offset int64 // in the segment, of the frame in hand
	job    *job  // holds it, and the beginning of the next one
	head   int   // where in the job a cut line goes on
	eof    bool
}

// run cuts until the segment's end.
func (c *cutter) run() error {
	c.job = c.pool.take()
	for {
		if err := c.fill(c.frame); err != nil {
			return err
		}
		if len(c.job.raw) == 0 {
			return nil
		}
		end, err := c.cut()
		if err != nil {
			return err
		}
		if end < 0 {
			if err := c.long(); err != nil {
				return err
			}
			continue
		}
		c.lines(c.job.raw[:end])
		c.col.end(c.offset+int64(end), Whole)
		if err := c.submit(end); err != nil {
			return err
		}
	}
}

// fill reads until n bytes are in hand or the segment ends.
func (c *cutter) fill(n int) error {
	b := c.job.raw
	for len(b) < n && !c.eof {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, max(n, c.frame)+longPiece/4), b...)
		}
		m, err := c.raw.Read(b[len(b):cap(b)])
		c.sum.Write(b[len(b) : len(b)+m])
		b = b[:len(b)+m]
		if err == io.EOF {
			c.eof = true
		} else if err != nil {
			return fmt.Errorf("reading the segment: %w", err)
		}
	}
	c.job.raw = b
	return nil
}

// cut finds where the frame in hand ends: behind the last line that fits, or
// the first one when none does. It is -1 for a line that must be cut.
func (c *cutter) cut() (int, error) {
	b := c.job.raw
	if len(b) <= c.frame && c.eof {
		return len(b), nil
	}
	if i := bytes.LastIndexByte(b[:min(c.frame, len(b))], '\n'); i >= 0 {
		return i + 1, nil
	}
	limit := max(holdFrame, c.frame)
	for seen := min(c.frame, len(b)); ; {
		if i := bytes.IndexByte(b[seen:min(len(b), limit)], '\n'); i >= 0 {
			return seen + i + 1, nil
		}
		if len(b) > limit {
			return -1, nil
		}
		if c.eof {
			return len(b), nil
		}
		seen = len(b)
		if err := c.fill(len(b) + longPiece); err != nil {
			return 0, err
		}
		b = c.job.raw
	}
}

// lines hands every whole line to the collector.
func (c *cutter) lines(b []byte) {
	for at := 0; ; {
		n := bytes.IndexByte(b[at:], '\n')
		if n < 0 {
			return
		}
		c.col.add(b[at:at+n], c.offset+int64(at))
		at += n + 1
	}
}

// submit has the first n bytes in hand compressed and keeps the rest.
func (c *cutter) submit(n int) error {
	next := c.pool.take()
	next.raw = append(next.raw, c.job.raw[n:]...)
	c.job.raw = c.job.raw[:n]
	c.offset += int64(n)
	err := c.pool.submit(c.job)
	c.job = next
	return err
}
