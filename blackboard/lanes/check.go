package lanes

import (
	"errors"

	"golang.org/x/sys/unix"
)

// check settles a look at a Tail's own file.
func (r *round) check(t *Tail, st stat) {
	s := r.s
	same := t.seen.size == st.size && t.seen.ctime == st.ctime
	if t.state >= ended || same && !t.again && !t.racy || r.cut[t] {
		return
	}
	ok, err := true, t.file.ensure()
	if err == nil && st.size >= t.Base+t.offset {
		ok, err = t.holds()
	}
	switch {
	case errors.Is(err, ErrNoFile):
		s.wantAgain(t)
	case err != nil:
		r.unreadable(t.Path, t.Lane, t, err)
	case !ok || st.size < t.Base+t.offset:
		r.truncated(t, st)
	default:
		r.grew(t, st, same)
	}
}

// wantAgain has another look at t after a while: it changed between two calls.
func (s *Set) wantAgain(t *Tail) { s.lookAt(t.Path, s.opt.Settle) }

func (r *round) truncated(t *Tail, st stat) {
	f := Finding{Kind: Truncated, Tail: t, Path: t.Path, UID: st.uid, Size: st.size}
	f.From, f.To = t.unread()
	r.say(f)
	if r.cut == nil {
		r.cut = map[*Tail]bool{}
	}
	r.cut[t] = true
}

func (r *round) grew(t *Tail, st stat, same bool) {
	old, again := t.seen, t.again
	t.seen, t.racy, t.again = st, racy(st.ctime), false
	if st.uid != old.uid {
		r.say(Finding{Kind: Owner, Tail: t, Path: t.Path, UID: st.uid})
	}
	r.permitted(t, old, st)
	if from, to := max(st.size-t.Base, t.offset), old.size-t.Base; from < to {
		r.say(Finding{Kind: Shrunk, Tail: t, Path: t.Path, Size: st.size, UID: st.uid, From: from, To: to, Reachable: true})
	}
	if st.size > t.Base+t.offset && (again || !same) {
		r.say(Finding{Kind: Grown, Tail: t, Path: t.Path, Size: st.size, UID: st.uid, Reachable: true})
	}
}

// permitted says when a file that is held open could not be opened any more.
func (r *round) permitted(t *Tail, old, st stat) {
	_, complained := r.s.said[t.Path]
	if old.mode == 0 || old.mode == st.mode && old.uid == st.uid && !complained || r.s.at[t.Path] != t {
		return
	}
	fd, _, err := r.s.openFile(t.Path)
	switch {
	case err == nil:
		unix.Close(fd)
		r.readable(t.Path)
	case !missing(err):
		r.unreadable(t.Path, t.Lane, t, err)
	}
}

// lookOpen looks at a Tail through its descriptor, or by its path.
func (r *round) lookOpen(t *Tail) {
	s := r.s
	if t.state != live {
		return
	}
	var st stat
	var err error
	switch {
	case t.file.isOpen():
		st, err = t.file.stat()
	case s.at[t.Path] == t:
		if st, err = s.stat(t.Path); err == nil && st.identity != t.seen.identity {
			err = ErrNoFile
		}
	case t.gone == 0 && s.heirs[t.home] != t:
		r.isGone(t)
		return
	default:
		return
	}
	switch {
	case err == nil:
		r.check(t, st)
		r.unlinked(t, st)
	case missing(err), errors.Is(err, ErrNoFile):
		s.dirty.add(t.Path, true)
	default:
		r.unreadable(t.Path, t.Lane, t, err)
	}
}

// unlinked says when a file that was away loses its last name.
func (r *round) unlinked(t *Tail, st stat) {
	if st.nlink == 0 && (t.gone == Away || t.gone == Renamed) {
		t.fate = Deleted
		t.file.named("", false)
		r.tellGone(t)
	}
}
