package foldtest

import (
	"bytes"
	"strings"

	"stigmergy/blackboard"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// publish appends what a step derived, and checks it.
func (b *Board) publish(step *blackboard.Step, e *journal.Entry) {
	b.T.Helper()
	before := ""
	for _, d := range step.Derived {
		if d.Lane <= before {
			b.T.Fatalf("derived lanes out of order: %q after %q", d.Lane, before)
		}
		before = d.Lane
		segs := b.owned[d.Lane]
		if segs == nil {
			segs = map[uint64][]byte{}
			b.owned[d.Lane] = segs
		}
		if !layout.Owned(d.Lane) || int64(len(segs[d.Segment])) != d.From {
			b.T.Fatalf("derived %s@%d:%d, expected an owned lane at %d", d.Lane, d.Segment, d.From, len(segs[d.Segment]))
		}
		if n := bytes.Count(d.Bytes, []byte("\n")); int64(n) != d.Lines || !bytes.HasSuffix(d.Bytes, []byte("\n")) {
			b.T.Fatalf("derived %s: %d lines told, %d counted", d.Lane, d.Lines, n)
		}
		segs[d.Segment] = append(segs[d.Segment], d.Bytes...)
		b.checkLines(d, e)
	}
}

func (b *Board) checkLines(d blackboard.Derived, e *journal.Entry) {
	b.T.Helper()
	for line := range strings.SplitSeq(strings.TrimSuffix(string(d.Bytes), "\n"), "\n") {
		if strings.HasPrefix(d.Lane, "quarantine/") {
			var env contracts.Envelope
			if refusal := contracts.Scan([]byte(line), &env); refusal != nil && refusal.Reason == contracts.ReasonNotJSON {
				b.T.Fatalf("record %s: %v", line, refusal)
			}
			continue
		}
		b.checkEvent(d.Lane, line, e)
	}
}

// checkEvent holds a derived event to what every one of them promises.
func (b *Board) checkEvent(lane, line string, e *journal.Entry) {
	b.T.Helper()
	var ev contracts.Event
	c := contracts.Checker{Registry: b.Config.Registry, UnknownTopics: "accept"}
	if refusal := c.Check([]byte(line), &ev); refusal != nil {
		b.T.Fatalf("derived on %s: %v: %s", lane, refusal, line)
	}
	text := func(s contracts.Span) string { return s.Text(ev.Line) }
	for name, found := range map[string][2]string{
		"specversion": {text(ev.Env.SpecVersion), "1.0"},
		"source":      {text(ev.Env.Source), lane},
		"time":        {text(ev.Env.Time), journal.FormatTime(e.Time)},
	} {
		if found[0] != found[1] {
			b.T.Fatalf("derived on %s: %s is %q, expected %q: %s", lane, name, found[0], found[1], line)
		}
	}
	if len(text(ev.Env.ID)) != 32 || text(ev.Env.Cause) == "" {
		b.T.Fatalf("derived on %s without id or cause: %s", lane, line)
	}
	if ts := ev.Get("data.timestamp"); ts.Exists() && ts.Text() != text(ev.Env.Time) {
		b.T.Fatalf("derived on %s: timestamp and time differ: %s", lane, line)
	}
	if ev.Topic != nil && ev.Topic.Owner != "" && ev.Topic.Owner != lane {
		b.T.Fatalf("derived on %s, which %s may not stand on: %s", lane, ev.Topic.Name, line)
	}
}
