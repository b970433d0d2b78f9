package blackboard

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

// chunkBytes is how much of a segment is verified in one piece; packedBytes, of
// an archived one, whose frames at either end are decoded by two workers.
const (
	chunkBytes  = 4 << 20
	packedBytes = 16 << 20
)

// chunk is a run of spans that one worker verifies.
type chunk struct {
	sum    *segmentSum
	spans  []span
	before int64 // lines of the segment before them
}

// lanes holds every line against the journal, on all cores.
func (v *verifier) lanes() error {
	chunks := v.chunks()
	v.out.Segments = len(v.segments)
	work := make(chan chunk)
	var wg sync.WaitGroup
	var mu sync.Mutex
	var lines atomic.Uint64
	for range v.opt.Workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			w := &laneWorker{v: v, content: v.moved.again(), mu: &mu}
			defer w.content.close()
			for c := range work {
				w.chunk(c)
				n := lines.Add(w.takeLines())
				if v.opt.Notify != nil {
					v.opt.Notify(n)
				}
			}
		}()
	}
	for _, c := range chunks {
		if v.ctx.Err() != nil {
			break
		}
		work <- c
	}
	close(work)
	wg.Wait()
	v.out.Lines = lines.Load()
	for _, s := range v.segments {
		v.out.Bytes += s.end
	}
	return v.beyond()
}

// chunks cuts all segments into pieces, those of one segment one after another.
func (v *verifier) chunks() []chunk {
	keys := make([]segmentKey, 0, len(v.segments))
	for k := range v.segments {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].lane != keys[j].lane {
			return keys[i].lane < keys[j].lane
		}
		return keys[i].segment < keys[j].segment
	})
	var out []chunk
	for _, k := range keys {
		s := v.segments[k]
		size := int64(chunkBytes)
		if !kept(k.lane) && exists(v.opt.Layout.Archive(k.lane, k.segment)) {
			size = packedBytes
		}
		var lines int64
		for rest := s.spans; len(rest) > 0; {
			n, sum := 1, rest[0].lines
			for n < len(rest) && rest[n].to-rest[0].from <= size && rest[n].from == rest[n-1].to {
				sum += rest[n].lines
				n++
			}
			out = append(out, chunk{s, rest[:n], lines})
			rest, lines = rest[n:], lines+sum
		}
	}
	return out
}

// laneWorker verifies chunks, one after another.
type laneWorker struct {
	v       *verifier
	content *content
	mu      *sync.Mutex // guards v's findings and notes
	buf     []byte
	lines   uint64
}

func (w *laneWorker) takeLines() uint64 {
	n := w.lines
	w.lines = 0
	return n
}

// kept tells of lanes whose lines are not only hashed.
func kept(lane string) bool { return lane == history.SignerLane || lane == archiveLane }

// chunk reads the whole piece at once, or, where that fails, span by span; what is
// archived, frame by frame.
func (w *laneWorker) chunk(c chunk) {
	if !kept(c.sum.key.lane) && w.content.archived(c.sum.key) {
		w.frames(c)
		return
	}
	first, last := c.spans[0], c.spans[len(c.spans)-1]
	raw, err := w.read(c.sum.key, first.from, last.to)
	before := c.before
	for i := range c.spans {
		s := &c.spans[i]
		if err == nil {
			w.span(c.sum.key, s, raw[s.from-first.from:s.to-first.from], before)
		} else {
			w.alone(c.sum.key, s, before)
		}
		w.lines += uint64(s.lines)
		before += s.lines
	}
}

// frames hashes the lines of an archived piece where their frames were decoded.
func (w *laneWorker) frames(c chunk) {
	before := c.before
	for i := range c.spans {
		s := &c.spans[i]
		if !w.fits(c.sum.key, s) {
			w.alone(c.sum.key, s, before)
		}
		w.lines += uint64(s.lines)
		before += s.lines
	}
}

// fits says whether an entry's lines, each of which is in one frame, have its
// root. Whatever else there is to say of them is for alone.
func (w *laneWorker) fits(k segmentKey, s *span) bool {
	r, err := w.content.open(k.lane, k.segment, s.from, s.to)
	p, ok := r.(*packedReader)
	if err != nil || !ok {
		return false
	}
	var tree merkle.Tree
	for p.off < p.end {
		piece, err := p.next(s.to - s.from)
		if err != nil || piece[len(piece)-1] != '\n' {
			return false
		}
		tree.AddLines(piece)
	}
	return tree.Root() == s.root && int64(tree.Size()) == s.lines
}

// read reads a stretch of a segment; a long line is left to alone.
func (w *laneWorker) read(k segmentKey, from, to int64) ([]byte, error) {
	if to-from > 2*chunkBytes {
		return nil, errShort
	}
	r, err := w.content.open(k.lane, k.segment, from, to)
	if err != nil {
		_ = w.content.close() // it was archived under the reader, perhaps
		if r, err = w.content.open(k.lane, k.segment, from, to); err != nil {
			return nil, err
		}
	}
	if int64(cap(w.buf)) < to-from {
		w.buf = make([]byte, to-from)
	}
	_, err = io.ReadFull(r, w.buf[:to-from])
	return w.buf[:to-from], err
}

// span compares the lines of one entry with its root.
func (w *laneWorker) span(k segmentKey, s *span, raw []byte, before int64) {
	var tree merkle.Tree
	tree.AddLines(raw)
	if tree.Root() != s.root || int64(tree.Size()) != s.lines || raw[len(raw)-1] != '\n' {
		w.differs(k, s, raw, before)
		return
	}
	if k.lane == history.SignerLane {
		w.notes(s, raw, before)
	}
	if k.lane == archiveLane && w.v.opt.SHA256 {
		w.sealsIn(s, raw)
	}
}

// notes keeps the checkpoints among the signer's lines.
func (w *laneWorker) notes(s *span, raw []byte, before int64) {
	for line := range bytes.Lines(raw) {
		before++
		if note, _, ok := history.NoteOf(bytes.TrimSuffix(line, []byte("\n"))); ok {
			w.mu.Lock()
			w.v.notes = append(w.v.notes, signedNote{bytes.Clone(note), s.seq, before})
			w.mu.Unlock()
		}
	}
}

// alone verifies one entry whose bytes could not be read with their neighbours.
func (w *laneWorker) alone(k segmentKey, s *span, before int64) {
	r, err := w.content.open(k.lane, k.segment, s.from, s.to)
	if err == nil {
		if s.lines == 1 && s.to-s.from > chunkBytes {
			var root merkle.Hash
			if root, err = rootAt(readerAt{r}, 0, s.to-s.from, 1, &w.buf); err == nil && root != s.root {
				w.differs(k, s, nil, before)
			}
		} else {
			raw := make([]byte, s.to-s.from)
			if _, err = io.ReadFull(r, raw); err == nil {
				w.span(k, s, raw, before)
			}
		}
	}
	if err != nil {
		_ = w.content.close()
		w.missing(k, s, before, err)
	}
}

// differs tells of lines that are not those that were taken in.
func (w *laneWorker) differs(k segmentKey, s *span, raw []byte, before int64) {
	if w.noted(k, s) {
		return
	}
	line := w.suspect(k, s, raw)
	f := Finding{Path: w.v.place(k), Lane: k.lane, Segment: k.segment, Line: before + 1, LineTo: before + s.lines, Offset: ptr(s.from), Entry: ptr(s.seq),
		Detail: "the lines do not have the root that was journaled"}
	if line > 0 || s.lines == 1 {
		f.Line, f.LineTo = before+max(line, 1), 0
	}
	if s.derived && w.pending(s) {
		return
	}
	w.tell(VerdictTampered, f)
}

// missing tells of bytes that are not there.
func (w *laneWorker) missing(k segmentKey, s *span, before int64, err error) {
	if w.noted(k, s) || w.pending(s) {
		return
	}
	if seq, ok := w.v.pruned[k]; ok && errors.Is(err, fs.ErrNotExist) {
		w.tell(VerdictPruned, Finding{Path: layout.ArchiveRel(k.lane, k.segment), Lane: k.lane, Segment: k.segment, Entry: ptr(seq), Detail: "deleted, as retention says: proved by root, no longer read"})
		return
	}
	verdict, path := VerdictTampered, w.v.place(k)
	short := errors.Is(err, errShort) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if strings.HasSuffix(path, layout.ArchiveExt) { // what a decoder says of a changed frame may be the same
		short = w.v.cut(k)
	}
	if short || errors.Is(err, fs.ErrNotExist) {
		verdict = VerdictTruncated
	}
	w.tell(verdict, Finding{Path: path, Lane: k.lane, Segment: k.segment, Line: before + 1, LineTo: before + s.lines, Offset: ptr(s.from), Entry: ptr(s.seq), Detail: err.Error()})
}

// cut says whether a segment's archive ends before its end.
func (v *verifier) cut(k segmentKey) bool {
	f, err := os.Open(v.opt.Layout.Archive(k.lane, k.segment))
	if err != nil {
		return false
	}
	defer f.Close()
	fi, err := f.Stat()
	return err == nil && archive.Truncated(f, fi.Size())
}

// noted tells of a loss that the journal knows.
func (w *laneWorker) noted(k segmentKey, s *span) bool {
	for _, e := range w.v.gone[k] {
		if e.From < s.to && e.To > s.from || e.From == 0 && e.To == 0 {
			w.tell(VerdictDestroyed, Finding{Lane: k.lane, Segment: k.segment, Offset: ptr(s.from), Entry: ptr(s.seq),
				Detail: fmt.Sprintf("bytes %d to %d are gone; entry %d recorded it when it happened", e.From, e.To, e.Seq)})
			return true
		}
	}
	return false
}

// pending says whether an entry's bytes may still be on their way: the daemon
// journals derived bytes before it writes them, and a killed one writes them
// with its next start.
func (w *laneWorker) pending(s *span) bool {
	return s.derived && s.seq >= w.v.durable && s.seq >= w.v.sized()
}

func (w *laneWorker) tell(verdict Verdict, f Finding) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := len(w.v.out.Findings)
	if n > 0 { // what hangs together is told once
		last := &w.v.out.Findings[n-1]
		if last.Verdict == verdict && last.Lane == f.Lane && last.Segment == f.Segment && (verdict == VerdictPruned || verdict == VerdictDestroyed) {
			return
		}
	}
	w.v.find(verdict, f)
}

// place is the file that holds a segment, below the board.
func (v *verifier) place(k segmentKey) string {
	for _, c := range v.moved.candidates(k) {
		if exists(c.name) {
			return v.rel(c.name)
		}
	}
	return layout.LaneRel(k.lane)
}

// again is another content for another goroutine, of the same places.
func (c *content) again() *content {
	out := newContent(c.layout)
	out.paths, out.bases, out.elsewhere = c.paths, c.bases, c.elsewhere
	return out
}
