package query

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"stigmergy/blackboard/layout"
)

// Watcher tells that something in one of some folders changed; a spurious
// token does no harm.
type Watcher interface {
	Add(dir string) error
	C() <-chan struct{}
	Close() error
}

// Follow answers a request and then goes on with what comes, until fn fails or
// the context ends; either error is returned. With a daemon up it shows what
// that has taken in, without one also what is pending, once. Limit and Reverse
// mean nothing here.
func (e *Engine) Follow(ctx context.Context, req Request, fn func(*Hit) error) (Result, error) {
	req.Limit, req.Reverse, req.Order = 0, false, BoardOrder
	f := &follower{engine: e, ctx: ctx, req: req, fn: fn, shown: map[segKey]int64{}}
	f.watch()
	defer f.unwatch()
	defer f.close()
	if err := f.begin(); err != nil {
		return f.result(), err
	}
	for {
		if err := f.advance(); err != nil {
			return f.result(), err
		}
		if err := f.wait(); err != nil {
			return f.result(), err
		}
	}
}

// follower keeps one run up to date.
type follower struct {
	engine *Engine
	ctx    context.Context
	req    Request
	fn     func(*Hit) error

	run     *run
	worker  *worker
	seg     *jseg // the journal's file being read
	off     int64 // how far
	todo    []*block
	shown   map[segKey]int64 // how far pending lines were shown
	alone   bool             // no daemon holds the board: what is pending is shown
	watcher Watcher
	watched map[string]bool
	pause   time.Duration // while an entry's bytes are awaited
	matched int64
	known   Result
}

// watch sets the watch before anything is read, so that nothing is missed.
func (f *follower) watch() {
	f.watched = map[string]bool{}
	w, err := f.engine.opt.Watch()
	if err != nil {
		return // it is looked for what is new every so often then
	}
	f.watcher = w
	f.add(f.engine.layout.Journal())
}

// add watches one more folder; without a watch for it nothing is sure, and all
// is polled.
func (f *follower) add(dir string) {
	if f.watcher == nil || f.watched[dir] {
		return
	}
	if err := f.watcher.Add(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.unwatch()
		return
	}
	f.watched[dir] = true
}

func (f *follower) unwatch() {
	if f.watcher != nil {
		_ = f.watcher.Close() // nothing hangs on it
		f.watcher = nil
	}
}

func (f *follower) close() {
	if f.run != nil {
		f.run.close()
	}
}

// begin answers what is there already.
func (f *follower) begin() error {
	f.look()
	req := f.req
	req.JournaledOnly = req.JournaledOnly || !f.alone
	r, err := f.engine.prepare(f.ctx, req)
	if err != nil {
		return err
	}
	f.run = r
	res, err := r.answer(f.emit)
	f.known.Holes, f.known.Damaged = res.Holes, res.Damaged
	if err != nil {
		return err
	}
	if f.alone {
		f.baseline(r)
	} else if r.from.seq >= pendingSeq { // behind a line that the daemon has not taken in yet
		pos := f.req.From.pos
		f.shown[segKey{pos.Lane, pos.Segment}] = pos.Offset + 1
	}
	return f.adopt(r)
}

// look finds out whether a daemon holds the board, and watches the lanes where
// none does.
func (f *follower) look() {
	f.alone = !f.req.JournaledOnly && !f.req.Quarantined && !f.engine.opt.Daemon()
	if !f.alone || f.watcher == nil {
		return
	}
	root := f.engine.layout.Dir
	_ = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error { // what went meanwhile is no matter
		if err != nil || !e.IsDir() {
			return nil
		}
		if rel, _ := filepath.Rel(root, path); rel != "." && layout.SkipDir(rel) {
			return fs.SkipDir
		}
		f.add(path)
		return nil
	})
}

// adopt goes on from where a run ended.
func (f *follower) adopt(r *run) error {
	f.run, f.worker = r, r.worker()
	r.from = place{seq: r.stopAt}
	r.end = r.cursor(r.from)
	f.seg, f.off, f.todo = nil, 0, nil
	if n := len(r.view.log.segs); n > 0 {
		f.seg = r.view.log.segs[n-1]
		f.off = f.seg.end(r.view.log)
	}
	for _, b := range r.view.log.blocks {
		if b.n > 0 && b.last >= r.from.seq {
			f.todo = append(f.todo, b)
		}
	}
	r.view.log.blocks = nil // they are answered
	r.lives = nil
	r.drop()
	return nil
}

// end is where the journal's text that was read ends.
func (s *jseg) end(g *jlog) int64 {
	if s.Compressed {
		return s.size
	}
	end := int64(0)
	for _, b := range g.blocks {
		if b.seg == s && b.n > 0 {
			end = max(end, b.begins+b.size)
		}
	}
	return end
}

// advance gives everything new to the caller.
func (f *follower) advance() error {
	for {
		more, err := f.read()
		if errors.Is(err, errCut) {
			if err := f.restart(); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := f.answer(); err != nil {
			return err
		}
		if !more {
			break
		}
	}
	f.look()
	if f.alone {
		return f.pending()
	}
	return nil
}

// answer gives the matches in what was read, up to an entry whose bytes are
// not there yet.
func (f *follower) answer() error {
	r := f.run
	// A lane that was just renamed away looks as if its bytes were awaited:
	// what was given stays given.
	r.stopAt = max(r.findStop(), r.from.seq)
	for len(f.todo) > 0 {
		b := f.todo[0]
		res := r.result()
		if err := f.block(b, res); err != nil {
			return err
		}
		if b.last >= r.stopAt {
			r.from = place{seq: r.stopAt}
			break
		}
		r.from = place{seq: b.last + 1}
		f.todo = f.todo[1:]
	}
	r.end = r.cursor(r.from)
	r.prune()
	return nil
}

func (f *follower) block(b *block, res *result) error {
	src := &liveSource{run: f.run, blocks: []*block{b}}
	entries, err := src.entries(f.worker, b)
	if err != nil {
		return fmt.Errorf("reading the journal %s: %w", b.seg.Path, err)
	}
	for len(entries) > 0 {
		n, size := 0, int64(0)
		for n < len(entries) && (n == 0 || size+entries[n].to-entries[n].from <= f.engine.sizes.batch) {
			size += entries[n].to - entries[n].from
			n++
		}
		res.hits, res.text = res.hits[:0], res.text[:0]
		f.run.readEntries(f.worker, entries[:n], nil, res)
		entries = entries[n:]
		if err := f.give(res); err != nil {
			return err
		}
	}
	return nil
}

// give hands hits out, but for those that were shown when they were pending.
func (f *follower) give(res *result) error {
	h := &Hit{run: f.run}
	for i := range res.hits {
		x := &res.hits[i]
		if x.flags&flagPending == 0 && x.offset < f.shown[x.from.key] {
			continue
		}
		f.run.fill(h, res, x)
		if err := f.emit(h); err != nil {
			return err
		}
	}
	return nil
}

func (f *follower) emit(h *Hit) error {
	if !h.Pending {
		h.run.end = h.Cursor()
	}
	f.matched++
	return f.fn(h)
}

func (f *follower) result() Result {
	res := f.known
	res.Matched = f.matched
	if f.run != nil {
		res.Cursor = f.run.end
		res.Damaged = append(res.Damaged, f.run.damaged...)
	}
	return res
}

// wait blocks until something may have changed. While an entry's bytes are
// awaited, or where there is no watch, it looks again by itself.
func (f *follower) wait() error {
	var timer <-chan time.Time
	switch {
	case len(f.todo) > 0:
		f.pause = min(max(2*f.pause, time.Millisecond), 100*time.Millisecond)
		timer = time.After(f.pause)
	case f.watcher == nil:
		f.pause = 0
		timer = time.After(f.engine.sizes.poll)
	default:
		f.pause = 0
	}
	var changed <-chan struct{}
	if f.watcher != nil {
		changed = f.watcher.C()
	}
	select {
	case <-f.ctx.Done():
		return f.ctx.Err()
	case <-changed:
	case <-timer:
	}
	return nil
}
