package lanes

import (
	"slices"
	"strings"

	"stigmergy/blackboard/layout"
)

// round is one settling of what is dirty: first every path is looked at, then
// files that are tracked already are recognised under their new names, then
// what lost its name is searched for, and what is left over is new.
type round struct {
	s         *Set
	now       int64
	queue     []string
	queued    map[string]bool // true: the name itself came or went
	lost      []*Tail
	strangers []stranger
	places    map[identity]string // of files under names that are no lane's; nil: not searched
	cut       map[*Tail]bool      // said to be Truncated
	out       []Finding
}

// stranger is a regular file under a lane's name that is not tracked there.
type stranger struct {
	rel, lane string
	st        stat
	passed    bool // it had that lane's name for a while, unseen
}

// Findings settles all dirty paths against the disk. The slice is valid until
// the next call.
func (s *Set) Findings() []Finding {
	r := &round{s: s, now: s.now(), out: s.findings[:0]}
	if overflow, fault := s.dirty.troubles(); overflow > 0 || fault != nil {
		r.troubled(overflow, fault)
	}
	r.queued = s.dirty.take()
	for p, at := range s.again {
		if at <= r.now {
			delete(s.again, p)
			if _, there := r.queued[p]; !there {
				r.queued[p] = false
			}
		}
	}
	for p := range r.queued {
		r.queue = append(r.queue, p)
	}
	r.settle()
	if news, err := s.polling.news(s); news {
		r.say(Finding{Kind: Polling, Err: err})
	}
	s.sweeping.fresh = false
	s.dirty.done(r.queued)
	order(r.out)
	s.findings = r.out
	return r.out
}

// troubled answers what the watcher said of itself.
func (r *round) troubled(overflow int, fault error) {
	s := r.s
	if overflow > 0 {
		s.sweeping.overflows += int64(overflow)
		r.say(Finding{Kind: Overflow})
	}
	if fault != nil {
		s.polling.fault = fault
	}
	s.Sweep()
}

func (r *round) settle() {
	s := r.s
	slices.Sort(r.queue)
	for i := 0; i < len(r.queue); i++ { // grows meanwhile
		p := r.queue[i]
		r.look(p, r.queued[p])
	}
	for rel, from := range s.dirty.took() {
		if lane, ok := layout.LaneName(from); ok && !layout.Owned(lane) {
			r.passedBy(rel, lane)
		}
	}
	r.recognise()
	for i := 0; i < len(r.lost); i++ { // grows meanwhile
		if t := r.lost[i]; s.at[t.Path] != t {
			r.search(t)
		}
	}
	for t := range s.looks {
		delete(s.looks, t)
		r.lookOpen(t)
	}
	for _, x := range r.strangers {
		r.stranger(x)
	}
	r.haunt()
}

// add has one more path looked at in this round.
func (r *round) add(rel string, entry bool) {
	if was, ok := r.queued[rel]; ok {
		r.queued[rel] = was || entry
		return
	}
	r.queued[rel] = entry
	r.queue = append(r.queue, rel)
}

func (r *round) say(f Finding) {
	if f.Tail != nil {
		f.Lane = f.Tail.Lane
	}
	r.out = append(r.out, f)
}

// look settles one path as far as it can be settled by itself.
func (r *round) look(rel string, entry bool) {
	s := r.s
	cur, lane, isLane := s.at[rel], "", true
	if c := s.cands[rel]; c != nil && c.passed {
		r.passedBy(rel, c.lane)
		return
	}
	if cur == nil {
		if isConfig(rel) {
			r.configured(rel)
			return
		}
		if lane, isLane = layout.LaneName(rel); !isLane {
			if entry || s.folders.by[rel] != nil {
				r.thing(rel, entry)
			}
			return
		}
	}
	st, err := r.stat(rel)
	switch {
	case err == nil && cur != nil && cur.seen.identity == st.identity:
		r.check(cur, st)
	case err != nil && !missing(err):
		r.unreadable(rel, lane, cur, err)
	case cur == nil && layout.Owned(lane):
		r.ownedIs(rel, lane, st, err)
	default:
		r.changed(rel, cur, st, err)
	}
}

// stat looks at a path in a folder that is known to be one.
func (r *round) stat(rel string) (stat, error) {
	dir := parent(rel)
	st, err := r.s.stat(rel)
	if err == nil && r.s.folders.by[dir] == nil && wanted(dir) && !r.known(dir) {
		return stat{}, errAbsent // what a link leads to
	}
	return st, err
}

// changed settles a path where not the file stands that was there.
func (r *round) changed(rel string, cur *Tail, st stat, err error) {
	if cur != nil {
		r.loses(cur, rel)
	}
	lane, isLane := layout.LaneName(rel)
	switch {
	case err != nil:
		delete(r.s.said, rel)
		r.vacant(rel)
	case !isLane:
	case !st.regular():
		r.vacant(rel)
		r.notALane(rel, lane, st)
	default:
		r.strangers = append(r.strangers, stranger{rel: rel, lane: lane, st: st})
	}
}

// loses notes that t's file is no longer under rel.
func (r *round) loses(t *Tail, rel string) {
	s := r.s
	delete(s.at, rel)
	if t.home == rel && t.gone == 0 {
		s.heirs[rel] = t
		t.since = r.now
		s.lookAt(rel, s.opt.Settle)
	}
	r.lost = append(r.lost, t)
}

// vacant settles a lane path under which no file stands that could be a lane.
func (r *round) vacant(rel string) {
	s := r.s
	s.forgetCand(rel)
	t := s.heirs[rel]
	if t == nil || t.gone != 0 {
		return
	}
	if left := t.since + int64(s.opt.Settle) - r.now; left > 0 {
		s.again[rel] = r.now + left
		return
	}
	r.isGone(t)
}

// passedBy looks at a file that has no lane's name but, as an event told, had
// one before anybody looked: its lines were written to a lane.
func (r *round) passedBy(rel, lane string) {
	s := r.s
	if _, isLane := layout.LaneName(rel); isLane || s.at[rel] != nil {
		return
	}
	dir := parent(rel)
	if !wanted(dir) || !r.known(dir) {
		return
	}
	st, err := s.stat(rel)
	if err != nil || !st.regular() || s.byID[st.identity] != nil {
		s.forgetCand(rel)
		return
	}
	r.strangers = append(r.strangers, stranger{rel: rel, lane: lane, st: st, passed: true})
}

// thing looks at a path that is no lane's: a folder, or a link to one.
func (r *round) thing(rel string, entry bool) {
	s := r.s
	if !wanted(rel) && s.folders.by[rel] == nil {
		return
	}
	if rel != "." && !r.known(parent(rel)) {
		return
	}
	st, err := s.stat(rel)
	if err == nil && st.what() == "symlink" {
		if to, err := statThrough(s.dirfd, rel); err == nil && to.folder() {
			r.notALane(rel, "", st)
		}
	}
	if err == nil && !st.folder() && s.folders.by[rel] == nil {
		return
	}
	if rel == "." {
		r.board()
	}
	r.folderIs(rel, st, err, entry)
}

// recognise finds strangers that are tracked under another name.
func (r *round) recognise() {
	slices.SortFunc(r.strangers, func(a, b stranger) int { return strings.Compare(a.rel, b.rel) })
	rest := r.strangers[:0]
	for _, x := range r.strangers {
		t := r.s.byID[x.st.identity]
		switch {
		case t == nil:
			rest = append(rest, x)
		case r.s.at[x.rel] == t: // recognised meanwhile
		case r.s.at[t.Path] == t && t.Path != x.rel && r.s.stands(t):
			r.hardLink(x, t.Path)
		default:
			r.moved(t, x.rel, x.st)
		}
	}
	r.strangers = rest
}

// stands says whether t's file is still under its path.
func (s *Set) stands(t *Tail) bool {
	st, err := s.stat(t.Path)
	return err == nil && st.identity == t.seen.identity
}
