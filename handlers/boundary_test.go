package handlers_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/blackboard/journal"
	"stigmergy/contracts"
	"stigmergy/handlers"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/foldtest"
)

// happening is one line, one fact, or the passing of time.
type happening struct {
	lane, line string
	fact       *journal.Entry
	ms         int64
}

// happenings draws a history that goes through every part of the fold.
func happenings() *rapid.Generator[[]happening] {
	lane := rapid.SampledFrom([]string{"ci", "agents/7", "admiral", "workers/exec"})
	line := rapid.OneOf(
		rapid.SampledFrom([]string{
			ping("a"), ping("b"), `{"type":"toy.stop","subject":"a"}`, answer("toy.did", "job:a"), answer("toy.beat", "job:b"),
			event("toy.again", `{}`), event("toy.twice", `{"deep":1}`), event("toy.fail", `{}`), set("x", 5), set("y", 50), set("again-z", 0),
			event("quiet", `{"n":1}`), "", " ", "\xef\xbb\xbf" + ping("bom") + "\r", `{"type":"ci.torn","da` + ping("glued"),
			`{"type":"hxo.plan.abort","id":"1","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}`,
			`{"type":"board.alert","data":{"alert_type":"disk","severity":"info","message":"m"}}`,
		}),
		rapid.StringMatching(`[{}\["a:,\x00]{0,12}`),
	)
	one := rapid.Custom(func(t *rapid.T) happening {
		switch n := rapid.IntRange(0, 9).Draw(t, "kind"); n {
		case 0:
			return happening{ms: rapid.Int64Range(1, 60).Draw(t, "ms")}
		case 1:
			kind := rapid.SampledFrom([]string{"overflow", "renamed", "skip"}).Draw(t, "note")
			return happening{fact: &journal.Entry{Kind: journal.Note, Note: kind, Lane: "ci", Segment: 1}}
		}
		return happening{lane: lane.Draw(t, "lane"), line: line.Draw(t, "line")}
	})
	return rapid.SliceOfN(one, 0, 40)
}

// cast is every kind of handler: one that answers, one with timers, one with
// effects, one that fails, one that begets itself, the board's own, audit.
func cast(t *testing.T) []handlers.Handler {
	var fired []string
	ticker := clock(&fired)
	tick := ticker.tick
	ticker.tick = func(tx *handlers.Tx, timer string) {
		tick(tx, timer)
		tx.Emit("swarm", "toy.ping", timer, []byte(`{"timer":true}`))
	}
	fails := on("fails", "toy.*", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Put(ev.Pos.String(), ev.TopicName)
		if tx.Emit("genesis", "toy.seen", "", []byte("{}")); ev.TopicName == "toy.fail" {
			panic("as asked")
		}
	})
	fails.topics = []string{"toy.fail", "toy.pong"}
	begets := on("begets", "toy.again", func(tx *handlers.Tx, ev *contracts.Event) {
		tx.Emit("swarm", "toy.again", "", []byte("{}"))
	})
	return []handlers.Handler{echo(), ticker, job(), fails, begets, audit.New()}
}

// play folds a history; group says how many lines of one lane go into one
// entry, restart whether the fold goes on from a snapshot before an entry.
func play(t *testing.T, hs []happening, group func() int, restart func() bool) string {
	b := withBoard(t, cast(t)...)
	b.Frozen = true
	for i := 0; i < len(hs); {
		if restart() {
			b.Restart()
		}
		h := hs[i]
		switch {
		case h.fact != nil:
			b.Fact(*h.fact)
			i++
		case h.lane == "":
			b.Advance(h.ms)
			i++
		default:
			i += playLines(b, hs[i:], max(group(), 1))
		}
	}
	return b.Bytes() + "== state\n" + b.State() + fmt.Sprintf("== skips\n%v\n== started\n%v\n", b.Skips, b.Started)
}

func playLines(b *foldtest.Board, hs []happening, most int) int {
	var lines []string
	for _, h := range hs[:min(most, len(hs))] {
		if h.lane != hs[0].lane {
			break
		}
		lines = append(lines, h.line)
	}
	b.Append(hs[0].lane, lines...)
	return len(lines)
}

// TestBoundaries (I10): the same lines, facts and ticks give the same bytes,
// the same state, failures and effects, in whatever batches they come and
// however often the fold starts anew.
func TestBoundaries(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		hs := happenings().Draw(rt, "history")
		alone := play(t, hs, func() int { return 1 }, func() bool { return false })
		again := play(t, hs, func() int { return rapid.IntRange(1, 50).Draw(rt, "group") }, func() bool { return rapid.Bool().Draw(rt, "restart") })
		if alone != again {
			rt.Fatalf("line by line:\n%s\nin batches:\n%s", alone, again)
		}
	})
}

// FuzzMachine folds arbitrary lines: nothing panics, every line is accounted
// for, and batches make no difference.
func FuzzMachine(f *testing.F) {
	for _, seed := range []string{"", "oops", ping("a"), ping("a") + "\n" + event("toy.fail", "{}") + "\noops\n\n" + set("x", 1), `{"type":"a"}{"type":"b"}`, "\xff\x00", `{"type":"board.alert"}`} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, text []byte, where uint8) {
		lane := []string{"ci", "workers/exec", "a%0Ab"}[int(where)%3]
		var hs []happening
		for _, line := range strings.Split(string(text), "\n") {
			hs = append(hs, happening{lane: lane, line: line}, happening{ms: 1})
		}
		never := func() bool { return false }
		alone := play(t, hs, func() int { return 1 }, never)
		if again := play(t, hs, func() int { return 1 }, func() bool { return true }); alone != again {
			t.Fatalf("in one run:\n%s\nin many:\n%s", alone, again)
		}
		var lines []happening
		for _, h := range hs {
			if h.lane != "" {
				lines = append(lines, h)
			}
		}
		alone = play(t, lines, func() int { return 1 }, never)
		if again := play(t, lines, func() int { return len(lines) }, never); alone != again {
			t.Fatalf("line by line:\n%s\nat once:\n%s", alone, again)
		}
	})
}
