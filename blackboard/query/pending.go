package query

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"sort"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// pendingSeq is where places of pending lines begin: behind every entry, lane
// by lane in name order; their line is the offset.
const pendingSeq = 1 << 63

// pendingSource is what stands behind the journaled end of one segment.
type pendingSource struct {
	run  *run
	seg  *segment
	rank uint64
	from int64 // in the segment
	size int64 // of the segment
	i    int64 // number of the chunk
	end  int64 // behind the last line read
}

// pending are the segments whose files hold more than the journal names, by
// lane and segment. Owned lanes have none: what stands there is not the
// daemon's.
func (r *run) pending() []source {
	var keys []segKey
	sizes := map[segKey]int64{}
	add := func(k segKey, size int64) {
		if !layout.Owned(k.lane) && r.wantLane(k.lane) && !r.indexed[k] && size > r.view.endOf(k) {
			keys = append(keys, k)
			sizes[k] = size
		}
	}
	for k, f := range r.stored.segments {
		add(k, f.size)
	}
	renamed := r.renamed()
	for lane, f := range r.stored.active {
		k, base := r.activeKey(lane)
		if old, ok := renamed[f.path]; ok {
			k, base = old, 0
		}
		add(k, f.size-base)
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := keys[i], keys[j]
		return a.lane < b.lane || a.lane == b.lane && a.segment < b.segment
	})
	all := make([]source, len(keys))
	for i, k := range keys {
		s := &pendingSource{run: r, seg: r.segment(k), rank: uint64(i), from: r.view.endOf(k), size: sizes[k]}
		if r.reverse {
			s.i = (s.size - s.from - 1) / r.engine.sizes.chunk
		}
		all[i] = s
	}
	return all
}

// renamed are the files of lanes that somebody renamed, by path: such a file
// keeps its lane's name until the next rotation. It stands under a lane's name
// that no entry knows, and there is no file under its own.
func (r *run) renamed() map[string]segKey {
	strange := false
	for name := range r.stored.active {
		st := r.view.lanes[name]
		strange = strange || st == nil || st.segment == 0
	}
	if !strange {
		return nil
	}
	found := map[string]segKey{}
	for name, st := range r.view.lanes {
		k := segKey{name, st.segment}
		if _, home := r.stored.active[name]; home || r.view.endOf(k) == 0 {
			continue
		}
		if _, stored := r.stored.segments[k]; stored || r.indexed[k] || r.unindexed[k] {
			continue
		}
		if path := r.strayed(k); path != "" {
			found[path] = k
		}
	}
	return found
}

// activeKey is the segment that a lane's file is, and where in it that begins.
// Between a rotation's entry and its rename, that is still the one before.
func (r *run) activeKey(lane string) (segKey, int64) {
	st := r.view.lanes[lane]
	if st == nil || st.segment == 0 {
		return segKey{lane, r.stored.last[lane] + 1}, 0
	}
	k := segKey{lane, st.segment}
	if st.end > 0 || st.base > 0 || st.prev == 0 {
		return k, st.base
	}
	before, l := segKey{lane, st.prev}, r.engine.layout
	if !exists(l.Segment(lane, st.prev)) && !exists(l.Archive(lane, st.prev)) && r.proved(before, l.Lane(lane), r.view.bases[before]) {
		return before, r.view.bases[before]
	}
	return k, 0
}

// endOf is how far a segment was taken in.
func (v *view) endOf(k segKey) int64 {
	if e := v.ends[k]; e != nil {
		return e.end
	}
	return 0
}

// behindPending is the place behind a line that no entry names yet.
func (r *run) behindPending(pos contracts.Position) place {
	k := segKey{pos.Lane, pos.Segment}
	all := r.pending()
	for i, s := range all {
		x := s.(*pendingSource).seg.key
		if x == k {
			return place{pendingSeq + uint64(i), pos.Offset + 1}
		}
		if x.lane > k.lane || x.lane == k.lane && x.segment > k.segment {
			return place{seq: pendingSeq + uint64(i)}
		}
	}
	return place{seq: pendingSeq + uint64(len(all))}
}

func (s *pendingSource) bound() place {
	p := place{pendingSeq + s.rank, s.from + s.i*s.run.engine.sizes.chunk}
	if s.run.reverse {
		p.line += s.run.engine.sizes.chunk
	}
	return p
}

func (s *pendingSource) last() uint64 { return pendingSeq + s.rank }

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
	rules, err := r.rules()
	if err != nil {
		r.damage(Damage{Path: r.engine.layout.Settings(), Err: err})
		return res
	}
	from, text, err := s.text(w, int64(rules.checker.MaxLine))
	if errors.Is(err, fs.ErrNotExist) {
		return res // it was taken in meanwhile
	}
	if err != nil {
		r.damage(Damage{Path: s.seg.key.lane, Offset: s.from, Err: err})
		return res
	}
	s.end = from + int64(len(text))
	r.stats.LiveBytes.Add(int64(len(text)))
	st := stretch{seg: s.seg, base: from, text: text}
	st.locate = func(off int, h *hit) bool {
		line := text[off:]
		line = line[:bytes.IndexByte(line, '\n')]
		h.place, h.time = place{pendingSeq + s.rank, from + int64(off)}, r.now
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
