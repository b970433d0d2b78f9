package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

// selectFlags choose events, the same way for every command that reads.
type selectFlags struct {
	Where []string `short:"w" sep:"none" placeholder:"FILTER" help:"path=value, also != < <= > >= ~regex, path, !path; many are AND."`
	Since string   `short:"S" placeholder:"TIME" help:"From this time on: RFC 3339, 10m, -3d, today, yesterday."`
	Until string   `short:"U" placeholder:"TIME" help:"Up to this time."`
	Lane  string   `placeholder:"LANE" help:"Only this lane."`
}

// cursorFlags say where to begin and where it ended.
type cursorFlags struct {
	Cursor     string `placeholder:"CURSOR" help:"Begin behind this: a cursor, a position, start or now."`
	CursorFile string `type:"path" placeholder:"FILE" help:"Keep the cursor in FILE: begin there if it exists, and write it at the end."`
	ShowCursor bool   `help:"End with the line cursor: … on standard error."`
}

// request makes the question of topics and flags.
func (s *selectFlags) request(a *app, topics []string) (query.Request, error) {
	var req query.Request
	var err error
	if req.Topics, err = contracts.ParsePatterns(topics); err != nil {
		return req, badUse(err)
	}
	if req.Where, err = query.ParseFilters(s.Where); err != nil {
		return req, badUse(err)
	}
	if req.Since, err = a.timeFlag(s.Since); err != nil {
		return req, err
	}
	if req.Until, err = a.timeFlag(s.Until); err != nil {
		return req, err
	}
	req.Lane = laneArg(s.Lane)
	return req, nil
}

// laneArg is a lane's escaped name, written with or without .jsonl, escaped or
// not.
func laneArg(s string) string {
	s = strings.TrimSuffix(s, layout.LaneExt)
	if _, err := contracts.UnescapeLane(s); err == nil {
		return s
	}
	return contracts.EscapeLane(s)
}

func (a *app) timeFlag(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	t, err := query.ParseTime(s, a.now())
	return t, badUse(err)
}

// from is the cursor to begin at; given says whether there is one.
func (c *cursorFlags) from() (cur query.Cursor, given bool, err error) {
	text := c.Cursor
	if text == "" && c.CursorFile != "" {
		raw, err := readSmall(c.CursorFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return cur, false, &Fault{Doing: "reading the cursor", Path: c.CursorFile, Err: err, Code: codeUsage}
		}
		text = strings.TrimSpace(string(raw))
	}
	if text == "" {
		return cur, false, nil
	}
	cur, err = query.ParseCursor(text)
	return cur, true, badUse(err)
}

// end shows and keeps the cursor.
func (c *cursorFlags) end(a *app, cur query.Cursor) error {
	if c.ShowCursor {
		a.note("cursor: %s", cur.String())
	}
	return c.keep(cur)
}

// keep writes the cursor file, if there is one.
func (c *cursorFlags) keep(cur query.Cursor) error {
	if c.CursorFile == "" {
		return nil
	}
	tmp := c.CursorFile + ".new"
	if err := os.WriteFile(tmp, []byte(cur.String()+"\n"), 0o644); err != nil {
		return fmt.Errorf("keeping the cursor: %w", err)
	}
	if err := os.Rename(tmp, c.CursorFile); err != nil {
		return fmt.Errorf("keeping the cursor: %w", err)
	}
	return nil
}

// found turns what a run came to into an exit status: 0 something, 2 something
// was unreadable, 3 nothing but holes, 1 nothing.
func (a *app) found(res query.Result, err error) error {
	for i, d := range res.Damaged {
		if i == 10 {
			a.note("stigmergy: … and %d more places that cannot be read (stigmergy archive check)", len(res.Damaged)-i)
			break
		}
		a.note("stigmergy: reading %s: offset %d: %v; the rest was read (stigmergy %s)", d.Path, d.Offset, d.Err, looker(d.Path))
	}
	switch {
	case err != nil:
		return a.stopped(queryFault(err))
	case len(res.Damaged) > 0:
		return exitWith(codeUsage)
	case res.Matched > 0:
		return nil
	case len(res.Holes) == 0:
		return exitWith(codeNone)
	}
	for i, h := range res.Holes {
		if i == 10 {
			a.note("stigmergy: … and %d more holes", len(res.Holes)-i)
			break
		}
		a.note("stigmergy: nothing matched, but the history has a hole: %s", describeHole(h))
	}
	return exitWith(codeHoles)
}

// looker is the command that says more about what could not be read.
func looker(path string) string {
	if strings.HasSuffix(path, layout.ArchiveExt) {
		return "archive check"
	}
	return "doctor"
}

func describeHole(h query.Hole) string {
	out := h.Kind
	if h.Lane != "" {
		out += " " + h.Lane
		if h.Segment > 0 {
			out += fmt.Sprintf("@%d:%d", h.Segment, h.From)
			if h.To > 0 {
				out += fmt.Sprintf(" to %d", h.To)
			}
		}
	}
	if h.Detail != "" {
		out += " (" + h.Detail + ")"
	}
	return out
}

// queryFault gives the engine's errors their status and the next command.
func queryFault(err error) error {
	var lost *query.LostError
	switch {
	case errors.As(err, &lost):
		return &Fault{Err: err, Try: "--cursor " + lost.Go.String(), Code: codeUsage}
	case errors.Is(err, query.ErrNoEvent):
		return &Fault{Err: err, Try: "stigmergy query --show-cursor", Code: codeUsage}
	case errors.Is(err, query.ErrCursor), errors.Is(err, query.ErrGroups), errors.Is(err, query.ErrJQ):
		return &Fault{Err: err, Code: codeUsage}
	}
	return err
}

// eventCount is a number of events on the command line; set tells that it was
// given.
type eventCount struct {
	set bool
	n   int
}

// UnmarshalText reads digits only: +5 means something else to tail.
func (c *eventCount) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return fmt.Errorf("expected a number of events, found %q", text)
	}
	c.set, c.n = true, int(n)
	return nil
}
