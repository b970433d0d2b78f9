package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type showCmd struct {
	What string `arg:"" name:"pos|id" help:"A position (agents/7@3:10482) or an event's id."`
}

// Help says the rest.
func (showCmd) Help() string {
	return "The line as it is stored, the journal entry that took it in, why it was refused if it was, what it was caused by and what came of it. Formats: text, json, jsonl and raw (the stored bytes alone)."
}

// shown is everything about one line, as -o json prints it.
type shown struct {
	Position  string          `json:"position"`
	Event     json.RawMessage `json:"event,omitempty"`
	Line      string          `json:"line,omitempty"`    // of a line that is no event
	Pending   bool            `json:"pending,omitempty"` // no entry names it yet
	Seq       *uint64         `json:"seq,omitempty"`     // of the entry that took it in
	LineNo    *int64          `json:"line_no,omitempty"` // within the entry
	Time      string          `json:"journal_time,omitempty"`
	Blank     bool            `json:"blank,omitempty"`
	Refused   bool            `json:"refused,omitempty"`
	Record    json.RawMessage `json:"record,omitempty"` // of the quarantine
	CauseText string          `json:"cause,omitempty"`
	Cause     json.RawMessage `json:"cause_event,omitempty"`
	Effects   []effect        `json:"effects"`
}

type effect struct {
	Position string          `json:"position"`
	Event    json.RawMessage `json:"event"`
}

// Run prints one line with what stands around it.
func (c *showCmd) Run(a *app) error {
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := a.lookUp(e, c.What)
	if err != nil {
		return err
	}
	if a.format() == "raw" {
		p := a.printer()
		return errors.Join(p.line(s.Line), p.close())
	}
	out := describe(s)
	if s.Cause != nil {
		if cause, _, err := e.Show(a.ctx, s.Cause.String()); err == nil {
			out.Cause = rawJSON(cause.Line)
		}
	}
	if f := a.format(); f != "text" && f != "table" {
		return a.object(out)
	}
	return out.text(a)
}

// lookUp finds a line by position or an event by id.
func (a *app) lookUp(e *query.Engine, what string) (*query.Shown, error) {
	s, res, err := e.Show(a.ctx, what)
	switch {
	case errors.Is(err, query.ErrNoEvent), errors.Is(err, query.ErrNotFound):
		if ended := a.found(res, nil); exitCode(ended) == codeUsage || exitCode(ended) == codeHoles {
			return nil, ended
		}
		return nil, &Fault{Err: err, Try: "stigmergy query -w id=…", Code: codeNone}
	case err != nil:
		return nil, a.stopped(queryFault(err))
	}
	return s, nil
}

// rawJSON is a line as JSON, nil if it is none.
func rawJSON(line []byte) json.RawMessage {
	if !json.Valid(line) {
		return nil
	}
	return line
}

func describe(s *query.Shown) *shown {
	out := &shown{Position: s.Pos.String(), Pending: s.Pending, Blank: s.Blank, Refused: s.Refused,
		Record: s.Record, CauseText: s.CauseText, Effects: []effect{}}
	if out.Event = rawJSON(s.Line); out.Event == nil {
		out.Line = string(s.Line)
	}
	if !s.Pending {
		out.Seq, out.LineNo, out.Time = &s.Seq, &s.LineNo, journal.FormatTime(s.JournalTime)
	}
	for i, line := range s.Effects {
		out.Effects = append(out.Effects, effect{s.EffectPos[i].String(), line})
	}
	return out
}

// text prints it for people.
func (s *shown) text(a *app) error {
	w := &textWriter{a: a}
	w.field("position", s.Position)
	if s.Pending {
		w.field("taken in", "not yet")
	} else {
		w.field("taken in", fmt.Sprintf("%s, entry %d, line %d", s.Time, *s.Seq, *s.LineNo))
	}
	w.field("event", string(s.Event))
	w.field("line", s.Line)
	if s.Refused {
		w.field("refused", "stigmergy explain "+shellQuote(s.Position))
	}
	cause := s.CauseText
	if len(s.Cause) > 0 {
		cause += "  " + string(s.Cause)
	}
	w.field("cause", cause)
	for _, e := range s.Effects {
		w.field("effect", e.Position+"  "+string(e.Event))
	}
	return w.err
}

type explainCmd struct {
	Position string `arg:"" name:"pos|id|cas_id" help:"A position, as quarantine ls prints it, an event's id, a shard's cas_id, or a plan_id."`
}

// Help says the rest.
func (explainCmd) Help() string {
	return "Says why a line was refused, or why a request was rejected, and what to do about it; of a shard, why it ran, ran again, was split or waits: what differs from the shard that did the same in an earlier plan; of a plan (its plan_id), why it is not certified, and which leaves did not hold. Exit 1 if nothing is wrong with a line or a plan, or no shard has this name."
}

// Run explains one line, or a plan.
func (c *explainCmd) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	if regexp.MustCompile(casID).MatchString(c.Position) {
		return a.explainShards(e, l, c.Position)
	}
	if ok, err := a.explainPlan(e, l, c.Position); ok || err != nil {
		return err
	}
	s, err := a.lookUp(e, c.Position)
	if err != nil {
		return err
	}
	if s.Refused {
		return a.showRefused(newRefused(s.Record))
	}
	return a.explainEvent(e, s)
}

// explainEvent says of a line that is an event what the daemon answered, or
// that nothing is wrong with it.
func (a *app) explainEvent(e *query.Engine, s *query.Shown) error {
	pos := s.Pos.String()
	where, err := query.ParseFilters([]string{"position:eq:" + pos})
	if err != nil {
		return badUse(err)
	}
	topics, err := contracts.ParsePatterns([]string{"board.rejected"})
	if err != nil {
		return badUse(err)
	}
	p, err := a.newEvents(nil, "")
	if err != nil {
		return err
	}
	res, err := e.Run(a.ctx, query.Request{Topics: topics, Where: where}, p.hit)
	if err = errors.Join(err, p.close()); err != nil || res.Matched > 0 {
		return a.stopped(queryFault(err))
	}
	what := "it is an event, and nothing was refused"
	switch {
	case s.Blank:
		what = "it is an empty line, which is no event and no fault"
	case s.Pending:
		what = "no daemon has taken it in yet"
	}
	a.note("%s: %s (stigmergy show %s)", pos, what, shellQuote(pos))
	return exitWith(codeNone)
}
