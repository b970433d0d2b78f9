package lanes

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestTenThousandLanes finds exactly what changed among them, live and after a
// restart, with few descriptors.
func TestTenThousandLanes(t *testing.T) {
	if testing.Short() {
		t.Skip("makes ten thousand files")
	}
	const n = 10_000
	r := newReader(t, Options{Watch: true, MaxOpen: 300})
	r.chunk = 4096
	for i := range n {
		if i%1000 == 0 {
			must(t, os.MkdirAll(r.path(fmt.Sprintf("agents/%d", i/1000)), 0o755))
		}
		must(t, os.WriteFile(r.path(laneNo(i)), []byte("1\n"), 0o644))
	}
	r.start(nil)
	r.look()
	if len(r.taken) != n {
		t.Fatalf("took in %d lanes", len(r.taken))
	}
	r.log = nil
	change := func(r *reader) {
		r.append(laneNo(17), "2\n")
		r.append(laneNo(9_999), "2\n")
		r.write(laneNo(5_000), "other\n")
		r.rename(laneNo(42), "agents/1/moved.jsonl")
		r.append("agents/5/new.jsonl", "1\n")
	}
	change(r)
	r.settle()
	want := "moved agents/0/42@1: agents/0/42.jsonl → agents/1/moved.jsonl\nfound agents/5/new@1\ntruncated agents/5/5000@1\nfound agents/5/5000@2"
	if got := sorted(r.log); got != sorted(strings.Split(want, "\n")) {
		t.Errorf("got\n%s", got)
	}
	r.log = nil
	down(func(r *reader) { r.append(laneNo(77), "2\n"); r.remove(laneNo(78)) })(r)
	r.settle()
	if got := strings.Join(r.log, "\n"); got != "gone agents/0/78@1 deleted" {
		t.Errorf("after a restart: got\n%s", got)
	}
	for _, i := range []int{17, 9_999, 77} {
		if got := string(r.taken[strings.TrimSuffix(laneNo(i), ".jsonl")+"@1"]); got != "1\n2\n" {
			t.Errorf("lane %d: took in %q", i, got)
		}
	}
	if d := r.set.Describe(); d.Open > 300 || d.Tails != n {
		t.Errorf("got %+v", d)
	}
	checkSet(t, r.set)
	must(t, r.set.Close())
}

func laneNo(i int) string { return fmt.Sprintf("agents/%d/%d.jsonl", i/1000, i) }

func sorted(lines []string) string {
	m := map[string]bool{}
	for _, l := range lines {
		m[l] = true
	}
	return strings.Join(keys(m), "\n")
}

// TestDirtyFromManySides: no hint is lost between those who give and the one
// who takes.
func TestDirtyFromManySides(t *testing.T) {
	d := newDirty()
	d.moves = map[string]string{}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				d.add(fmt.Sprint(g, i), i%2 == 0)
				d.moved(fmt.Sprint(g, i), fmt.Sprint(g, i+1))
				d.overflowed()
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen, overflows := map[string]bool{}, 0
	take := func() {
		paths := d.take()
		for p, entry := range paths {
			seen[p] = entry
		}
		d.done(paths)
		n, _ := d.troubles()
		overflows += n
	}
	for finished := false; !finished; {
		select {
		case <-d.wake:
		case <-done:
			finished = true
		}
		take()
	}
	if len(seen) != 4000 || overflows != 4000 || d.any() {
		t.Errorf("%d paths, %d overflows, more %v", len(seen), overflows, d.any())
	}
	for g := range 4 {
		if to := fmt.Sprint(g, 1000); d.moves[to] != fmt.Sprint(g, 0) || len(d.moves) != 4 {
			t.Errorf("%s came from %s, %d renames kept", to, d.moves[to], len(d.moves))
		}
	}
}

// TestMovesAreBounded: names that come and go do not pile up.
func TestMovesAreBounded(t *testing.T) {
	d := newDirty()
	d.moved("a", "b")
	if d.took() != nil {
		t.Error("kept without being asked to")
	}
	d.moves = map[string]string{}
	for i := range 3 * maxMoves {
		d.moved("from"+itoa(i), "to"+itoa(i))
	}
	d.moved("to1", "from1") // and back
	if n := len(d.took()); n > maxMoves {
		t.Errorf("%d kept", n)
	}
	if d.took() != nil {
		t.Error("taken twice")
	}
}
