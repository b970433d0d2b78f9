package handlers

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/contracts"
)

// effectKey is where the store keeps what is outstanding: kind, a newline and
// the payload, by the effect's key.
const effectKey = "k/effect/"

// Effect has a worker do something to the world outside, at least once. The
// key names it for ever; one that is outstanding already is left as it is. The
// payload is JSON. It ends with a line of the worker (see EffectKind).
func (tx *Tx) Effect(kind, key string, payload []byte) {
	if _, ok := tx.m.reg.kinds[kind]; !ok || key == "" {
		panic(fmt.Sprintf("starting effect %q: no handler declares its kind %q", key, kind))
	}
	if tx.Outstanding(key) {
		return
	}
	tx.m.state.put(effectKey+key, kind+"\n"+string(payload))
	// The payload may be part of a line whose memory is used again.
	tx.m.step.Started = append(tx.m.step.Started, blackboard.Effect{Key: key, Kind: kind, Payload: bytes.Clone(payload)})
}

// Outstanding tells whether an effect was started and has not ended.
func (tx *Tx) Outstanding(key string) bool {
	_, ok := tx.m.state.get(effectKey + key)
	return ok
}

// Done ends an effect without a line of its worker: it is no longer wanted. A
// line that its worker wrote before it heard of that is kept, and nobody obeys
// it.
func (tx *Tx) Done(key string) {
	value, ok := tx.m.state.get(effectKey + key)
	if !ok {
		return
	}
	kind, _, _ := strings.Cut(value, "\n")
	tx.m.endEffect(key)
	v, _ := tx.m.state.get(lateNext)
	n, _ := strconv.ParseUint(v, 10, 64)
	slot := fmt.Sprintf("%s%03x", lateSlot, n%maxLate)
	if old, ok := tx.m.state.get(slot); ok {
		tx.m.state.delete(lateKey + old)
	}
	tx.m.state.put(slot, key)
	tx.m.state.put(lateKey+key, kind)
	tx.m.state.put(lateNext, strconv.FormatUint(n+1, 10))
}

// Effects that ended without their worker, the last few: kind by key, and in
// which order they ended.
const (
	lateKey  = "k/late/"
	lateSlot = "k/lates/"
	lateNext = "k/laten"
	maxLate  = 1 << 12
)

// late tells that a worker's line answers an effect that ended without it.
func (m *Machine) late(ev *contracts.Event) bool {
	name, ok := m.state.get(lateKey + ev.Env.EffectKey.Text(ev.Line))
	kind := m.reg.kinds[name]
	return ok && kind.Lane == ev.Pos.Lane && (slices.Contains(kind.Ends, ev.TopicName) || slices.Contains(kind.Also, ev.TopicName))
}

func (m *Machine) endEffect(key string) {
	m.state.delete(effectKey + key)
	m.step.Done = append(m.step.Done, key)
}

// Effects are the outstanding ones, by key.
func (m *Machine) Effects() []blackboard.Effect {
	var list []blackboard.Effect
	m.state.scan(effectKey, func(key, value string) bool {
		kind, payload, _ := strings.Cut(value, "\n")
		list = append(list, blackboard.Effect{Key: strings.TrimPrefix(key, effectKey), Kind: kind, Payload: []byte(payload)})
		return true
	})
	return list
}

// answers tells why a worker's line is not obeyed, or nil. A line that ends
// its effect does so before any handler sees it: a handler that fails over the
// line cannot have the effect done again and again.
func (m *Machine) answers(ev *contracts.Event) *contracts.Refusal {
	key := ev.Env.EffectKey.Text(ev.Line)
	value, ok := m.state.get(effectKey + key)
	if key == "" || !ok {
		return notObeyed(ev, "/effectkey", "the key of an outstanding effect", key)
	}
	name, _, _ := strings.Cut(value, "\n")
	kind := m.reg.kinds[name]
	switch {
	case kind.Lane != ev.Pos.Lane:
		return notObeyed(ev, "/effectkey", "an effect of "+ev.Pos.Lane, key)
	case slices.Contains(kind.Ends, ev.TopicName):
		m.endEffect(key)
	case !slices.Contains(kind.Also, ev.TopicName):
		return notObeyed(ev, "/type", strings.Join(append(slices.Clone(kind.Ends), kind.Also...), " or "), ev.TopicName)
	}
	return nil
}

func notObeyed(ev *contracts.Event, pointer, expected, got string) *contracts.Refusal {
	return &contracts.Refusal{
		Reason: contracts.ReasonForged, Topic: ev.TopicName,
		Errors: []contracts.FieldError{{
			Pointer: pointer, Keyword: "effectkey", Expected: expected, Got: clip(got),
			Hint: "only the daemon's workers write " + ev.Pos.Lane,
		}},
	}
}

// clip shortens what an error quotes.
func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
