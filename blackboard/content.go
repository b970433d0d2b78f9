package blackboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// segmentKey names a segment.
type segmentKey struct {
	lane    string
	segment uint64
}

// content reads bytes of any segment back: from its plain file, its archive,
// or the lane's active file. Whether they are the right ones is for the
// journal's roots to say.
type content struct {
	layout  layout.Layout
	decoder *archive.Decoder
	// paths says where a segment's file is, board-relative, where that is not
	// where its name says: a lane that was moved within the board.
	paths map[segmentKey]string
	// bases is where in the lane's file a segment begins, after a cut.
	bases map[segmentKey]int64
	// tracked finds the file of a segment by its identity; nil asks nobody.
	tracked func(k segmentKey) []candidate
	// elsewhere finds it likewise where no other place has it, by its name below
	// the board; nil asks nobody.
	elsewhere func(k segmentKey) (rel string, ok bool)
	open1     opened
}

// opened is the segment read last; entries come in runs of one lane.
type opened struct {
	key    segmentKey
	file   *os.File
	base   int64
	packed *archive.Reader
	frame  int
	raw    []byte
}

func newContent(l layout.Layout) *content {
	return &content{layout: l, decoder: archive.NewDecoder(), paths: map[segmentKey]string{}, bases: map[segmentKey]int64{}}
}

func (c *content) close() error {
	if c.open1.file == nil {
		return nil
	}
	err := c.open1.file.Close()
	c.open1 = opened{}
	return err
}

// rotated notes what a rotate entry says of where the next segment begins.
func (c *content) rotated(e *journal.Entry) {
	if e.Base != 0 {
		next := segmentKey{e.Lane, e.Next}
		c.bases[next] = e.Base
		if raw, err := contracts.UnescapeLane(e.Path); err == nil && e.Path != "" {
			c.paths[next] = raw
		}
	}
	if k := (segmentKey{e.Lane, e.Segment}); c.open1.key == k {
		_ = c.close()
	}
}

var errShort = errors.New("the file ends before")

// open gives the bytes from one offset of a segment to another.
func (c *content) open(lane string, segment uint64, from, to int64) (io.Reader, error) {
	k := segmentKey{lane, segment}
	if c.open1.file == nil || c.open1.key != k {
		if err := c.locate(k); err != nil {
			return nil, fmt.Errorf("reading lane %s, segment %d: %w", lane, segment, err)
		}
	}
	o := &c.open1
	if o.packed == nil {
		return io.NewSectionReader(o.file, o.base+from, to-from), nil
	}
	return &packedReader{o: o, off: from, end: to}, nil
}

// locate opens a segment's file, wherever it is now.
func (c *content) locate(k segmentKey) error {
	_ = c.close()
	for _, path := range c.candidates(k) {
		f, err := os.OpenFile(path.name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		fi, err := f.Stat()
		if err != nil || !fi.Mode().IsRegular() {
			return errors.Join(fmt.Errorf("%s: %w", path.name, errNotRegular), err, f.Close())
		}
		c.open1 = opened{key: k, file: f, base: path.base, frame: -1}
		if path.packed {
			if c.open1.packed, err = c.decoder.Open(f, fi.Size()); err != nil {
				return errors.Join(err, c.close())
			}
		}
		return nil
	}
	return fs.ErrNotExist
}

// archived says whether a segment is read from its archive.
func (c *content) archived(k segmentKey) bool {
	if c.open1.file == nil || c.open1.key != k {
		if err := c.locate(k); err != nil {
			return false
		}
	}
	return c.open1.packed != nil
}

// standsIn is the plain file that a segment was read from last; "": none.
func (c *content) standsIn(k segmentKey) string {
	if c.open1.file == nil || c.open1.key != k || c.open1.packed != nil {
		return ""
	}
	return c.open1.file.Name()
}

type candidate struct {
	name   string
	base   int64
	packed bool
}

func (c *content) candidates(k segmentKey) []candidate {
	out := []candidate{
		{name: c.layout.Segment(k.lane, k.segment)},
		{name: c.layout.Archive(k.lane, k.segment), packed: true},
	}
	if base := c.bases[k]; base > 0 {
		out = append(out, candidate{name: filepath.Join(c.layout.Dir, wholeRel(k.lane, k.segment)), base: base})
	}
	if c.tracked != nil {
		out = append(out, c.tracked(k)...)
	}
	last := c.layout.Lane(k.lane)
	if p, ok := c.paths[k]; ok {
		last = c.layout.Dir + "/" + p
	}
	out = append(out, candidate{name: last, base: c.bases[k]})
	if c.elsewhere == nil || exists(last) {
		return out
	}
	if rel, ok := c.elsewhere(k); ok {
		out = append(out, candidate{name: c.layout.Dir + "/" + rel, base: c.bases[k]})
	}
	return out
}

// packedReader reads a range out of an archive, frame by frame.
type packedReader struct {
	o        *opened
	off, end int64
}

func (p *packedReader) Read(b []byte) (int, error) {
	piece, err := p.next(int64(len(b)))
	return copy(b, piece), err
}

// next gives the next bytes of the range, at most so many, as they lie in their
// frame: until the next call.
func (p *packedReader) next(most int64) ([]byte, error) {
	if p.off >= p.end {
		return nil, io.EOF
	}
	i := p.o.packed.FrameAt(p.off)
	if i < 0 {
		return nil, fmt.Errorf("byte %d: %w", p.off, errShort)
	}
	if i != p.o.frame {
		raw, err := p.o.packed.DecodeFrame(i, p.o.raw)
		if err != nil {
			p.o.frame = -1
			return nil, err
		}
		p.o.raw, p.o.frame = raw, i
	}
	at := p.off - p.o.packed.Frames()[i].RawOffset
	if at >= int64(len(p.o.raw)) {
		return nil, fmt.Errorf("byte %d: %w", p.off, errShort)
	}
	piece := p.o.raw[at:min(int64(len(p.o.raw)), at+min(most, p.end-p.off))]
	p.off += int64(len(piece))
	return piece, nil
}

// equal compares a range of a segment with bytes.
func (c *content) equal(lane string, segment uint64, from int64, want []byte) (bool, error) {
	r, err := c.open(lane, segment, from, from+int64(len(want)))
	if err != nil {
		return false, err
	}
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errShort) {
			return false, nil
		}
		return false, err
	}
	return bytes.Equal(got, want), nil
}
