package query

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// ErrNotFound says that no event has an id.
var ErrNotFound = errors.New("no event has it")

// Shown is one line of the board with what belongs to it.
type Shown struct {
	Pos         contracts.Position
	Line        []byte // the stored bytes; of a line too long, its beginning
	Whole       bool   // Line is all of it
	Seq         uint64 // of the journal entry that took it in
	LineNo      int64
	JournalTime int64 // unix nanoseconds
	Pending     bool  // no entry names it yet

	Blank     bool   // it is no event: it is empty
	Refused   bool   // it is no event, or not wholly one
	Record    []byte // its record in the quarantine: reason, errors, recovered
	Cause     *contracts.Position
	CauseText string   // as it stands in the event; also tick:SEQ
	Effects   [][]byte // events that the fold of its entry derived from it
	EffectPos []contracts.Position
	Derived   bool // it stands in an owned lane

	run *run
}

// maxShown is how much of a line is shown.
const maxShown = 16 << 20

// maxEffects is how many effects are listed.
const maxEffects = 1000

// Show finds a line by its position, or an event by its id (the last one that
// has it).
func (e *Engine) Show(ctx context.Context, ref string) (*Shown, Result, error) {
	pos, err := contracts.ParsePosition(ref)
	if err != nil {
		if pos, err = e.byID(ctx, ref); err != nil {
			return nil, Result{}, err
		}
	}
	r, err := e.prepare(ctx, Request{})
	if err != nil {
		return nil, Result{}, err
	}
	defer r.close()
	s, err := r.show(pos)
	if err != nil {
		r.matched = 0
		return nil, r.finish(), fmt.Errorf("showing %s: %w", clip(ref), err)
	}
	r.matched = 1
	return s, r.finish(), nil
}

// byID is the position of the last event with an id.
func (e *Engine) byID(ctx context.Context, id string) (pos contracts.Position, err error) {
	path, err := contracts.ParsePath("id")
	if err != nil {
		return pos, err
	}
	f := Filter{text: "id=" + id, path: path, op: Equal, want: newOperand(id)}
	res, err := e.Run(ctx, Request{Where: []Filter{f}, Reverse: true, Limit: 1}, func(h *Hit) error {
		pos = h.Pos
		return nil
	})
	if err == nil && res.Matched == 0 {
		err = fmt.Errorf("looking for the id %q: %w; a position is written LANE@SEGMENT:OFFSET", clip(id), ErrNotFound)
	}
	return pos, err
}

func (r *run) show(pos contracts.Position) (*Shown, error) {
	f, err := r.find(pos)
	if err != nil {
		return nil, err
	}
	if !f.pending && !r.begins(pos) {
		return nil, fmt.Errorf("byte %d stands in the middle of a line: %w", pos.Offset, ErrNoEvent)
	}
	if f.time == 0 && !f.pending {
		f.time = r.timeOf(f.seq)
	}
	s := &Shown{Pos: pos, Seq: f.seq, LineNo: f.line, JournalTime: f.time, Pending: f.pending, Derived: layout.Owned(pos.Lane), run: r}
	if s.Line, s.Whole, err = r.line(pos, maxShown); err != nil {
		return nil, err
	}
	if len(s.Line) == 0 && !s.Whole {
		return nil, fmt.Errorf("the segment ends before byte %d: %w", pos.Offset, ErrNoEvent)
	}
	s.Blank = contracts.Blank(s.Line)
	r.showRefusal(s)
	var env contracts.Envelope
	if line := trim(s.Line); contracts.Scan(line, &env) == nil && env.Cause.IsString(line) {
		s.CauseText = env.Cause.Text(line)
		if c, err := contracts.ParsePosition(s.CauseText); err == nil {
			s.Cause = &c
		}
	}
	if !s.Pending {
		r.showEffects(s)
	}
	return s, nil
}

// timeOf is when an entry was written.
func (r *run) timeOf(seq uint64) (at int64) {
	for _, b := range r.view.log.blocks {
		if b.n == 0 || seq < b.first || seq > b.last {
			continue
		}
		text, err := b.read(nil)
		if err != nil {
			return 0 // told when the journal was read
		}
		scanEntries(text, func(e *entry) {
			if e.seq == seq {
				at = entryTime(e.time)
			}
		}, func(int, error) {})
	}
	return at
}

// begins tells whether a line begins at a position, or a record that was
// recovered from the end of one.
func (r *run) begins(pos contracts.Position) bool {
	if pos.Offset == 0 {
		return true
	}
	var before [1]byte
	n, _ := r.segment(segKey{pos.Lane, pos.Segment}).ReadAt(before[:], pos.Offset-1) // what cannot be read is told when the line is
	if n == 0 || before[0] == '\n' {
		return true
	}
	for _, x := range r.refusals(pos.Lane, true)[pos.Segment] {
		if x.recovered > 0 && x.offset+x.recovered == pos.Offset {
			return true
		}
	}
	return false
}

// showRefusal adds the record that the quarantine has of the line.
func (r *run) showRefusal(s *Shown) {
	if s.Derived {
		return
	}
	want := s.Pos.String()
	for _, p := range r.partsOf("quarantine/"+s.Pos.Lane, 0) {
		r.eachLine(p, 0, func(line []byte) {
			if !bytes.Contains(line, []byte(want)) {
				return
			}
			if pos, _, ok := readRefusal(line); ok && pos == s.Pos {
				s.Refused, s.Record = true, bytes.Clone(line)
			}
		})
	}
}

// showEffects reads what was derived directly behind the line's entry and
// names the line as its cause.
func (r *run) showEffects(s *Shown) {
	want := []byte(s.Pos.String())
	for _, d := range r.derivedFrom(s.Seq) {
		buf := make([]byte, d.to-d.from)
		n, _ := r.segment(d.key).ReadAt(buf, d.from)
		off := d.from
		for line := range bytes.Lines(buf[:n]) {
			at := off
			off += int64(len(line))
			line = bytes.TrimSuffix(line, newline)
			var env contracts.Envelope
			if !bytes.Contains(line, want) || contracts.Scan(line, &env) != nil || !bytes.Equal(env.Cause.TextBytes(line), want) {
				continue
			}
			if len(s.Effects) < maxEffects {
				s.Effects = append(s.Effects, bytes.Clone(line))
				s.EffectPos = append(s.EffectPos, contracts.Position{Lane: d.key.lane, Segment: d.key.segment, Offset: at})
			}
		}
	}
}

// derivedFrom are the entries derived from an entry: they stand behind it, up
// to the next one that is not derived.
func (r *run) derivedFrom(seq uint64) []derived {
	var all []derived
	over := false
	for _, b := range r.view.log.blocks {
		if over || b.n == 0 || b.last <= seq {
			continue
		}
		text, err := b.read(nil)
		if err != nil {
			continue // told when the journal was read
		}
		scanEntries(text, func(e *entry) {
			if over || e.seq <= seq {
				return
			}
			if over = e.kind != journal.Derived; !over {
				all = append(all, derived{key: segKey{string(e.lane), e.segment}, seq: e.seq, from: e.from, to: e.to})
			}
		}, func(int, error) {})
	}
	return all
}
