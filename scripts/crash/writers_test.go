package crash

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stigmergy/scripts/oracle"
)

// TestWriters: many writers that know nothing of the daemon append with plain
// >> while lanes rotate and the daemon is killed again and again. Nothing is
// lost, nothing is twice, a replay is exact, and what was derived is what an
// undisturbed daemon derives.
func TestWriters(t *testing.T) {
	t.Parallel()
	writers, lines, lanes, segment := scale(20, 60, 200), scale(50, 100, 500), scale(2, 4, 20), "32KiB"
	if *full {
		segment = "256KiB"
	}
	jobs := plan(writers, lines, lanes)
	b := newBoard(t, t.TempDir(), segment)
	kills := b.disturbed(jobs)
	sum := b.judge("after the storm")
	if want := int64(writers * lines); sum.Truth < want {
		t.Fatalf("the oracle compared %d lines, %d were written", sum.Truth, want)
	}
	calm := newBoard(t, t.TempDir(), segment)
	for _, j := range jobs {
		calm.write("good", j.lane, notes(j.writer, j.first, j.count, pad)...)
		calm.bad(j)
	}
	calm.judge("undisturbed")
	compareDerived(t, b, calm)
	t.Logf("%d writers × %d lines, %d kills: %v", writers, lines, kills, sum)
}

const pad = 200

// job is one writer process: some of a writer's lines, by one program.
type job struct {
	writer, lane, program string
	first, count          int
}

// plan cuts every writer's lines into processes of fifty lines: agents start,
// append and end. The first dozen are shells, the rest the compiled writer.
func plan(writers, lines, lanes int) []job {
	here, _ := filepath.Abs("../agents")
	var out []job
	const piece = 50
	for first := 1; first <= lines; first += piece {
		for w := range writers {
			j := job{writer: "w" + strconv.Itoa(w), lane: "agents/" + strconv.Itoa(w%lanes), first: first, count: min(piece, lines-first+1)}
			switch {
			case w < 12:
				j.program = "sh " + here + "/agent.sh"
			case w == 12:
				j.program = "python3 " + here + "/agent.py"
			case w == 13:
				j.program = "node " + here + "/agent.js"
			}
			out = append(out, j)
		}
	}
	return out
}

// runJob runs the writer; what it acknowledged is known.
func (b *board) runJob(j job) error {
	words := strings.Fields(j.program)
	if len(words) > 0 {
		if _, err := exec.LookPath(words[0]); err != nil {
			words = nil
		}
	}
	if len(words) == 0 {
		words = []string{binaries.writer}
	}
	args := append(words[1:], b.lane(j.lane), j.writer, strconv.Itoa(j.count), strconv.Itoa(pad), strconv.Itoa(j.first))
	if said, err := exec.Command(words[0], args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w: %s", words[0], args, err, said)
	}
	return nil
}

// badLines are refused, each for a reason of its own, and so make derived events.
func badLines(j job) []string {
	tag := fmt.Sprintf(`"writer":"%s","n":%d`, j.writer, j.first)
	return []string{
		`{"type":"agent.note","data":{` + tag + `},}`,
		`{"type":"Agent Note","data":{` + tag + `}}`,
		`{"type":"agent.note","time":"yesterday","data":{` + tag + `}}`,
		`{"type":"hxo.plan.abort","data":{"plan_id":1,` + tag + `}}`,
	}
}

func (b *board) bad(j job) { b.write("bad", j.lane, badLines(j)...) }

// disturbed runs the jobs eight at a time under a daemon that dies every
// 200 ms, and says how often it died.
func (b *board) disturbed(jobs []job) int {
	b.t.Helper()
	work := make(chan job)
	errs := make(chan error, len(jobs))
	var wg sync.WaitGroup
	var know sync.Mutex
	for range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range work {
				if err := b.runJob(j); err != nil {
					errs <- err
				}
				know.Lock()
				b.know("good", j.writer, notes(j.writer, j.first, j.count, pad)...)
				b.bad(j)
				know.Unlock()
			}
		}()
	}
	var finished atomic.Bool
	b.must(mkdirs(b, jobs))
	go func() {
		for _, j := range jobs {
			work <- j
		}
		close(work)
		wg.Wait()
		finished.Store(true)
	}()
	kills := 0
	for !finished.Load() {
		d := b.start()
		<-time.After(200 * time.Millisecond)
		d.kill()
		kills++
	}
	close(errs)
	for err := range errs {
		b.t.Error(err)
	}
	return kills
}

// compareDerived: the multisets of what was derived are equal.
func compareDerived(t *testing.T, a, b *board) {
	t.Helper()
	da, err := oracle.Derived(a.dir)
	a.must(err)
	db, err := oracle.Derived(b.dir)
	b.must(err)
	if len(da) == 0 {
		t.Fatal("nothing was derived: there is nothing to compare")
	}
	if slices.Equal(da, db) {
		t.Logf("%d derived lines, the same in both", len(da))
		return
	}
	count := map[string]int{}
	for _, l := range da {
		count[l]++
	}
	for _, l := range db {
		count[l]--
	}
	shown := 0
	for l, n := range count {
		if n != 0 && shown < 10 {
			t.Errorf("derived %+d times more in the storm: %s", n, l)
			shown++
		}
	}
}

func mkdirs(b *board, jobs []job) error {
	for _, j := range jobs {
		if err := os.MkdirAll(filepath.Dir(b.lane(j.lane)), 0o755); err != nil {
			return err
		}
	}
	return nil
}
