package query

import (
	"stigmergy/contracts"
)

// stretch is text of one segment that is searched: whole lines.
type stretch struct {
	seg  *segment
	base int64 // where text begins in the segment
	text []byte
	// locate fills in place and time of the line at off (asked in rising
	// order) and tells whether it counts. Where it sets h.off, the event
	// begins so many bytes into the line.
	locate func(off int, h *hit) bool
	budget int // bytes of matches to stop behind; 0: none
}

// search adds the lines that match to res. It returns where it stopped, which
// is the text's end unless the budget was used up.
func (st *stretch) search(r *run, w *worker, known sure, all bool, res *result) (end int) {
	var at contracts.Event
	used, end := 0, len(st.text)
	r.matcher.candidates(w.scratch, st.text, all, func(off, eol int) bool {
		if st.budget > 0 && used > st.budget {
			end = off
			return false
		}
		var h hit
		if !st.locate(off, &h) || h.less(r.from) || h.seq >= r.stopAt && h.flags&flagPending == 0 {
			return true
		}
		skip := h.off
		h.from, h.offset = st.seg, st.base+int64(off+skip)
		at.Pos = contracts.Position{Lane: st.seg.key.lane, Segment: st.seg.key.segment, Offset: h.offset}
		at.Seq, at.LineNo, at.JournalTime = h.seq, int(h.line), h.time
		line := st.text[off+skip : eol]
		if !r.matcher.test(w.scratch, line, &at, known) {
			return true
		}
		res.matched++
		if w.consume != nil {
			w.consume(trim(line), &at)
			return true
		}
		h.off = len(res.text)
		res.text = append(res.text, line...)
		h.end = len(res.text)
		res.hits = append(res.hits, h)
		used += len(line) + 64
		return true
	})
	return end
}
