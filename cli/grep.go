package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"stigmergy/blackboard/query"
)

type grepCmd struct {
	Pattern string   `arg:"" help:"An RE2 regular expression, or text with -F."`
	Topics  []string `arg:"" optional:"" name:"topic" help:"Topics or patterns (default: all)."`
	selectFlags

	IgnoreCase  bool       `short:"i" help:"Upper and lower case are the same."`
	Invert      bool       `short:"v" help:"The lines that do not match."`
	Count       bool       `short:"c" help:"Print only how many match."`
	Lanes       bool       `short:"l" help:"Print only the lanes that hold a match."`
	Max         eventCount `short:"m" name:"max-count" placeholder:"N" help:"End after N matches."`
	Fixed       bool       `short:"F" help:"The pattern is text, not an expression."`
	Quiet       bool       `short:"q" help:"Print nothing; the exit status tells."`
	Only        bool       `help:"Print only the matching parts."`
	After       eventCount `short:"A" placeholder:"N" help:"N events after each match too."`
	Before      eventCount `short:"B" placeholder:"N" help:"N events before each match too."`
	Context     eventCount `placeholder:"N" help:"N events around each match too (-C is the board)."`
	Quarantined bool       `help:"Search refused lines instead of events."`
}

// Help says the rest.
func (grepCmd) Help() string {
	return `Searches the stored lines of lanes, rotated segments and archives, in the board's order.

Where GNU grep differs: there is nothing to recurse into (-r); -o is the output format, the matching parts are --only; -n is a number of events, a line's place is its position (-o text); -w is a filter; -C is the board, context is --context; patterns are RE2 always (-E, -P); several patterns are 'ONE|OTHER' (-e).`
}

// Run prints the lines that match.
func (c *grepCmd) Run(a *app) error {
	if err := noContext(a.line.Board); err != nil {
		return err
	}
	req, err := c.selectFlags.request(a, c.Topics)
	if err != nil {
		return err
	}
	g, err := query.NewGrep(c.Pattern, c.Fixed, c.IgnoreCase, c.Invert)
	if err != nil {
		return badUse(err)
	}
	if c.Only && c.Invert {
		return usage("searching", "--only or -v", "both", "")
	}
	req.Grep, req.Limit, req.Quarantined = g, c.Max.n, c.Quarantined
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	switch {
	case c.Quiet:
		req.Limit = 1
		res, err := e.Run(a.ctx, req, func(*query.Hit) error { return nil })
		return a.found(res, err)
	case c.Count:
		res, err := e.Count(a.ctx, req)
		if err == nil {
			_, err = fmt.Fprintln(a.out, res.Matched)
		}
		return a.found(res, err)
	case c.Lanes:
		return c.lanes(a, e, req)
	case c.Only:
		return c.only(a, e, req, g)
	case max(c.After.n, c.Before.n, c.Context.n) > 0:
		return c.around(a, e, req, g)
	}
	return c.print(a, e, req, g)
}

// noContext finds GNU grep's -C NUM behind -C.
func noContext(board string) error {
	n := filepath.Base(board)
	if _, err := strconv.ParseUint(n, 10, 31); err != nil {
		return nil
	}
	if _, err := os.Lstat(board); err == nil {
		return nil
	}
	return usage("searching", "a board behind -C; lines around a match are --context", n, "stigmergy grep --context "+n+" PATTERN")
}

// printer marks what was searched for.
func (c *grepCmd) printer(a *app, g *query.Grep) (*eventPrinter, error) {
	p, err := a.newEvents(nil, "")
	if err == nil && !c.Invert {
		p.mark = g.Find
	}
	if p != nil {
		p.fold = nil // what was searched for is shown
	}
	return p, err
}

func (c *grepCmd) print(a *app, e *query.Engine, req query.Request, g *query.Grep) error {
	p, err := c.printer(a, g)
	if err != nil {
		return err
	}
	res, err := e.Run(a.ctx, req, p.hit)
	return a.found(res, errors.Join(err, p.close()))
}

// lanes prints every lane with a match once.
func (c *grepCmd) lanes(a *app, e *query.Engine, req query.Request) error {
	seen := map[string]bool{}
	p := a.printer()
	if p.format == "jsonl" || p.format == "text" {
		p.format = "raw"
	}
	res, err := e.Run(a.ctx, req, func(h *query.Hit) error {
		if seen[h.Pos.Lane] {
			return nil
		}
		seen[h.Pos.Lane] = true
		return p.add(record{text("lane", h.Pos.Lane)})
	})
	return a.found(res, errors.Join(err, p.close()))
}

// only prints the matching parts, one a line.
func (c *grepCmd) only(a *app, e *query.Engine, req query.Request, g *query.Grep) error {
	p := a.printer()
	if p.format == "text" || p.format == "jsonl" {
		p.format = "raw"
	}
	res, err := e.Run(a.ctx, req, func(h *query.Hit) error {
		for _, m := range g.Find(h.Line) {
			if m[0] == m[1] {
				continue
			}
			if err := p.add(record{text("match", string(h.Line[m[0]:m[1]])), text("position", h.Pos.String())}[:p.columns()]); err != nil {
				return err
			}
		}
		return nil
	})
	return a.found(res, errors.Join(err, p.close()))
}

// columns is how many of a match's columns are wanted: lists get the part
// alone.
func (p *printer) columns() int {
	if p.format == "raw" || p.format == "id" {
		return 1
	}
	return 2
}

// around prints matches with the events that stand beside them in the board's
// order, among those of the same topics, time and lane.
func (c *grepCmd) around(a *app, e *query.Engine, req query.Request, g *query.Grep) error {
	p, err := c.printer(a, g)
	if err != nil {
		return err
	}
	before, after := max(c.Before.n, c.Context.n), max(c.After.n, c.Context.n)
	res, err := e.Context(a.ctx, req, before, after, func(h *query.Hit, _, gap bool) error {
		if gap && p.format == "text" {
			if _, err := a.out.Write([]byte("--\n")); err != nil {
				return err
			}
		}
		return p.print(h)
	})
	return a.found(res, errors.Join(err, p.close()))
}
