package journal

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
)

// Log is the journal opened for writing. One goroutine owns it; Sync may be
// called from another one.
type Log struct {
	layout layout.Layout
	disk   *durable.Disk
	f      *os.File
	seg    uint64
	off    int64
	begin  int64 // where the last Append began
	max    int64
	next   uint64
	last   Entry
	buf    []byte
	failed error // a sync that failed: what it left on disk nobody can know
}

// Create opens the journal behind its last whole entry, and makes it where
// there is none. max is the size at which a segment is followed by the next.
// Bytes of a torn last line are cut off: nothing was derived from them.
func Create(l layout.Layout, disk *durable.Disk, max int64) (*Log, error) {
	g := &Log{layout: l, disk: disk, max: max, seg: 1}
	segs, err := Segments(l)
	if err != nil {
		return nil, err
	}
	if n := len(segs); n > 0 {
		g.seg = segs[n-1].N
		if segs[n-1].Compressed {
			g.seg++
		}
		if err := g.findLast(segs); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// findLast reads the last whole entry, from the newest segment that has one.
func (g *Log) findLast(segs []Segment) error {
	for i := len(segs) - 1; i >= 0; i-- {
		s := segs[i]
		last, end, found, err := lastEntry(s)
		var damage *DamageError
		if errors.As(err, &damage) && !s.Compressed {
			// Recovery meets the damage too, and decides what it means: until
			// then the journal ends before it.
			last, end, found, err = lastByScan(s)
			if errors.As(err, &damage) {
				err = nil
			}
			g.seg = s.N
		}
		if err != nil {
			return err
		}
		if s.N == g.seg {
			g.off = end
		}
		if found {
			g.last, g.next = last, last.Seq+1
			return nil
		}
	}
	return nil
}

// lastEntry finds the last newline-ended entry of a segment and the offset
// behind it. A plain segment is read backwards, so that it costs the same
// whatever the history.
func lastEntry(s Segment) (Entry, int64, bool, error) {
	if s.Compressed {
		return lastByScan(s)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return Entry{}, 0, false, fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return Entry{}, 0, false, fmt.Errorf("reading the journal: %w", err)
	}
	const reach = 2*MaxLen + 4
	from := max(0, size-reach)
	b := make([]byte, size-from)
	if _, err := f.ReadAt(b, from); err != nil && err != io.EOF {
		return Entry{}, 0, false, fmt.Errorf("reading the journal %s: %w", s.Path, err)
	}
	end := lastIndex(b, len(b))
	if end < 0 {
		if from > 0 {
			return Entry{}, 0, false, &DamageError{s.Path, from, errors.New("no entry within reach of its end")}
		}
		return Entry{}, 0, false, nil
	}
	start := lastIndex(b, end) + 1
	e, err := Parse(b[start:end])
	if err != nil {
		return Entry{}, 0, false, &DamageError{s.Path, from + int64(start), err}
	}
	return e, from + int64(end) + 1, true, nil
}

// Before is the entry that ends at a cursor.
func Before(l layout.Layout, c Cursor) (Entry, bool, error) {
	if c.Offset == 0 {
		return Entry{}, false, nil
	}
	b, err := reach(l, c)
	if err != nil || len(b) == 0 || b[len(b)-1] != '\n' {
		return Entry{}, false, err
	}
	e, err := Parse(b[lastIndex(b, len(b)-1)+1 : len(b)-1])
	return e, err == nil, err
}

// reach reads what stands before a cursor, as far as an entry can be long or
// further.
func reach(l layout.Layout, c Cursor) ([]byte, error) {
	f, err := os.Open(l.JournalSegment(c.Segment))
	if errors.Is(err, fs.ErrNotExist) {
		return reachPacked(l.JournalPacked(c.Segment), c.Offset)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	from := max(0, c.Offset-MaxLen-2)
	b := make([]byte, c.Offset-from)
	_, err = f.ReadAt(b, from)
	return b, err
}

// reachPacked reads the frame that ends behind an offset, or holds it: frames
// are cut between lines.
func reachPacked(path string, off int64) ([]byte, error) {
	f, err := archive.NewDecoder().OpenFile(path)
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	i := f.FrameAt(off - 1)
	if i < 0 {
		return nil, nil
	}
	b, err := f.DecodeFrame(i, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the journal %s: %w", path, err)
	}
	end := off - f.Frames()[i].RawOffset
	if end > int64(len(b)) {
		return nil, nil
	}
	return b[:end], nil
}

func lastIndex(b []byte, end int) int {
	for i := end - 1; i >= 0; i-- {
		if b[i] == '\n' {
			return i
		}
	}
	return -1
}

func lastByScan(s Segment) (last Entry, end int64, found bool, err error) {
	c, err := scanSegment(s, Cursor{Segment: s.N}, !s.Compressed, func(e *Entry, _ []byte, _ Cursor) error {
		last, found = *e, true
		return nil
	})
	return last, c.Offset, found, err
}

// Next is the seq that the next entry gets.
func (g *Log) Next() uint64 { return g.next }

// Last is the last entry that stands in the journal; its Seq means nothing
// while Next is 0.
func (g *Log) Last() Entry { return g.last }

// End is the cursor behind the last entry.
func (g *Log) End() Cursor { return Cursor{g.seg, g.off} }

// Before is the cursor before the entries appended last.
func (g *Log) Before() Cursor { return Cursor{g.seg, g.begin} }

// Append writes the entries in one write and gives them their seqs. After an
// error nothing of them stands in the journal.
func (g *Log) Append(entries ...*Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if g.failed != nil {
		return g.failed
	}
	if err := g.ready(); err != nil {
		return err
	}
	g.buf = g.buf[:0]
	for i, e := range entries {
		e.Seq = g.next + uint64(i)
		start := len(g.buf)
		g.buf = e.Append(g.buf)
		if n := len(g.buf) - start; n > MaxLen {
			return fmt.Errorf("journaling entry %d: it is %d bytes long, at most %d are allowed", e.Seq, n, MaxLen)
		}
		g.buf = append(g.buf, '\n')
	}
	if err := g.write(g.buf); err != nil {
		return err
	}
	g.next += uint64(len(entries))
	g.last = *entries[len(entries)-1]
	return nil
}

// write appends b at the journal's end, or leaves that end where it was.
func (g *Log) write(b []byte) error {
	n, err := g.disk.WriteAt(g.f, b, g.off)
	if err != nil {
		terr := error(nil)
		if n > 0 {
			terr = g.f.Truncate(g.off)
		}
		return errors.Join(fmt.Errorf("appending to the journal %s at byte %d: %w", g.f.Name(), g.off, err), terr)
	}
	g.begin = g.off
	g.off += int64(n)
	return nil
}

// ready opens the segment to write to, the next one when this is full. A
// segment is on disk before its successor has a name: after a power cut only
// the last one can be torn.
func (g *Log) ready() error {
	if g.f != nil && g.off < g.max {
		return nil
	}
	if g.off >= g.max {
		if err := g.finish(); err != nil {
			return err
		}
	}
	if err := g.open(); err != nil || g.off > 0 {
		return err
	}
	if err := g.disk.SyncDir(g.layout.Journal()); err != nil {
		return g.fail(err)
	}
	return nil
}

// fail keeps a failed sync.
func (g *Log) fail(err error) error {
	g.failed = &SyncError{Path: g.f.Name(), Err: err}
	return g.failed
}

// SyncError is a sync that failed. Whatever its errno, it is none to wait out:
// what the disk holds is not known any more.
type SyncError struct {
	Path string
	Err  error
}

func (e *SyncError) Error() string { return fmt.Sprintf("syncing the journal %s: %v", e.Path, e.Err) }

// Unwrap gives the cause.
func (e *SyncError) Unwrap() error { return e.Err }

// open opens the segment at hand. What stands behind the last whole entry is a
// torn write of ours.
func (g *Log) open() error {
	f, err := os.OpenFile(g.layout.JournalSegment(g.seg), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	if fi, err := f.Stat(); err != nil || fi.Size() > g.off {
		if err = errors.Join(err, g.disk.Truncate(f, g.off)); err != nil {
			return errors.Join(fmt.Errorf("cutting the journal's torn end: %w", err), f.Close())
		}
	}
	g.f = f
	return nil
}

// finish syncs a segment that is full, whoever wrote it, and turns to the next.
func (g *Log) finish() error {
	if g.f == nil {
		if err := g.open(); err != nil {
			return err
		}
	}
	if err := g.disk.Sync(g.f); err != nil {
		return g.fail(err)
	}
	err := g.f.Close()
	g.f, g.seg, g.off = nil, g.seg+1, 0
	return err
}

// Close closes the file; it does not sync it.
func (g *Log) Close() error {
	if g.f == nil {
		return nil
	}
	return g.f.Close()
}

// CutTo takes the journal back to a cursor: entries behind it are returned
// (for the quarantine) and removed. Only recovery after power loss calls it.
func (g *Log) CutTo(c Cursor, last Entry, some bool) error {
	segs, err := Segments(g.layout)
	if err != nil {
		return err
	}
	for i := len(segs) - 1; i >= 0 && segs[i].N > c.Segment; i-- {
		if err := os.Remove(segs[i].Path); err != nil {
			return fmt.Errorf("cutting the journal: %w", err)
		}
	}
	if g.f != nil {
		if err := g.f.Close(); err != nil {
			return fmt.Errorf("cutting the journal: %w", err)
		}
		g.f = nil
	}
	g.seg, g.off, g.last, g.next = max(c.Segment, 1), c.Offset, last, 0
	if some {
		g.next = last.Seq + 1
	}
	return nil
}

// Lines calls fn with the raw lines from one cursor to another, for a copy of
// what is cut away.
func Lines(s Segment, from int64, fn func([]byte) error) error {
	r, err := s.Open()
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	defer r.Close()
	if err := skip(r, from); err != nil {
		return &DamageError{s.Path, from, err}
	}
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := br.ReadBytes('\n')
		if len(line) > 0 {
			if err := fn(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return &DamageError{s.Path, from, err}
		}
	}
}
