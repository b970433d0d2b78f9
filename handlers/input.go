package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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

// owner is who owns a lane's file, as the journal has it.
func (m *Machine) owner(lane string) (uid uint32, known bool) {
	v, ok := m.state.get(ownerKey + lane)
	n, err := strconv.ParseUint(v, 10, 32)
	return uint32(n), ok && err == nil
}

const (
	seenKey  = "k/seen/" // hash of (source, id) of a request
	seenAge  = "k/seena/"
	seenNext = "k/seenn"
	// maxSeen is how many requests are remembered, to reject a second one.
	maxSeen = 1 << 16
)

// admit decides whether a request is folded. One that is not stays an event
// and is answered.
func (m *Machine) admit(ev *contracts.Event, from *origin) bool {
	uid, known := m.owner(ev.Pos.Lane)
	if !known {
		uid = m.config.DaemonUID
	}
	claimed := ev.Get("user").Text()
	if claimed == "" {
		claimed = ev.Get("submitted_by").Text()
	}
	ok, rule, user, role := m.policy.May(ev.TopicName, ev.Pos.Lane, uid, claimed, ev.Get("role").Text())
	r := &Rejection{Reason: RejectPolicy, Rule: rule, User: user, Role: role}
	if ok {
		if !m.seen(ev) {
			return true
		}
		r = &Rejection{Reason: RejectDuplicate}
	}
	for _, u := range m.reg.units {
		if u.reject != nil {
			m.call(u, from, func(tx *Tx) { u.reject.Rejected(tx, ev, r) })
		}
	}
	return false
}

// seen tells whether a request with this source and explicit id came before,
// and remembers it.
func (m *Machine) seen(ev *contracts.Event) bool {
	if !ev.Env.ID.IsString(ev.Line) {
		return false
	}
	sum := sha256.Sum256([]byte(ev.Source() + "\x00" + ev.ID()))
	hash := hex.EncodeToString(sum[:12])
	if _, ok := m.state.get(seenKey + hash); ok {
		return true
	}
	v, _ := m.state.get(seenNext)
	n, _ := strconv.ParseUint(v, 10, 64)
	m.state.put(seenKey+hash, "")
	m.state.put(ageKey(n), hash)
	m.state.put(seenNext, strconv.FormatUint(n+1, 10))
	if n >= maxSeen {
		old, _ := m.state.get(ageKey(n - maxSeen))
		m.state.delete(seenKey + old)
		m.state.delete(ageKey(n - maxSeen))
	}
	return false
}

func ageKey(n uint64) string { return fmt.Sprintf("%s%016x", seenAge, n) }
