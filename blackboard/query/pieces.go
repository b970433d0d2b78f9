package query

import (
	"bytes"
	"io"
)

// maxRead bounds the line that is read at all.
const maxRead = 64 << 20

// pieces searches entries that follow each other in one segment, in pieces
// that stay in the processor's cache.
type pieces struct {
	run  *run
	w    *worker
	seg  *segment
	es   []liveEntry
	only *window
	res  *result

	base int64  // where text begins in the segment
	text []byte // whole lines
	k    int    // the entry at hand
	line int64  // how many of its lines stand before at
	at   int64

	asked   bool // refused is known
	refused []refusal
}

// readStretch searches entries that follow each other in one segment.
func (r *run) readStretch(w *worker, es []liveEntry, only *window, res *result) {
	from, to := es[0].from, es[len(es)-1].to
	p := pieces{run: r, w: w, seg: es[0].seg, es: es, only: only, res: res, at: from}
	if to-from > longEntry && p.seg.refusedAt(from).is {
		return // a line too long to be an event
	}
	if to-from > r.engine.sizes.piece && !p.ends(to) {
		p.seg.missing(from, to, io.EOF) // another file's bytes
		return
	}
	if !p.read(from, to) {
		r.damage(Damage{Path: p.seg.key.lane, Offset: p.base, Err: errTooLong})
	}
}

// ends tells whether a line ends at an offset, or nothing stands there.
func (p *pieces) ends(at int64) bool {
	var last [1]byte
	n, _ := p.seg.ReadAt(last[:], at-1) // what cannot be read is told when all is
	return n == 0 || last[0] == '\n'
}

// read goes from one offset to another; false: a line is too long to be read.
func (p *pieces) read(off, to int64) bool {
	buf := p.w.space(min(p.run.engine.sizes.piece, to-off))
	for carry := 0; off < to; {
		room := buf[carry:min(int64(len(buf)), int64(carry)+to-off)]
		n, err := p.seg.ReadAt(room, off)
		p.run.stats.LiveBytes.Add(int64(n))
		p.base = off - int64(carry)
		off += int64(n)
		got := buf[:carry+n]
		whole := lastLine(got)
		if off == to && whole < len(got) {
			p.seg.missing(p.base, to, io.EOF)
			return true
		}
		p.search(got[:whole])
		if n < len(room) {
			p.seg.missing(p.base+int64(whole), to, err)
			return true
		}
		carry = copy(buf, got[whole:])
		if carry == len(buf) {
			if len(buf) >= maxRead {
				return false
			}
			more := make([]byte, 4*len(buf))
			copy(more, buf)
			buf, p.w.text = more, more
		}
	}
	return true
}

// lastLine is where the last whole line of some text ends.
func lastLine(text []byte) int { return bytes.LastIndexByte(text, '\n') + 1 }

func (p *pieces) search(text []byte) {
	p.text = text
	found := len(p.res.hits)
	st := stretch{seg: p.seg, base: p.base, text: text, locate: p.locate}
	st.search(p.run, p.w, sure{}, false, p.res)
	if len(p.res.hits) > found && !p.run.unplaced { // where some match, more may: count on
		p.count(p.base + int64(len(text)))
	}
}

// locate tells which entry took a line in, and which of its lines it is.
func (p *pieces) locate(off int, h *hit) bool {
	abs := p.base + int64(off)
	for abs >= p.es[p.k].to {
		p.k++
		p.line, p.at = 0, p.es[p.k].from
	}
	if !p.run.unplaced {
		p.count(abs)
	}
	e := &p.es[p.k]
	h.place, h.time = place{e.seq, p.line}, e.time
	line := p.text[off:]
	return p.only.has(abs) && p.verdict(e.seq, abs, line[:bytes.IndexByte(line, '\n')], h)
}

// count counts the entry's lines on to an offset in the text or at its end.
// What stands in pieces before is read again: few lines match.
func (p *pieces) count(to int64) {
	if to = min(to, p.es[p.k].to); p.at < p.base {
		var buf [32 << 10]byte
		for p.at < p.base {
			n, _ := p.seg.ReadAt(buf[:min(int64(len(buf)), p.base-p.at)], p.at)
			if n == 0 {
				return // it was there a moment ago: the next read tells
			}
			p.line += int64(bytes.Count(buf[:n], newline))
			p.at += int64(n)
		}
	}
	if to > p.at {
		p.line += int64(bytes.Count(p.text[p.at-p.base:to-p.base], newline))
		p.at = to
	}
}
