package contracts

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// shared finds ../shared/NAME above the package, or skips.
func shared(t testing.TB, name string) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		p := filepath.Join(dir, "shared", name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Skipf("no shared/%s above the working directory", name)
	return ""
}

// corpus makes a history of n events with the benchmarks' generator.
func corpus(t testing.TB, n string) string {
	if testing.Short() {
		t.Skip("builds and runs the generator")
	}
	dir := t.TempDir()
	cmd := exec.Command("go", "run", ".", "-events", n, "-out", dir)
	cmd.Dir = shared(t, filepath.Join("bench", "gen"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("running the generator: %v\n%s", err, out)
	}
	return dir
}

func TestGeneratedHistoryKeepsToTheContracts(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(corpus(t, "200000"), "*.jsonl"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no history: %v", err)
	}
	c := &Checker{Registry: Builtin(), MaxLine: 1 << 20}
	seen := map[string]int{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var ev Event
			if r := c.Check(lines.Bytes(), &ev); r != nil {
				t.Fatalf("%v\n%s", r, lines.Bytes())
			}
			if ev.Topic == nil {
				t.Fatalf("%s has no contract", ev.TopicName)
			}
			seen[ev.TopicName]++
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d topics, want the fourteen: %v", len(seen), seen)
	}
}
