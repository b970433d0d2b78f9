package archive

import (
	"runtime"
	"sync"
)

// job is one frame on its way: raw bytes in, compressed bytes out.
type job struct {
	raw, out []byte
	done     chan struct{}
}

// pool compresses frames in its own goroutines and writes them in the order in
// which they were submitted. All but the compressing is done by the goroutine
// that calls it.
type pool struct {
	out   *output
	work  chan *job
	queue []*job // submitted, oldest first
	free  []*job
	jobs  int // how many there are
	most  int
	wg    sync.WaitGroup
	err   error
}

func startPool(enc *encoder, out *output, workers int, low bool) *pool {
	p := &pool{out: out, most: workers + 2}
	p.work = make(chan *job, p.most)
	for range workers {
		p.wg.Go(func() {
			if low {
				lowerGoroutine()
			}
			for j := range p.work {
				j.out = enc.frame(j.out[:0], j.raw)
				j.done <- struct{}{}
			}
		})
	}
	return p
}

// lowerGoroutine gives the calling goroutine a thread of the lowest priority,
// which ends with it.
func lowerGoroutine() {
	runtime.LockOSThread()
	lowerPriority()
}

// atPriority calls fn, when low in a thread of the lowest priority.
func atPriority(low bool, fn func()) {
	if !low {
		fn()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		lowerGoroutine()
		fn()
	}()
	<-done
}

// take gives an empty job, when need be after the oldest one is written.
func (p *pool) take() *job {
	if len(p.free) == 0 && p.jobs == p.most {
		p.drain()
	}
	if n := len(p.free); n > 0 {
		j := p.free[n-1]
		p.free = p.free[:n-1]
		return j
	}
	p.jobs++
	return &job{done: make(chan struct{}, 1)}
}

// submit hands a job over. The error is the first of any job.
func (p *pool) submit(j *job) error {
	p.queue = append(p.queue, j)
	p.work <- j
	return p.err
}

// drain waits for the oldest job and writes it.
func (p *pool) drain() {
	j := p.queue[0]
	p.queue = p.queue[1:]
	<-j.done
	if p.err == nil {
		p.err = p.out.frame(j.out)
	}
	if cap(j.raw) > 2*longPiece { // one long line is no reason to keep so much
		j.raw, j.out = nil, nil
	}
	j.raw = j.raw[:0]
	p.free = append(p.free, j)
}

// close writes what is left and ends the goroutines.
func (p *pool) close() error {
	for len(p.queue) > 0 {
		p.drain()
	}
	close(p.work)
	p.wg.Wait()
	return p.err
}
