package exemplars_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"stigmergy/exemplars"
)

var (
	many   = flag.Int("many", 0, "how many exemplars TestMany asks; scripts/bench/exemplars.sh says 100000")
	manyAt = flag.String("at", "", "where TestMany leaves its store")
	board  = flag.String("board", "board-1", "whose store it is")
)

// The bounds of the issue.
const (
	searchBound = 20 * time.Millisecond
	rollupBound = 100 * time.Millisecond
)

// words of which packets are made, each rarer than the one before.
func word(rnd *rand.Rand) string { return fmt.Sprintf("word%d", int(rnd.ExpFloat64()*3000)) }

// manyPacket is one of many runs: three gates, four batches, sources, commands.
func manyPacket(t testing.TB, rnd *rand.Rand, i int) []byte {
	hex := func() string {
		return fmt.Sprintf("%016x%016x%016x%016x", rnd.Uint64(), rnd.Uint64(), rnd.Uint64(), rnd.Uint64())
	}
	return build(t, run(i, func(p *exemplars.Packet) {
		p.TS = noon.Add(time.Duration(i) * 5 * time.Minute).Format(time.RFC3339)
		p.Scope = []string{"gitops_run__gen88-v4", "gitops_run__main", "hxo_plan__deploy"}[i%3]
		p.Outcome = []string{"ok", "ok", "ok", "partial", "error"}[rnd.IntN(5)]
		p.Keywords = []string{word(rnd), word(rnd)}
		p.Answer = word(rnd) + " " + word(rnd) + " " + word(rnd)
		p.ConfigSHA256 = hex()
		p.Commands = [][]string{{"git", "commit", "-m", word(rnd) + " " + word(rnd)}, {"git", "push", "origin", "main"}}
		p.Summary.Pushed = rnd.IntN(2) == 0
		for g := range 3 {
			p.Gates = append(p.Gates, exemplars.Gate{GateID: fmt.Sprint("gate", g), Outcome: []string{"passed", "passed", "failed", "skipped"}[rnd.IntN(4)], DurationMS: rnd.Int64N(1000)})
		}
		for b := range 4 {
			p.Batches = append(p.Batches, exemplars.Batch{BatchID: fmt.Sprint("batch", (b*i)%40), Outcome: "committed", CommitSHA: hex()[:40], Insertions: rnd.Int64N(100), Deletions: rnd.Int64N(50)})
			p.SourceHashes = append(p.SourceHashes, exemplars.SourceHash{Path: "artifacts/proofs/" + word(rnd) + "/run.log", SHA256: hex(), Bytes: 10})
		}
		if i == 4711 {
			p.Keywords = append(p.Keywords, "unheard-of")
		}
	}))
}

// TestMany: over many exemplars, selective words and every rollup are quick.
// Without -many it only shows that it would run.
func TestMany(t *testing.T) {
	n := max(*many, 500)
	path := *manyAt
	if path == "" {
		path = filepath.Join(t.TempDir(), "exemplars.db")
	}
	s, err := exemplars.Open(path, *board)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(1, 2))
	begin := time.Now()
	err = s.Restore(ctx, true, func(_ map[string]exemplars.Receipt, put func(exemplars.Restored) error) (string, error) {
		for i := range n {
			pos := fmt.Sprintf("gitops@1:%d", i)
			if err := put(exemplars.Restored{Event: exemplars.Event{Position: pos, Source: "gitops", ID: pos, Packet: manyPacket(t, rnd, i)}, ReceiptPath: fmt.Sprint("r", i), Ingested: "2026-01-29T12:00:00Z"}); err != nil {
				return "", err
			}
		}
		return "start", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d exemplars put in: %.0f a second", n, float64(n)/time.Since(begin).Seconds())

	search := func(q exemplars.Query) func() (int, error) {
		return func() (int, error) { found, err := s.Search(ctx, q); return len(found), err }
	}
	w := exemplars.Window{}
	for _, c := range []struct {
		name  string
		bound time.Duration
		do    func() (int, error)
	}{
		{"search a word of one", searchBound, search(exemplars.Query{Words: "unheard-of", Limit: 10})},
		{"search a rare word", searchBound, search(exemplars.Query{Words: "word15000", Limit: 10})},
		{"search a run", searchBound, search(exemplars.Query{Words: "gitops_77", Limit: 10})},
		{"search two words", searchBound, search(exemplars.Query{Words: "word100 word200", Limit: 10})},
		{"search nothing", searchBound, search(exemplars.Query{Words: "not-there-at-all", Limit: 10})},
		{"search gitops_run (most of them)", 0, search(exemplars.Query{Words: "gitops_run", Limit: 1})},
		{"search gitops_run, ten", 0, search(exemplars.Query{Words: "gitops_run", Limit: 10})},
		{"search a beginning", 0, search(exemplars.Query{Words: "word1", Limit: 10})},
		{"the last pushed run", searchBound, search(exemplars.Query{Window: exemplars.Window{Scope: "gitops_run*"}, Outcome: "ok", Pushed: true, Limit: 1})},
		{"rollup runs", rollupBound, search(exemplars.Query{Limit: 20})},
		{"rollup runs of a scope that is not there", rollupBound, search(exemplars.Query{Window: exemplars.Window{Scope: "nothing*"}, Limit: 20})},
		{"rollup gate-failures", rollupBound, func() (int, error) { g, err := s.GateFailures(ctx, w); return len(g), err }},
		{"rollup churn", rollupBound, func() (int, error) { c, err := s.Churn(ctx, w); return len(c), err }},
		{"rollup mtbc", rollupBound, func() (int, error) { m, err := s.MTBC(ctx, w); return len(m), err }},
		{"rollup outcomes by day", rollupBound, func() (int, error) { o, err := s.Outcomes(ctx, w, "day"); return len(o), err }},
	} {
		var took []time.Duration
		found := 0
		for range 11 {
			at := time.Now()
			if found, err = c.do(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			took = append(took, time.Since(at))
		}
		slices.Sort(took)
		median := took[len(took)/2]
		t.Logf("%-45s %8.3f ms, %d rows", c.name, float64(median.Microseconds())/1000, found)
		if *many > 0 && c.bound > 0 && median > c.bound {
			t.Errorf("%s: %v, more than %v", c.name, median, c.bound)
		}
	}
}
