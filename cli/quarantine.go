package cli

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"stigmergy/blackboard/layout"
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
	var first string
	contracts.Elements(raw, func(v contracts.Value) bool {
		e := contracts.Event{Line: append(append([]byte(`{"type":"x","data":`), v.Raw...), '}')}
		if contracts.Scan(e.Line, &e.Env) == nil {
			first = strings.TrimSpace(fmt.Sprintf("%s expected %s, got %s", e.Get("data.pointer").Text(), e.Get("data.expected").Text(), e.Get("data.got").Text()))
		}
		return false
	})
	return clip(first)
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

type quarantineRetry struct {
	Position []string `arg:"" optional:"" help:"Refused lines, by position."`
	selectFlags
	Topic []string `placeholder:"TOPIC" help:"All open refused lines of these topics."`
	All   bool     `help:"All open refused lines."`
}

// Help says the rest.
func (quarantineRetry) Help() string {
	return "Each line is checked against the contracts in force first; one that would be refused again stays as it is: exit 65. What is appended goes to the line's own lane and carries retryof, the position of the refused line."
}

// Run appends what is now good.
func (c *quarantineRetry) Run(a *app) error {
	todo, err := a.chosen(c.Position, c.Topic, c.All, &c.selectFlags)
	if err != nil {
		return err
	}
	l, err := a.board()
	if err != nil {
		return err
	}
	worst := codeOK
	for _, r := range todo {
		if err := a.retry(l, r); err != nil {
			var f *Fault
			if !errors.As(err, &f) || f.Code != codeRefused && f.Code != codePolicy {
				return err
			}
			a.note("stigmergy: %s", f.Error())
			worst = f.Code
		}
	}
	return exitWith(worst)
}

// keptLine is a refused line to be worked on after the engine is closed.
type keptLine struct {
	pos, lane string
	line      []byte
	whole     bool
}

// chosen are the open refused lines that positions, topics or --all name.
func (a *app) chosen(positions, topics []string, all bool, sel *selectFlags) ([]keptLine, error) {
	if len(positions) == 0 && len(topics) == 0 && !all {
		return nil, usage("choosing refused lines", "positions, --topic or --all", "none of them", "stigmergy quarantine ls")
	}
	marks, err := a.marks()
	if err != nil {
		return nil, a.stopped(err)
	}
	want := map[string]bool{}
	for _, p := range positions {
		want[p] = true
	}
	var out []keptLine
	_, err = a.refused(sel, topics, marks, func(r *refusedLine) error {
		if len(positions) > 0 && !want[r.pos] || len(positions) == 0 && r.state != "open" {
			return nil
		}
		delete(want, r.pos)
		line, whole := r.line()
		out = append(out, keptLine{pos: r.pos, lane: r.ev.Get("data.lane").Text(), line: bytes.Clone(line), whole: whole})
		return nil
	})
	if err != nil {
		return nil, a.stopped(queryFault(err))
	}
	for p := range want {
		return nil, notRefused(p)
	}
	return out, nil
}

func (a *app) retry(l layout.Layout, r keptLine) error {
	doing := "retrying " + r.pos
	if !r.whole {
		return &Fault{Doing: doing, Expected: "the whole line", Found: "only its beginning, for it was too long", Code: codeRefused}
	}
	p, err := (&postCmd{Lane: r.lane}).open(a)
	if err != nil {
		return err
	}
	var ev contracts.Event
	if err := p.check(r.line, &ev, doing); err != nil {
		return err
	}
	line := withRetryOf(ev.Line, &ev.Env, r.pos)
	if err := p.check(line, &ev, doing); err != nil {
		return err
	}
	pos, err := p.append(line)
	if err != nil {
		return err
	}
	p.file.close()
	return p.print(ev.ID(), pos.String())
}

// withRetryOf adds the attribute retryof at the end of a line, and a new
// linedigest where there was one.
func withRetryOf(line []byte, env *contracts.Envelope, pos string) []byte {
	head := bytes.TrimRight(line, " \t\r")
	head = head[:len(head)-1]
	digest := false
	if at := bytes.LastIndex(head, []byte(`,"linedigest"`)); at > 0 && env.LineDigest.Present() && int(env.LineDigest.Off) > at {
		head, digest = head[:at], true
	}
	out := append(bytes.Clone(head), `,"retryof":`...)
	out = contracts.AppendString(out, pos)
	if digest {
		sum := sha256.Sum256(out)
		out = append(out, `,"linedigest":"`...)
		out = append(hex.AppendEncode(out, sum[:]), '"')
	}
	return append(out, '}')
}

type quarantineDrop struct {
	Position []string `arg:"" optional:"" help:"Refused lines, by position."`
	selectFlags
	Topic  []string `placeholder:"TOPIC" help:"All open refused lines of these topics."`
	All    bool     `help:"All open refused lines."`
	Reason string   `placeholder:"TEXT" help:"Why."`
	Post   string   `name:"as" placeholder:"LANE" help:"The lane that the marks go to (default: as for post)."`
}

// Help says the rest.
func (quarantineDrop) Help() string {
	return "Appends one quarantine.drop a line; quarantine ls leaves those out then (--all shows them)."
}

// Run appends the marks.
func (c *quarantineDrop) Run(a *app) error {
	todo, err := a.chosen(c.Position, c.Topic, c.All, &c.selectFlags)
	if err != nil {
		return err
	}
	lane := c.Post
	if lane == "" {
		lane = a.getenv("STIGMERGY_LANE")
	}
	p, err := (&postCmd{Topic: "quarantine.drop", Lane: lane}).open(a)
	if err != nil {
		return err
	}
	for _, r := range todo {
		data := contracts.AppendString([]byte(`{"position":`), r.pos)
		if c.Reason != "" {
			data = contracts.AppendString(append(data, `,"reason":`...), c.Reason)
		}
		line, err := p.build(append(data, '}'))
		if err != nil {
			return err
		}
		if err := p.one(line); err != nil {
			return err
		}
	}
	return nil
}
