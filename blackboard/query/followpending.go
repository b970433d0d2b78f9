package query

import (
	"bytes"
	"fmt"
	"io"
)

// pending shows lines that no entry names yet, each once.
func (f *follower) pending() error {
	r := f.run
	st, err := listBoard(f.engine.layout)
	if err != nil {
		return fmt.Errorf("listing the board: %w", err)
	}
	r.stored, r.now = st, f.engine.opt.Now().UnixNano()
	for _, s := range r.pending() {
		p := s.(*pendingSource)
		if p.from = max(p.from, f.shown[p.seg.key]); p.from >= p.size {
			continue
		}
		end := p.from
		for p.i = 0; p.from+p.i*f.engine.sizes.chunk < p.size; p.i++ {
			res := p.read(f.worker, 0)
			if err := f.give(res); err != nil {
				return err
			}
			end = max(end, p.end)
		}
		f.shown[p.seg.key] = end
	}
	return nil
}

// baseline notes how far what is pending was answered by the run.
func (f *follower) baseline(r *run) {
	for _, s := range r.pending() {
		p := s.(*pendingSource)
		f.shown[p.seg.key] = lastNewline(p.seg, p.from, p.size)
	}
}

// lastNewline is the offset behind the last newline before end, at least from.
func lastNewline(s *segment, from, end int64) int64 {
	buf := make([]byte, 64<<10)
	for end > from {
		at := max(from, end-int64(len(buf)))
		n, err := s.ReadAt(buf[:end-at], at)
		if err != nil && err != io.EOF {
			return from
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return at + int64(i) + 1
		}
		end = at
	}
	return from
}
