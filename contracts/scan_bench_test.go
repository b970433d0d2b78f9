package contracts

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/tidwall/gjson"
)

func benchLines(b *testing.B) (lines [][]byte, mean int64) {
	raw, err := os.ReadFile(filepath.Join(corpus(b, "20000"), "seg-00000.jsonl"))
	if err != nil {
		b.Fatal(err)
	}
	lines = bytes.Split(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"))
	return lines, int64(len(raw) / len(lines))
}

func BenchmarkScan(b *testing.B) {
	lines, mean := benchLines(b)
	b.SetBytes(mean)
	b.ReportAllocs()
	var env Envelope
	for i := 0; b.Loop(); i++ {
		if r := Scan(lines[i%len(lines)], &env); r != nil {
			b.Fatal(r)
		}
	}
}

func BenchmarkGjson(b *testing.B) {
	lines, mean := benchLines(b)
	b.SetBytes(mean)
	n := 0
	for i := 0; b.Loop(); i++ {
		line := lines[i%len(lines)]
		if !gjson.ValidBytes(line) {
			b.Fatal("invalid")
		}
		gjson.ParseBytes(line).ForEach(func(k, v gjson.Result) bool { n += len(v.Raw); return true })
	}
}

func BenchmarkCheck(b *testing.B) {
	lines, mean := benchLines(b)
	b.SetBytes(mean)
	b.ReportAllocs()
	c := Checker{Registry: Builtin(), MaxLine: 1 << 20}
	var ev Event
	for i := 0; b.Loop(); i++ {
		if r := c.Check(lines[i%len(lines)], &ev); r != nil {
			b.Fatal(r)
		}
	}
}

func BenchmarkGet(b *testing.B) {
	lines, _ := benchLines(b)
	b.ReportAllocs()
	path, err := ParsePath("plan_id")
	if err != nil {
		b.Fatal(err)
	}
	evs := make([]Event, len(lines))
	for i, line := range lines {
		evs[i].Line = line
		Scan(line, &evs[i].Env)
	}
	for i := 0; b.Loop(); i++ {
		evs[i%len(evs)].At(path)
	}
}

// BenchmarkRefuse is the price of a bad line: a second reading and the words.
func BenchmarkRefuse(b *testing.B) {
	lines, mean := benchLines(b)
	b.SetBytes(mean)
	var env Envelope
	for i := 0; b.Loop(); i++ {
		line := lines[i%len(lines)]
		Scan(line[:len(line)-1], &env)
	}
}

// BenchmarkScanWide is a flat line of many members of its own.
func BenchmarkScanWide(b *testing.B) {
	for _, n := range []int{10, 20, 200, 100_000} {
		line := []byte(wide(n))
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			b.ReportAllocs()
			var env Envelope
			for b.Loop() {
				if r := Scan(line, &env); r != nil {
					b.Fatal(r)
				}
			}
		})
	}
}
