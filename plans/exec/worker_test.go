package exec

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

// workbench is a worker with a plan of one stage in the store.
type workbench struct {
	*bench
	w        *Worker
	manifest string
	chunk    string
	jobs     atomic.Int64

	mu    sync.Mutex
	lines []string
}

func newWorkbench(t *testing.T, job plan.Job, shards ...plan.Shard) *workbench {
	t.Helper()
	b := &workbench{bench: newBench(t)}
	b.jobs.Store(2)
	var chunk []byte
	for _, s := range shards {
		chunk = append(append(chunk, jsonOf(t, s)...), '\n')
	}
	var err error
	if b.chunk, err = b.cas.Put(chunk); err != nil {
		t.Fatal(err)
	}
	m := plan.Manifest{V: 1, PlanID: b.task().PlanID, Root: b.root, Shards: len(shards), Stages: []plan.Stage{{StageID: "s", Job: job}}}
	if b.manifest, err = b.cas.Put(jsonOf(t, m)); err != nil {
		t.Fatal(err)
	}
	b.w = NewWorker(Config{CAS: b.cas, Environ: os.Environ(), Jobs: func() int { return int(b.jobs.Load()) }, Beat: func() time.Duration { return 20 * time.Millisecond }})
	t.Cleanup(func() {
		if err := b.w.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func jsonOf(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func shard(n int) plan.Shard {
	item := plan.Item(fmt.Sprintf(`{"n": %d}`, n))
	return plan.Shard{CASID: fmt.Sprintf("%016x", n), SHA256: strings.Repeat("0", 64), Index: n, Inputs: []plan.Input{{Item: &item}}}
}

func (b *workbench) do(ctx context.Context, n int) error {
	job := plan.ExecRun{PlanID: b.task().PlanID, StageID: "s", CASID: fmt.Sprintf("%016x", n), Attempt: 1, Manifest: b.manifest, Chunk: b.chunk, TimeoutMS: 20_000}
	return b.w.Do(ctx, blackboard.Effect{Key: fmt.Sprintf("run:%d", n), Kind: plan.EffectRun, Payload: jsonOf(b.t, job)}, func(lane string, line []byte) error {
		if lane != plan.LaneExec {
			b.t.Errorf("reported on lane %s", lane)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.lines = append(b.lines, string(line))
		return nil
	})
}

func TestWorkerReports(t *testing.T) {
	b := newWorkbench(t, plan.Job{Argv: []string{"echo", "{item}"}}, shard(1), shard(2))
	if err := b.do(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	if err := b.do(context.Background(), 9); err != nil {
		t.Fatal(err)
	}
	results := slices.DeleteFunc(slices.Clone(b.lines), func(line string) bool { return strings.Contains(line, "heartbeat") })
	for i, want := range []string{`"ok":true,"output_digest":"` + sum("{\"n\":1}\n") + `"`, `"ok":false,"error":"the shard 0000000000000009 does not stand in chunk `} {
		var ev contracts.Event
		c := contracts.Checker{Registry: contracts.Builtin(), MaxLine: 1 << 20}
		if r := c.Check([]byte(results[i]), &ev); r != nil {
			t.Errorf("%s is refused: %+v", results[i], r)
		}
		if !strings.Contains(results[i], want) || !strings.Contains(results[i], `"effectkey":"run:`) || !strings.Contains(results[i], `"type":"federation.result"`) {
			t.Errorf("reported %s, want %s", results[i], want)
		}
	}
}

// TestWorkerBeats: a shard that waits for its turn is told of too.
func TestWorkerBeats(t *testing.T) {
	b := newWorkbench(t, plan.Job{Argv: []string{"sleep", "30"}}, shard(1), shard(2), shard(3))
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for n := 1; n <= 3; n++ {
		wg.Go(func() {
			if err := b.do(ctx, n); !errors.Is(err, context.Canceled) {
				t.Errorf("a shard that nobody wants came to %v", err)
			}
		})
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for beaten := 0; beaten < 3; <-tick.C {
		b.mu.Lock()
		all := strings.Join(b.lines, "\n")
		b.mu.Unlock()
		beaten = 0
		for n := 1; n <= 3; n++ {
			if strings.Contains(all, fmt.Sprintf(`"cas_ids":["%016x"]`, n)) {
				beaten++
			}
		}
	}
	cancel()
	wg.Wait()
	if strings.Contains(strings.Join(b.lines, "\n"), "federation.result") {
		t.Errorf("reported a result of what was stopped: %s", b.lines)
	}
}

func TestSlots(t *testing.T) {
	limit := 1
	s := slots{limit: func() int { return limit }}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.take(ctx); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error)
	go func() { gone <- s.take(ctx) }()
	for {
		s.mu.Lock()
		n := len(s.queue)
		s.mu.Unlock()
		if n == 1 {
			break
		}
	}
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("a turn that nobody wants any more: %v", err)
	}
	s.free()
	var running, most atomic.Int64
	limit = 3
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if err := s.take(context.Background()); err != nil {
				t.Error(err)
			}
			most.Store(max(most.Load(), running.Add(1)))
			running.Add(-1)
			s.free()
		})
	}
	wg.Wait()
	if most.Load() > 3 || s.used != 0 || len(s.queue) != 0 {
		t.Errorf("%d at a time, then %+v", most.Load(), &s)
	}
}
