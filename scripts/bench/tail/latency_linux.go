package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// latency appends lines at a rate and watches what the daemon writes: the
// journal (the line is taken in) and board.jsonl (it is handled: every line
// repeats the id of the first, so a board.rejected is derived for it).
//
// It waits in inotify, not in a sleep: a sleeping Go process wakes up late.
func latency(c config) error {
	dir, err := newBoard(c)
	if err != nil {
		return err
	}
	d, err := start(c, dir)
	if err != nil {
		return err
	}
	plain, err := measure(c, dir, false)
	if err != nil {
		return errors.Join(err, d.stop())
	}
	handled, err := measure(c, dir, true)
	if err = errors.Join(err, d.stop()); err != nil {
		return err
	}
	report("append_to_journaled", c, plain)
	report("append_to_derived", c, handled)
	return nil
}

func report(what string, c config, d []time.Duration) {
	fmt.Printf("latency what=%s rate=%d n=%d p50_ms=%s p90_ms=%s p99_ms=%s max_ms=%s\n", what, c.rate, len(d),
		ms(quantile(d, .5)), ms(quantile(d, .9)), ms(quantile(d, .99)), ms(quantile(d, 1)))
}

// probe is one measurement: when each line was written, and when it was seen.
type probe struct {
	mu   sync.Mutex
	ends []int64 // offset behind line i
	sent []time.Time
	seen []time.Duration
	done chan struct{}
	want int
}

// sees notes that everything up to an offset was there at this moment.
func (p *probe) sees(to int64, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	upTo := sort.Search(len(p.ends), func(i int) bool { return p.ends[i] > to })
	p.upTo(upTo, at)
}

func (p *probe) upTo(n int, at time.Time) {
	for i := len(p.seen); i < n; i++ {
		p.seen = append(p.seen, at.Sub(p.sent[i]))
		if len(p.seen) == p.want {
			close(p.done)
		}
	}
}

const warm = 200

func measure(c config, dir string, derive bool) ([]time.Duration, error) {
	total := warm + c.rate*c.secs
	p := &probe{done: make(chan struct{}), want: total}
	name := "latency"
	if derive {
		name = "derived"
	}
	watch, err := observe(dir, name, derive, p)
	if err != nil {
		return nil, err
	}
	defer watch()
	f, err := os.OpenFile(filepath.Join(dir, name+".jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := p.write(f, c.rate, total, derive); err != nil {
		return nil, err
	}
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.mu.Lock()
		defer p.mu.Unlock()
		return nil, fmt.Errorf("%s: %d of %d lines were seen", name, len(p.seen), total)
	}
	return p.seen[warm:], nil
}

func (p *probe) write(f *os.File, rate, total int, derive bool) error {
	var off int64
	begin := time.Now()
	for i := range total {
		line := fmt.Sprintf(`{"specversion":"1.0","id":"e%08d","source":"bench","type":"bench.tick","data":{"n":%d,"pad":"%0150d"}}`+"\n", i, i, i)
		if derive {
			line = fmt.Sprintf(`{"specversion":"1.0","id":"one","source":"bench","type":"hxo.plan.abort","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e","n":%d,"pad":"%0120d"}}`+"\n", i, i)
		}
		if wait := time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))); wait > 0 {
			time.Sleep(wait)
		}
		off += int64(len(line))
		p.mu.Lock()
		p.ends = append(p.ends, off)
		p.sent = append(p.sent, time.Now())
		p.mu.Unlock()
		if _, err := f.WriteString(line); err != nil {
			return err
		}
	}
	return nil
}

// observe follows the journal, or board.jsonl, in a thread of its own.
func observe(dir, lane string, derive bool, p *probe) (stop func(), err error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	folder := journalDir(dir)
	if derive {
		folder = dir
	}
	wd, err := syscall.InotifyAddWatch(fd, folder, syscall.IN_MODIFY|syscall.IN_CREATE)
	if err != nil {
		return nil, errors.Join(err, syscall.Close(fd))
	}
	var over atomic.Bool
	look := followJournal(dir, lane, p)
	if derive {
		look = followBoard(dir, p)
	}
	go func() {
		runtime.LockOSThread()
		events := make([]byte, 64<<10)
		defer syscall.Close(fd)
		for !over.Load() {
			look()
			if _, err := syscall.Read(fd, events); err != nil && err != syscall.EINTR {
				return
			}
		}
	}()
	return func() {
		over.Store(true)
		_, _ = syscall.InotifyRmWatch(fd, uint32(wd)) // wakes the reader
	}, nil
}

func followJournal(dir, lane string, p *probe) func() {
	t := &tailer{dir: journalDir(dir)}
	return func() {
		var to int64
		if some, err := t.next(func(e *entry) {
			if e.input() && e.Lane == lane {
				to = e.To
			}
		}); some && err == nil && to > 0 {
			p.sees(to, time.Now())
		}
	}
}

// followBoard counts the lines of board.jsonl: all but the first request is a
// duplicate, and every duplicate is rejected once, in order.
func followBoard(dir string, p *probe) func() {
	var f *os.File
	buf := make([]byte, 1<<20)
	lines := 1 // the first request is no duplicate
	return func() {
		if f == nil {
			f, _ = os.Open(filepath.Join(dir, "board.jsonl"))
		}
		if f == nil {
			return
		}
		for {
			n, _ := f.Read(buf)
			if n == 0 {
				return
			}
			at := time.Now()
			for _, c := range buf[:n] {
				if c == '\n' {
					lines++
				}
			}
			p.mu.Lock()
			p.upTo(min(lines, len(p.sent)), at)
			p.mu.Unlock()
		}
	}
}
