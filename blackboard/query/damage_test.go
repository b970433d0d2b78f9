package query

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

func archivesOf(t testing.TB, b *board) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(b.l.Dir, "archive"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return paths
}

// dataBytes is where an archive's index begins.
func dataBytes(t testing.TB, path string) int64 {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := archive.Open(f, fi.Size())
	if err != nil {
		t.Fatal(err)
	}
	return r.Summary().DataBytes
}

// An index that is missing, damaged or another's costs time, never an answer.
func TestDamagedIndexesChangeNoAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "query")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		b := drawBoard(rt, dir, t)
		defer func() { b.journal.Close() }()
		for _, name := range b.names {
			for _, lane := range []string{name, "quarantine/" + name} {
				b.rotateClean(lane)
				b.packAny(lane)
			}
		}
		all, records := naiveEvents(t, b.board), naiveRecords(t, b.board)
		if rapid.Bool().Draw(rt, "catalog") {
			c, err := archive.OpenCatalog(b.l, archive.NewDecoder())
			if err == nil {
				err = c.Save(new(durable.Disk))
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		for _, path := range archivesOf(t, b.board) {
			hurtIndex(t, rt, path)
		}
		e, err := Open(b.l, Options{Now: testNow})
		if err != nil {
			rt.Fatal(err)
		}
		defer e.Close()
		for range 3 {
			req, where, re := drawRequest(rt, all)
			checkAnswer(rt, e, req, naiveAnswer(all, &req, where, re, place{}))
		}
		checkRecords(rt, e, records)
		if len(all) > 0 {
			checkShown(rt, e, &all[rapid.IntRange(0, len(all)-1).Draw(rt, "shown")])
		}
	})
}

// checkRecords asks for the records of refused lines.
func checkRecords(t *rapid.T, e *Engine, want []string) {
	var got []string
	if _, err := e.Run(context.Background(), Request{Quarantined: true}, func(h *Hit) error {
		got = append(got, fmt.Sprintf("%s %s", h.Pos, h.Line))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	sameLists(t, got, want)
}

// checkShown finds an event by its position, as show and cursors do.
func checkShown(t *rapid.T, e *Engine, ev *naiveEvent) {
	s, _, err := e.Show(context.Background(), ev.pos)
	if err != nil {
		t.Fatal(err)
	}
	if string(s.Line) != ev.line || s.Seq != ev.seq || s.LineNo != ev.lineNo || s.Pending != ev.pending {
		t.Fatalf("%s shows as %d %d %v %s", ev.pos, s.Seq, s.LineNo, s.Pending, s.Line)
	}
}

// What the catalog says of an index is believed until the archive is opened.
// Where the index turns out to be gone, the quarantine decides about each line.
func TestRefusedLinesStayRefusedWhenTheirIndexIsGone(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer func() { b.journal.Close() }()
	b.write("ci", `{"type":"build.done","data":{"plan_id":"short"`+"\n"+`{"type":"build.done"}`+"\n")
	b.take("ci", 2)
	b.rotate("ci")
	b.pack("ci", 1, archive.WriteOptions{})
	c, err := archive.OpenCatalog(b.l, archive.NewDecoder())
	if err == nil {
		err = c.Save(new(durable.Disk))
	}
	if err != nil {
		t.Fatal(err)
	}
	path := archivesOf(t, b)[0]
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[dataBytes(t, path)] ^= 1
	if err := errors.Join(os.WriteFile(path, raw, 0o644), os.Chtimes(path, fi.ModTime(), fi.ModTime())); err != nil {
		t.Fatal(err)
	}
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got, _, res := collect(t, e, Request{})
	if len(got) != 1 || !strings.HasSuffix(got[0], `{"type":"build.done"}`) || len(res.Damaged)+len(res.Holes) > 0 {
		t.Fatalf("%q %+v", got, res)
	}
}

// hurtIndex cuts, flips or leaves an archive's index; the file's size and time
// stay where they can.
func hurtIndex(t testing.TB, rt *rapid.T, path string) {
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	n := int(dataBytes(t, path))
	switch rapid.IntRange(0, 3).Draw(rt, "hurt") {
	case 0:
		raw = raw[:n]
	case 1:
		raw = raw[:n+rapid.IntRange(0, len(raw)-n-1).Draw(rt, "cut")]
	case 2:
		raw[n+rapid.IntRange(0, len(raw)-n-1).Draw(rt, "at")] ^= byte(1 << rapid.IntRange(0, 7).Draw(rt, "bit"))
	default:
		return
	}
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
}

// A damaged frame is told, and everything else is answered.
func TestDamagedFramesAreToldAndTheRestAnswered(t *testing.T) {
	b, e := someBoard(t, 21, 300)
	for _, name := range b.names {
		b.rotateClean(name)
	}
	for n := uint64(1); n < b.lane("ci").segment; n++ {
		b.pack("ci", n, archive.WriteOptions{FrameBytes: 1024})
	}
	all, _, _ := collect(t, e, Request{JournaledOnly: true})
	path := b.l.Archive("ci", 1)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := archive.NewDecoder().OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	frame := f.Frames()[0]
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	raw[frame.Offset+frame.Size/2] ^= 8
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	got, _, res := collect(t, e, Request{JournaledOnly: true})
	if len(res.Damaged) == 0 || res.Damaged[0].Path != path {
		t.Fatalf("not told: %+v", res.Damaged)
	}
	if len(got) == 0 || len(got) >= len(all) {
		t.Fatalf("%d of %d", len(got), len(all))
	}
	at := 0
	for _, s := range got {
		i := slices.Index(all[at:], s)
		if i < 0 {
			t.Fatalf("out of order, or none: %s", s)
		}
		at += i + 1
	}
}

func TestMissingSegmentsAreHoles(t *testing.T) {
	b, e := someBoard(t, 23, 300)
	for _, name := range b.names {
		b.rotateClean(name)
	}
	b.pack("ci", 1, smallFrames())
	if err := os.Remove(b.l.Archive("ci", 1)); err != nil {
		t.Fatal(err)
	}
	none, err := ParseFilters([]string{"nothing=to-be-found"})
	if err != nil {
		t.Fatal(err)
	}
	_, _, res := collect(t, e, Request{Where: none})
	if len(res.Holes) == 0 || res.Holes[0].Kind != "missing" || res.Holes[0].Lane != "ci" || res.Holes[0].Segment != 1 {
		t.Fatalf("%+v", res.Holes)
	}
	_, _, res = collect(t, e, Request{Where: none, Lane: "agents/1"})
	for _, h := range res.Holes {
		if h.Kind == "missing" {
			t.Fatalf("another lane's hole: %+v", h)
		}
	}
	got, _, res := collect(t, e, Request{})
	if len(got) == 0 || len(res.Damaged) != 0 {
		t.Fatalf("%d, %+v", len(got), res.Damaged)
	}
}

func smallFrames() archive.WriteOptions { return archive.WriteOptions{FrameBytes: 1024} }

func TestReplacedLaneFilesAreNotBelieved(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	line := `{"type":"build.done","data":{"n":1}}` + "\n"
	b.write("ci", line+line)
	b.take("ci", 2)
	if err := os.Remove(b.l.Lane("ci")); err != nil {
		t.Fatal(err)
	}
	b.write("ci", strings.ReplaceAll(line+line, "1", "2"))
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	got, _, res := collect(t, e, Request{})
	if len(got) != 0 || len(res.Holes) == 0 || res.Holes[0].Lane != "ci" {
		t.Fatalf("%q %+v", got, res.Holes)
	}
}

// Between a rotation's entry and its rename the lane's file is still the old
// segment, whoever reads then.
func TestRotationThatIsNotRenamedYet(t *testing.T) {
	b := newBoard(t, t.TempDir())
	defer b.journal.Close()
	line := `{"type":"build.done","data":{"n":1}}` + "\n"
	b.write("ci", line+line)
	b.take("ci", 2)
	b.entry(&journal.Entry{Kind: journal.Rotate, Lane: "ci", Segment: 1, Next: 2, To: int64(2 * len(line)), Reason: "size"})
	b.write("ci", line)
	e, err := Open(b.l, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, req := range []Request{{}, {Last: 5}, {Last: 5, Reverse: true}} {
		got, _, res := collect(t, e, req)
		if len(got) != 3 || len(res.Holes)+len(res.Damaged) > 0 {
			t.Fatalf("%q %+v", got, res)
		}
		if !req.Reverse && !strings.HasPrefix(got[2], fmt.Sprintf("ci@1:%d ", 2*len(line))) {
			t.Fatalf("%q", got)
		}
	}
}

// A lane that somebody renamed is read from where it is, under its own name.
func TestRenamedLanesKeepTheirPositions(t *testing.T) {
	for _, to := range []string{"ci.jsonl.1", "moved.jsonl"} {
		b := newBoard(t, t.TempDir())
		b.write("ci", `{"type":"build.done","data":{"n":1}}`+"\n")
		b.take("ci", 1)
		if err := os.Rename(b.l.Lane("ci"), filepath.Join(b.l.Dir, to)); err != nil {
			t.Fatal(err)
		}
		e, err := Open(b.l, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, req := range []Request{{JournaledOnly: true}, {}, {Reverse: true}} {
			got, _, res := collect(t, e, req)
			if len(got) != 1 || !strings.HasPrefix(got[0], "ci@1:0 ") || len(res.Holes) != 0 {
				t.Errorf("%s: %+v: %q %+v", to, req, got, res.Holes)
			}
		}
		b.write("moved", `{"type":"build.done","data":{"n":2}}`+"\n")
		if got, _, _ := collect(t, e, Request{Last: 1}); to == "moved.jsonl" && (len(got) != 1 || !strings.HasPrefix(got[0], "ci@1:37 ")) {
			t.Errorf("what was appended to %s: %q", to, got)
		}
		_ = e.Close()
		_ = b.journal.Close()
	}
}

// acked is what writers and the daemon had done at some time.
type acked struct {
	seq   uint64
	lanes map[string]contracts.Position // where each lane's file ended
}

func (b *randomBoard) acked(t testing.TB) *acked {
	a := &acked{seq: b.seq, lanes: map[string]contracts.Position{}}
	for _, name := range b.names {
		at := contracts.Position{Lane: name, Segment: b.lane(name).segment}
		if fi, err := os.Stat(b.l.Lane(name)); err == nil {
			at.Offset = fi.Size()
		}
		a.lanes[name] = at
	}
	return a
}

// had tells whether an event stood on the board then.
func (a *acked) had(ev *naiveEvent) bool {
	pos, err := contracts.ParsePosition(ev.pos)
	if err != nil {
		return false
	}
	end, ok := a.lanes[pos.Lane]
	return ok && pos.Compare(end) < 0 || !ok && !ev.pending && ev.seq < a.seq
}

// While everything moves (rotation, archiving, the journal's own), each answer
// is a beginning of the history and then what is pending: nothing twice,
// nothing out of order, and nothing missing that stood there when it began.
func TestAnswersWhileTheBoardMoves(t *testing.T) {
	b, e := someBoard(t, 31, 60)
	steps := 600
	if testing.Short() {
		steps = 150
	}
	var now atomic.Pointer[acked]
	now.Store(b.acked(t))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range steps {
			b.step()
			now.Store(b.acked(t))
		}
	}()
	type answer struct {
		then      *acked
		journaled []string
		all       map[string]int
	}
	var answers []answer
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		a := answer{then: now.Load(), all: map[string]int{}}
		res, err := e.Run(context.Background(), Request{}, func(h *Hit) error {
			s := fmt.Sprintf("%s %s", h.Pos, h.Line)
			if !h.Pending {
				a.journaled = append(a.journaled, s)
			}
			a.all[s]++
			return nil
		})
		if err != nil || len(res.Damaged) > 0 || len(res.Holes) > 0 {
			t.Errorf("%v %+v %+v", err, res.Damaged, res.Holes)
		}
		answers = append(answers, a)
	}
	events := naiveEvents(t, b.board)
	all := naiveJournaled(t, b.board)
	for i, a := range answers {
		got := a.journaled
		if len(got) > len(all) || !slices.Equal(got, all[:len(got)]) {
			k := 0
			for k < len(got) && k < len(all) && got[k] == all[k] {
				k++
			}
			t.Fatalf("answer %d of %d: %d events of %d; they differ at %d: %s, not %s", i, len(answers), len(got), len(all), k, got[k:min(k+3, len(got))], all[k:min(k+3, len(all))])
		}
		for j := range events {
			ev := &events[j]
			n := a.all[ev.pos+" "+ev.line]
			if n > 1 || n == 0 && a.then.had(ev) {
				t.Fatalf("answer %d of %d holds %d times, though it stood there: %s %s", i, len(answers), n, ev.pos, ev.line)
			}
		}
	}
}
