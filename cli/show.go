package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type showCmd struct {
	What string `arg:"" name:"pos|id" help:"A position (agents/7@3:10482) or an event's id."`
}

// Help says the rest.
func (showCmd) Help() string {
	return "The event as it is stored, the journal entry that took it in, what it was caused by and what came of it. Formats: text, json, jsonl and raw (the stored bytes alone)."
}

// shown is everything about one event.
type shown struct {
	Position string            `json:"position"`
	Event    json.RawMessage   `json:"event"`
	Pending  bool              `json:"pending,omitempty"` // no entry names it yet
	Seq      *uint64           `json:"seq,omitempty"`
	Line     *int64            `json:"line,omitempty"` // within the entry
	Time     string            `json:"journal_time,omitempty"`
	Entry    json.RawMessage   `json:"entry,omitempty"`
	Cause    json.RawMessage   `json:"cause,omitempty"`
	Effects  []json.RawMessage `json:"effects"`

	effects []string // positions
}

// Run prints one event with what stands around it.
func (c *showCmd) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := a.lookUp(e, c.What)
	if err != nil {
		return a.stopped(queryFault(err))
	}
	if s == nil {
		return c.notEvent(a)
	}
	if a.format() == "raw" {
		p := a.printer()
		return errors.Join(p.line(s.Event), p.close())
	}
	if err := a.surroundings(e, l, s); err != nil {
		return a.stopped(queryFault(err))
	}
	if f := a.format(); f != "text" && f != "table" {
		return a.object(s)
	}
	return s.text(a)
}

// notEvent tells a refused line from nothing at all.
func (c *showCmd) notEvent(a *app) error {
	found := false
	_, err := a.refused(&selectFlags{}, nil, nil, func(r *refusedLine) error {
		if r.pos != c.What || found {
			return nil
		}
		found = true
		return a.showRefused(r)
	})
	if err == nil && !found {
		err = &Fault{Doing: "looking for an event", Expected: "the position or id of one", Found: quote(c.What), Try: "stigmergy query -w id=…", Code: codeNone}
	}
	return a.stopped(queryFault(err))
}

// lookUp finds an event by position, else by id; nil if there is none.
func (a *app) lookUp(e *query.Engine, what string) (*shown, error) {
	var s *shown
	keep := func(h *query.Hit) error {
		s = &shown{Position: h.Pos.String(), Event: bytes.Clone(h.Event().Line), Pending: h.Pending, Effects: []json.RawMessage{}}
		if !h.Pending {
			seq, line := h.Seq, h.LineNo
			s.Seq, s.Line = &seq, &line
			if h.JournalTime != 0 {
				s.Time = journal.FormatTime(h.JournalTime)
			}
		}
		return nil
	}
	if pos, err := contracts.ParsePosition(what); err == nil {
		_, err = e.Run(a.ctx, query.Request{Lane: pos.Lane}, func(h *query.Hit) error {
			if h.Pos != pos {
				return nil
			}
			return errors.Join(keep(h), errEnough)
		})
		if err != nil && !errors.Is(err, errEnough) || s != nil {
			return s, ignoreEnough(err)
		}
	}
	byID, err := query.ParseFilters([]string{"id:eq:" + what})
	if err != nil {
		return nil, badUse(err)
	}
	_, err = e.Run(a.ctx, query.Request{Where: byID, Limit: 1}, keep)
	return s, err
}

// ignoreEnough is nil for a wanted end.
func ignoreEnough(err error) error {
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// surroundings adds the journal's entry, the cause and the effects.
func (a *app) surroundings(e *query.Engine, l layout.Layout, s *shown) error {
	ev := contracts.Event{Line: s.Event}
	if contracts.Scan(ev.Line, &ev.Env) == nil {
		if cause := ev.Get("cause").Text(); cause != "" {
			c, err := a.lookUp(e, cause)
			if err != nil {
				return err
			}
			if c != nil {
				s.Cause = c.Event
			}
		}
	}
	by, err := query.ParseFilters([]string{"cause:eq:" + s.Position})
	if err != nil {
		return badUse(err)
	}
	_, err = e.Run(a.ctx, query.Request{Where: by, Limit: 1000}, func(h *query.Hit) error {
		s.Effects = append(s.Effects, bytes.Clone(h.Event().Line))
		s.effects = append(s.effects, h.Pos.String())
		return nil
	})
	if err != nil || s.Seq == nil {
		return err
	}
	_, err = journal.Scan(l, journal.Cursor{}, func(e *journal.Entry, line []byte, _ journal.Cursor) error {
		if e.Seq < *s.Seq {
			return nil
		}
		if e.Seq == *s.Seq {
			s.Entry = bytes.Clone(line)
			s.Time = journal.FormatTime(e.Time)
		}
		return journal.Stop
	})
	return err
}

// text prints it for people.
func (s *shown) text(a *app) error {
	w := &textWriter{a: a}
	w.field("position", s.Position)
	if s.Pending {
		w.field("taken in", "not yet")
	} else {
		w.field("taken in", fmt.Sprintf("%s, entry %d, line %d", s.Time, *s.Seq, *s.Line))
	}
	w.field("event", string(s.Event))
	w.field("entry", string(s.Entry))
	w.field("cause", string(s.Cause))
	for i, e := range s.Effects {
		w.field("effect", s.effects[i]+"  "+string(e))
	}
	return w.err
}

type explainCmd struct {
	Position string `arg:"" help:"A position, as quarantine ls prints it."`
}

// Help says the rest.
func (explainCmd) Help() string { return "Says why a line was refused, and what to do about it." }

// Run explains one refused line.
func (c *explainCmd) Run(a *app) error {
	found := false
	_, err := a.refused(&selectFlags{}, nil, nil, func(r *refusedLine) error {
		if r.pos != c.Position || found {
			return nil
		}
		found = true
		if f := a.format(); f == "text" || f == "table" {
			return a.explainRefused(r)
		}
		return a.showRefused(r)
	})
	if err != nil {
		return a.stopped(queryFault(err))
	}
	if found {
		return nil
	}
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := a.lookUp(e, c.Position)
	if err != nil {
		return a.stopped(queryFault(err))
	}
	if s == nil {
		return notRefused(c.Position)
	}
	return a.explainEvent(e, s)
}

// explainEvent says of a line that is an event that nothing is wrong with it,
// or what the daemon answered.
func (a *app) explainEvent(e *query.Engine, s *shown) error {
	where, err := query.ParseFilters([]string{"position:eq:" + s.Position})
	if err != nil {
		return badUse(err)
	}
	topics, err := contracts.ParsePatterns([]string{"board.rejected"})
	if err != nil {
		return err
	}
	p, err := a.newEvents(nil, "")
	if err != nil {
		return err
	}
	res, err := e.Run(a.ctx, query.Request{Topics: topics, Where: where}, p.hit)
	if err = errors.Join(err, p.close()); err != nil || res.Matched > 0 {
		return queryFault(err)
	}
	what := "It is an event, and nothing was refused."
	if s.Pending {
		what = "It is an event, and no daemon has taken it in yet."
	}
	a.note("%s: %s (stigmergy show %s)", s.Position, what, s.Position)
	return exitWith(codeNone)
}
