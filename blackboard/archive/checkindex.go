package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// index checks every byte behind the frames.
func (c *checker) index() {
	t := &c.r.t
	at := int64(t.data)
	for i := range c.r.frames {
		if _, err := c.r.Odd(i, nil); err != nil && c.r.sum.Examined {
			c.problem(t.oddAt, "%v", err)
			break
		}
	}
	for i := range c.r.frames {
		if _, err := c.r.Runs(i, nil); err != nil && c.r.sum.Entries {
			c.problem(t.runsAt, "%v", err)
			break
		}
	}
	// A section that no frame points into must be read all the same.
	for _, s := range []struct {
		lazy *lazy
		sec  *section
		at   int64
		name string
	}{{&c.r.odd, &t.odd, t.oddAt, "odd lines"}, {&c.r.runs, &t.runs, t.runsAt, "runs"}} {
		if _, err := c.r.load(s.lazy, s.sec, s.at, s.name); err != nil && !c.told(s.at) {
			c.problem(s.at, "%v", err)
		}
	}
	c.postings()
	c.seekTable(at + skippableHead + int64(t.payload))
	if c.feed != nil {
		c.anew()
	}
}

// told tells whether a problem at that place was told already.
func (c *checker) told(offset int64) bool {
	return slices.ContainsFunc(c.rep.Problems, func(p Problem) bool { return p.Offset == offset })
}

// postings reads every bucket.
func (c *checker) postings() {
	r, t := c.r, &c.r.t
	end := uint32(0)
	for n := range r.x.post.buckets {
		start := end
		end = binary.LittleEndian.Uint32(r.dir[4*n:])
		b, err := r.bucket(n)
		if err == nil {
			err = r.x.post.checkBucket(n, b)
		}
		if err != nil {
			c.problem(t.postingsAt+int64(start), "index: postings: %v", err)
			if start > end {
				return
			}
		}
	}
	if end != t.postings {
		c.problem(t.postingsAt+int64(end), "index: postings: %d bytes that belong to nothing", t.postings-end)
	}
}

// checkBucket reads a whole bucket.
func (p *postings) checkBucket(n int64, b []byte) error {
	if err := p.find(n, 0, b, newSet(p.frames)); err != nil {
		return err
	}
	r := newBitReader(b[: len(b)-4 : len(b)-4])
	keys := int(r.get(32))
	for range keys {
		if r.rice(p.keyBits); r.bad {
			return fmt.Errorf("bucket %d: cut short", n)
		}
	}
	if keys > 0 {
		return p.lists(&r, n, keys-1, keys, newSet(p.frames))
	}
	return nil
}

// seekTable holds what stands behind the index against what must.
func (c *checker) seekTable(at int64) {
	want := appendSeekTable(nil, c.r.frames)
	if c.size-at > int64(len(want))+maxBlock {
		c.problem(at, "seek table: %d bytes instead of %d", c.size-at, len(want))
		return
	}
	got := make([]byte, c.size-at)
	if err := readAt(c.f, got, at); err != nil {
		c.problem(at, "seek table: %v", err)
		return
	}
	if !bytes.Equal(got, want) {
		i := 0
		for i < len(got) && i < len(want) && got[i] == want[i] {
			i++
		}
		if !c.told(at + int64(i)) {
			c.problem(at+int64(i), "seek table: it is not that of these frames")
		}
	}
}

// anew holds the index against the one that the lines give.
func (c *checker) anew() {
	c.feed.flush()
	col, at := c.feed.col, c.r.sum.DataBytes
	if len(col.frames) != len(c.r.frames) {
		c.problem(at, "index: the lines give %d frames", len(col.frames))
		return
	}
	for i := range col.frames {
		f, g := &c.r.frames[i], &col.frames[i]
		g.Offset, g.Size = f.Offset, f.Size
		if what := differs(f, g); what != "" {
			c.problem(f.Offset, "index: frame %d: its lines give other %s", i, what)
		}
		got, _ := c.r.Odd(i, nil)
		if want, _ := parseOdd(col.odd[g.odd.off:g.odd.end], g, nil); !slices.Equal(want, got) {
			c.problem(f.Offset, "index: frame %d: other lines are refused", i)
		}
	}
	if !col.posted || c.r.x.flags&flagPosted == 0 || !slices.Equal(col.fields, c.r.x.fields) {
		return // another set of fields is no damage
	}
	c.samePostings(newIndex(col))
}

// differs names what two frames differ in; f is the index's, g is made of the
// lines alone. A time that the journal gave is not known there: any may be meant.
func differs(f, g *Frame) string {
	switch {
	case f.Part != g.Part || f.Lines != g.Lines:
		return "lines"
	case f.Blank != g.Blank || f.Refused != g.Refused || f.Recovered != g.Recovered:
		return "refusals"
	case f.Events != g.Events || !slices.Equal(f.Topics, g.Topics):
		return "topics"
	case f.Events > 0 && f.timed && g.TimeMin > math.MinInt64, f.Events > 0 && !f.timed && (f.TimeMin != g.TimeMin || f.TimeMax != g.TimeMax):
		return "times"
	case f.ids != g.ids:
		return "ids"
	}
	return ""
}

// samePostings compares packed postings, which are a function of the lines.
func (c *checker) samePostings(x *index) {
	r, t := c.r, &c.r.t
	got := make([]byte, t.postings)
	if err := readAt(c.f, got, t.postingsAt); err != nil {
		c.problem(t.postingsAt, "index: postings: %v", err)
		return
	}
	if x.post != r.x.post || !bytes.Equal(got, x.blob) || !bytes.Equal(directory(x.ends), r.dir) {
		c.problem(t.postingsAt, "index: postings: the lines give others")
	}
}
