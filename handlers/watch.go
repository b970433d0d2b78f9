package handlers

import "sync/atomic"

// watch lets another goroutine see which handler is at work. The fold pays a
// few atomic stores a call; text is made only when somebody looks.
type watch struct {
	calls  atomic.Uint64 // odd while a handler is at work
	unit   atomic.Pointer[unit]
	origin atomic.Pointer[origin]
}

func (w *watch) enter(u *unit, from *origin) {
	w.unit.Store(u)
	w.origin.Store(from)
	w.calls.Add(1)
}

func (w *watch) leave() { w.calls.Add(1) }

// Current is the handler at work and the position it works at, as Skip takes
// them; both are empty between calls. No two calls have the same position, so
// that one answer given twice is one call that lasts. It may be called from any
// goroutine.
func (m *Machine) Current() (handler, position string) {
	before := m.watch.calls.Load()
	u, from := m.watch.unit.Load(), m.watch.origin.Load()
	if before%2 == 0 || m.watch.calls.Load() != before || u == nil || from == nil {
		return "", ""
	}
	still := origin{pos: from.pos, kind: from.kind, seq: from.seq, index: from.index, step: from.step}
	return u.name, still.place()
}
