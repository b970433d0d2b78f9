package query

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"stigmergy/blackboard/layout"
)

// pendingSeq is where places of pending lines begin: behind every entry, lane
// by lane in name order; their line is the offset.
const pendingSeq = 1 << 63

// pendingSource is what stands behind the journaled end of one lane.
type pendingSource struct {
	run  *run
	seg  *segment
	rank uint64
	from int64 // in the segment
	size int64 // of the segment
	i    int64 // number of the chunk
}

// pending are the lanes whose files hold more than the journal names. Owned
// lanes have none: what stands there is not the daemon's.
func (r *run) pending() []source {
	var all []source
	moved := map[string]string{} // where a file stands that is another lane's
	for name, st := range r.view.lanes {
		if st.path != "" {
			moved[st.path] = name
		}
	}
	for i, name := range r.view.names(r.stored) {
		if layout.Owned(name) || !r.wantLane(name) {
			continue
		}
		if s := r.pendingOf(name, moved); s != nil {
			s.rank = uint64(i)
			if r.reverse {
				s.i = (s.size - s.from - 1) / r.engine.sizes.chunk
			}
			all = append(all, s)
		}
	}
	return all
}

func (r *run) pendingOf(name string, moved map[string]string) *pendingSource {
	st := r.view.lanes[name]
	file, ok := r.stored.active[name]
	if st != nil && st.path != "" {
		fi, err := os.Lstat(filepath.Join(r.engine.layout.Dir, st.path))
		if ok = err == nil && fi.Mode().IsRegular(); ok {
			file.size = fi.Size()
		}
	} else if moved[layout.LaneRel(name)] != "" {
		return nil
	}
	if !ok {
		return nil
	}
	n, base, end := uint64(1), int64(0), int64(0)
	switch {
	case st != nil && st.segment > 0:
		n, base, end = st.segment, st.base, st.end
	case r.stored.last[name] > 0:
		n = r.stored.last[name] + 1
	}
	if file.size <= base+end {
		return nil
	}
	return &pendingSource{run: r, seg: r.segment(segKey{name, n}), from: end, size: file.size - base}
}

func (s *pendingSource) bound() place {
	p := place{pendingSeq + s.rank, s.from + s.i*s.run.engine.sizes.chunk}
	if s.run.reverse {
		p.line += s.run.engine.sizes.chunk
	}
	return p
}

func (s *pendingSource) take() (work, source) {
	next := *s
	var rest source
	switch {
	case s.run.reverse && s.i > 0:
		next.i--
		rest = &next
	case !s.run.reverse && s.from+(s.i+1)*s.run.engine.sizes.chunk < s.size:
		next.i++
		rest = &next
	}
	return s.read, rest
}

// read searches the lines that begin in the chunk.
func (s *pendingSource) read(w *worker, _ int) *result {
	r := s.run
	res := r.result()
	rules, err := r.engine.rules()
	if err != nil {
		r.damage(Damage{Path: r.engine.layout.Settings(), Err: err})
		return res
	}
	from, text, err := s.text(w, int64(rules.checker.MaxLine))
	if err != nil {
		r.damage(Damage{Path: s.seg.key.lane, Offset: s.from, Err: err})
		return res
	}
	r.stats.LiveBytes.Add(int64(len(text)))
	st := stretch{seg: s.seg, base: from, text: text}
	st.locate = func(off int, h *hit) bool {
		line := text[off:]
		line = line[:bytes.IndexByte(line, '\n')]
		h.place = place{pendingSeq + s.rank, from + int64(off)}
		h.flags |= flagPending
		return r.checkLine(w, s.seg.key.lane, line, h)
	}
	st.search(r, w, sure{}, false, res)
	return res
}

// text reads the ended lines that begin in the chunk and are not too long.
func (s *pendingSource) text(w *worker, maxLine int64) (int64, []byte, error) {
	if maxLine <= 0 || maxLine > maxRead {
		maxLine = maxRead
	}
	begin := s.from + s.i*s.run.engine.sizes.chunk
	end := min(begin+s.run.engine.sizes.chunk, s.size)
	from := begin
	if s.i > 0 {
		from-- // tells whether a line begins there
	}
	buf := w.space(min(end+maxLine+2, s.size) - from)
	n, err := s.seg.ReadAt(buf, from)
	if n < len(buf) && err != nil && err != io.EOF {
		return 0, nil, err
	}
	buf = buf[:n]
	if s.i > 0 {
		first := bytes.IndexByte(buf, '\n') + 1
		if first == 0 || from+int64(first) >= end {
			return end, nil, nil
		}
		buf, from = buf[first:], from+int64(first)
	}
	last := min(int64(len(buf)), end-from)
	stop := bytes.LastIndexByte(buf[:last], '\n') + 1
	if rest := buf[stop:]; int64(stop) < last {
		stop += bytes.IndexByte(rest, '\n') + 1 // the line that goes on behind the chunk
	}
	return from, buf[:stop], nil
}
