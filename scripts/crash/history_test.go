package crash

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestOneHistory: checkpoints from before and after kills, rotations of lanes
// and of the key are of one history, whoever kept which; and every line of such
// a board is proved to a program that shares no code with ours.
func TestOneHistory(t *testing.T) {
	t.Parallel()
	b := newBoard(t, t.TempDir(), "8KiB")
	var kept []string
	keep := func() {
		note, err := os.ReadFile(filepath.Join(b.dir, ".stigmergy", "checkpoint"))
		if err != nil {
			return // killed before the first
		}
		path := filepath.Join(b.truth, fmt.Sprint("checkpoint-", len(kept)))
		b.must(os.WriteFile(path, note, 0o644))
		kept = append(kept, path)
	}
	kills, rotations := scale(3, 30, 100), scale(2, 10, 20)
	first := strings.TrimSpace(b.ok("certify", "key", "-C", b.dir).out)
	b.write("good", "agents/1", notes("w1", 0, 1, 100)...)
	b.ok("up", "--once", "-C", b.dir)
	for i := range max(kills, rotations) {
		if i < kills {
			d := b.start()
			d.ready(b)
			b.write("good", "agents/1", notes("w1", 1+10*i, 10, 100)...)
			keep()
			d.kill()
		}
		if i < rotations {
			b.ok("rotate", "agents/1", "-C", b.dir)
			keep()
		}
		if i == rotations/2 {
			b.ok("certify", "rotate", "-C", b.dir)
			keep()
		}
	}
	b.judge("one history")
	for _, path := range kept {
		var v struct {
			Verdict     string
			Since, Size uint64
			Consistency []string
		}
		r := b.ok("verify", "--since", path, "--key", first, "-o", "json", "-C", b.dir)
		b.must(json.Unmarshal([]byte(r.out), &v))
		if v.Verdict != "ok" || v.Since == 0 || v.Since < v.Size && v.Size&(v.Size-1) != 0 && len(v.Consistency) == 0 {
			t.Errorf("%s: %+v", path, v)
		}
	}
	t.Logf("%d checkpoints from %d kills, %d rotations and two keys are of one history", len(kept), kills, rotations)
	b.proved(t)
}

// proved proves lines of every lane and segment and has another program check
// them.
func (b *board) proved(t *testing.T) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3: proofs are not checked by another program")
	}
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("no openssl: proofs are not checked by another program")
	}
	key := strings.TrimSpace(b.ok("certify", "key", "-C", b.dir).out)
	n := 0
	all := strings.Split(strings.TrimSpace(b.ok("query", "**", "-o", "tsv", "-C", b.dir).out), "\n")[1:] // time, position, …
	for i := 0; i < len(all); i += max(1, len(all)/scale(12, 60, len(all))) {
		pos := strings.Split(all[i], "\t")[1]
		proof := filepath.Join(b.truth, "p.tlog-proof")
		b.must(os.WriteFile(proof, []byte(b.ok("prove", pos, "-C", b.dir).out), 0o644))
		if r := b.exec(nil, python, repoPath(t, "scripts/verify/tlog_proof.py"), proof, key); r.code != 0 {
			t.Errorf("%s: %v", pos, r)
		}
		if r := b.run(nil, "verify", proof, "--key", key); r.code != 0 {
			t.Errorf("%s: %v", pos, r)
		}
		n++
	}
	t.Logf("%d of %d lines proved", n, len(all))
}

// repoPath is a file of the repository, absolute.
func repoPath(t *testing.T, rel string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", rel))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
