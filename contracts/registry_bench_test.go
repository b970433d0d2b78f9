package contracts

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// history is the lines of a generated history.
func history(b *testing.B) [][]byte {
	files, err := filepath.Glob(filepath.Join(corpus(b, "20000"), "*.jsonl"))
	if err != nil || len(files) == 0 {
		b.Fatalf("no history: %v", err)
	}
	var lines [][]byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
			lines = append(lines, bytes.Clone(s.Bytes()))
		}
	}
	return lines
}

// BenchmarkTopicCheck is the contract's part of taking a line in.
func BenchmarkTopicCheck(b *testing.B) {
	lines := history(b)
	events := make([]Event, len(lines))
	c := &Checker{Registry: Builtin()}
	for i, line := range lines {
		if r := c.Check(line, &events[i]); r != nil {
			b.Fatal(r)
		}
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		ev := &events[i%len(events)]
		if ev.Topic.Check(ev.Line, &ev.Env) != nil {
			b.Fatal("refused")
		}
	}
}

// BenchmarkBuiltin is what every start of the program pays.
func BenchmarkBuiltin(b *testing.B) {
	for b.Loop() {
		readBuiltin()
	}
}

func BenchmarkMay(b *testing.B) {
	p := mustPolicy(b, exampleRoles, "")
	b.ReportAllocs()
	for b.Loop() {
		p.May("federation.claim", "executors/9", 1001, "", "")
	}
}
