package blackboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
)

// smallBytes is what is read, parsed and committed on the kernel's goroutine,
// for latency; a tail with more goes through the pipeline, for throughput.
const smallBytes = 64 << 10

// turnBatches is how many batches one lane gives before the next has its turn.
const turnBatches = 32

// pipeline parses batches beside the kernel, which reads ahead and commits in
// order.
type pipeline struct {
	small   intake
	free    []*intake
	jobs    chan *intake
	workers int
}

func (p *pipeline) start() {
	p.workers = max(1, runtime.GOMAXPROCS(0))
	p.jobs = make(chan *intake, 2*p.workers)
	for range p.workers {
		go func(jobs <-chan *intake) {
			for in := range jobs {
				in.parse()
				in.done <- struct{}{}
			}
		}(p.jobs)
	}
}

func (p *pipeline) close() {
	if p.jobs != nil {
		close(p.jobs)
		p.jobs = nil
	}
}

func (p *pipeline) get() *intake {
	if p.jobs == nil {
		p.start()
	}
	if n := len(p.free); n > 0 {
		in := p.free[n-1]
		p.free = p.free[:n-1]
		return in
	}
	return &intake{done: make(chan struct{}, 1)}
}

func (p *pipeline) put(in *intake) { p.free = append(p.free, in) }

// takeIn reads every dirty tail to its end.
func (k *Kernel) takeIn(ctx context.Context) (bool, error) {
	ts := k.tails.take()
	for i, t := range ts {
		if k.tails.all[t.key()] != t {
			continue // it ended meanwhile
		}
		more, err := k.takeTail(ctx, t)
		if err != nil {
			for _, rest := range ts[i:] {
				k.tails.dirty[rest] = true
			}
			return true, err
		}
		if more {
			k.tails.dirty[t] = true
		}
	}
	did, err := k.surprises(ctx)
	return did || len(ts) > 0, err
}

// takeTail takes in what a tail has; more says that it has not all been read.
func (k *Kernel) takeTail(ctx context.Context, t *tail) (more bool, err error) {
	return k.takeBy(ctx, t, &k.pipe.small)
}

// takeBy is takeTail with a buffer of the caller's.
func (k *Kernel) takeBy(ctx context.Context, t *tail, in *intake) (more bool, err error) {
	if err := k.sameLine(ctx, t); err != nil {
		return false, err
	}
	got, err := k.read(t, in, t.t.Offset(), smallBytes)
	if err != nil || got == nothing {
		return false, k.unread(ctx, t, err)
	}
	if got == longLine {
		if err := k.olderFirst(ctx, t); err != nil {
			return true, err
		}
		return true, k.commit(ctx, in)
	}
	if got == some {
		in.parse()
		return false, k.commitAt(ctx, in)
	}
	return k.bulk(ctx, t)
}

// bulk reads ahead, lets workers parse, and commits in order.
func (k *Kernel) bulk(ctx context.Context, t *tail) (more bool, err error) {
	var flying []*intake
	depth := k.pipe.workers + 2
	off, reading := t.t.Offset(), turnBatches
	defer func() {
		for _, in := range flying { // after an error: nothing of them is taken in
			<-in.done
			k.pipe.put(in)
		}
	}()
	for {
		for reading > 0 && len(flying) < max(depth, 3) {
			in := k.pipe.get()
			got, err := k.read(t, in, off, readBytes)
			if err != nil || got == nothing || got == longLine {
				k.pipe.put(in)
				reading, more = 0, got == longLine || err != nil || len(flying) > 0
				break
			}
			off = in.to
			flying = append(flying, in)
			k.pipe.jobs <- in
			if reading--; got == some {
				reading = 0
			}
			more = got == full
		}
		if len(flying) == 0 {
			return more, nil
		}
		in := flying[0]
		flying = flying[1:]
		<-in.done
		err := k.commitAt(ctx, in)
		k.pipe.put(in)
		if err != nil {
			return false, err
		}
		if t.t.Offset() != in.to { // it changed under us
			return true, nil
		}
		if k.tails.full[t] {
			reading = 0
			more = true
		}
	}
}

// olderFirst takes in what stands in earlier segments of a lane, between the
// reading of a later one and its commit: a writer that went on from one file to
// the next has written the end of the first before the beginning of the second.
func (k *Kernel) olderFirst(ctx context.Context, t *tail) error {
	for _, old := range k.tails.draining(t.lane) {
		if old.segment >= t.segment {
			continue
		}
		in := k.pipe.get()
		more, err := true, error(nil)
		for tries := 0; more && err == nil && tries < olderTurns; tries++ {
			more, err = k.takeBy(ctx, old, in)
		}
		k.pipe.put(in)
		if err != nil {
			return err
		}
	}
	return nil
}

// olderTurns bounds how long a lane waits for a segment that is written to
// without end.
const olderTurns = 4

// commitAt commits a batch, unless the file is no longer the one it was.
func (k *Kernel) commitAt(ctx context.Context, in *intake) error {
	if err := k.olderFirst(ctx, in.tail); err != nil {
		return err
	}
	if in.tail.t.Offset() != in.batch.From || !in.tail.t.Intact() {
		return nil
	}
	if err := k.commit(ctx, in); err != nil {
		return err
	}
	if len(in.rest) > 0 {
		in.tail.sawFirst(in.rest)
		k.unfinished(in.tail)
	}
	if in.to >= k.config.Settings.SegmentMaxBytes && in.tail.stage == active {
		k.tails.full[in.tail] = true
	}
	return nil
}

// reading is what a read came to.
type reading uint8

const (
	nothing  reading = iota // no whole line yet
	some                    // whole lines, up to the file's end or its unfinished line
	full                    // whole lines, and there is more
	longLine                // one line beyond max_line, parsed already
)

// read fills a batch with whole lines from an offset of the tail's segment.
func (k *Kernel) read(t *tail, in *intake, off int64, want int) (reading, error) {
	in.tail, in.checker, in.rest = t, k.config.Checker, nil
	b := &in.batch
	b.Lane, b.Segment, b.From, b.UID = t.lane, t.segment, off, t.uid()
	if t.scanned > off { // the line's beginning was looked at before
		ended, end, err := k.scanOn(t, in, off)
		if err != nil || ended != full {
			return ended, err
		}
		want = int(end - off)
	}
	limit := max(readBytes, k.config.Checker.MaxLine+1)
	for ; ; want = min(max(4*want, readBytes), limit) {
		n, err := in.fill(t.t, off, want)
		if err != nil {
			return nothing, err
		}
		if end := bytes.LastIndexByte(in.buf[:n], '\n') + 1; end > 0 {
			cut := atMost(in.buf[:end], batchLines)
			b.Raw = in.buf[:cut]
			in.to = off + int64(cut)
			if n == want || cut < end {
				return full, nil
			}
			in.rest = in.buf[end:n]
			return some, nil
		}
		if n < want || want >= limit {
			if off != t.t.Offset() { // read ahead: looked at when it is its turn
				return nothing, nil
			}
			if n > 0 {
				t.sawFirst(in.buf[:n])
			}
			if n > k.config.Checker.MaxLine {
				t.long = newLongScan()
				t.long.add(in.buf[:n])
			}
			if n > 0 {
				k.unfinished(t)
			}
			if n < want {
				return nothing, nil
			}
			got, _, err := k.scanOn(t, in, off)
			return got, err
		}
	}
}

// batchLines is how many lines one entry takes in at most: what they derive is
// held in memory at once.
const batchLines = 8192

// atMost is the length of the first n lines of whole lines.
func atMost(b []byte, n int) int {
	if len(b) <= n || bytes.Count(b, []byte{'\n'}) <= n {
		return len(b)
	}
	end := 0
	for range n {
		end += bytes.IndexByte(b[end:], '\n') + 1
	}
	return end
}

// fill reads up to want bytes into the buffer.
func (in *intake) fill(t *lanes.Tail, off int64, want int) (int, error) {
	if cap(in.buf) < want {
		in.buf = make([]byte, want)
	}
	in.buf = in.buf[:want]
	n := 0
	for n < want {
		m, err := t.ReadAt(in.buf[n:want], off+int64(n))
		n += m
		if err == io.EOF || m == 0 && err == nil {
			break
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// scanOn looks for the newline of an unfinished line where it was not looked
// for yet. full: it is there and the line, which ends before end, is to be
// read whole; longLine: it is there and the line was streamed past.
func (k *Kernel) scanOn(t *tail, in *intake, off int64) (got reading, end int64, err error) {
	if t.long == nil && t.scanned-off > int64(k.config.Checker.MaxLine) {
		if err := k.scanFrom(t, in, off); err != nil {
			return nothing, 0, err
		}
	}
	for {
		n, err := in.fill(t.t, t.scanned, 256<<10)
		if err != nil || n == 0 {
			return nothing, 0, err
		}
		at := bytes.IndexByte(in.buf[:n], '\n')
		if at >= 0 && t.long == nil && t.scanned+int64(at)-off <= int64(k.config.Checker.MaxLine) {
			return full, t.scanned + int64(at) + 1, nil
		}
		if t.long == nil && t.scanned+int64(n)-off > int64(k.config.Checker.MaxLine) {
			if err := k.scanFrom(t, in, off); err != nil {
				return nothing, 0, err
			}
			continue
		}
		if at < 0 {
			t.scanned += int64(n)
			t.saw(in.buf[:n])
			if t.long != nil {
				t.long.add(in.buf[:n])
			}
			k.unfinished(t)
			continue
		}
		t.long.add(in.buf[:at])
		return longLine, 0, in.longLine(t, off, t.scanned+int64(at))
	}
}

// scanFrom begins to stream a line past that turned out to be too long: what
// was looked at so far is hashed.
func (k *Kernel) scanFrom(t *tail, in *intake, off int64) error {
	t.long = newLongScan()
	for at := off; at < t.scanned; {
		n, err := in.fill(t.t, at, int(min(256<<10, t.scanned-at)))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("reading %s at byte %d: %w", t.path(), at, io.ErrUnexpectedEOF)
		}
		t.long.add(in.buf[:n])
		at += int64(n)
	}
	return nil
}

// longLine makes the batch of one line that was streamed past.
func (in *intake) longLine(t *tail, off, end int64) error {
	l := t.long.end()
	t.long = nil
	b := &in.batch
	b.Raw = nil
	b.Lines = append(b.Lines[:0], Line{End: int(end - off), Refusal: tooLong(end-off, in.checker.MaxLine), Long: l.line})
	in.root, in.to = l.leaf, end+1
	return nil
}

// unfinished notes that a tail's last line has no newline.
func (k *Kernel) unfinished(t *tail) {
	if t.waiting.IsZero() {
		t.waiting = k.opt.Clock.Now()
		k.tails.sooner(t.waiting.Add(unfinishedAfter))
	}
}

// unread answers a tail that could not be read: lanes says more at its next
// look.
func (k *Kernel) unread(ctx context.Context, t *tail, err error) error {
	if err == nil || errors.Is(err, lanes.ErrNoFile) {
		return nil
	}
	k.log.Warn("reading a lane", "lane", t.lane, "segment", t.segment, "offset", t.t.Offset(), "error", err)
	k.set.Hint(t.t.Path)
	return k.once(ctx, "unreadable", t.t.Path, journal.Entry{Lane: t.lane, Segment: t.segment, From: t.t.Offset(), Path: t.t.Path, Detail: err.Error()})
}
