package lanes

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
)

const (
	settingsFile = "stigmergy.yaml"
	schemaExt    = ".schema.json"
)

// isConfig says whether a path holds what is in force on the board.
func isConfig(rel string) bool {
	if rel == settingsFile {
		return true
	}
	name, ok := strings.CutPrefix(rel, contractsDir+"/")
	return ok && strings.HasSuffix(name, schemaExt) && !strings.Contains(name, "/")
}

// configured says when a settings or contract file is not what it was. Links
// are followed: the operator's settings may be one.
func (r *round) configured(rel string) {
	s := r.s
	st, err := statThrough(s.dirfd, rel)
	if err != nil && !missing(err) {
		r.unreadable(rel, "", nil, err)
		return
	}
	st.nlink = 0 // not news
	if was, ok := s.config[rel]; ok && was == st || !ok && err != nil {
		return
	}
	s.config[rel] = st
	if err != nil {
		delete(s.config, rel)
	}
	r.say(Finding{Kind: ConfigChanged, Path: rel, Size: st.size})
}

// owned is what is known of a lane that only the daemon writes.
type owned struct {
	expect int64 // its size by the daemon's own writing; unsaid: nothing was said
	id     identity
	told   int64 // the size that was reported
}

const unsaid = -2

// Expect says which size an owned lane has by the reader's own writing; then
// only another size is OwnedTouched. -1: it does not exist.
func (s *Set) Expect(lane string, size int64) {
	rel := layout.LaneRel(lane)
	o := s.owned[rel]
	if o == nil {
		o = &owned{}
		s.owned[rel] = o
	}
	if size < o.expect {
		o.id = identity{} // rotated
	}
	o.expect, o.told = size, unsaid
}

// ownedIs says when an owned lane is not what it should be.
func (r *round) ownedIs(rel, lane string, st stat, err error) {
	s := r.s
	o := s.owned[rel]
	size := st.size
	switch {
	case err != nil && o == nil:
		return
	case err != nil:
		size = -1
		delete(s.said, rel)
	case !st.regular():
		r.notALane(rel, lane, st)
		return
	}
	if o == nil {
		o = &owned{expect: unsaid, told: unsaid}
		s.owned[rel] = o
	}
	other := o.id != identity{} && size >= 0 && o.id != st.identity
	o.id = st.identity
	if size == o.expect && !other || size == o.told && !other {
		return
	}
	o.told = size
	r.say(Finding{Kind: OwnedTouched, Lane: lane, Path: rel, Size: size, UID: st.uid})
}

// board says when the board's folder is no longer under its name.
func (r *round) board() {
	s := r.s
	st, err := statThrough(unix.AT_FDCWD, s.root)
	if err == nil {
		var own stat
		if own, err = statFd(s.dirfd); err == nil && own.identity != st.identity {
			err = syscall.ESTALE
		}
	}
	if was := s.homeless; s.homeless != (err != nil) {
		s.homeless = !was
		if s.homeless {
			r.say(Finding{Kind: BoardGone, Path: ".", Err: fmt.Errorf("looking for the board %s: %w", s.root, err)})
		}
	}
}
