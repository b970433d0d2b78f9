package lanes

import (
	"strconv"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// checkSet is what must hold of a Set between two calls.
func checkSet(t testing.TB, s *Set) {
	t.Helper()
	for rel, x := range s.at {
		if x.Path != rel || x.state == over {
			t.Errorf("at %s: a tail whose path is %s, state %d", rel, x.Path, x.state)
		}
		if _, ok := s.tails[x]; !ok {
			t.Errorf("at %s: a tail that is not tracked", rel)
		}
	}
	for rel, x := range s.heirs {
		if x.home != rel || s.at[rel] == x || x.state == over {
			t.Errorf("heir of %s: home %s, at %s", rel, x.home, x.Path)
		}
	}
	for id, x := range s.byID {
		if x.seen.identity != id || x.state == over {
			t.Errorf("by identity: %v is %v", id, x.seen.identity)
		}
	}
	open := 0
	for f := s.pool.ring.next; f != &s.pool.ring; f = f.next {
		open++
		if f.fd < 0 || f.pins != 0 || f.refs < 1 {
			t.Errorf("in the pool: %+v", f)
		}
	}
	if open != s.pool.held {
		t.Errorf("the pool holds %d files, counted %d", open, s.pool.held)
	}
	if want := len(s.tails) + len(s.cands) + len(s.ghosts); open > want {
		t.Errorf("%d files open for %d uses", open, want)
	}
	for x := range s.tails {
		if x.win.offset != x.offset {
			t.Errorf("%s: window at %d, offset %d", key(x), x.win.offset, x.offset)
		}
	}
}
