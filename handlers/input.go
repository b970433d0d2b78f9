package handlers

import (
	"strconv"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/contracts"
)

const (
	ownerKey     = "k/owner/"
	workerPrefix = "workers/"
)

// input folds the lines of one batch. Nearly all lines of a busy board are of
// topics that nobody handles: they cost one comparison each.
func (m *Machine) input(b *blackboard.Batch) {
	worker := strings.HasPrefix(b.Lane, workerPrefix)
	for i := range b.Lines {
		l := &b.Lines[i]
		switch {
		case l.Blank:
		case l.Refusal != nil:
			m.refuse(b, i, worker)
		case worker:
			m.answer(b, i)
		default:
			r := m.routes.of(l.Event.Topic, b.Raw[l.Off+int(l.Event.Off):], &l.Event.Env)
			if r != nil && !m.recorded(r, l.Event.Topic, b.Lane) {
				m.line(m.event(b, i), r)
			}
		}
		if m.err != nil {
			return
		}
	}
}

// recorded tells that a line is another bus's history: kept, obeyed by nobody.
func (m *Machine) recorded(r *route, t *contracts.Topic, lane string) bool {
	return r.owner != "" && r.owner != lane && !m.policy.Forged(t, lane)
}

// event is line i as handlers see it.
func (m *Machine) event(b *blackboard.Batch, i int) *contracts.Event {
	l := &b.Lines[i]
	ev := &contracts.Event{
		Line: b.Raw[l.Off+int(l.Event.Off) : l.Off+int(l.Event.End)],
		Env:  l.Event.Env, Topic: l.Event.Topic, Pos: b.Position(i),
		Seq: m.entry.Seq, LineNo: i, JournalTime: m.entry.Time,
	}
	ev.TopicName = topicName(ev.Topic, ev.Line, &ev.Env)
	return ev
}

// line folds an event of a lane that anybody may write.
func (m *Machine) line(ev *contracts.Event, r *route) {
	if r.owner != "" && r.owner != ev.Pos.Lane {
		m.refuseLine(m.refused(ev.Pos, ev.Line, forged(ev)))
		return
	}
	from := &origin{pos: ev.Pos}
	m.chain = chain{}
	if r.request && !m.admit(ev, from) {
		m.descend(0, 1)
	} else {
		m.fold(ev, r.units, 0)
	}
	m.cut(from)
}

func forged(ev *contracts.Event) *contracts.Refusal {
	return &contracts.Refusal{
		Reason: contracts.ReasonForged, Topic: ev.TopicName,
		Errors: []contracts.FieldError{{
			Pointer: "/type", Keyword: "x-owner",
			Expected: "lane " + ev.Topic.Owner, Got: "lane " + ev.Pos.Lane,
			Hint: "only the daemon writes " + ev.TopicName,
		}},
	}
}

// answer folds a line of a worker's lane: it is obeyed if it answers an effect
// that is outstanding.
func (m *Machine) answer(b *blackboard.Batch, i int) {
	ev := m.event(b, i)
	refusal := m.answers(ev)
	if refusal != nil && m.late(ev) {
		return
	}
	if refusal != nil {
		r := m.refused(ev.Pos, b.Raw[b.Lines[i].Off:b.Lines[i].End], refusal)
		r.Worker = true
		m.refuseLine(r)
		return
	}
	m.chain = chain{}
	if r := m.routes.of(ev.Topic, ev.Line, &ev.Env); r != nil {
		m.fold(ev, r.units, 0)
	}
	m.cut(&origin{pos: ev.Pos})
}

// owner is who owns a lane's file: the daemon's user, unless the journal says
// otherwise.
func (m *Machine) owner(lane string) uint32 {
	v, ok := m.state.get(ownerKey + lane)
	n, err := strconv.ParseUint(v, 10, 32)
	if !ok || err != nil {
		return m.config.DaemonUID
	}
	return uint32(n)
}
