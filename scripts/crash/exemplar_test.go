package crash

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// packet is an hfo.exemplar line of run n that names a source.
func packet(n int) string {
	const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	return fmt.Sprintf(`{"type":"hfo.exemplar","data":{"type":"hfo_exemplar_event","ts":"2026-01-29T02:%02d:13Z","scope":"gitops_run__main","run_id":"run-%d",`+
		`"preflight_receipt_id":"a","postflight_receipt_id":"b","outcome":"ok","prompt_sha256":"%s","answer_sha256":"%s","tags":[],"keywords":[],"sources":["run.log"],`+
		`"source_hashes":[{"path":"run.log","sha256":"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03","bytes":6}],`+
		`"artifacts":{"exemplar_path":"x"}}}`, n%60, n, sum, sum)
}

func newExemplarBoard(t testing.TB) *board {
	b := newBoard(t, t.TempDir(), "64MiB")
	b.must(os.WriteFile(filepath.Join(filepath.Dir(b.dir), "run.log"), []byte("hello\n"), 0o644))
	return b
}

// ingested holds a board to one row, one receipt and one event a packet, and
// the store to what a rebuild makes of the board.
func (b *board) ingested(what string, packets int) {
	b.t.Helper()
	if r := b.once(); r.code != 0 {
		b.t.Fatalf("%s: recovering: %v", what, r)
	}
	rows := b.ok("exemplar", "ls", "-o", "jsonl", "-C", b.dir).out
	receipts, err := filepath.Glob(filepath.Join(filepath.Dir(b.dir), "artifacts", "exemplar_ingest", "*"))
	b.must(err)
	events := strings.Fields(b.ok("query", "exemplar.ingested", "--fields", "exemplar_id", "-o", "raw", "-C", b.dir).out)
	told := map[string]int{}
	for _, id := range events {
		told[id]++
	}
	if n := strings.Count(rows, "\n"); n != packets || len(receipts) != packets || len(events) != packets || len(told) != packets {
		b.t.Errorf("%s: %d packets: %d rows, %d receipts, %d events of %d\n%s", what, packets, n, len(receipts), len(events), len(told), strings.Join(receipts, "\n"))
	}
	for _, path := range receipts {
		if text, err := os.ReadFile(path); err != nil || !strings.HasSuffix(string(text), "\n}\n") {
			b.t.Errorf("%s: receipt %s is not whole: %q %v", what, path, text, err)
		}
	}
	if r := b.run(nil, "replay", "-C", b.dir); r.code != 0 {
		b.t.Errorf("%s: replay: %v", what, r)
	}
	b.ok("exemplar", "rebuild", "-C", b.dir)
	if again := b.ok("exemplar", "ls", "-o", "jsonl", "-C", b.dir).out; again != rows {
		b.t.Errorf("%s: a rebuild gives other rows:\n%s\n%s", what, rows, again)
	}
}

// TestExemplarSteps: the daemon dies at every durable step of an ingestion,
// those of the store too, and then within the recovery.
func TestExemplarSteps(t *testing.T) {
	t.Parallel()
	killed := 0
	for n := 1; ; n += scale(15, 2, 1) {
		b := newExemplarBoard(t)
		b.write("good", "ci", packet(1), packet(1), packet(2))
		r := b.once(fmt.Sprint(failpoint, n))
		if r.signal == 0 {
			if r.code != 0 {
				t.Fatalf("step %d: %v", n, r)
			}
			break
		}
		if r.signal != syscall.SIGKILL {
			t.Fatalf("step %d: %v", n, r)
		}
		killed++
		b.once(fmt.Sprint(failpoint, 1+n%9))
		b.ingested(fmt.Sprintf("killed at step %d", n), 2)
		b.must(os.RemoveAll(filepath.Dir(b.dir)))
	}
	t.Logf("%d steps broken", killed)
}

// TestExemplarKills: one daemon after the other is killed at random while it
// ingests; every round posts a new packet, and all the old ones once more.
func TestExemplarKills(t *testing.T) {
	t.Parallel()
	b := newExemplarBoard(t)
	rnd := rand.New(rand.NewPCG(*seed, 5))
	rounds := scale(8, 30, 100)
	for n := range rounds {
		d := b.start()
		d.ready(b)
		lines := make([]string, 0, n+1)
		for i := range n + 1 {
			lines = append(lines, packet(n-i))
		}
		b.write("good", "ci", lines...)
		<-time.After(time.Duration(rnd.IntN(60_000)) * time.Microsecond)
		d.kill()
	}
	b.ingested(fmt.Sprintf("%d kills", rounds), rounds)
}
