package cli

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type quarantineCmd struct {
	Ls    quarantineLs    `cmd:"" help:"List refused lines, the reason first."`
	Show  quarantineShow  `cmd:"" help:"Everything about one refused line."`
	Retry quarantineRetry `cmd:"" help:"Append refused lines again, after a contract was mended."`
	Drop  quarantineDrop  `cmd:"" help:"Mark refused lines as done with; nothing is deleted."`
}

// refusedLine is one record of the quarantine.
type refusedLine struct {
	pos    string // of the refused line
	reason string
	ev     *contracts.Event // the record, its members as data
	raw    []byte           // the record's line
	state  string           // open, retried or dropped
}

// newRefused reads one record.
func newRefused(record []byte) *refusedLine {
	ev := &contracts.Event{Line: record}
	_ = contracts.Scan(record, &ev.Env) // what is no JSON has no members
	ev.Env.Data = contracts.Span{End: uint32(len(record))}
	return &refusedLine{pos: ev.Get("data.position").Text(), reason: ev.Get("data.reason").Text(), ev: ev, raw: record, state: "open"}
}

// line is the refused line itself; ok is false where it was too long to keep.
func (r *refusedLine) line() (line []byte, ok bool) {
	if v := r.ev.Get("data.line_base64"); v.Exists() {
		out, err := base64.StdEncoding.DecodeString(v.Text())
		return out, err == nil && r.whole(out)
	}
	out := r.ev.Get("data.line").TextBytes()
	return out, r.whole(out)
}

func (r *refusedLine) whole(line []byte) bool {
	n, ok := r.ev.Get("data.length").Int()
	return ok && n == int64(len(line))
}

// refused calls fn for every refused line that the flags select, oldest first.
func (a *app) refused(sel *selectFlags, topics []string, marks map[string]string, fn func(*refusedLine) error) (query.Result, error) {
	req, err := sel.request(a, topics)
	if err != nil {
		return query.Result{}, err
	}
	lane := req.Lane
	req.Quarantined, req.Lane = true, ""
	e, _, err := a.openEngine()
	if err != nil {
		return query.Result{}, err
	}
	defer e.Close()
	return e.Run(a.ctx, req, func(h *query.Hit) error {
		r := newRefused(h.Line)
		if s := marks[r.pos]; s != "" {
			r.state = s
		}
		if lane != "" && r.ev.Get("data.lane").Text() != lane {
			return nil
		}
		return fn(r)
	})
}

// marks are what became of refused lines since: positions that were dropped,
// and those that were appended again.
func (a *app) marks() (map[string]string, error) {
	out := map[string]string{}
	e, _, err := a.openEngine()
	if err != nil {
		return nil, err
	}
	defer e.Close()
	drops, err := contracts.ParsePatterns([]string{"quarantine.drop"})
	if err != nil {
		return nil, err
	}
	_, err = e.Run(a.ctx, query.Request{Topics: drops}, func(h *query.Hit) error {
		out[h.Event().Get("data.position").Text()] = "dropped"
		return nil
	})
	if err != nil {
		return nil, queryFault(err)
	}
	again, err := query.ParseFilters([]string{"retryof"})
	if err != nil {
		return nil, err
	}
	_, err = e.Run(a.ctx, query.Request{Where: again}, func(h *query.Hit) error {
		out[h.Event().Get("retryof").Text()] = "retried"
		return nil
	})
	return out, queryFault(err)
}

type quarantineLs struct {
	Topics []string `arg:"" optional:"" name:"topic" help:"Topics or patterns, of refused lines whose topic could be read."`
	selectFlags
	All bool `help:"Also those that were retried or dropped."`
}

// Run lists.
func (c *quarantineLs) Run(a *app) error {
	marks, err := a.marks()
	if err != nil {
		return a.stopped(err)
	}
	p := a.printer()
	n := int64(0)
	res, err := a.refused(&c.selectFlags, c.Topics, marks, func(r *refusedLine) error {
		if r.state != "open" && !c.All {
			return nil
		}
		n++
		return p.add(r.record(p.format == "text" || p.format == "table"))
	})
	res.Matched, res.Holes = n, nil
	return a.found(res, errors.Join(err, p.close()))
}

// record is a refused line's row.
func (r *refusedLine) record(short bool) record {
	errs := r.ev.Get("data.errors")
	row := record{text("position", r.pos), text("reason", r.reason), text("topic", r.ev.Get("data.topic").Text())}
	if short {
		row = append(row, text("error", firstError(errs.Raw)))
		return append(row, text("text", clip(r.ev.Get("data.text").Text())))
	}
	length, _ := r.ev.Get("data.length").Int()
	return append(row, text("time", r.ev.Get("time").Text()), text("lane", r.ev.Get("data.lane").Text()), number("length", length),
		text("sha256", r.ev.Get("data.sha256").Text()), cell{"errors", bytes.Clone(errs.Raw)}, text("text", r.ev.Get("data.text").Text()), text("state", r.state))
}

// firstError puts the first of a record's errors in a few words.
func firstError(raw []byte) string {
	pointer, expected, got := errorParts(raw)
	if expected == "" {
		return ""
	}
	return clip(strings.TrimSpace(fmt.Sprintf("%s expected %s, got %s", pointer, expected, got)))
}

// errorParts is the first of a record's errors.
func errorParts(raw []byte) (pointer, expected, got string) {
	contracts.Elements(raw, func(v contracts.Value) bool {
		e := contracts.Event{Line: append(append([]byte(`{"type":"x","data":`), v.Raw...), '}')}
		if contracts.Scan(e.Line, &e.Env) == nil {
			pointer, expected, got = e.Get("data.pointer").Text(), e.Get("data.expected").Text(), e.Get("data.got").Text()
		}
		return false
	})
	return pointer, expected, got
}

type quarantineShow struct {
	Position string `arg:"" help:"The refused line's position, as quarantine ls prints it."`
}

// Run prints the record, or just the line with -o raw.
func (c *quarantineShow) Run(a *app) error {
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := a.lookUp(e, c.Position)
	if err != nil {
		return err
	}
	if !s.Refused {
		return notRefused(c.Position)
	}
	return a.showRefused(newRefused(s.Record))
}

func notRefused(pos string) error {
	return &Fault{Doing: "looking for a refused line", Expected: "the position of one", Found: quote(pos), Try: "stigmergy quarantine ls", Code: codeNone}
}

func (a *app) showRefused(r *refusedLine) error {
	switch a.format() {
	case "raw":
		line, _ := r.line()
		_, err := a.out.Write(append(bytes.Clone(a.printer().safe(line)), '\n'))
		return err
	case "text":
		return a.explainRefused(r)
	}
	p := a.printer()
	return errors.Join(p.line(r.raw), p.close())
}

// explainRefused says for people why a line was refused and what to do.
func (a *app) explainRefused(r *refusedLine) error {
	w := &textWriter{a: a}
	w.field("position", r.pos)
	w.field("reason", r.reason)
	w.field("topic", r.ev.Get("data.topic").Text())
	w.field("refused at", r.ev.Get("time").Text())
	length, _ := r.ev.Get("data.length").Int()
	w.field("length", fmt.Sprintf("%d bytes", length))
	w.field("recovered", r.ev.Get("data.recovered").Text())
	contracts.Elements(r.ev.Get("data.errors").Raw, func(v contracts.Value) bool {
		e := contracts.Event{Line: append(append([]byte(`{"type":"x","data":`), v.Raw...), '}')}
		if contracts.Scan(e.Line, &e.Env) != nil {
			return true
		}
		w.field("at", e.Get("data.pointer").Text())
		w.field("  expected", e.Get("data.expected").Text())
		w.field("  got", e.Get("data.got").Text())
		w.field("  hint", e.Get("data.hint").Text())
		return true
	})
	w.field("line", r.ev.Get("data.text").Text())
	w.field("try", "stigmergy quarantine retry "+shellQuote(r.pos)+" after a contract was mended; else write the line anew")
	return w.err
}

// textWriter writes "name: value" for people; what is empty is left out.
type textWriter struct {
	a   *app
	err error
}

func (w *textWriter) field(name, value string) {
	if value == "" || w.err != nil {
		return
	}
	b := paint(nil, w.a.colors(), dim, fmt.Sprintf("%-12s", name))
	b = append(appendVisible(append(b, ' '), value), '\n')
	_, w.err = w.a.out.Write(b)
}
