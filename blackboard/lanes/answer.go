package lanes

import (
	"stigmergy/blackboard/layout"
)

// Track answers Found, Truncated and Replaced (Other): from here on the file
// is this segment of this lane, from its first byte on (an Orphan: from its
// first late byte on). Nil when the finding is no longer the newest about its
// path: then another one follows.
func (s *Set) Track(f Finding, lane string, segment uint64) *Tail {
	switch {
	case f.Kind == Truncated:
		return s.trackAnew(f.Tail, lane, segment, 0, s.Drop)
	case f.ghost != nil:
		return s.trackOrphan(f, lane, segment)
	}
	c := f.cand
	if c == nil || s.cands[c.rel] != c {
		return nil
	}
	s.takeCand(c)
	t := &Tail{Lane: lane, Segment: segment, set: s, file: c.file, seen: c.st, racy: true}
	if old := s.heirs[c.rel]; old != nil {
		old.gone = max(old.fate, Deleted)
		delete(s.heirs, c.rel)
	}
	s.adopt(t, c.rel)
	if t.home = c.rel; c.passed {
		t.home, t.fate, t.gone = "", Renamed, Renamed
	}
	return t
}

// adopt tracks t, whose file is under rel ("" for none).
func (s *Set) adopt(t *Tail, rel string) {
	s.tails[t] = struct{}{}
	s.byID[t.seen.identity] = t
	if rel != "" {
		s.place(t, rel)
	}
}

// trackAnew ends old and tracks the same file from base on.
func (s *Set) trackAnew(old *Tail, lane string, segment uint64, base int64, end func(*Tail)) *Tail {
	if old == nil || old.state == over || old.state == ended {
		return nil
	}
	t := &Tail{Lane: lane, Segment: segment, Base: base, Path: old.Path, set: s, file: old.file,
		seen: old.seen, home: old.home, since: old.since, fate: old.fate, gone: old.gone, racy: true}
	if st, err := t.file.stat(); err == nil {
		t.seen = st
	}
	at, heir := s.at[old.Path] == old, s.heirs[old.home] == old
	t.file.retain()
	end(old)
	s.adopt(t, "")
	if at {
		s.place(t, t.Path)
	}
	if heir {
		s.heirs[t.home] = t
	}
	return t
}

// Fork ends t where it was taken in and tracks what follows in the same file
// as another segment: late bytes behind a sealed one. Read the new Tail at
// once. Nothing more is found out about t, but it can be read until Drop.
func (s *Set) Fork(t *Tail, segment uint64) *Tail {
	return s.trackAnew(t, t.Lane, segment, t.Base+t.offset, func(t *Tail) {
		s.detach(t)
		t.state = ended
		s.windows.rest(&t.win)
	})
}

// Continue answers Replaced: f.Tail lives on in the new file at its offset;
// read it on from there. What the old file has beyond the offset (an
// unfinished line) and the new one does not repeat comes as an Orphan.
func (s *Set) Continue(f Finding) {
	c, t := f.cand, f.Tail
	if c == nil || t == nil || s.cands[c.rel] != c || t.state == over {
		return
	}
	s.takeCand(c)
	if t.reachable() {
		s.leave(t, c)
	}
	s.vacate(t)
	if s.byID[t.seen.identity] == t {
		delete(s.byID, t.seen.identity)
	}
	known := t.state != blank && t.win.offset == t.offset
	t.file.release()
	t.file, t.seen, t.racy, t.state = c.file, c.st, true, live
	t.home, t.fate, t.gone, t.since = c.rel, 0, 0, 0
	s.adopt(t, c.rel)
	if known {
		return
	}
	s.windows.drop(&t.win)
	t.win = window{}
	if err := s.windows.advance(&t.win, t.offset, nil, t.whole); err != nil {
		t.Again()
	}
}

// leave keeps an eye on the old file of a continued Tail for late bytes.
func (s *Set) leave(t *Tail, c *cand) {
	st, err := t.file.stat()
	if err != nil {
		return
	}
	base, end := st.size, t.Base+t.offset
	if st.size > end {
		if n, err := equalUpTo(t.file, c.file, end, st.size); err != nil || n < st.size {
			base = end
		}
	}
	t.file.retain()
	t.file.named("", true)
	s.ghosts = append(s.ghosts, &ghost{file: t.file, lane: t.Lane, path: t.Path, fate: t.fate, base: base, since: s.now()})
}

// Renamed says that the reader itself renamed t's file (rotation): call it
// right after the rename.
func (s *Set) Renamed(t *Tail, rel string) {
	s.vacate(t)
	s.place(t, rel)
	t.home, t.fate, t.gone, t.since = "", 0, 0, 0
	if _, ok := layout.LaneName(rel); ok {
		t.home = rel
	}
}

// At says whether t's file stands under a board-relative path now.
func (s *Set) At(t *Tail, rel string) bool {
	st, err := s.stat(rel)
	return err == nil && st.identity == t.seen.identity
}

// Drop forgets t and closes its file.
func (s *Set) Drop(t *Tail) {
	if t.state == over {
		return
	}
	s.detach(t)
	t.state = over
	delete(s.tails, t)
	s.windows.drop(&t.win)
	t.file.release()
}

// detach takes t from everywhere but the list of tails.
func (s *Set) detach(t *Tail) {
	s.vacate(t)
	s.outside(t, "")
	if s.byID[t.seen.identity] == t {
		delete(s.byID, t.seen.identity)
	}
	delete(s.looks, t)
}
