package oracle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// entry is one line of the journal, in the words of the format.
type entry struct {
	Seq        *uint64 `json:"seq"`
	Time       string  `json:"time"`
	ElapsedMS  *int64  `json:"elapsed_ms"`
	Lane       string  `json:"lane"`
	Segment    uint64  `json:"segment"`
	From       int64   `json:"from"`
	To         int64   `json:"to"`
	Lines      *int64  `json:"lines"`
	Root       string  `json:"root"`
	Cause      *uint64 `json:"cause"`
	Next       uint64  `json:"next"`
	Base       int64   `json:"base"`
	NoteKind   string  `json:"kind"`
	Path       string  `json:"path"`
	Reason     string  `json:"reason"`
	SHA256     string  `json:"sha256"`
	PowerEpoch *uint64 `json:"power_epoch"`

	kind string
	at   time.Time
}

// extent is one stretch of a segment that one entry covers.
type extent struct {
	seq      uint64
	from, to int64
	lines    int64
	root     string
	derived  bool
	time     time.Time // of the entry that caused it
}

// segmentID names a segment of a lane.
type segmentID struct {
	lane string
	n    uint64
}

// journal is what the checks need of it.
type journal struct {
	times    []time.Time // by seq
	kinds    []string    // by seq
	extents  map[segmentID][]extent
	latest   map[string]uint64    // the active segment of each lane
	base     map[segmentID]int64  // where in the lane's file a segment begins
	ends     map[segmentID]int64  // where in the lane's file a segment ends that was cut
	gone     map[segmentID]extent // noted as destroyed or lost: from the smallest to the largest offset
	segments []segmentID          // in the order of their first entry
}

var markers = []string{"open", "config", "owner", "tick", "rotate", "note", "state", "cut"}

// noteKinds are facts about the world.
const noteKinds = " lost destroyed replaced renamed truncated deleted rewritten foreign skip overflow unfinished not_a_lane unreadable bad_contract bad_setting disk fork "

func (c *checker) readJournal() error {
	j := &c.journal
	*j = journal{extents: map[segmentID][]extent{}, latest: map[string]uint64{}, base: map[segmentID]int64{}, ends: map[segmentID]int64{}, gone: map[segmentID]extent{}}
	files, err := journalFiles(filepath.Join(c.dir, ".stigmergy", "journal"))
	if err != nil {
		return err
	}
	for i, f := range files {
		if err := c.readJournalFile(f, i == len(files)-1); err != nil {
			return err
		}
	}
	c.sum.Entries = int64(len(j.times))
	return nil
}

// journalFiles lists the segments in order; a plain one counts before its
// compressed twin.
func journalFiles(dir string) ([]string, error) {
	des, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	byName := map[string]string{}
	for _, d := range des {
		name, plain := strings.CutSuffix(d.Name(), ".jsonl")
		if plain {
			byName[name] = filepath.Join(dir, d.Name())
			continue
		}
		if name, ok := strings.CutSuffix(d.Name(), ".jsonl.zst"); ok && byName[name] == "" {
			byName[name] = filepath.Join(dir, d.Name())
		}
	}
	out := make([]string, 0, len(byName))
	for _, p := range byName {
		out = append(out, p)
	}
	sort.Strings(out)
	return out, nil
}

func (c *checker) readJournalFile(path string, last bool) error {
	f, err := openPlain(path)
	if err != nil {
		return err
	}
	r := newLineReader(f, 1<<20)
	for {
		l, err := r.next()
		if err == io.EOF {
			return f.Close()
		}
		if err != nil {
			return errors.Join(fmt.Errorf("reading %s: %w", path, err), f.Close())
		}
		where := fmt.Sprintf("%s byte %d", c.rel(path), l.off)
		if !l.whole {
			if !last || c.opt.Quiet {
				c.fail("journal", where, "the last line has no newline")
			}
			continue
		}
		c.readEntry(where, l)
	}
}

func (c *checker) rel(path string) string {
	if rel, err := filepath.Rel(c.dir, path); err == nil {
		return rel
	}
	return path
}

func (c *checker) readEntry(where string, l line) {
	if l.length > 65535 {
		c.fail("journal", where, "an entry of %d bytes, at most 65,535 expected", l.length)
		return
	}
	var e entry
	var members map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(l.text, &e), json.Unmarshal(l.text, &members)); err != nil {
		c.fail("journal", where, "no entry: %v", err)
		return
	}
	j := &c.journal
	want := uint64(len(j.times))
	if e.Seq == nil || *e.Seq != want {
		c.fail("journal", where, "expected seq %d, found %s", want, members["seq"])
		return
	}
	if !c.entryTime(where, &e, members) {
		return
	}
	c.entryKind(where, &e, members)
	j.times = append(j.times, e.at)
	j.kinds = append(j.kinds, e.kind)
	c.elapsedCheck(where, &e)
	c.learn(where, &e)
}

func (c *checker) entryTime(where string, e *entry, members map[string]json.RawMessage) bool {
	at, err := time.Parse("2006-01-02T15:04:05.000000000Z", e.Time)
	if err != nil {
		c.fail("journal", where, "time %s is not RFC 3339 UTC with nine decimals", members["time"])
		return false
	}
	e.at = at
	if n := len(c.journal.times); n > 0 && at.Before(c.journal.times[n-1]) {
		c.fail("journal", where, "time goes back, from %s to %s", c.journal.times[n-1].Format(time.RFC3339Nano), e.Time)
	}
	return true
}

func (c *checker) entryKind(where string, e *entry, members map[string]json.RawMessage) {
	var kinds []string
	for _, m := range markers {
		if bytes.Equal(members[m], []byte("true")) {
			kinds = append(kinds, m)
		}
	}
	if e.Lines != nil {
		kinds = append(kinds, "input")
		if e.Cause != nil {
			kinds[len(kinds)-1] = "derived"
		}
	}
	if len(kinds) != 1 {
		c.fail("journal", where, "expected one known kind, found %v", kinds)
		return
	}
	e.kind = kinds[0]
	if len(c.journal.times) == 0 && e.kind != "open" {
		c.fail("journal", where, "the first entry is %s, expected open", e.kind)
	}
	if e.kind == "note" && !strings.Contains(noteKinds, " "+e.NoteKind+" ") {
		c.fail("journal", where, "a note of the unknown kind %q", e.NoteKind)
	}
}

// elapsedCheck holds the entry against the one before it.
func (c *checker) elapsedCheck(where string, e *entry) {
	if e.ElapsedMS == nil {
		c.fail("journal", where, "elapsed_ms is missing")
		return
	}
	if *e.ElapsedMS < c.elapsed {
		c.fail("journal", where, "elapsed_ms goes back, from %d to %d", c.elapsed, *e.ElapsedMS)
	}
	c.elapsed = *e.ElapsedMS
}

// learn keeps what the later checks ask for.
func (c *checker) learn(where string, e *entry) {
	j := &c.journal
	id := segmentID{e.Lane, e.Segment}
	switch e.kind {
	case "input", "derived":
		c.learnExtent(where, id, e)
	case "rotate":
		// A number that was promised to a lane whose file did not come back is
		// given to late bytes of its old file.
		late := e.Segment == 0 && e.Next == j.latest[e.Lane] && j.extents[segmentID{e.Lane, e.Next}] == nil
		if e.Next <= j.latest[e.Lane] && !late {
			c.fail("journal", where, "segment %d of %s begins, but %d was given already", e.Next, e.Lane, j.latest[e.Lane])
		}
		j.latest[e.Lane] = e.Next
		if e.Base > 0 {
			j.base[segmentID{e.Lane, e.Next}], j.ends[id] = e.Base, e.Base
		}
	case "note":
		c.learnNote(e)
	}
}

func (c *checker) learnExtent(where string, id segmentID, e *entry) {
	j := &c.journal
	if e.Lane == "" || e.Segment == 0 || e.From < 0 || e.To <= e.From || *e.Lines <= 0 || len(e.Root) != 64 {
		c.fail("journal", where, "an %s entry without a proper range", e.kind)
		return
	}
	if owned(e.Lane) != (e.kind == "derived") {
		c.fail("journal", where, "lane %s in an %s entry", e.Lane, e.kind)
	}
	x := extent{seq: *e.Seq, from: e.From, to: e.To, lines: *e.Lines, root: e.Root, derived: e.kind == "derived"}
	if e.kind == "derived" {
		if *e.Cause >= *e.Seq || int(*e.Cause) >= len(j.times) {
			c.fail("journal", where, "its cause is the later entry %d", *e.Cause)
			return
		}
		x.time = j.times[*e.Cause]
	}
	if e.Segment > j.latest[e.Lane] {
		j.latest[e.Lane] = e.Segment
	}
	if j.extents[id] == nil {
		j.segments = append(j.segments, id)
	}
	j.extents[id] = append(j.extents[id], x)
}

func (c *checker) learnNote(e *entry) {
	id := segmentID{e.Lane, e.Segment}
	switch e.NoteKind {
	case "destroyed", "lost":
		g, ok := c.journal.gone[id]
		if !ok {
			g = extent{from: e.From, to: e.To}
		}
		g.from, g.to = min(g.from, e.From), max(g.to, e.To)
		c.journal.gone[id] = g
	}
	// A file that is no longer the lane's ends its segment; the note names the
	// next one, which begins when there is a file again.
	c.journal.latest[e.Lane] = max(c.journal.latest[e.Lane], e.Next)
}

// owned says whether everything in the lane is derived by the daemon.
func owned(lane string) bool {
	switch lane {
	case "hxo", "genesis", "swarm", "board":
		return true
	}
	return strings.HasPrefix(lane, "quarantine/")
}
