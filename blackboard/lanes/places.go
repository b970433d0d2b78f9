package lanes

import (
	"io/fs"
	"os"
	"strings"
	"syscall"

	"stigmergy/blackboard/layout"
)

// errAbsent is what a look into a folder that is not there comes to.
const errAbsent = syscall.ENOENT

// moved puts a tracked file under another lane's name, or back under its own.
func (r *round) moved(t *Tail, rel string, st stat) {
	s := r.s
	old, was := t.Path, t.gone
	back := t.home == rel && s.heirs[rel] == t
	s.vacate(t)
	if other := s.at[rel]; other != nil && other != t {
		r.loses(other, rel) // renamed over: the event that names rel is still to come
	}
	s.place(t, rel)
	if other := s.heirs[rel]; other != nil {
		delete(s.heirs, rel)
		if other.gone == 0 {
			r.isGone(other)
		}
	}
	s.forgetCand(rel)
	delete(s.said, rel)
	t.home, t.gone, t.since = rel, 0, 0
	switch {
	case was != 0:
		r.say(Finding{Kind: Returned, Tail: t, Path: rel, OldPath: old})
	case !back:
		r.say(Finding{Kind: Moved, Tail: t, Path: rel, OldPath: old})
	}
	r.check(t, st)
}

// vacate takes t from all its places.
func (s *Set) vacate(t *Tail) {
	if s.at[t.Path] == t {
		delete(s.at, t.Path)
	}
	if s.heirs[t.home] == t {
		delete(s.heirs, t.home)
	}
}

// place says that t's file is under rel.
func (s *Set) place(t *Tail, rel string) {
	t.Path = rel
	s.at[rel] = t
	t.file.named(rel, false)
	s.outside(t, rel)
}

// search finds out where the file of a Tail is that is not under its path, and
// says that it is gone where there is nothing to wait for.
func (r *round) search(t *Tail) {
	if r.locate(t) {
		return
	}
	r.lookOpen(t)
	waiting := r.s.heirs[t.home] == t && t.gone == 0
	if !waiting && t.gone != t.fate {
		r.tellGone(t)
	}
}

// locate sets t's fate and path, and says whether it is a lane again.
func (r *round) locate(t *Tail) bool {
	s := r.s
	rel, why := r.where(t)
	if why != 0 {
		t.fate = why
		t.file.named("", why == Away)
		s.outside(t, "")
		return false
	}
	st, err := s.stat(rel)
	if _, isLane := layout.LaneName(rel); isLane && err == nil && r.known(parent(rel)) {
		r.moved(t, rel, st)
		return true
	}
	s.place(t, rel)
	t.fate = Renamed
	return false
}

// where says under which path t's file is, or why under none.
func (r *round) where(t *Tail) (rel string, why Reason) {
	if t.state == blank {
		return "", Deleted
	}
	if t.file.isOpen() {
		st, err := t.file.stat()
		if err == nil && st.nlink == 0 {
			return "", Deleted
		}
		if rel, ok := r.s.nameOf(t.file); ok {
			return rel, 0
		}
	}
	if rel, ok := r.place(t); ok {
		return rel, 0
	}
	if t.file.isOpen() {
		return "", Away
	}
	return "", Deleted
}

// nameOf asks the system which name an open file has in the board.
func (s *Set) nameOf(f *file) (rel string, ok bool) {
	root, err := fdPath(s.dirfd)
	if err != nil {
		return "", false
	}
	var name string
	err = f.use(func(fd int) error {
		name, err = fdPath(fd)
		return err
	})
	rel, ok = strings.CutPrefix(name, strings.TrimSuffix(root, "/")+"/")
	if err != nil || !ok {
		return "", false
	}
	st, err := s.stat(rel)
	return rel, err == nil && st.identity == f.id
}

// place looks for t's file among the board's files that are named like no
// lane, and among its rotated segments.
func (r *round) place(t *Tail) (rel string, ok bool) {
	seg := layout.SegmentRel(t.Lane, t.Segment)
	if st, err := r.s.stat(seg); err == nil && st.identity == t.seen.identity {
		return seg, true
	}
	if r.places == nil {
		r.places = r.s.others()
	}
	rel, ok = r.places[t.seen.identity]
	return rel, ok
}

// others lists the regular files in the board's folders that are named like
// no lane.
func (s *Set) others() map[identity]string {
	found := map[identity]string{}
	for dir := range s.folders.by {
		d, err := s.openFolder(dir)
		if err != nil {
			continue
		}
		for {
			entries, err := d.ReadDir(1024)
			for _, e := range entries {
				s.other(found, join(dir, e.Name()), e)
			}
			if err != nil {
				break
			}
		}
		d.Close()
	}
	return found
}

func (s *Set) other(found map[identity]string, rel string, e os.DirEntry) {
	if t := e.Type(); t&fs.ModeType != 0 {
		return
	}
	if st, err := s.stat(rel); err == nil && st.regular() {
		found[st.identity] = rel
	}
}

// isGone looks a last time where t is, and says that its name is gone.
func (r *round) isGone(t *Tail) {
	if r.s.at[t.Path] == t || !r.locate(t) {
		r.tellGone(t)
	}
}

func (r *round) tellGone(t *Tail) {
	t.gone = max(t.fate, Deleted)
	f := Finding{Kind: Gone, Tail: t, Path: t.Path, Reason: t.gone, Reachable: t.reachable()}
	if !f.Reachable {
		f.From, f.To = t.unread()
	}
	if t.gone == Deleted && r.s.heirs[t.home] == t {
		delete(r.s.heirs, t.home)
	}
	r.say(f)
}

// reachable says whether t's bytes can be read.
func (t *Tail) reachable() bool { return t.state != blank && t.file.ensure() == nil }

// unread is what was seen of t beyond what was taken in.
func (t *Tail) unread() (from, to int64) { return t.offset, max(t.Size(), t.offset) }
