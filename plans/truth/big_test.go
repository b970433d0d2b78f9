package truth_test

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

// big is for scripts/bench/certify.sh.
var big = flag.Int("big", 0, "certify a plan of so many shards, and say how long that took")

func TestBigPlan(t *testing.T) {
	if *big == 0 {
		t.Skip("-big N certifies a plan of N shards")
	}
	b := newBoard(t, "executor: {jobs: 64}\n", nil)
	begun := time.Now()
	b.submit(*big)
	b.patience = time.Hour
	b.wait("hxo.aggregate.finalized", 1)
	t.Logf("%d shards submitted, created, claimed, done without processes, certified: %v", *big, time.Since(begun).Round(time.Millisecond))
	last, ready, asked, final := b.lastTime("hxo.shard.done"), b.lastTime("hxo.aggregate.ready"), b.lastTime("hxo.aggregate.certify"), b.lastTime("hxo.aggregate.finalized")
	t.Logf("tree and samples in the fold: %v after the last shard", ready.Sub(last).Round(time.Millisecond))
	t.Logf("truth: lines read, tree recomputed, every output hashed, signed: %v", final.Sub(asked).Round(time.Millisecond))
	b.stop()
	begun = time.Now()
	c := b.check()
	t.Logf("verify --plan: %v", time.Since(begun).Round(time.Millisecond))
	if c.Verdict != blackboard.VerdictOK || c.Outputs != *big {
		t.Fatalf("%+v", c)
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil {
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "VmHWM") {
				t.Log("all of it, the test's own work included:", strings.Join(strings.Fields(line), " "))
			}
		}
	}
}

func (b *board) lastTime(topic string) (at time.Time) {
	b.t.Helper()
	p, err := contracts.ParsePatterns([]string{topic})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.engine.Run(b.t.Context(), query.Request{Topics: p, Last: 1}, func(h *query.Hit) error {
		at = time.Unix(0, h.Event().Time())
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return at
}
