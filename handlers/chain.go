package handlers

import (
	"stigmergy/contracts"
)

// kid is a derived event that some handler wants.
type kid struct {
	out   *outLane
	off   int64 // in the segment
	line  []byte
	topic *contracts.Topic
	route *route
}

// chain is what follows from one line, tick or fact.
type chain struct {
	events int // derived so far
	deep   bool
	many   bool
}

// stormEvents is how many events may follow from the alert of a storm itself.
const stormEvents = 100

// fold gives an event to every handler that wants it, then folds what they
// derived, each with all that follows from it.
func (m *Machine) fold(ev *contracts.Event, units []*unit, depth int) {
	first := len(m.kids)
	from := &origin{pos: ev.Pos}
	for _, u := range units {
		m.call(u, from, func(tx *Tx) { u.Handle(tx, ev) })
	}
	m.descend(first, depth+1)
}

// descend folds the derived events from the first on; depth is theirs.
func (m *Machine) descend(first, depth int) {
	end := len(m.kids)
	for i := first; i < end && m.err == nil; i++ {
		switch {
		case depth > MaxDepth:
			m.chain.deep = true
		case m.chain.events > MaxEvents:
			m.chain.many = true
		default:
			m.foldKid(m.kids[i], depth)
		}
	}
	m.kids = m.kids[:first]
}

func (m *Machine) foldKid(k kid, depth int) {
	ev := &contracts.Event{
		Line: k.line, Topic: k.topic, Seq: m.entry.Seq, JournalTime: m.entry.Time,
		Pos: contracts.Position{Lane: k.out.lane, Segment: k.out.segment, Offset: k.off},
	}
	if refusal := contracts.Scan(k.line, &ev.Env); refusal != nil {
		return // cannot be: it was checked when it was derived
	}
	ev.TopicName = topicName(k.topic, k.line, &ev.Env)
	m.fold(ev, k.route.units, depth)
}

// cut tells of a chain that was cut, once. The alert has a chain of its own,
// a short one.
func (m *Machine) cut(root *origin) {
	if !m.chain.deep && !m.chain.many {
		return
	}
	s := &Storm{Root: root.pos, Events: m.chain.events, Deep: !m.chain.many}
	from := *root
	from.step = "storm"
	m.chain = chain{events: MaxEvents - stormEvents}
	for _, u := range m.reg.units {
		if u.storm != nil {
			m.call(u, &from, func(tx *Tx) {
				tx.number += MaxEvents
				u.storm.Storm(tx, s)
			})
		}
	}
	m.descend(0, 1)
}

func topicName(t *contracts.Topic, line []byte, env *contracts.Envelope) string {
	if t != nil {
		return t.Name
	}
	return env.Type.Text(line)
}
