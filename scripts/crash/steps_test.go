package crash

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// scene is a board at a moment that is worth breaking: the next `up --once`
// does the work that its name says.
type scene struct {
	name string
	make func(b *board)
}

const failpoint = "STIGMERGY_FAILPOINT="

var scenes = []scene{
	{"a first run", func(b *board) {
		b.write("good", "agents/1", notes("w1", 1, 5, 100)...)
		b.bad(job{writer: "w1", lane: "agents/1", first: 6})
		b.write("good", "ci", notes("w2", 1, 3, 100)...)
	}},
	{"rotation, sealing, archiving", func(b *board) {
		b.write("good", "agents/1", notes("w1", 1, 30, 100)...)
		b.bad(job{writer: "w1", lane: "agents/1", first: 31})
		if r := b.once(); r.code != 0 {
			b.t.Fatal(r)
		}
		b.write("good", "agents/1", notes("w1", 40, 60, 100)...)
		b.write("good", "ci", notes("w2", 1, 3, 100)...)
	}},
	{"a new contract and new settings", func(b *board) {
		b.write("good", "ci", notes("w2", 1, 3, 100)...)
		if r := b.once(); r.code != 0 {
			b.t.Fatal(r)
		}
		b.must(os.MkdirAll(b.dir+"/contracts", 0o755))
		b.must(os.WriteFile(b.dir+"/contracts/agent.note.schema.json", []byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","required":["writer"]}`), 0o644))
		b.write("bad", "ci", `{"type":"agent.note","data":{"n":1}}`)
		b.write("good", "ci", notes("w2", 4, 3, 100)...)
	}},
	{"foreign bytes in an owned lane", func(b *board) {
		b.bad(job{writer: "w1", lane: "ci", first: 1})
		if r := b.once(); r.code != 0 {
			b.t.Fatal(r)
		}
		appendFile(b.t, b.lane("board"), `{"type":"board.alert","data":{}}`+"\n"+`{"half`)
		b.write("good", "ci", notes("w2", 1, 3, 100)...)
	}},
	{"a lane replaced and a lane gone", func(b *board) {
		b.write("good", "ci", notes("w2", 1, 3, 100)...)
		b.write("good", "old", notes("w3", 1, 3, 100)...)
		if r := b.once(); r.code != 0 {
			b.t.Fatal(r)
		}
		b.must(os.Rename(b.lane("ci"), b.lane("moved")))
		b.write("good", "ci", notes("w2", 4, 3, 100)...)
		b.write("good", "old", notes("w3", 4, 3, 100)...)
	}},
}

const small = "4KiB"

// TestEveryStep: the daemon dies instead of its nth durable step, for every n;
// then again within the recovery; then the board is judged.
func TestEveryStep(t *testing.T) {
	t.Parallel()
	for _, s := range scenes[:scale(2, len(scenes), len(scenes))] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			steps := 0
			for n := 1; ; n += scale(12, 4, 1) {
				b := newBoard(t, t.TempDir(), small)
				s.make(b)
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
				steps++
				m := 1 + n%7
				b.once(fmt.Sprint(failpoint, m))
				b.judge(fmt.Sprintf("killed at step %d, then at step %d of the recovery", n, m))
				b.must(os.RemoveAll(b.dir))
			}
			if steps == 0 {
				t.Fatal("no step was broken: the fail point is not heeded")
			}
			t.Logf("%d steps broken", steps)
		})
	}
}

// TestEveryFault: the nth durable step fails, and the next ones too. The
// daemon says so and ends with 74, or goes on; afterwards nothing is missing.
func TestEveryFault(t *testing.T) {
	t.Parallel()
	for _, errno := range []string{"ENOSPC", "EIO", "EDQUOT", "EROFS"}[:scale(1, 4, 4)] {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			last := countSteps(t)
			t.Logf("%d steps", last)
			for n := 1; n <= last; n += scale(40, 8, 1) {
				b := newBoard(t, t.TempDir(), small)
				scenes[1].make(b)
				r := b.once(fmt.Sprintf("%s%d-%d:%s", failpoint, n, n+2, errno))
				if r.signal != 0 || r.code != 0 && r.code != 74 {
					t.Fatalf("step %d fails with %s: %v", n, errno, r)
				}
				if r.code == 74 && strings.TrimSpace(r.err) == "" {
					t.Fatalf("step %d fails with %s: exit 74 without a word", n, errno)
				}
				b.judge(fmt.Sprintf("step %d failed with %s", n, errno))
				b.must(os.RemoveAll(b.dir))
			}
		})
	}
}

// countSteps is how many durable steps the scene takes when nothing fails.
func countSteps(t *testing.T) int {
	t.Helper()
	b := newBoard(t, t.TempDir(), small)
	scenes[1].make(b)
	r := b.once(failpoint + "count")
	n := 0
	if m := regexp.MustCompile(`(\d+) durable steps`).FindStringSubmatch(r.err); m != nil {
		n, _ = strconv.Atoi(m[1])
	}
	if n == 0 {
		t.Fatalf("no count of steps: %v", r)
	}
	return n
}
