package lanes

import (
	"errors"
	"fmt"
	"syscall"
)

// note is what was said once about a path.
type note struct {
	kind  Kind
	id    identity
	errno syscall.Errno
}

// once says whether a note about a path is news.
func (s *Set) once(rel string, n note) bool {
	if s.said[rel] == n {
		return false
	}
	s.said[rel] = n
	return true
}

func (r *round) unreadable(rel, lane string, t *Tail, err error) {
	n := note{kind: Unreadable}
	errors.As(err, &n.errno)
	if r.s.once(rel, n) {
		r.say(Finding{Kind: Unreadable, Tail: t, Lane: lane, Path: rel, Err: fmt.Errorf("opening %s: %w", rel, err)})
	}
}

// readable takes back that a path was unreadable.
func (r *round) readable(rel string) {
	if r.s.said[rel].kind != Unreadable {
		return
	}
	delete(r.s.said, rel)
	f := Finding{Kind: Readable, Path: rel, Tail: r.s.at[rel]}
	if f.Tail == nil {
		f.Lane = laneOf(rel)
	}
	r.say(f)
}

func (r *round) notALane(rel, lane string, st stat) {
	if r.s.once(rel, note{kind: NotALane, id: st.identity}) {
		r.say(Finding{Kind: NotALane, Lane: lane, Path: rel, What: st.what()})
	}
}

func (r *round) hardLink(x stranger, first string) {
	r.vacant(x.rel)
	n := note{kind: HardLink, id: x.st.identity}
	if r.s.once(x.rel, n) {
		r.say(Finding{Kind: HardLink, Lane: x.lane, Path: x.rel, OldPath: first})
	}
}
