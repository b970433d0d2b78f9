package lanes

// ghost is the old file of a Tail that was continued in a new one: its bytes
// up to base are the new file's too, but somebody may still have it open.
type ghost struct {
	file  *file
	lane  string
	path  string
	fate  Reason
	base  int64
	since int64 // when it last changed (by Set.now)
}

// haunt looks at old files that may still be written to.
func (r *round) haunt() {
	if len(r.s.ghosts) == 0 || !r.s.sweeping.fresh {
		return
	}
	rest := r.s.ghosts[:0]
	for _, g := range r.s.ghosts {
		if r.ghost(g) {
			rest = append(rest, g)
		}
	}
	clear(r.s.ghosts[len(rest):])
	r.s.ghosts = rest
}

// ghost reports late bytes, and says whether more could come.
func (r *round) ghost(g *ghost) bool {
	held, known := heldByWriter(g.file)
	st, err := g.file.stat()
	switch {
	case err != nil:
		g.file.release()
		return false
	case st.size > g.base:
		g.since = r.now
		r.say(Finding{Kind: Found, Lane: g.lane, Path: g.path, UID: st.uid, Size: st.size,
			From: g.base, To: st.size, Reason: g.fate, Orphan: true, ghost: g})
		return true
	case !known && r.now-g.since < int64(r.s.opt.Quiet), held:
		return true
	}
	g.file.release()
	return false
}

// trackOrphan makes a Tail of an old file's late bytes.
func (s *Set) trackOrphan(f Finding, lane string, segment uint64) *Tail {
	for i, g := range s.ghosts {
		if g != f.ghost {
			continue
		}
		s.ghosts = append(s.ghosts[:i], s.ghosts[i+1:]...)
		t := &Tail{Lane: lane, Segment: segment, Base: g.base, Path: g.path, set: s, file: g.file,
			fate: max(g.fate, Deleted), gone: max(g.fate, Deleted), racy: true}
		if st, err := g.file.stat(); err == nil {
			t.seen = st
		}
		s.adopt(t, "")
		return t
	}
	return nil
}
