package handlers

import (
	"fmt"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
)

// origin is what a call of a handler is about: the cause of all it derives.
type origin struct {
	pos   contracts.Position // of an event or a refused line
	kind  string             // "tick" or "entry" where there is no position
	seq   uint64
	index int    // of the call, within a tick
	step  string // set where a handler may be called twice about one position
	text  string // cause, once asked for
}

func (m *Machine) factOrigin() *origin { return &origin{kind: "entry", seq: m.entry.Seq} }

// cause is how derived events name the origin.
func (o *origin) cause() string {
	if o.text == "" {
		if o.text = o.pos.String(); o.kind != "" {
			o.text = fmt.Sprintf("%s:%d", o.kind, o.seq)
		}
	}
	return o.text
}

// place is how a skip names the call: the cause, and for timers and the alert
// of a storm which call it was.
func (o *origin) place() string {
	p := o.cause()
	if o.kind == "tick" {
		p = fmt.Sprintf("%s#%d", p, o.index)
	}
	if o.step != "" {
		p += "#" + o.step
	}
	return p
}

// skipped is a call that is not to be made.
type skipped struct{ handler, place string }

// Skip says that this handler failed at this position once: it is not called
// there. It is told before the entry is folded.
func (m *Machine) Skip(handler, position string) { m.skips[skipped{handler, position}] = true }

// stage is what one call has done so far and a panic drops.
type stage struct {
	call    uint64 // number of the call
	outs    []outMark
	kids    int
	started int
	done    int
	derived int // lines before the call
	events  int
}

// abort is the panic that is no handler's fault: the fold cannot go on.
type abort struct{ err error }

// call lets a handler answer; what it did is dropped if it panics.
func (m *Machine) call(u *unit, from *origin, fn func(tx *Tx)) {
	if m.err != nil || len(m.skips) > 0 && m.skips[skipped{u.name, from.place()}] {
		return
	}
	m.begun(u, from)
	tx := &Tx{m: m, unit: u, from: from, number: u.ticks}
	defer func() {
		m.watch.leave()
		if r := recover(); r != nil {
			m.dropped(u, from, r)
		} else if from.kind == "tick" {
			u.ticks = tx.number
		}
		tx.m = nil // a handler that kept it fails loudly
	}()
	fn(tx)
}

func (m *Machine) begun(u *unit, from *origin) {
	m.watch.enter(u, from)
	m.state.begin()
	m.stage.call++
	m.stage.outs = m.stage.outs[:0]
	m.stage.kids, m.stage.derived, m.stage.events = len(m.kids), m.derived, m.chain.events
	m.stage.started, m.stage.done = len(m.step.Started), len(m.step.Done)
}

// dropped undoes a call that panicked and has it noted.
func (m *Machine) dropped(u *unit, from *origin, r any) {
	m.state.rollback()
	for _, mark := range m.stage.outs {
		mark.out.buf, mark.out.lines = mark.out.buf[:mark.size], mark.lines
	}
	m.kids = m.kids[:m.stage.kids]
	m.step.Started, m.step.Done = m.step.Started[:m.stage.started], m.step.Done[:m.stage.done]
	m.derived, m.chain.events = m.stage.derived, m.stage.events
	if a, ok := r.(abort); ok {
		m.err = a.err
		return
	}
	if m.entry.Kind == journal.Note && m.entry.Note == "skip" {
		return // a handler that fails over the news of a failure would go on for ever
	}
	m.step.Skips = append(m.step.Skips, blackboard.Skip{Handler: u.name, Position: from.place(), Reason: reason(r)})
}

// reason is a panic's value as short text.
func reason(r any) string {
	s := fmt.Sprint(r)
	return s[:min(len(s), 512)]
}
