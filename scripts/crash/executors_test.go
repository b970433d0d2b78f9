package crash

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// executor is a running `stigmergy executor`.
func (b *board) executor(name string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(binaries.stigmergy, "executor", "-C", b.dir, "-j", "2", "--name", name)
	cmd.Env = os.Environ()
	b.must(cmd.Start())
	return cmd
}

// TestExecutors: many executors on one plan, a third of them killed again and
// again, and the daemon too. Nothing is lost, nothing is counted twice, and the
// plan ends with the outputs that it must have.
func TestExecutors(t *testing.T) {
	shards, executors, kills := scale(40, 300, 1000), scale(4, 12, 32), scale(3, 12, 50)
	rnd := rand.New(rand.NewPCG(*seed, 7))
	b := newBoard(t, t.TempDir(), "1MiB", "executor: {enabled: false}", "lease: 2s", "hxo: {max_rate: 0}")
	b.must(os.WriteFile(filepath.Join(filepath.Dir(b.dir), "plan.yaml"), []byte(fmt.Sprintf(`plan_name: many hands
stages:
  - {stage_id: s, kind: exec, spec: {argv: [sh, -c, "sleep 0.02; printf '%%s' \"$1\"", sh, "{item}"]}, partition: {by: range, from: 0, to: %d, step: 1}, retries: 20, timeout: 3s, concurrency: 256}
`, shards)), 0o644))
	d := b.start()
	d.ready(b)
	b.ok("plan", "submit", "plan.yaml", "-C", b.dir)
	var running []*exec.Cmd
	n := 0
	hire := func() {
		n++
		running = append(running, b.executor(fmt.Sprintf("x%d", n)))
	}
	for range executors {
		hire()
	}
	defer func() {
		for _, x := range running {
			_ = x.Process.Kill()
			_ = x.Wait()
		}
	}()
	pause := time.NewTicker(150 * time.Millisecond)
	defer pause.Stop()
	for range kills {
		<-pause.C
		d.kill()
		for range max(1, executors/3) {
			i := rnd.IntN(len(running))
			b.must(running[i].Process.Kill())
			_ = running[i].Wait() // it was killed
			running = append(running[:i], running[i+1:]...)
			hire()
		}
		d = b.start()
		d.ready(b)
	}
	b.awaitPlan(t, time.Duration(scale(60, 120, 600))*time.Second)
	for _, x := range running {
		_ = x.Process.Signal(syscall.SIGTERM)
	}
	d.stop()
	b.judgePlan(shards)
}

// awaitPlan waits until the newest plan is done.
func (b *board) awaitPlan(t *testing.T, limit time.Duration) {
	t.Helper()
	late := time.After(limit)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		r := b.ok("plan", "status", "-C", b.dir, "-o", "json")
		var st struct{ State string }
		b.must(json.Unmarshal([]byte(r.out), &st))
		switch st.State {
		case "done":
			return
		case "failed", "aborted":
			t.Fatalf("the plan ended: %s", r.out)
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the plan does not end: %s", r.out)
		}
	}
}

// judgePlan holds a plan over a range to what must have come of it.
func (b *board) judgePlan(shards int) {
	b.t.Helper()
	want, done := map[string]bool{}, map[string]int{}
	for i := range shards {
		sum := sha256.Sum256([]byte(fmt.Sprint(i)))
		want[hex.EncodeToString(sum[:])] = true
	}
	for line := range strings.Lines(b.ok("query", "hxo.shard.done", "-C", b.dir, "-o", "raw").out) {
		var data struct {
			CASID  string `json:"cas_id"`
			Digest string `json:"output_digest"`
		}
		b.must(json.Unmarshal([]byte(line), &data))
		done[data.CASID]++
		if !want[data.Digest] {
			b.t.Errorf("an output that nobody asked for: %s", line)
		}
	}
	for id, times := range done {
		if times != 1 {
			b.t.Errorf("shard %s is counted %d times", id, times)
		}
	}
	if len(done) != shards {
		b.t.Errorf("%d of %d shards are done", len(done), shards)
	}
	if r := b.run(nil, "doctor", "order", "-C", b.dir); r.code != 0 {
		b.t.Errorf("order: %v", r)
	}
	if r := b.once(); r.code != 0 {
		b.t.Errorf("recovering: %v", r)
	}
	if r := b.run(nil, "replay", "-C", b.dir); r.code != 0 {
		b.t.Errorf("replay: %v", r)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, ".stigmergy", "run", "*")); len(left) > 1 {
		b.t.Logf("folders of killed executors: %d", len(left))
	}
}
