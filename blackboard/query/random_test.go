package query

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"stigmergy/blackboard/archive"
	"stigmergy/contracts"
)

// randomBoard makes a board by random steps of agents and a daemon.
type randomBoard struct {
	*board
	r     *rand.Rand
	names []string
	wild  bool // also lines that are refused
}

var planIDs = []string{
	"7c9e6679-7425-40de-944b-e07fc1f90ae7", "0b0f6c0e-1111-4222-8333-444455556666", "short", "with \"quote\" and / slash", "ünïcödé",
}

var topicPool = []string{"build.done", "build.failed", "test.run", "test", "deploy.prod.eu-1", "build.done.late"}

func (b *randomBoard) pick(list ...string) string { return list[b.r.IntN(len(list))] }

func (b *randomBoard) jsonString(s string) string {
	q := string(contracts.AppendString(nil, s))
	if b.r.IntN(12) == 0 && len(s) > 0 && s[0] < 0x80 && s[0] != '"' {
		return fmt.Sprintf(`"\u%04x`, s[0]) + q[2:]
	}
	if b.r.IntN(12) == 0 {
		return strings.ReplaceAll(q, "/", `\/`)
	}
	return q
}

func (b *randomBoard) number() string {
	return b.pick("0", "-0", "1", "8", "8.0", "80e-1", "9", "10", "1e2", "12345678901234567890", "12345678901234567891", "-3.25", "1e-400", "1E+400", "0.1")
}

func (b *randomBoard) value() string {
	switch b.r.IntN(9) {
	case 0:
		return b.number()
	case 1:
		return b.pick("true", "false", "null")
	case 2:
		return b.jsonString(b.pick("8", "abc", "Zebra", "panic: index out of range [7]", "2026-01-29T02:31:13Z", "2026-01-29T03:31:13+01:00", ""))
	case 3:
		return `[` + b.number() + `,` + b.jsonString(b.pick("x", "y")) + `,[]]`
	case 4:
		return `{"k":` + b.number() + `,"outcome":` + b.jsonString(b.pick("passed", "failed")) + `}`
	case 5:
		return `[{"outcome":"passed"},{"outcome":` + b.jsonString(b.pick("failed", "skipped")) + `}]`
	}
	return b.jsonString(b.pick(planIDs...))
}

// event is a line that is an event, if the topic's contract lets it be.
func (b *randomBoard) event() string {
	var m []string
	add := func(odds int, s string) {
		if b.r.IntN(odds) == 0 {
			m = append(m, s)
		}
	}
	add(2, `"specversion":"1.0"`)
	add(2, `"id":`+b.jsonString(b.pick("a", "b", contracts.UUIDv7(b.now/1e6, [10]byte{byte(b.r.IntN(256))}))))
	add(3, `"source":`+b.jsonString(b.pick("s1", "s2")))
	m = append(m, b.pick(`"type":`, `"type":`, `"topic":`)+b.jsonString(b.pick(topicPool...)))
	add(2, `"time":"`+b.time()+`"`)
	add(4, `"subject":`+b.jsonString(b.pick(planIDs...)))
	add(8, `"plan_id":`+b.jsonString(b.pick(planIDs...)))
	var data []string
	for _, k := range []string{"plan_id", "cas_id", "n", "gates", "run_id", "outcome"} {
		if b.r.IntN(2) == 0 {
			data = append(data, `"`+k+`":`+b.value())
		}
	}
	add(1, `"data":{`+strings.Join(data, ",")+`}`)
	b.r.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	return "{" + strings.Join(m, ",") + "}"
}

func (b *randomBoard) time() string {
	t := time.Unix(0, b.now).Add(time.Duration(b.r.IntN(2000)-1000) * time.Millisecond)
	if b.r.IntN(2) == 0 {
		t = t.In(time.FixedZone("", 3600))
	}
	return t.Format(time.RFC3339Nano)
}

func (b *randomBoard) line() string {
	if b.wild {
		switch b.r.IntN(16) {
		case 8, 9:
			return `{"type":"build.done"` + b.event()
		case 0:
			return ""
		case 1:
			return "  \t"
		case 2:
			return `{"type":"build.done","data":{"plan_id":"short"`
		case 3:
			return `{"type":"build.do` + b.event()
		case 4:
			return `{"type":"hxo.plan","data":{}}`
		case 5:
			return `{"type":"build.done","type":"build.done"}`
		case 6:
			return "\ufeff" + b.event() + "\r"
		case 7:
			return b.event() + "\r"
		}
	}
	return b.event()
}

// step does one random thing.
func (b *randomBoard) step() {
	name := b.pick(b.names...)
	switch b.r.IntN(20) {
	default:
		var text strings.Builder
		for range 1 + b.r.IntN(6) {
			text.WriteString(b.line() + "\n")
		}
		if b.r.IntN(10) == 0 {
			text.WriteString(strings.Repeat("x", 1+b.r.IntN(20)) + "\n")
		}
		b.write(name, text.String())
	case 8, 9, 10, 11, 12, 13, 14:
		b.take(name, 1+b.r.IntN(8))
	case 15:
		b.rotateClean(b.orQuarantine(name))
	case 16:
		b.packAny(b.orQuarantine(name))
	case 17:
		b.derive(b.seq-1, "hxo", `{"type":"hxo.note","data":{"n":`+b.number()+`,"plan_id":`+b.jsonString(b.pick(planIDs...))+`}}`+"\n")
	case 18:
		if b.r.IntN(4) == 0 {
			b.nextJournal()
			b.entryTick()
		}
	case 19:
		if b.r.IntN(4) == 0 {
			b.packJournal()
		}
	}
}

// orQuarantine is the lane, or now and then that of its refused lines.
func (b *randomBoard) orQuarantine(name string) string {
	if b.r.IntN(3) == 0 {
		return "quarantine/" + name
	}
	return name
}

// rotateClean takes everything in and rotates, as draining does.
func (b *randomBoard) rotateClean(name string) {
	for b.take(name, 1+b.r.IntN(8)) > 0 {
	}
	b.rotate(name)
}

func (b *randomBoard) packAny(name string) {
	x := b.lane(name)
	for n := uint64(1); n < x.segment; n++ {
		if b.r.IntN(2) == 0 {
			b.pack(name, n, archive.WriteOptions{FrameBytes: int64(256 << b.r.IntN(5)), IDs: b.r.IntN(2) == 0})
		}
	}
}
