package cli

import (
	"bytes"
	"fmt"
	"sync"
	"time"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

// eventPrinter prints events: as they are stored, or for people.
type eventPrinter struct {
	*printer
	fields []contracts.Path
	names  []string
	jq     *query.JQ
	mark   func(line []byte) [][]int // what to show as found
	follow bool                      // each event is flushed, tables are not aligned
	fold   *runFold                  // hides long runs of refusals, in text
}

// newEvents makes a printer; fields and jq may be empty.
func (a *app) newEvents(fields []string, jq string) (*eventPrinter, error) {
	p := &eventPrinter{printer: a.printer()}
	for _, f := range fields {
		path, err := contracts.ParsePath(f)
		if err != nil {
			return nil, badUse(err)
		}
		p.fields, p.names = append(p.fields, path), append(p.names, f)
	}
	if jq != "" {
		q, err := query.ParseJQ(jq)
		if err != nil {
			return nil, badUse(err)
		}
		p.jq = q
	}
	if p.format == "text" && len(fields) == 0 && jq == "" {
		p.fold = &runFold{a: a}
	}
	return p, nil
}

// hit prints one event of an answer.
func (p *eventPrinter) hit(h *query.Hit) error {
	err := p.print(h)
	if err == nil && p.follow {
		if p.widths == nil {
			err = p.drain()
		}
		if err == nil {
			err = p.a.out.flush()
		}
	}
	return err
}

func (p *eventPrinter) print(h *query.Hit) error {
	switch {
	case p.jq != nil:
		return p.jqResults(h)
	case len(p.fields) > 0:
		return p.add(p.chosen(h.Event()))
	}
	switch p.format {
	case "jsonl", "json":
		return p.line(h.Line)
	case "raw":
		return p.line(h.Event().Data())
	case "id":
		return p.line([]byte(h.Event().ID()))
	case "text":
		return p.text(h)
	}
	ev := h.Event()
	return p.add(record{text("time", showTime(ev.Time())), text("position", h.Pos.String()), text("type", ev.TopicName),
		text("subject", ev.Subject()), cell{"data", ev.Data()}})
}

// chosen is the record of --fields: what is absent is null.
func (p *eventPrinter) chosen(ev *contracts.Event) record {
	r := make(record, len(p.fields))
	for i, path := range p.fields {
		r[i].name = p.names[i]
		var all [][]byte
		ev.Each(path, func(v contracts.Value) bool {
			all = append(all, bytes.Clone(v.Raw))
			return len(all) < 1000
		})
		switch len(all) {
		case 0:
		case 1:
			r[i].json = all[0]
		default:
			r[i].json = append(append([]byte{'['}, bytes.Join(all, []byte{','})...), ']')
		}
	}
	return r
}

func (p *eventPrinter) jqResults(h *query.Hit) error {
	err := p.jq.Run(p.a.ctx, h.Line, func(out []byte) error {
		if (p.format == "text" || p.format == "raw") && len(out) > 0 && out[0] == '"' {
			out = jsonText(out)
		}
		return p.line(out)
	})
	if err != nil {
		return &Fault{Doing: "running the jq expression", Position: h.Pos.String(), Err: err, Code: exitOr(err, codeUsage)}
	}
	return nil
}

// exitOr is the status of an error that has one of its own, else code.
func exitOr(err error, code int) int {
	if c := exitCode(err); c != codeInternal {
		return c
	}
	return code
}

// text prints an event for people: time, position, topic, subject, data.
func (p *eventPrinter) text(h *query.Hit) error {
	ev := h.Event()
	if p.fold.hides(ev.TopicName) {
		return nil
	}
	if err := p.fold.tell(); err != nil {
		return err
	}
	color := p.a.colors()
	b := p.buf[:0]
	b = paint(b, color, dim, showTime(ev.Time()))
	b = append(b, "  "...)
	b = paint(b, color, dim, h.Pos.String())
	if h.Pending {
		b = paint(b, color, yellow, " (not taken in yet)")
	}
	if h.Recovered {
		b = paint(b, color, yellow, " (recovered)")
	}
	b = append(b, "  "...)
	b = paint(b, color, topicStyle(ev.TopicName), string(appendVisible(nil, ev.TopicName)))
	if s := ev.Subject(); s != "" {
		b = append(append(b, "  "...), appendVisible(nil, s)...)
	}
	b = append(b, "  "...)
	b = p.marked(b, ev.Data(), color)
	p.buf = append(b, '\n')
	p.wrote++
	_, err := p.a.out.Write(p.buf)
	return err
}

// marked appends text with what was searched for shown in red.
func (p *eventPrinter) marked(dst, s []byte, color bool) []byte {
	if p.mark == nil || !color {
		return appendVisible(dst, s)
	}
	at := 0
	for _, m := range p.mark(s) {
		if m[0] < at || m[0] == m[1] {
			continue
		}
		dst = appendVisible(dst, s[at:m[0]])
		dst = paint(dst, true, red, string(appendVisible(nil, s[m[0]:m[1]])))
		at = m[1]
	}
	return appendVisible(dst, s[at:])
}

// close ends the output.
func (p *eventPrinter) close() error {
	if p.fold != nil {
		if err := p.fold.tell(); err != nil {
			return err
		}
	}
	return p.printer.close()
}

// topicStyle lets what went wrong be seen.
func topicStyle(topic string) style {
	switch {
	case bytes.HasSuffix([]byte(topic), []byte(".failed")), topic == "board.rejected", topic == "board.quarantined":
		return red
	case topic == "board.alert", topic == "hxo.alert":
		return yellow
	}
	return cyan
}

// showTime is a time for people, in UTC with milliseconds.
func showTime(ns int64) string {
	if ns == 0 {
		return "-"
	}
	return time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000Z")
}

// runShown is how many refusals in a row are shown before the rest is folded;
// after runPause without another one it is said how many.
const (
	runShown = 3
	runPause = time.Second
)

// runFold hides long runs of board.quarantined from people: one broken writer
// would push everything else off the screen.
type runFold struct {
	a *app

	mu     sync.Mutex // guards what follows
	run    int
	hidden int
	timer  *time.Timer
}

// hides counts an event and tells whether it is left out.
func (f *runFold) hides(topic string) bool {
	if f == nil {
		return false // nothing runs on: one answer, and the end
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if topic != "board.quarantined" {
		f.run = 0
		return false
	}
	if f.run++; f.run <= runShown {
		return false
	}
	f.hidden++
	if f.timer == nil {
		f.timer = time.AfterFunc(runPause, func() { _ = f.tell() }) // a failed write is told by the next one
	}
	f.timer.Reset(runPause)
	return true
}

// tell says how many were hidden, once the run is over.
func (f *runFold) tell() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.hidden
	if f.hidden = 0; n == 0 {
		return nil
	}
	f.timer.Stop()
	_, err := fmt.Fprintf(f.a.out, "… and %d more refused lines (stigmergy quarantine ls)\n", n)
	return err
}
