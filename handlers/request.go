package handlers

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"

	"stigmergy/contracts"
)

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
	uid := m.owner(ev.Pos.Lane)
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
