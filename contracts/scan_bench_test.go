package contracts

import (
	"bytes"
	"os"
	"testing"

	"github.com/tidwall/gjson"
)

func benchLines(b *testing.B) (lines [][]byte, mean int64) {
	raw, err := os.ReadFile("/tmp/contracts-gen/seg-00000.jsonl")
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
