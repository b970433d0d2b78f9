package handlers

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// scratch is memory that every derived event uses anew.
type scratch struct {
	id  []byte
	ev  contracts.Event
	ext [1]contracts.Attr
}

// Emit derives an event: topic on an owned lane, subject ("" for none) and
// data, a JSON object. It is folded after every handler has seen the event
// that led to it. An event that breaks its contract, a lane that the topic may
// not stand on, and more than MaxDerived lines in one call are mistakes of the
// handler and panic.
func (tx *Tx) Emit(lane, topic, subject string, data []byte) contracts.Position {
	m := tx.m
	t := m.config.Registry.Topic([]byte(topic))
	if !layout.Owned(lane) || strings.HasPrefix(lane, "quarantine/") || t != nil && t.Owner != "" && t.Owner != lane {
		panic(fmt.Sprintf("deriving %s: it may not stand on lane %s", topic, lane))
	}
	o := tx.ready(lane)
	pos := contracts.Position{Lane: lane, Segment: o.segment, Offset: o.next()}
	start := len(o.buf)
	m.scratch.ext[0] = contracts.Attr{Name: "cause", Value: tx.Cause()}
	o.buf = contracts.Build{
		ID: tx.id(), Source: lane, Type: topic, Subject: subject, Time: m.time,
		Ext: m.scratch.ext[:], Data: data,
	}.Append(o.buf)
	line := o.buf[start:len(o.buf):len(o.buf)]
	tx.number++
	tx.verify(line, topic)
	o.buf = append(o.buf, '\n')
	m.chain.events++
	if r := m.routes.of(t, line, &m.scratch.ev.Env); r != nil && len(r.units) > 0 {
		m.kids = append(m.kids, kid{out: o, off: pos.Offset, line: line, topic: t, route: r})
	}
	return pos
}

// Record derives a line that is no event, for a lane of quarantine/.
func (tx *Tx) Record(lane string, line []byte) contracts.Position {
	if !strings.HasPrefix(lane, "quarantine/") || bytes.IndexByte(line, '\n') >= 0 {
		panic("recording a line: expected one line, on a lane of quarantine/, not " + lane)
	}
	o := tx.ready(lane)
	pos := contracts.Position{Lane: lane, Segment: o.segment, Offset: o.next()}
	o.buf = append(append(o.buf, line...), '\n')
	return pos
}

// ready is an owned lane with room for one more line of this call.
func (tx *Tx) ready(lane string) *outLane {
	m := tx.m
	if m.derived-m.stage.derived >= MaxDerived {
		panic(fmt.Sprintf("deriving more than %d lines in one call: Tx.Continue is for that", MaxDerived))
	}
	o := m.out(lane)
	m.derived++
	o.lines++
	return o
}

// verify holds what was derived to its contract.
func (tx *Tx) verify(line []byte, topic string) {
	m := tx.m
	if refusal := m.check.Check(line, &m.scratch.ev); refusal != nil {
		panic(fmt.Sprintf("deriving %s: %s", topic, refusal.Error()))
	}
	if e := &m.scratch.ev; e.Env.Type.Present() && string(e.Env.Type.TextBytes(line)) != topic {
		panic("deriving an event: no topic is called " + topic)
	}
}

// id names the next derived event for ever.
func (tx *Tx) id() string {
	b := append(tx.m.scratch.id[:0], tx.m.config.BoardID...)
	b = append(append(b, 0), tx.Cause()...)
	b = append(append(b, 0), tx.unit.name...)
	b = strconv.AppendInt(append(b, 0), int64(tx.number), 10)
	tx.m.scratch.id = b
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
