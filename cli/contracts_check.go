package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type contractsCheck struct {
	File    []string `arg:"" optional:"" help:"Files of events, one a line (- for standard input), or contracts (TOPIC.schema.json). Default: the board's own contracts."`
	Against string   `placeholder:"TIME" help:"Check the events of the board since TIME (as 7d) against the contracts given."`
}

// Help says the rest.
func (contractsCheck) Help() string {
	return "Each refused line is reported with its number, the reason, and what was expected and found: exit 65. A contract that cannot be used, or a file that cannot be read: exit 2."
}

// Run checks files of both kinds.
func (c *contractsCheck) Run(a *app) error {
	l, err := a.board()
	if err != nil && (a.line.Board != "" || !errors.Is(err, layout.ErrNoBoard)) {
		return err
	}
	var schemas, events []string
	for _, f := range c.File {
		if strings.HasSuffix(f, schemaExt) {
			schemas = append(schemas, f)
		} else {
			events = append(events, f)
		}
	}
	k := &contractChecker{a: a, p: a.printer()}
	if k.checker, err = c.rules(a, l, schemas, len(c.File) == 0); err != nil {
		return err
	}
	switch {
	case c.Against != "" && len(events) > 0:
		return usage("checking contracts", "contracts beside --against", quote(events[0]), "")
	case c.Against != "":
		err = k.board(l, c.Against)
	default:
		err = k.files(events)
	}
	if err = errors.Join(err, k.p.close()); err != nil {
		return err
	}
	k.sum(len(events) > 0 || c.Against != "")
	if k.refused > 0 {
		return exitWith(codeRefused)
	}
	return nil
}

// rules are the contracts in force, with those of the command line in place of
// the board's.
func (c *contractsCheck) rules(a *app, l layout.Layout, schemas []string, own bool) (*contracts.Checker, error) {
	all, err := contractFiles(l)
	if err != nil {
		return nil, err
	}
	if all == nil {
		all = map[string][]byte{}
	}
	from := map[string]string{}
	for topic := range all {
		from[topic] = filepath.Join(l.Contracts(), topic+schemaExt)
	}
	given := map[string]bool{}
	for _, path := range schemas {
		topic, text, err := readContract(path)
		if err != nil {
			return nil, err
		}
		all[topic], from[topic], given[topic] = text, path, true
	}
	reg, faults := contracts.Builtin().With(all)
	for _, f := range faults {
		if given[f.Topic] || own || len(schemas) == 0 {
			return nil, contractError("checking contracts", from[f.Topic], f)
		}
	}
	if own || len(schemas) > 0 {
		n := len(given)
		if own {
			n = len(all)
		}
		a.note("%d contracts can be used", n)
	}
	out := &contracts.Checker{Registry: reg, MaxLine: 1 << 20}
	if l.Dir != "" {
		s, err := a.someSettings(l)
		if err != nil {
			return nil, err
		}
		out.MaxLine, out.UnknownTopics = int(s.MaxLine), s.UnknownTopics
	}
	return out, nil
}

// contractChecker counts and reports lines.
type contractChecker struct {
	a                              *app
	p                              *printer
	checker                        *contracts.Checker
	lines, events, blanks, refused int
}

func (k *contractChecker) files(paths []string) error {
	for _, path := range paths {
		if err := k.file(path); err != nil {
			return err
		}
	}
	return nil
}

func (k *contractChecker) file(path string) error {
	in := k.a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("checking events: %w", err)
		}
		defer f.Close()
		in = f
	}
	r := newLineReader(in, k.checker.MaxLine)
	for {
		line, err := r.next()
		var long *Fault
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &long):
			k.lines++
			refusal := contracts.Refusal{Reason: contracts.ReasonTooLong,
				Errors: []contracts.FieldError{{Keyword: "maxLength", Expected: long.Expected, Got: long.Found}}}
			err = k.report(path, r.n, &refusal)
		case err == nil:
			err = k.line(path, r.n, line)
		}
		if err != nil {
			return fmt.Errorf("checking events: %s: line %d: %w", path, r.n, err)
		}
	}
}

func (k *contractChecker) line(path string, n int, line []byte) error {
	k.lines++
	if contracts.Blank(line) {
		k.blanks++
		return nil
	}
	var ev contracts.Event
	if r := k.checker.Check(line, &ev); r != nil {
		return k.report(path, n, r)
	}
	k.events++
	return nil
}

// report prints a refused line's errors, one a record.
func (k *contractChecker) report(path string, n int, r *contracts.Refusal) error {
	k.refused++
	errs := r.Errors
	if len(errs) == 0 {
		errs = []contracts.FieldError{{}}
	}
	for _, e := range errs {
		err := k.p.add(record{text("file", path), number("line", n), text("reason", r.Reason), text("topic", r.Topic),
			text("pointer", e.Pointer), text("expected", e.Expected), text("got", e.Got), text("hint", e.Hint)})
		if err != nil {
			return err
		}
	}
	return nil
}

// board checks the board's own events once more.
func (k *contractChecker) board(l layout.Layout, since string) error {
	from, err := k.a.timeFlag(since)
	if err != nil {
		return err
	}
	e, err := k.a.engine(l)
	if err != nil {
		return err
	}
	defer e.Close()
	res, err := e.Run(k.a.ctx, query.Request{Since: from}, func(h *query.Hit) error {
		k.lines++
		var ev contracts.Event
		if r := k.checker.Check(h.Line, &ev); r != nil {
			return k.report(h.Pos.String(), int(h.LineNo), r)
		}
		k.events++
		return nil
	})
	if err == nil && len(res.Damaged) > 0 {
		return k.a.found(res, nil)
	}
	return queryFault(err)
}

func (k *contractChecker) sum(events bool) {
	if events {
		k.a.note("%d lines: %d events, %d blank, %d refused", k.lines, k.events, k.blanks, k.refused)
	}
}
