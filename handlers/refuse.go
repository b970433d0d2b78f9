package handlers

import (
	"crypto/sha256"

	"stigmergy/blackboard"
	"stigmergy/contracts"
)

// refused is a line that is no event, with what is recorded of it.
func (m *Machine) refused(pos contracts.Position, line []byte, why *contracts.Refusal) *Refused {
	return &Refused{Pos: pos, Line: line, Length: int64(len(line)), SHA256: sha256.Sum256(line), Refusal: why}
}

// refuse folds line i, which is no event. A whole record that stands at the
// end of a mangled line is folded as an event at its own first byte.
func (m *Machine) refuse(b *blackboard.Batch, i int, worker bool) {
	l := &b.Lines[i]
	if l.Long != nil {
		m.refuseLine(&Refused{
			Pos: b.Position(i), Line: l.Long.Head, Length: l.Long.Length, SHA256: l.Long.SHA256,
			Refusal: l.Refusal, Worker: worker,
		})
		return
	}
	r := m.refused(b.Position(i), b.Raw[l.Off:l.End], l.Refusal)
	r.Worker = worker
	if ev := m.recover(b, i); ev != nil && !worker {
		r.Recovered = ev.Pos
		m.refuseLine(r)
		if rt := m.routes.of(ev.Topic, ev.Line, &ev.Env); rt != nil && !m.recorded(rt, ev.Topic, b.Lane) && m.err == nil {
			m.line(ev, rt)
		}
		return
	}
	m.refuseLine(r)
}

// recover is the event that a mangled line certainly ends with, or nil. One
// that nobody may write there is not recovered.
func (m *Machine) recover(b *blackboard.Batch, i int) *contracts.Event {
	l := &b.Lines[i]
	if !l.Refusal.Mangled() {
		return nil
	}
	off, ok := contracts.Recover(b.Raw[l.Off:l.End], m.config.Checker)
	if !ok {
		return nil
	}
	ev := new(contracts.Event)
	if m.config.Checker.Check(b.Raw[l.Off+off:l.End], ev) != nil {
		return nil
	}
	ev.Pos = b.Position(i)
	ev.Pos.Offset += int64(off)
	ev.Seq, ev.LineNo, ev.JournalTime = m.entry.Seq, i, m.entry.Time
	ev.TopicName = topicName(ev.Topic, ev.Line, &ev.Env)
	if m.policy.Forged(ev.Topic, ev.Pos.Lane) {
		return nil
	}
	return ev
}

// refuseLine tells of one line that is no event, and folds what follows.
func (m *Machine) refuseLine(r *Refused) {
	from := &origin{pos: r.Pos}
	m.chain = chain{}
	for _, u := range m.reg.units {
		if u.refused != nil {
			m.call(u, from, func(tx *Tx) { u.refused.Refused(tx, r) })
		}
	}
	m.descend(0, 1)
	m.cut(from)
}
