package archive

import "bytes"

// long takes one line that is too long for a frame, in pieces. It is handed to
// the extractor whole if max_line allows a line so long, and is refused unseen
// otherwise, in constant memory.
func (c *cutter) long() error {
	start := c.offset
	whole, err := c.hold()
	if err != nil {
		return err
	}
	if whole {
		line, _, _ := bytes.Cut(c.job.raw, lf)
		c.col.add(line, start)
	}
	var ends []int64
	for ended := false; !ended; {
		var n int
		if n, ended, err = c.piece(); err != nil {
			return err
		}
		c.offset += int64(n)
		ends = append(ends, c.offset)
		if ended && !whole && c.job.raw[c.head-1] == '\n' {
			c.col.addLong(start)
		}
	}
	c.job.raw = append(c.job.raw[:0], c.job.raw[c.head:]...)
	c.head = 0
	for i, end := range ends {
		c.col.end(end, partOf(i, len(ends)))
	}
	return nil
}

var lf = []byte{'\n'}

func partOf(i, n int) Part {
	switch {
	case i == 0:
		return First
	case i == n-1:
		return Last
	}
	return Middle
}

// hold reads on to the line's end as far as it may be an event.
func (c *cutter) hold() (whole bool, err error) {
	limit := 0
	if x := c.col.src.Extract; x != nil {
		limit = holdLimit(x)
	}
	for seen := 0; ; {
		if i := bytes.IndexByte(c.job.raw[seen:], '\n'); i >= 0 {
			return seen+i <= limit, nil
		}
		if seen = len(c.job.raw); c.eof || seen > limit {
			return false, nil
		}
		if err := c.fill(seen + longPiece); err != nil {
			return false, err
		}
	}
}

// piece has the next piece of the line compressed; ended: it was the last.
func (c *cutter) piece() (n int, ended bool, err error) {
	if len(c.job.raw)-c.head <= longPiece && !c.eof {
		c.job.raw = append(c.job.raw[:0], c.job.raw[c.head:]...)
		c.head = 0
		if err := c.fill(longPiece + 1); err != nil {
			return 0, false, err
		}
	}
	rest := c.job.raw[c.head:]
	n = min(longPiece, len(rest))
	if i := bytes.IndexByte(rest[:n], '\n'); i >= 0 {
		n, ended = i+1, true
	}
	ended = ended || c.eof && n == len(rest)
	j := c.pool.take()
	j.raw = append(j.raw, rest[:n]...)
	c.head += n
	return n, ended, c.pool.submit(j)
}
