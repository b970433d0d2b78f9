package query

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"stigmergy/blackboard/journal"
)

// errCut says that the journal is shorter than it was.
var errCut = errors.New("the journal was cut")

// read takes in what is new in the journal, one block at most.
func (f *follower) read() (more bool, err error) {
	if f.seg == nil || f.seg.Compressed {
		return f.nextSegment()
	}
	fi, err := f.seg.file.Stat()
	if err != nil {
		return false, fmt.Errorf("reading the journal: %w", err)
	}
	switch {
	case fi.Size() < f.off:
		return false, errCut
	case fi.Size() == f.off:
		return f.nextSegment()
	}
	f.seg.size = fi.Size()
	b := &block{seg: f.seg, off: f.off, most: f.engine.sizes.block, whole: true}
	c := newChapter()
	f.worker.buf = c.read(b, 0, f.worker.buf)
	if b.n == 0 && len(c.bad) == 0 {
		return f.nextSegment()
	}
	f.off += b.size
	f.stale(c)
	f.run.view.merge(c)
	f.run.damaged = append(f.run.damaged, c.bad...)
	f.todo = append(f.todo, b)
	return true, nil
}

// stale notes which lanes' refusals are to be read on, and that the rules
// changed.
func (f *follower) stale(c *chapter) {
	for name := range c.lanes {
		if lane, ok := cutQuarantine(name); ok && f.run.refused[lane] != nil {
			f.run.refused[lane].stale = true
		}
	}
	if c.config {
		f.run.rules = sync.OnceValues(f.engine.loadRules)
	}
}

// nextSegment goes on in the journal's next file, once this one is read to its
// end.
func (f *follower) nextSegment() (more bool, err error) {
	segs, err := journal.Segments(f.engine.layout)
	if err != nil {
		if _, serr := os.Stat(f.engine.layout.Journal()); errors.Is(serr, fs.ErrNotExist) {
			return false, nil
		}
		return false, err
	}
	last := uint64(0)
	if f.seg != nil {
		last = f.seg.N
	}
	for _, s := range segs {
		if s.N <= last {
			continue
		}
		if f.seg != nil && !f.seg.Compressed {
			if fi, err := f.seg.file.Stat(); err == nil && fi.Size() > f.off && f.unread() {
				return true, nil
			}
		}
		if len(f.todo) > 0 {
			return false, nil // what is open is still to be read
		}
		if s.Compressed || s.N > last+1 && last > 0 {
			return false, errCut // more came than can be followed step by step
		}
		js := &jseg{Segment: s}
		if js.file, err = os.Open(s.Path); err != nil {
			return false, errCut
		}
		f.run.view.log.close()
		f.run.view.log.segs = []*jseg{js}
		f.seg, f.off = js, 0
		return true, nil
	}
	return false, nil
}

// unread tells whether a whole entry stands behind what was read.
func (f *follower) unread() bool {
	buf := make([]byte, journal.MaxLen+1)
	n, _ := f.seg.file.ReadAt(buf, f.off)
	return bytes.IndexByte(buf[:n], '\n') >= 0
}

// restart reads the board anew, from the cursor.
func (f *follower) restart() error {
	at := f.run.cursor(f.run.from)
	f.run.close()
	f.run = nil
	req := f.req
	req.From, req.Last, req.JournaledOnly = at, 0, true
	r, err := f.engine.prepare(f.ctx, req)
	if err != nil {
		return err
	}
	f.run = r
	if _, err := r.answer(f.emit); err != nil {
		return err
	}
	return f.adopt(r)
}
