package query

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// board writes what a daemon would: lanes, journal, segments, archives and
// quarantine, each step on its own, so that a test can stop anywhere.
type board struct {
	t       testing.TB
	l       layout.Layout
	checker *contracts.Checker
	policy  *contracts.Policy
	seq     uint64
	now     int64
	journal *os.File
	nth     uint64
	lanes   map[string]*boardLane
	spans   map[segKey][]archive.Run
}

type boardLane struct {
	name    string
	segment uint64
	end     int64 // journaled
}

func newBoard(t testing.TB, dir string) *board {
	t.Helper()
	l, _, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	checker, policy, err := boardRules(l)
	if err != nil {
		t.Fatal(err)
	}
	b := &board{t: t, l: l, checker: checker, policy: policy, now: 1769654000e9, lanes: map[string]*boardLane{}, spans: map[segKey][]archive.Run{}}
	b.nextJournal()
	b.entry(&journal.Entry{Kind: journal.Open, BoardID: "00", BootID: "b", Fold: 1, Version: "test"})
	return b
}

func (b *board) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *board) nextJournal() {
	if b.journal != nil {
		b.must(b.journal.Close())
	}
	b.nth++
	f, err := os.OpenFile(b.l.JournalSegment(b.nth), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	b.must(err)
	b.journal = f
}

// packJournal compresses every journal segment but the last.
func (b *board) packJournal() {
	for n := uint64(1); n < b.nth; n++ {
		raw, err := os.ReadFile(b.l.JournalSegment(n))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		b.must(err)
		var out bytes.Buffer
		_, err = archive.Write(&out, bytes.NewReader(raw), archive.Source{Lane: "journal", Segment: n}, archive.WriteOptions{FrameBytes: 4096})
		b.must(err)
		b.must(os.WriteFile(b.l.JournalSegment(n)+".tmp", out.Bytes(), 0o644))
		b.must(os.Rename(b.l.JournalSegment(n)+".tmp", b.l.JournalSegment(n)+".zst"))
		b.must(os.Remove(b.l.JournalSegment(n)))
	}
}

func (b *board) entry(e *journal.Entry) {
	b.now += 1_234_567
	e.Seq, e.Time, e.ElapsedMS = b.seq, b.now, int64(b.seq)
	b.seq++
	_, err := b.journal.Write(append(e.Append(nil), '\n'))
	b.must(err)
}

func (b *board) entryTick() { b.entry(&journal.Entry{Kind: journal.Tick}) }

func (b *board) noteEntry(kind, lane string, segment uint64) {
	b.entry(&journal.Entry{Kind: journal.Note, Note: kind, Lane: lane, Segment: segment, To: 10})
}

func (b *board) lane(name string) *boardLane {
	x := b.lanes[name]
	if x == nil {
		x = &boardLane{name: name, segment: 1}
		b.lanes[name] = x
	}
	return x
}

// write appends bytes to a lane's file: an agent's doing.
func (b *board) write(name, text string) {
	path := b.l.Lane(name)
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	b.must(err)
	_, err = f.WriteString(text)
	b.must(errors.Join(err, f.Close()))
}

// take journals up to n of a lane's lines that are not taken in yet, and
// derives what the daemon derives of refused ones. It returns how many.
func (b *board) take(name string, n int) int {
	x := b.lane(name)
	raw, err := os.ReadFile(b.l.Lane(name))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	b.must(err)
	raw = raw[x.end:]
	size, lines := 0, 0
	for lines < n {
		i := bytes.IndexByte(raw[size:], '\n')
		if i < 0 {
			break
		}
		size += i + 1
		lines++
	}
	if lines == 0 {
		return 0
	}
	e := &journal.Entry{Kind: journal.Input, Lane: name, Segment: x.segment, From: x.end, To: x.end + int64(size), Lines: int64(lines), Root: rootOf(raw[:size])}
	b.entry(e)
	b.note(e)
	x.end = e.To
	off := e.From
	for line := range bytes.Lines(raw[:size]) {
		b.quarantine(e, off, line[:len(line)-1])
		off += int64(len(line))
	}
	return lines
}

func rootOf(raw []byte) merkle.Hash {
	var tree merkle.Tree
	for line := range bytes.Lines(raw) {
		tree.Add(merkle.LeafHash(line[:len(line)-1]))
	}
	return tree.Root()
}

func (b *board) note(e *journal.Entry) {
	k := segKey{e.Lane, e.Segment}
	b.spans[k] = append(b.spans[k], archive.Run{Seq: e.Seq, Time: e.Time, Lines: e.Lines})
}

// derive appends lines to an owned lane, journal first.
func (b *board) derive(cause uint64, name, text string) {
	x := b.lane(name)
	e := &journal.Entry{Kind: journal.Derived, Lane: name, Segment: x.segment, From: x.end, To: x.end + int64(len(text)),
		Lines: int64(bytes.Count([]byte(text), newline)), Cause: cause, Root: rootOf([]byte(text))}
	b.entry(e)
	b.note(e)
	b.write(name, text)
	x.end = e.To
}

// quarantine does what the daemon does with a line that is no event.
func (b *board) quarantine(e *journal.Entry, off int64, line []byte) {
	var ev contracts.Event
	if contracts.Blank(line) {
		return
	}
	why := b.checker.Check(line, &ev)
	reason, topic := contracts.ReasonForged, ""
	switch {
	case why != nil:
		reason, topic = why.Reason, why.Topic
	case b.policy.Forged(ev.Topic, e.Lane):
		topic = ev.Topic.Name
	default:
		return
	}
	pos := contracts.Position{Lane: e.Lane, Segment: e.Segment, Offset: off}
	rec := fmt.Sprintf(`{"position":%q,"lane":%q,"length":%d,"reason":%q`, pos, e.Lane, len(line), reason)
	if topic != "" {
		rec += fmt.Sprintf(`,"topic":%q`, topic)
	}
	x := rules{b.checker, b.policy}
	if at, ok := x.recover(line, e.Lane, why, &ev); ok && why != nil {
		pos.Offset += int64(at)
		rec += fmt.Sprintf(`,"recovered":%q`, pos)
	}
	rec += fmt.Sprintf(`,"time":%q,"line":%s}`, journal.FormatTime(b.now), contracts.AppendString(nil, line))
	b.derive(e.Seq, "quarantine/"+e.Lane, rec+"\n")
}

// rotate ends a lane's active segment.
func (b *board) rotate(name string) {
	x := b.lane(name)
	if x.end == 0 {
		return
	}
	b.entry(&journal.Entry{Kind: journal.Rotate, Lane: name, Segment: x.segment, Next: x.segment + 1, To: x.end, Reason: "command"})
	to := b.l.Segment(name, x.segment)
	b.must(os.MkdirAll(filepath.Dir(to), 0o755))
	b.must(os.Rename(b.l.Lane(name), to))
	x.segment, x.end = x.segment+1, 0
}

// pack archives a rotated segment.
func (b *board) pack(name string, n uint64, opt archive.WriteOptions) {
	from := b.l.Segment(name, n)
	raw, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	b.must(err)
	k := segKey{name, n}
	refused := b.refusedBy(name)[n]
	c := archive.Contracts{Registry: b.checker.Registry, Checker: b.checker}
	if !layout.Owned(name) {
		c.Refused = func(off int64) (bool, int) {
			x := findRefusal(refused, off)
			return x.is, int(x.recovered)
		}
	}
	var out bytes.Buffer
	_, err = archive.Write(&out, bytes.NewReader(raw), archive.Source{Lane: name, Segment: n, Runs: b.spans[k], Extract: archive.NewExtractor(c)}, opt)
	b.must(err)
	to := b.l.Archive(name, n)
	b.must(os.MkdirAll(filepath.Dir(to), 0o755))
	b.must(os.WriteFile(to+".tmp", out.Bytes(), 0o644))
	b.must(os.Rename(to+".tmp", to))
	b.must(os.Remove(from))
}

// refusedBy reads a lane's quarantine from its plain files and archives.
func (b *board) refusedBy(name string) map[uint64][]refusal {
	by := map[uint64][]refusal{}
	for line := range bytes.Lines(b.segmentBytes("quarantine/" + name)) {
		if pos, rec, ok := readRefusal(line); ok && pos.Lane == name {
			by[pos.Segment] = append(by[pos.Segment], refusal{true, pos.Offset, rec})
		}
	}
	return by
}

// segmentBytes are the bytes of all of a lane's segments.
func (b *board) segmentBytes(name string) []byte {
	var all []byte
	for n := uint64(1); n <= b.lane(name).segment; n++ {
		all = append(all, readSegment(b.t, b.l, name, n, n == b.lane(name).segment)...)
	}
	return all
}

// readSegment is a segment's bytes, wherever it stands; nothing knows an index
// here.
func readSegment(t testing.TB, l layout.Layout, name string, n uint64, active bool) []byte {
	if active {
		raw, err := os.ReadFile(l.Lane(name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		return raw
	}
	if raw, err := os.ReadFile(l.Segment(name, n)); err == nil {
		return raw
	}
	f, err := os.Open(l.Archive(name, n))
	if err != nil {
		return nil
	}
	defer f.Close()
	s, err := archive.NewStream(f)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var out bytes.Buffer
	if _, err := out.ReadFrom(s); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
