package archive

import (
	"bytes"
	"fmt"
)

// feeder hands the lines of frames that are already cut to a collector, so that
// it finds what it found when they were written.
type feeder struct {
	col  *collector
	hold int     // a line is put together up to this length
	ends []int64 // of the pieces of the line that goes on
	line []byte  // its bytes; nil when there are more than hold
	over bool
	from int64 // where it begins
}

func newFeeder(col *collector) *feeder {
	fd := &feeder{col: col}
	if x := col.src.Extract; x != nil {
		fd.hold = holdLimit(x)
	}
	return fd
}

// holdLimit is how long a line an extractor looks at.
func holdLimit(x Extractor) int {
	limit := x.MaxLine()
	if limit <= 0 || limit > maxHold {
		limit = maxHold
	}
	return limit + 16 // a byte order mark and a CR do not count
}

// frame takes the next frame, which begins at offset.
func (fd *feeder) frame(raw []byte, offset int64, last bool) error {
	end := offset + int64(len(raw))
	if len(fd.ends) > 0 {
		return fd.goOn(raw, end)
	}
	if !last && (len(raw) == 0 || raw[len(raw)-1] != '\n') {
		if bytes.IndexByte(raw, '\n') >= 0 {
			return fmt.Errorf("it ends within a line, which is not how archives are cut")
		}
		fd.from, fd.over, fd.line = offset, false, fd.line[:0]
		fd.keep(raw, end)
		return nil
	}
	for at := 0; ; {
		n := bytes.IndexByte(raw[at:], '\n')
		if n < 0 {
			break
		}
		fd.col.add(raw[at:at+n], offset+int64(at))
		at += n + 1
	}
	fd.col.end(end, Whole)
	return nil
}

// keep takes a piece of the line.
func (fd *feeder) keep(raw []byte, end int64) {
	fd.ends = append(fd.ends, end)
	if fd.over = fd.over || len(fd.line)+len(raw) > fd.hold+1; !fd.over {
		fd.line = append(fd.line, raw...)
	}
}

// goOn takes a piece that goes on with the line, and maybe ends it.
func (fd *feeder) goOn(raw []byte, end int64) error {
	fd.keep(raw, end)
	switch n := bytes.IndexByte(raw, '\n'); {
	case n < 0:
		return nil
	case n < len(raw)-1:
		return fmt.Errorf("a line ends in its midst, which is not how archives are cut")
	}
	if n := len(fd.line) - 1; !fd.over && n <= fd.hold {
		fd.col.add(fd.line[:n], fd.from)
	} else {
		fd.col.addLong(fd.from)
	}
	fd.flush()
	return nil
}

// flush ends the frames that hold the line.
func (fd *feeder) flush() {
	for i, end := range fd.ends {
		fd.col.end(end, partOf(i, len(fd.ends)))
	}
	fd.ends = fd.ends[:0]
}
