package query

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"stigmergy/contracts"
)

// ErrNoEvent says that no line begins at a position.
var ErrNoEvent = errors.New("no line begins there")

// found is where a line stands in the board's order.
type found struct {
	place
	time    int64
	pending bool
}

// find tells where the line at a position stands in the board's order: by the
// archive's index, else by the journal.
func (r *run) find(pos contracts.Position) (found, error) {
	k := segKey{pos.Lane, pos.Segment}
	if r.indexed[k] {
		f, err := r.findArchived(k, pos.Offset)
		if err == nil || errors.Is(err, ErrNoEvent) {
			return f, err
		}
	}
	if e := r.view.ends[k]; e != nil {
		for _, b := range r.view.log.blocks[e.first : e.last+1] {
			f, ok, err := r.findInBlock(b, k, pos.Offset)
			if ok || err != nil {
				return f, err
			}
		}
	}
	if r.isPending(k, pos.Offset) {
		return found{pending: true}, nil
	}
	return found{}, fmt.Errorf("no journal entry names it: %w", ErrNoEvent)
}

// isPending tells whether an offset stands behind what was taken in of a file.
func (r *run) isPending(k segKey, off int64) bool {
	if off < r.view.endOf(k) {
		return false
	}
	if f, ok := r.stored.segments[k]; ok {
		return off < f.size
	}
	active, base := r.activeKey(k.lane)
	f, ok := r.stored.active[k.lane]
	return ok && active == k && off < f.size-base
}

func (r *run) findArchived(k segKey, off int64) (found, error) {
	path := r.engine.layout.Archive(k.lane, k.segment)
	file, err := r.engine.files.get(path)
	if err != nil {
		return found{}, err
	}
	defer file.close()
	rd, err := r.engine.decoder.Open(file, file.size)
	if err != nil {
		return found{}, err
	}
	if !rd.Indexed() {
		return found{}, fmt.Errorf("looking into %s: its index cannot be used: %w", path, rd.Damage())
	}
	i := rd.FrameAt(off)
	if i < 0 {
		return found{}, fmt.Errorf("the segment has %d bytes: %w", rd.Summary().RawBytes, ErrNoEvent)
	}
	c, err := rd.DecodeLines(i, nil)
	if err != nil {
		return found{}, err
	}
	text, at := c.Bytes[:bytes.LastIndexByte(c.Bytes, '\n')+1], int(off-c.Offset)
	if at < 0 || at >= len(text) {
		return found{}, fmt.Errorf("looking into %s: byte %d stands in no line that begins in its frame: %w", path, off, ErrNoEvent)
	}
	w := &worker{}
	l := frameLines{run: r, w: w, seg: r.segment(k), base: c.Offset, quarantined: true}
	if err := l.load(rd, i, text); err != nil {
		return found{}, err
	}
	var h hit
	l.locate(at, &h)
	return found{place: h.place, time: h.time}, nil
}

// findInBlock looks for the entry that took a byte in, and counts the lines
// before it.
func (r *run) findInBlock(b *block, k segKey, off int64) (f found, ok bool, err error) {
	text, err := b.read(nil)
	if err != nil {
		return f, false, err
	}
	var hit entry
	scanEntries(text, func(e *entry) {
		if e.carries() && e.segment == k.segment && string(e.lane) == k.lane && e.from <= off && off < e.to {
			hit, ok = *e, true
		}
	}, func(int, error) {})
	if !ok {
		return f, false, nil
	}
	f.seq, f.time = hit.seq, entryTime(hit.time)
	buf := make([]byte, 64<<10)
	for at := hit.from; at < off; {
		n, err := r.segment(k).ReadAt(buf[:min(int64(len(buf)), off-at)], at)
		f.line += int64(bytes.Count(buf[:n], newline))
		at += int64(n)
		if n == 0 {
			return f, true, fmt.Errorf("reading lane %s, segment %d at byte %d: %w", k.lane, k.segment, at, errors.Join(err, io.ErrUnexpectedEOF))
		}
	}
	return f, true, nil
}

// line reads the line at a position, at most most bytes of it.
func (r *run) line(pos contracts.Position, most int64) (line []byte, whole bool, err error) {
	seg := r.segment(segKey{pos.Lane, pos.Segment})
	for size := int64(4 << 10); ; size *= 8 {
		buf := make([]byte, min(size, most+1))
		n, err := seg.ReadAt(buf, pos.Offset)
		if i := bytes.IndexByte(buf[:n], '\n'); i >= 0 {
			return buf[:i], true, nil
		}
		if err != nil && err != io.EOF || errors.Is(err, fs.ErrNotExist) {
			return nil, false, err
		}
		if n < len(buf) || int64(n) > most {
			return buf[:min(int64(n), most)], false, nil
		}
	}
}
