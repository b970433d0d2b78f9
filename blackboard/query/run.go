package query

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"strconv"
	"sync"
	"sync/atomic"

	"stigmergy/blackboard/archive"
	"stigmergy/contracts"
)

// run is one request on its way.
type run struct {
	engine    *Engine
	ctx       context.Context
	req       *Request
	matcher   *matcher
	want      archive.Want
	view      *view
	stored    *stored
	archives  []archive.Entry
	indexed   map[segKey]bool // segments that an archive's index answers for
	unindexed map[segKey]bool // segments whose archive has no index to use
	lives     map[segKey]bool // segments that are read by the journal; nil: not decided
	board     uint32          // tag of the board in cursors
	from      place
	stopAt    uint64 // entries from here on wait for their bytes
	end       Cursor // behind everything that is to be read
	reverse   bool
	now       int64 // the time of lines that no entry names yet
	stats     counters
	matched   int64
	texts     sync.Pool
	unplaced  bool           // where matches stand does not matter
	newWork   func() *worker // nil: workers that collect hits
	rules     func() (*rules, error)

	mu       sync.Mutex // guards what follows
	segments map[segKey]*segment
	refused  map[string]*laneRefusals
	strays   map[segKey]string // where segments were found that moved; "": nowhere
	lanes    map[string]bool   // wantLane's answers
	holes    []Hole
	damaged  []Damage
	done     []*worker
}

// counters are Stats as the workers count them.
type counters struct {
	Archives, Frames, Decoded, RawBytes, ZstdBytes, LiveBytes atomic.Int64
}

// worker is what one goroutine needs.
type worker struct {
	scratch *scratch
	check   contracts.Event
	raw     []byte // a decoded frame
	buf     []byte // the journal's text
	text    []byte // a live segment's text
	runs    []archive.FrameRun
	odd     []archive.OddRun
	// consume takes matches in where they are not to be ordered; count takes
	// topics' counts where an index answers.
	consume func(line []byte, at *contracts.Event)
	count   func([]archive.TopicCount)
	table   *Table
	counted int64             // by count
	topics  map[string]*int64 // what consume only counts
	err     error
}

func (w *worker) space(n int64) []byte {
	if int64(cap(w.text)) < n {
		w.text = make([]byte, max(n, 256<<10))
	}
	return w.text[:n]
}

func (r *run) worker() *worker {
	if r.newWork != nil {
		return r.newWork()
	}
	return &worker{scratch: newScratch(r.matcher)}
}

func (r *run) retire(w *worker) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, w)
}

// result gives an empty result with the text of one that was used up.
func (r *run) result() *result {
	res := &result{}
	if t, ok := r.texts.Get().(*[]byte); ok {
		res.text = (*t)[:0]
	}
	return res
}

// resultOf is for a piece that may give so many bytes: where that is little, no
// large text is spent on it.
func (r *run) resultOf(budget int) *result {
	if budget >= smallBudget {
		return r.result()
	}
	return &result{}
}

const smallBudget = 256 << 10

func (r *run) recycle(res *result) {
	if cap(res.text) >= smallBudget {
		r.texts.Put(&res.text)
	}
}

func (r *run) hole(h Hole) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.holes = append(r.holes, h)
}

func (r *run) damage(d Damage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.damaged) < maxDamaged {
		r.damaged = append(r.damaged, d)
	}
}

// maxDamaged is how many things that cannot be read are told.
const maxDamaged = 1000

// prepare reads the journal, lists the board and finds out what has to be read.
func (e *Engine) prepare(ctx context.Context, req Request) (*run, error) {
	r := &run{engine: e, ctx: ctx, req: &req, matcher: newMatcher(&req), reverse: req.Reverse, rules: e.rules,
		segments: map[segKey]*segment{}, refused: map[string]*laneRefusals{}, lanes: map[string]bool{}, indexed: map[segKey]bool{}, unindexed: map[segKey]bool{}, strays: map[segKey]string{}}
	r.board, r.now = e.boardTag(), e.opt.Now().UnixNano()
	// The journal is read last: it then names every line of the archives that
	// were listed, and what moves meanwhile is found by what it names.
	if err := r.list(); err != nil {
		return nil, fmt.Errorf("listing the board: %w", err)
	}
	log, err := openJournal(e.layout, e.decoder, e.sizes.block)
	if err != nil {
		return nil, err
	}
	r.view = readView(log, e.opt.Workers)
	r.damaged = append(r.damaged, r.view.bad...)
	r.stopAt = r.findStop()
	r.end = r.cursor(place{seq: r.stopAt})
	r.choose()
	if r.from, err = r.resolve(req.From); err != nil {
		r.close()
		return nil, err
	}
	r.want = r.wanted()
	return r, nil
}

func (r *run) close() {
	r.view.log.close()
	r.drop()
}

// drop closes the segments' files.
func (r *run) drop() {
	r.mu.Lock()
	all := r.segments
	r.segments = map[segKey]*segment{}
	r.mu.Unlock()
	for _, s := range all {
		s.mu.Lock()
		s.forget()
		s.mu.Unlock()
	}
}

// manySegments is how many segments a follower remembers.
const manySegments = 256

// prune forgets segments that were not found, and all where there are many.
func (r *run) prune() {
	if len(r.segments) > manySegments {
		r.drop()
	}
	for k, s := range r.segments {
		if s.gone != nil {
			delete(r.segments, k)
		}
	}
}

// list finds lanes, segments and archives, in the order in which bytes move.
func (r *run) list() (err error) {
	if r.stored, err = listBoard(r.engine.layout); err != nil {
		return err
	}
	c, err := archive.OpenCatalog(r.engine.layout, r.engine.decoder)
	if err != nil {
		return err
	}
	r.archives = c.Entries()
	return nil
}

// choose decides which archives are read by their index.
func (r *run) choose() {
	for i := range r.archives {
		e := &r.archives[i]
		switch {
		case e.Err != nil:
			r.damage(Damage{Path: e.Path, Err: e.Err})
		case usable(&e.Summary):
			r.indexed[segKey{e.Lane, e.Segment}] = true
		default:
			r.unindexed[segKey{e.Lane, e.Segment}] = true
		}
	}
}

// wantLane tells whether the request looks into a lane at all.
func (r *run) wantLane(lane string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	want, known := r.lanes[lane]
	if !known {
		of, q := cutQuarantine(lane)
		want = q == r.req.Quarantined && (r.req.Lane == "" || r.req.Lane == of) && (r.req.SkipLane == nil || !r.req.SkipLane(of))
		r.lanes[lane] = want
	}
	return want
}

// wanted is what archives are asked for.
func (r *run) wanted() archive.Want {
	w := archive.Want{}
	if r.from.seq > 0 && r.from.seq < pendingSeq {
		w.Seq = archive.Range{Min: int64(r.from.seq), Max: math.MaxInt64}
	}
	if r.req.Quarantined {
		w.Lines = true // the index knows events only
		return w
	}
	if !r.matcher.everyTopic() {
		w.Topics = r.matcher
	}
	if r.matcher.timed {
		w.Time = archive.Range{Min: r.matcher.since, Max: r.matcher.until}
	}
	for i := range r.req.Where {
		if field, value, ok := r.req.Where[i].Equality(); ok {
			w.Fields = append(w.Fields, archive.Field{Name: field, Value: value})
		}
	}
	return w
}

// sources are what has to be read, in no order.
func (r *run) sources() []source {
	var all []source
	for i := range r.archives {
		e := &r.archives[i]
		if !r.indexed[segKey{e.Lane, e.Segment}] || !r.wantLane(e.Lane) || e.Summary.Journaled == 0 || e.Summary.LastSeq < r.from.seq || e.Summary.FirstSeq >= r.stopAt {
			continue
		}
		r.stats.Frames.Add(int64(e.Summary.Frames))
		if e.May(r.want) {
			all = append(all, &archiveSource{r, e})
		}
	}
	r.lives = r.live()
	r.sieve()
	if live := r.liveBlocks(r.lives); len(live) > 0 {
		all = append(all, &liveSource{run: r, blocks: live})
	}
	if !r.req.JournaledOnly && !r.req.Quarantined {
		all = append(all, r.pending()...)
	}
	return all
}

// liveBlocks are the blocks of the journal that may name lines which no index
// answers for, of these segments.
func (r *run) liveBlocks(only map[segKey]bool) []*block {
	count := make([]int, len(r.view.log.blocks)+1)
	for k := range only {
		if e := r.view.ends[k]; e != nil {
			count[e.first]++
			count[e.last+1]--
		}
	}
	var some []*block
	open := 0
	for i, b := range r.view.log.blocks {
		if open += count[i]; open > 0 && b.n > 0 && b.last >= r.from.seq && b.first < r.stopAt {
			some = append(some, b)
		}
	}
	return some
}

// live are the segments that are read by the journal.
func (r *run) live() map[segKey]bool {
	some := map[segKey]bool{}
	for k := range r.view.ends {
		if !r.indexed[k] && r.wantLane(k.lane) && r.present(k) {
			some[k] = true
		}
	}
	return some
}

// byJournal goes on with one segment, or a stretch of it, by the journal because
// its archive's index cannot be used after all.
func (r *run) byJournal(k segKey, only *window, res *result) *result {
	this := map[segKey]bool{k: true}
	if blocks := r.liveBlocks(this); len(blocks) > 0 {
		res.rest = append(res.rest, &liveSource{run: r, blocks: blocks, only: this, clip: only})
	}
	return res
}

// boardTag tells boards apart in cursors.
func (e *Engine) boardTag() uint32 {
	id, err := e.layout.ID()
	if err != nil {
		return 0
	}
	return crc32.ChecksumIEEE([]byte(id))
}

func (r *run) cursor(p place) Cursor {
	return Cursor{kind: cursorPlace, board: r.board, epoch: r.view.epoch, seq: p.seq, line: p.line}
}

// resolve finds the place that a cursor stands for.
func (r *run) resolve(c Cursor) (place, error) {
	switch c.kind {
	case cursorNow:
		return place{seq: r.stopAt}, nil
	case cursorPos:
		f, err := r.find(c.pos)
		if err != nil {
			return place{}, fmt.Errorf("reading from the cursor %s: %w", c, err)
		}
		if f.pending {
			return r.behindPending(c.pos), nil
		}
		return place{f.seq, f.line + 1}, nil
	case cursorPlace:
		return r.resolvePlace(c)
	}
	return place{}, nil
}

func (r *run) resolvePlace(c Cursor) (place, error) {
	if r.board != 0 && c.board != 0 && c.board != r.board {
		return place{}, &LostError{Cursor: c, Why: "it is another board's"}
	}
	lost := func(from uint64) error {
		return &LostError{Cursor: c, Go: r.cursor(place{seq: from}), Why: "what it stands behind was lost when the power went (power epoch " + strconv.FormatUint(r.view.epoch, 10) + ")"}
	}
	for _, cut := range r.view.cuts {
		if cut.PowerEpoch > c.epoch && (c.seq > cut.CutSeq || c.seq == cut.CutSeq && c.line > 0) {
			return place{}, lost(cut.CutSeq)
		}
	}
	if c.epoch > r.view.epoch || c.seq > r.view.next {
		return place{}, lost(r.view.next)
	}
	return place{c.seq, c.line}, nil
}
