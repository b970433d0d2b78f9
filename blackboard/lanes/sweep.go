package lanes

import (
	"context"
	"time"
)

// sweeping is when everything is looked at, events or not.
type sweeping struct {
	at        int64         // when the next one is due (by Set.now)
	took      time.Duration // the last one
	interval  time.Duration
	overflows int64 // of the event queue
	fresh     bool  // the last one's news were not settled yet
}

const (
	sweepMin   = 2 * time.Second
	sweepShare = 2000 // an interval is at least so many times a sweep's duration
)

// Start sets the watches and then looks at everything: the next Findings hold
// all that differs from what was restored.
func (s *Set) Start() error {
	if s.started {
		return nil
	}
	s.started = true
	if err := s.network("."); err != nil {
		s.polling.network = err
	}
	s.startWatch()
	for t := range s.tails {
		if !t.file.isOpen() {
			s.cold = append(s.cold, t)
		}
	}
	s.dirty.add(".", true)
	s.dirty.add(settingsFile, false)
	s.Sweep()
	return nil
}

// Hint makes a board-relative path dirty. Any goroutine may call it.
func (s *Set) Hint(rel string) { s.dirty.add(rel, true) }

// Sweep looks at everything now: what differs is in the next Findings.
func (s *Set) Sweep() {
	start := s.now()
	s.mend()
	s.sweepTails()
	s.sweepOthers()
	s.sweeping.fresh = true
	now := s.now()
	s.sweeping.took = time.Duration(now - start)
	s.sweeping.interval = max(sweepMin, sweepShare*s.sweeping.took)
	if s.polling.on() {
		s.sweeping.interval = s.opt.Poll
	}
	s.sweeping.at = now + int64(s.sweeping.interval)
}

func (s *Set) sweepTails() {
	for t := range s.tails {
		var st stat
		var err error
		at := s.at[t.Path] == t
		switch {
		case t.state == ended:
			continue
		case at:
			st, err = s.stat(t.Path)
		case t.file.isOpen():
			st, err = t.file.stat()
		default:
			continue
		}
		if err == nil && st.identity == t.seen.identity && st.size == t.seen.size && st.ctime == t.seen.ctime &&
			!t.again && !t.racy {
			continue
		}
		if at {
			s.dirty.add(t.Path, false)
		} else {
			s.wantLook(t)
		}
	}
}

// sweepOthers makes dirty what else differs from the last look, and what was
// left undecided.
func (s *Set) sweepOthers() {
	for rel, d := range s.folders.by {
		st, err := s.stat(rel)
		if err != nil || st.identity != d.id || st.mtime != d.mtime || d.racy {
			s.dirty.add(rel, false)
		}
	}
	for rel, n := range s.said {
		if st, err := s.stat(rel); n.kind == Unreadable || err != nil || st.identity != n.id {
			s.dirty.add(rel, true)
		}
	}
	for rel := range s.cands {
		s.dirty.add(rel, false)
	}
	for rel := range s.owned {
		s.dirty.add(rel, false)
	}
	for rel, was := range s.config {
		st, err := statThrough(s.dirfd, rel)
		if st.nlink = 0; err != nil || st != was {
			s.dirty.add(rel, false)
		}
	}
	if len(s.ghosts) > 0 {
		s.dirty.signal()
	}
}

// Wait blocks until Findings would have something to settle, until the given
// time (zero: for ever), or until ctx ends (whose error it returns). It makes
// the sweeps when they are due and uses no CPU in between.
func (s *Set) Wait(ctx context.Context, until time.Time) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		now := s.now()
		if now >= s.sweeping.at {
			s.Sweep()
		}
		end := s.next(until)
		if s.ready(now) || now >= end {
			return nil
		}
		if s.warmUp() {
			continue
		}
		s.sleep(ctx, time.Duration(end-now))
	}
}

// ready says whether Findings has something to do.
func (s *Set) ready(now int64) bool {
	if s.dirty.any() || len(s.looks) > 0 || len(s.ghosts) > 0 && s.sweeping.fresh {
		return true
	}
	for _, at := range s.again {
		if at <= now {
			return true
		}
	}
	return false
}

// next is when there is something to do at the latest.
func (s *Set) next(until time.Time) int64 {
	at := s.sweeping.at
	for _, a := range s.again {
		at = min(at, a)
	}
	if !until.IsZero() {
		at = min(at, int64(until.Sub(s.epoch)))
	}
	return at
}

func (s *Set) sleep(ctx context.Context, d time.Duration) {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.dirty.wake:
	case <-ctx.Done():
	case <-s.timer.C:
	}
	s.timer.Stop()
}

// warmUp opens some of the files that were restored without being opened, so
// that they can be read even when they are deleted. It says whether it did.
func (s *Set) warmUp() bool {
	const batch = 64
	for n := 0; n < batch && len(s.cold) > 0; n++ {
		t := s.cold[len(s.cold)-1]
		s.cold = s.cold[:len(s.cold)-1]
		if t.state != live || s.at[t.Path] != t {
			continue
		}
		if !s.pool.room() {
			s.cold = nil
			break
		}
		_ = t.file.ensure() // a file that cannot be opened is told of when it changes
	}
	return len(s.cold) > 0
}
