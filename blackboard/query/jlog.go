package query

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// block is a stretch of the journal: the lines that begin in it.
type block struct {
	seg   *jseg
	off   int64 // in the file; of a compressed segment: unused
	most  int64 // lines that begin within so many bytes
	whole bool  // off is where a line begins
	frame int   // of a compressed segment

	n           int    // entries
	first, last uint64 // their seqs
	begins      int64  // where its text begins in the file
	size        int64  // of its text
}

// jseg is one file of the journal.
type jseg struct {
	journal.Segment
	file *os.File // plain
	size int64
	arch *archive.Reader // compressed
	last bool
}

// jlog is the journal opened for one run; its files stay open, so that nothing
// that happens to them matters.
type jlog struct {
	segs   []*jseg
	blocks []*block
	size   int64 // of a block
	bad    []Damage
}

// openJournal opens every file of the journal and cuts it into blocks.
func openJournal(l layout.Layout, dec *archive.Decoder, size int64) (*jlog, error) {
	for tries := 0; ; tries++ {
		g, err := tryJournal(l, dec, size)
		if errors.Is(err, fs.ErrNotExist) && tries < 5 {
			continue // a segment was compressed meanwhile
		}
		return g, err
	}
}

func tryJournal(l layout.Layout, dec *archive.Decoder, size int64) (*jlog, error) {
	g := &jlog{size: size}
	segs, err := journal.Segments(l)
	if err != nil {
		if _, serr := os.Stat(l.Journal()); errors.Is(serr, fs.ErrNotExist) {
			return g, nil // a board that nothing was taken in on
		}
		return nil, err
	}
	for i, s := range segs {
		js := &jseg{Segment: s, last: i == len(segs)-1}
		if err := g.open(js, dec); err != nil {
			g.close()
			return nil, err
		}
		g.segs = append(g.segs, js)
	}
	return g, nil
}

func (g *jlog) open(s *jseg, dec *archive.Decoder) error {
	f, err := os.Open(s.Path)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	s.file = f
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the journal: %w", errors.Join(err, f.Close()))
	}
	s.size = fi.Size()
	if !s.Compressed {
		for off := int64(0); off < s.size; off += g.size {
			g.blocks = append(g.blocks, &block{seg: s, off: off, most: g.size})
		}
		return nil
	}
	if s.arch, err = dec.Open(f, s.size); err != nil {
		g.bad = append(g.bad, Damage{Path: s.Path, Err: err})
		return nil
	}
	for i := range s.arch.Frames() {
		g.blocks = append(g.blocks, &block{seg: s, frame: i})
	}
	return nil
}

func (g *jlog) close() {
	for _, s := range g.segs {
		_ = s.file.Close() // read only
	}
}

// read gives the whole lines that begin in the block.
func (b *block) read(buf []byte) ([]byte, error) {
	text, _, err := b.text(buf)
	return text, err
}

// text is read, and where in the file that begins.
func (b *block) text(buf []byte) (text []byte, begins int64, err error) {
	if b.seg.Compressed {
		text, err = b.seg.arch.DecodeFrame(b.frame, buf)
		return text, 0, err
	}
	from := max(0, b.off-1) // the byte before tells whether a line begins at off
	if b.whole {
		from = b.off
	}
	to := min(b.seg.size, b.off+b.most+journal.MaxLen+1)
	if int64(cap(buf)) < to-from {
		buf = make([]byte, min(b.most+journal.MaxLen+2, b.seg.size))
	}
	buf = buf[:to-from]
	n, err := b.seg.file.ReadAt(buf, from)
	if err != nil && err != io.EOF {
		return nil, 0, err
	}
	buf = buf[:n]
	start := 0
	if b.off > from {
		if start = bytes.IndexByte(buf, '\n') + 1; start == 0 {
			return nil, 0, nil
		}
	}
	end := min(len(buf), int(b.off-from+b.most)) // lines that begin before it
	if end < start {
		return nil, 0, nil
	}
	if tail := bytes.IndexByte(buf[max(end-1, 0):], '\n'); tail >= 0 {
		end = max(end-1, 0) + tail + 1
	} else {
		end = bytes.LastIndexByte(buf, '\n') + 1 // torn: not an entry yet
	}
	return buf[start:max(start, end)], from + int64(start), nil
}
