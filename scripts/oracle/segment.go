package oracle

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"sort"
)

// facts are a segment's own, computed from its bytes.
type facts struct {
	bytes, lines int64
	sha256, root string
	tail         int64 // bytes behind the last LF
	path         string
}

// at writes a position.
func (id segmentID) at(off int64) string { return fmt.Sprintf("%s@%d:%d", id.lane, id.n, off) }

// readOwned walks the lanes that the daemon derives; what they say is needed
// to judge the others.
func (c *checker) readOwned() error {
	for _, id := range c.journal.segments {
		if !owned(id.lane) {
			continue
		}
		if err := c.walk(id, c.ownedLine); err != nil {
			return err
		}
	}
	return nil
}

// readInputs walks all other lanes, and then looks for what no entry covers.
func (c *checker) readInputs() error {
	for _, id := range c.journal.segments {
		if owned(id.lane) {
			continue
		}
		if err := c.walk(id, c.inputLine); err != nil {
			return err
		}
	}
	if err := c.readCauses(); err != nil {
		return err
	}
	return c.lanesOnDisk(c.strayLane)
}

// walk checks a segment's entries against its bytes, in every place where
// those are, and gives each journaled line of the first place to fn.
func (c *checker) walk(id segmentID, fn func(id segmentID, x *extent, l line)) error {
	xs := c.journal.extents[id]
	sort.SliceStable(xs, func(i, j int) bool { return xs[i].from < xs[j].from })
	c.contiguous(id, xs)
	places := c.places(id)
	if len(places) == 0 {
		end := xs[len(xs)-1].to
		if g := c.journal.gone[id]; g.from > xs[0].from || g.to < end {
			c.fail("I1", id.at(xs[0].from), "bytes up to %d are journaled, and stand nowhere", end)
		}
		return nil
	}
	var first facts
	for i, p := range places {
		if i > 0 {
			fn = func(segmentID, *extent, line) {}
		}
		got, err := c.walkPlace(id, p, xs, fn)
		if err != nil {
			return err
		}
		if i == 0 {
			first = got
			continue
		}
		if got.sha256 != first.sha256 {
			c.fail("seal", id.at(0), "%s and %s hold different bytes", first.path, got.path)
		}
	}
	c.segmentFacts[id] = first
	return nil
}

// contiguous: the entries cover the segment from 0, without gap or overlap.
func (c *checker) contiguous(id segmentID, xs []extent) {
	var at int64
	for _, x := range xs {
		g := c.journal.gone[id]
		switch {
		case x.from < at:
			c.fail("I2", id.at(x.from), "seq %d takes in again what stands before %d", x.seq, at)
		case x.from > at && !(g.from <= at && g.to >= x.from):
			c.fail("I1", id.at(at), "no entry covers the bytes up to %d, where seq %d begins", x.from, x.seq)
		}
		at = max(at, x.to)
	}
}

// walkPlace reads one file of the segment.
func (c *checker) walkPlace(id segmentID, p place, xs []extent, fn func(segmentID, *extent, line)) (facts, error) {
	f, err := openPlain(p.path)
	if err != nil {
		return facts{}, err
	}
	if _, err := io.CopyN(io.Discard, f, p.base); err != nil && err != io.EOF {
		return facts{}, errors.Join(err, f.Close())
	}
	w := walker{c: c, id: id, place: p, xs: xs, fn: fn}
	var in io.Reader = f
	if p.end > 0 {
		in = io.LimitReader(f, p.end-p.base)
	}
	r := newLineReader(in, int(c.opt.MaxLine)+1)
	for {
		l, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return facts{}, errors.Join(fmt.Errorf("reading %s: %w", p.path, err), f.Close())
		}
		w.line(l)
	}
	w.end(r.off)
	if err := f.Close(); err != nil {
		c.fail("seal", c.rel(p.path), "%v", err)
	}
	root := w.all.root()
	w.facts.bytes, w.facts.root, w.facts.sha256 = r.off, hex.EncodeToString(root[:]), hex.EncodeToString(r.all.Sum(nil))
	w.facts.path = c.rel(p.path)
	return w.facts, nil
}

// walker holds a segment's lines against its entries.
type walker struct {
	c     *checker
	id    segmentID
	place place
	xs    []extent
	fn    func(segmentID, *extent, line)
	i     int   // entry in hand
	part  tree  // of the entry in hand
	all   tree  // of the segment
	facts facts // counted so far
	over  bool  // bytes behind the last entry were told of
}

func (w *walker) line(l line) {
	if l.whole {
		w.all.add(l.leaf)
		w.facts.lines++
	} else {
		w.facts.tail = l.length
	}
	for w.i < len(w.xs) && l.off >= w.xs[w.i].to {
		w.close()
	}
	if w.i == len(w.xs) || l.off < w.xs[w.i].from {
		w.uncovered(l)
		return
	}
	x := &w.xs[w.i]
	if !l.whole || l.off+l.length+1 > x.to {
		w.c.fail("root", w.id.at(l.off), "seq %d ends at %d, inside this line", x.seq, x.to)
	}
	w.part.add(l.leaf)
	w.fn(w.id, x, l)
}

// close compares the entry in hand with the lines that were in it.
func (w *walker) close() {
	x := w.xs[w.i]
	if root := w.part.root(); hex.EncodeToString(root[:]) != x.root {
		w.c.fail("root", w.id.at(x.from), "seq %d says root %s, %s has %x", x.seq, x.root, w.c.rel(w.place.path), root)
	} else if w.part.n != x.lines {
		w.c.fail("root", w.id.at(x.from), "seq %d says %d lines, there are %d", x.seq, x.lines, w.part.n)
	}
	w.part.reset()
	w.i++
}

func (w *walker) uncovered(l line) {
	switch {
	case w.over:
		return
	case owned(w.id.lane):
		w.c.fail("owned", w.id.at(l.off), "%d bytes that no entry made", l.length)
	case l.whole && w.c.opt.Quiet && !w.gone(l.off, l.off+l.length+1):
		w.c.fail("I1", w.id.at(l.off), "a whole line that no entry took in")
	default:
		return
	}
	w.over = true
}

func (w *walker) gone(from, to int64) bool {
	g, ok := w.c.journal.gone[w.id]
	return ok && g.from <= from && g.to >= to
}

// end is the end of the file: every entry must have had its bytes.
func (w *walker) end(size int64) {
	for w.i < len(w.xs) && size >= w.xs[w.i].to {
		w.close()
	}
	if w.i == len(w.xs) {
		return
	}
	x := w.xs[w.i]
	if w.gone(size, w.xs[len(w.xs)-1].to) || owned(w.id.lane) && !w.c.opt.Quiet {
		return
	}
	w.c.fail("I1", w.id.at(size), "%s ends here, seq %d covers the bytes up to %d", w.c.rel(w.place.path), x.seq, x.to)
}
