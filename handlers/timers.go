package handlers

import (
	"fmt"
	"strconv"
	"strings"
)

// A timer stands in the store twice: by when it is due, to be found, and by
// its name, to be moved or cancelled.
//
//	k/due/DUE/HANDLER/NAME → seq of the entry that set it
//	k/timer/HANDLER/NAME   → DUE, 16 hex digits
const (
	dueKey   = "k/due/"
	timerKey = "k/timer/"
	maxDelay = 1 << 50 // milliseconds: for ever
	// maxFired bounds one tick that derives nothing.
	maxFired = 10000
)

// After has the handler's Tick called with this name, delayMS from now, or a
// little later. A timer of the same name is moved.
func (tx *Tx) After(name string, delayMS int64) {
	tx.Cancel(name)
	due := fmt.Sprintf("%016x", tx.Now()+min(max(delayMS, 0), maxDelay))
	tx.m.state.put(timerKey+tx.unit.name+"/"+name, due)
	tx.m.state.put(dueKey+due+"/"+tx.unit.name+"/"+name, strconv.FormatUint(tx.Seq(), 10))
}

// Cancel takes a timer away; one that is not set is fine.
func (tx *Tx) Cancel(name string) { tx.m.cancel(tx.unit.name, name) }

// Continue has the handler's Tick called with this token as soon as the other
// lanes' pending lines are folded. It is for whoever has more than MaxDerived
// lines to derive. Two of one token are one, as with After.
func (tx *Tx) Continue(token string) { tx.After(token, 0) }

func (m *Machine) cancel(handler, name string) {
	key := timerKey + handler + "/" + name
	if due, ok := m.state.get(key); ok {
		m.state.delete(key)
		m.state.delete(dueKey + due + "/" + handler + "/" + name)
	}
}

// Due is the elapsed time of the earliest timer.
func (m *Machine) Due() (elapsedMS int64, ok bool) {
	m.state.scan(dueKey, func(key, _ string) bool {
		elapsedMS, _, _, ok = splitDue(key)
		return false
	})
	return elapsedMS, ok
}

func splitDue(key string) (due int64, handler, name string, ok bool) {
	parts := strings.SplitN(strings.TrimPrefix(key, dueKey), "/", 3)
	if len(parts) != 3 {
		return 0, "", "", false
	}
	due, err := strconv.ParseInt(parts[0], 16, 64)
	return due, parts[1], parts[2], err == nil
}

// tick fires the timers that are due, by time, handler and name. Those set
// during this tick, and those beyond what one step may derive, wait for the
// next one.
func (m *Machine) tick() {
	seq := strconv.FormatUint(m.entry.Seq, 10)
	m.state.scan(dueKey, func(key, setAt string) bool {
		due, handler, name, _ := splitDue(key)
		if due > m.entry.ElapsedMS || m.derived >= MaxDerived || m.calls >= maxFired || m.err != nil {
			return false
		}
		if setAt != seq {
			m.fire(handler, name)
		}
		return true
	})
}

// fire calls one timer. It is gone before: a handler that fails over it is not
// called again for it.
func (m *Machine) fire(handler, name string) {
	m.cancel(handler, name)
	from := &origin{kind: "tick", seq: m.entry.Seq, index: m.calls}
	m.calls++
	for _, u := range m.reg.units {
		if u.name != handler {
			continue
		}
		m.chain = chain{}
		m.call(u, from, func(tx *Tx) { u.Tick(tx, name) })
		m.descend(0, 1)
		m.cut(from)
	}
}
