package lanes

import (
	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
)

// cand is a new file that the reader has not answered for.
type cand struct {
	rel   string
	file  *file
	st    stat
	since int64 // when it last changed (by Set.now)
	same  int64 // so many of its first bytes are known to be the old file's
	begin bool  // it was found to be a mere beginning

	lane   string // as in stranger
	passed bool
}

// laneOf is the lane that a path is named for, or nothing.
func laneOf(rel string) string {
	lane, _ := layout.LaneName(rel)
	return lane
}

// forgetCand lets go of the new file under a path.
func (s *Set) forgetCand(rel string) {
	if c := s.cands[rel]; c != nil {
		s.takeCand(c)
		c.file.release()
	}
}

// takeCand ends c's being unanswered.
func (s *Set) takeCand(c *cand) {
	delete(s.cands, c.rel)
	if s.candOf[c.file.id] == c.rel {
		delete(s.candOf, c.file.id)
	}
}

// stranger settles a lane path under which a new file stands.
func (r *round) stranger(x stranger) {
	s := r.s
	if first := r.firstName(x); first != "" {
		if !x.passed {
			r.hardLink(x, first)
		}
		return
	}
	c, ok := r.cand(x)
	if !ok {
		return
	}
	r.readable(x.rel)
	delete(s.said, x.rel)
	f := Finding{Kind: Found, Lane: x.lane, Path: x.rel, UID: c.st.uid, Size: c.st.size, cand: c}
	if x.passed {
		f.Orphan, f.Reason = true, Renamed
	}
	old := s.heirs[x.rel]
	if old == nil {
		r.say(f)
		return
	}
	if c.begin && r.stillBeginning(old, c) {
		return
	}
	f.Kind, f.Tail, f.Reason = Replaced, old, old.fate
	if f.Reachable = old.reachable(); !f.Reachable {
		f.From, f.To = old.unread()
	}
	r.say(f)
}

// firstName is another name of the same file that comes first, if there is one.
func (r *round) firstName(x stranger) string {
	rel, ok := r.s.candOf[x.st.identity]
	if !ok || rel == x.rel {
		return ""
	}
	if st, err := r.s.stat(rel); err != nil || st.identity != x.st.identity {
		return ""
	}
	return rel
}

// cand opens a new file, or takes note of how it changed.
func (r *round) cand(x stranger) (*cand, bool) {
	s := r.s
	if c := s.cands[x.rel]; c != nil && c.file.id == x.st.identity {
		if c.st.size != x.st.size || c.st.ctime != x.st.ctime {
			c.st, c.since = x.st, r.now
		}
		return c, true
	}
	s.forgetCand(x.rel)
	fd, st, err := s.openNew(x.rel)
	switch {
	case missing(err) || err == nil && st.identity != x.st.identity || err == unix.EINVAL:
		if err == nil {
			unix.Close(fd)
		}
		s.dirty.add(x.rel, true) // it changed again meanwhile
		return nil, false
	case err != nil:
		r.unreadable(x.rel, x.lane, nil, err)
		return nil, false
	}
	c := &cand{rel: x.rel, file: s.pool.file(st.identity, x.rel, fd), st: st, since: r.now, lane: x.lane, passed: x.passed}
	s.cands[x.rel], s.candOf[st.identity] = c, x.rel
	return c, true
}

// openNew opens a file, for which another one is closed if need be.
func (s *Set) openNew(rel string) (int, stat, error) {
	fd, st, err := s.openFile(rel)
	if full(err) {
		s.pool.yield()
		fd, st, err = s.openFile(rel)
	}
	return fd, st, err
}
