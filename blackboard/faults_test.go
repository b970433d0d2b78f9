package blackboard_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
)

// What users and the machine do to a board's files, for the tests of 8-faults.

// path is a file of the board by its board-relative name.
func (b *board) path(rel string) string { return filepath.Join(b.layout.Dir, rel) }

// must fails the test on an error.
func (b *board) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// write puts text into a file, which is truncated first if it is there.
func (b *board) write(rel, text string) {
	b.Helper()
	b.must(os.MkdirAll(filepath.Dir(b.path(rel)), 0o755))
	b.must(os.WriteFile(b.path(rel), []byte(text), 0o644))
}

// over puts text into a new file and renames that over another, as an editor
// that saves atomically does.
func (b *board) over(rel, text string) {
	b.Helper()
	b.write(rel+".tmp", text)
	b.rename(rel+".tmp", rel)
}

// add appends to a file by its board-relative name.
func (b *board) add(rel, text string) { b.Helper(); w := b.hold(rel); w.write(text); w.close() }

func (b *board) rename(from, to string) {
	b.Helper()
	b.must(os.MkdirAll(filepath.Dir(b.path(to)), 0o755))
	b.must(os.Rename(b.path(from), b.path(to)))
}

func (b *board) remove(rel string) { b.Helper(); b.must(os.Remove(b.path(rel))) }

// hold opens a lane as a writer that keeps its descriptor does.
func (b *board) hold(rel string) *writer {
	b.Helper()
	f, err := os.OpenFile(b.path(rel), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	b.must(err)
	w := &writer{b, f}
	b.Cleanup(func() { f.Close() })
	return w
}

// writer holds a lane's file open.
type writer struct {
	b *board
	f *os.File
}

func (w *writer) write(text string) {
	w.b.Helper()
	_, err := w.f.WriteString(text)
	w.b.must(err)
}

func (w *writer) close() { w.b.Helper(); w.b.must(w.f.Close()) }

// pass lets time go by, a second at a time at first, so that whatever waits
// for it comes due in order.
func (b *board) pass(d time.Duration) {
	b.Helper()
	for d > 0 {
		step := min(d, time.Second)
		if d > 10*time.Second {
			step = 10 * time.Second
		}
		b.clock.t = b.clock.t.Add(step)
		d -= step
		b.settle()
	}
}

// restart ends the daemon in good order and starts it again.
func (b *board) restart() { b.Helper(); b.close(); b.open(); b.settle() }

// kill ends the daemon as SIGKILL does, lets fn happen, and starts it again.
func (b *board) kill(fn func()) {
	b.Helper()
	b.crash()
	if fn != nil {
		fn()
	}
	b.open()
	b.settle()
}

// taken are the lines that the journal took in of all lanes but the workers',
// each with its lane and segment, read from wherever the plain files are.
func (b *board) taken() []string {
	b.Helper()
	var out []string
	for _, e := range b.entries() {
		if e.Kind != journal.Input || layout.Worker(e.Lane) {
			continue
		}
		text := b.bytesOf(e)
		if text == gone {
			text = strings.Repeat(gone, int(e.Lines))
		}
		for line := range strings.Lines(text) {
			out = append(out, fmt.Sprintf("%s@%d %s", e.Lane, e.Segment, strings.TrimSuffix(line, "\n")))
		}
	}
	return out
}

const gone = "gone\n"

// bytesOf are those that an entry took in or derived: the stretch of a file
// which has its root.
func (b *board) bytesOf(e journal.Entry) string {
	b.Helper()
	var files []string
	if text, ok := unzstd(b.TB, b.layout.Archive(e.Lane, e.Segment)); ok {
		files = append(files, string(text))
	}
	for path, text := range b.tree() {
		files = append(files, text)
		if path == "/"+layout.LaneRel(e.Lane) {
			for _, base := range b.bases(e.Lane, e.Segment) {
				files = append(files, text[min(base, int64(len(text))):])
			}
		}
	}
	for _, text := range files {
		if int64(len(text)) >= e.To && rootOf(text[e.From:e.To]) == e.Root {
			return text[e.From:e.To]
		}
	}
	return gone
}

// bases is where in the lane's file a segment begins, by the journal.
func (b *board) bases(lane string, segment uint64) (out []int64) {
	for _, e := range b.entries() {
		if e.Kind == journal.Rotate && e.Lane == lane && e.Next == segment && e.Base != 0 {
			out = append(out, e.Base)
		}
	}
	return out
}

func rootOf(text string) merkle.Hash {
	var tree merkle.Tree
	for line := range strings.Lines(text) {
		tree.Add(merkle.LeafHash([]byte(strings.TrimSuffix(line, "\n"))))
	}
	return tree.Root()
}

// ids are the ids of the events that were taken in, in order, with "?" for
// what is none.
func (b *board) ids() string {
	b.Helper()
	var out []string
	for _, line := range b.taken() {
		_, rest, ok := strings.Cut(line, `"id":"`)
		id, _, _ := strings.Cut(rest, `"`)
		switch {
		case strings.HasSuffix(line, " gone"):
			out = append(out, "gone")
		case !ok:
			out = append(out, "?")
		default:
			out = append(out, id)
		}
	}
	return strings.Join(out, " ")
}

// wantIDs compares the ids of what was taken in, whatever their order.
func (b *board) wantIDs(want string) {
	b.Helper()
	got, w := strings.Fields(b.ids()), strings.Fields(want)
	slices.Sort(got)
	slices.Sort(w)
	if !slices.Equal(got, w) {
		b.Errorf("taken in: %v, want %v\n%s", got, w, strings.Join(b.taken(), "\n"))
	}
}

// wantAlerts compares the types of the board's alerts, in order.
func (b *board) wantAlerts(want ...string) {
	b.Helper()
	if got := b.allAlerts(); !slices.Equal(got, want) {
		b.Errorf("alerts %v, want %v", got, want)
	}
}

// allAlerts are the types of the alerts on every segment of lane board.
func (b *board) allAlerts() []string {
	var out []string
	for _, a := range b.alertData("") {
		out = append(out, a["alert_type"].(string))
	}
	return out
}

// alertData is the data of the alerts of one type; "" for all.
func (b *board) alertData(kind string) []map[string]any {
	b.Helper()
	var out []map[string]any
	for _, m := range b.ownedLines("board") {
		d, _ := m["data"].(map[string]any)
		if m["type"] == "board.alert" && (kind == "" || d["alert_type"] == kind) {
			out = append(out, d)
		}
	}
	return out
}

// ownedLines are an owned lane's lines over all its segments, as its entries
// say where they stand.
func (b *board) ownedLines(lane string) []map[string]any {
	b.Helper()
	var out []map[string]any
	for _, e := range b.entries() {
		if e.Kind != journal.Derived || e.Lane != lane {
			continue
		}
		for line := range bytes.Lines([]byte(b.bytesOf(e))) {
			out = append(out, b.object(line))
		}
	}
	return out
}

// reasons are those for which segments of a lane were rotated, in order.
func (b *board) reasons(lane string) string {
	b.Helper()
	var out []string
	for _, m := range b.lines("workers/archive") {
		d := m["data"].(map[string]any)
		if m["type"] == "board.lane.rotated" && d["lane"] == lane {
			out = append(out, fmt.Sprintf("%v:%v", d["segment"], d["reason"]))
		}
	}
	return strings.Join(out, " ")
}

// archived are the numbers of a lane's segments that stand in archives.
func (b *board) archived(lane string) string {
	b.Helper()
	names, err := filepath.Glob(filepath.Join(b.layout.Dir, "archive", lane, "*.zst"))
	b.must(err)
	var out []string
	for _, n := range names {
		out = append(out, strings.TrimLeft(strings.TrimSuffix(filepath.Base(n), layout.ArchiveExt), "0"))
	}
	return strings.Join(out, " ")
}

// idle says that nothing is left to be done but what waits for a writer.
func (b *board) idle() {
	b.Helper()
	left := b.k.Outstanding()
	delete(left, "checkpoint:0") // nobody signs in these tests
	if len(left) > 0 {
		b.Errorf("outstanding: %v", left)
	}
}

// object is a line's.
func (b *board) object(line []byte) map[string]any {
	b.Helper()
	var m map[string]any
	if err := json.Unmarshal(line, &m); err != nil {
		b.Fatalf("%v: %s", err, line)
	}
	return m
}

// sameTree compares the board's files with what they were.
func (b *board) sameTree(before map[string]string) {
	b.Helper()
	after := b.tree()
	for path, text := range after {
		if was, ok := before[path]; !ok || was != text {
			b.Errorf("%s: %d bytes became %d: %.200q", path, len(was), len(text), text)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			b.Errorf("%s is gone", path)
		}
	}
}
