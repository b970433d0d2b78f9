package blackboard

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"stigmergy/blackboard/archive"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts/merkle"
)

// known reads what is said of the end before the end itself: on a board that
// runs, that is never more than what stands there.
func (v *verifier) known() (err error) {
	l := v.opt.Layout
	if v.out.BoardID, err = l.ID(); errors.Is(err, fs.ErrNotExist) {
		return err
	}
	v.badID = err // the journal knows which it was
	v.durable = readDurable(l.Durable())
	if v.note, err = history.ReadCheckpoint(l); err != nil {
		return err
	}
	if v.head, err = history.ReadHead(l); err != nil {
		return err
	}
	v.cosigned, err = history.Cosigned(l)
	return err
}

// journal hashes every entry and learns what it says.
func (v *verifier) journal() error {
	v.segments = map[segmentKey]*segmentSum{}
	v.gone, v.pruned = map[segmentKey][]journal.Entry{}, map[segmentKey]uint64{}
	v.hashed = map[string]bool{}
	v.moved = newContent(v.opt.Layout)
	v.moved.snapshotPlaces()
	segs, err := journal.Segments(v.opt.Layout)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil {
		return err
	}
	for i, s := range segs {
		if i > 0 && s.N != segs[i-1].N+1 {
			v.find(VerdictTruncated, Finding{Path: v.rel(s.Path), Entry: ptr(v.seq()), Detail: fmt.Sprintf("the journal's segment %d is missing", segs[i-1].N+1)})
		}
		if err := v.journalSegment(s, i == len(segs)-1); err != nil {
			return err
		}
	}
	if v.badID != nil && v.out.BoardID == "" {
		return v.badID
	}
	v.out.Entries = v.seq()
	v.out.root = merkle.RootOf(v.leaves)
	return nil
}

func (v *verifier) seq() uint64 { return uint64(len(v.leaves)) }

func (v *verifier) rel(path string) string { return strings.TrimPrefix(path, v.opt.Layout.Dir+"/") }

func (v *verifier) journalSegment(s journal.Segment, last bool) error {
	if s.Compressed {
		if err := v.archiveFile(s.Path, nil); err != nil {
			return err
		}
	}
	r, err := s.Open()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("reading the journal: %w", err)
		}
		v.find(VerdictTampered, Finding{Path: v.rel(s.Path), Entry: ptr(v.seq()), Detail: err.Error()})
		return nil
	}
	defer r.Close()
	br := bufio.NewReaderSize(r, 1<<20)
	off := int64(0)
	var prev journal.Entry
	for {
		line, err := br.ReadSlice('\n')
		switch {
		case err == io.EOF && len(line) == 0:
			return v.ctx.Err()
		case err == io.EOF && last:
			v.tornEnd(s, off, line)
			return nil
		case err == io.EOF:
			v.find(VerdictTruncated, Finding{Path: v.rel(s.Path), Offset: ptr(off), Entry: ptr(v.seq()), Detail: "the last line of a finished segment has no newline"})
			return nil
		case err != nil:
			v.find(v.packedVerdict(s, err), Finding{Path: v.rel(s.Path), Offset: ptr(off), Entry: ptr(v.seq()), Detail: err.Error()})
			return nil
		}
		v.entry(s, off, line[:len(line)-1], &prev)
		off += int64(len(line))
	}
}

// tornEnd looks at a last line without its newline: one that is whole but for
// its last byte had it changed, any other was not finished, or cut.
func (v *verifier) tornEnd(s journal.Segment, off int64, line []byte) {
	v.torn = true
	if e, err := journal.Parse(line[:len(line)-1]); err == nil && e.Seq == v.seq() {
		v.find(VerdictTampered, Finding{Path: v.rel(s.Path), Offset: ptr(off + int64(len(line)) - 1), Entry: ptr(e.Seq), Detail: "the newline behind a journal entry is another byte"})
	}
}

// packedVerdict tells a compressed file that is cut from one that was changed.
func (v *verifier) packedVerdict(s journal.Segment, err error) Verdict {
	if s.Compressed {
		if f, ferr := os.Open(s.Path); ferr == nil {
			defer f.Close()
			if fi, ferr := f.Stat(); ferr == nil && archive.Truncated(f, fi.Size()) {
				return VerdictTruncated
			}
		}
	}
	return VerdictTampered
}

// entry takes one line in. What cannot be read is a leaf all the same.
func (v *verifier) entry(s journal.Segment, off int64, line []byte, prev *journal.Entry) {
	seq := v.seq()
	v.leaves = append(v.leaves, merkle.LeafHash(line))
	e, err := journal.Parse(line)
	what := ""
	switch {
	case err != nil:
		what = err.Error()
	case e.Seq != seq:
		what = fmt.Sprintf("entry %d stands where entry %d should", e.Seq, seq)
	case string(e.Append(nil)) != string(line):
		what = "it is not written as the daemon writes"
	case e.Time < prev.Time && prev.Time != 0:
		what = "its time is before that of the entry before it"
	}
	if what != "" {
		v.find(VerdictTampered, Finding{Path: v.rel(s.Path), Offset: ptr(off), Entry: ptr(seq), Detail: "a journal entry: " + what})
		if err != nil {
			return
		}
	}
	*prev = e
	v.learn(&e, seq)
}

// named holds the file with the board's id against what a run began with: every
// derived event's id and the log's name are made of it.
func (v *verifier) named(e *journal.Entry) {
	switch {
	case v.out.BoardID == e.BoardID:
		return
	case v.badID != nil:
		v.out.BoardID = e.BoardID
	}
	found := ""
	if b, err := os.ReadFile(v.opt.Layout.BoardID()); err == nil {
		found = strings.TrimSpace(string(b))
	}
	verdict := VerdictTampered
	if strings.HasPrefix(e.BoardID, found) {
		verdict = VerdictTruncated
	}
	if !v.misnamed {
		v.find(verdict, Finding{Path: v.rel(v.opt.Layout.BoardID()), Detail: fmt.Sprintf("the board's id is %q there, the journal's entry %d says %s", clipID(found), e.Seq, e.BoardID)})
	}
	v.misnamed = true
}

func clipID(s string) string { return s[:min(len(s), 40)] }

// kept holds what an entry names in the store, settings or a state, against its
// hash. One that is not there costs a replay, and says nothing of the history.
func (v *verifier) kept(sum string, seq uint64) {
	if v.hashed[sum] {
		return
	}
	v.hashed[sum] = true
	if _, err := (durable.CAS{Layout: v.opt.Layout}).Get(sum); errors.Is(err, durable.ErrDamaged) {
		v.find(VerdictTampered, Finding{Path: v.rel(v.opt.Layout.Blob(sum)), Entry: ptr(seq), Detail: "what the journal entry names does not have its hash any more"})
	}
}

// learn keeps what an entry says.
func (v *verifier) learn(e *journal.Entry, seq uint64) {
	key := segmentKey{e.Lane, e.Segment}
	if e.Kind != journal.Input || e.Lane != history.SignerLane {
		v.newTail = seq + 1
	}
	switch {
	case e.Kind == journal.Open:
		v.named(e)
	case e.Kind == journal.Input || e.Kind == journal.Derived:
		s := v.segments[key]
		if s == nil {
			s = &segmentSum{key: key}
			v.segments[key] = s
		}
		if e.From != s.end {
			v.find(VerdictTampered, Finding{Lane: e.Lane, Segment: e.Segment, Offset: ptr(e.From), Entry: ptr(seq),
				Detail: fmt.Sprintf("a journal entry begins at byte %d where byte %d comes next", e.From, s.end)})
		}
		s.spans = append(s.spans, span{seq, e.From, e.To, e.Lines, e.Root, e.Kind == journal.Derived})
		s.lines, s.end = s.lines+e.Lines, e.To
	case e.Kind == journal.Config || e.Kind == journal.State:
		v.kept(e.SHA256, seq)
	case e.Kind == journal.Rotate:
		v.moved.rotated(e)
	case e.Kind == journal.Note && e.Note == "destroyed":
		v.gone[key] = append(v.gone[key], *e)
	case e.Kind == journal.Note && e.Note == "pruned":
		v.pruned[key] = seq
	}
}
