package plans

import (
	"bytes"
	"context"
	"testing"
)

// FuzzCut: whatever the bytes, parts follow each other, end at newlines, and
// together are the stretch.
func FuzzCut(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 1, 0, 9)
	f.Add([]byte("\n\n\n"), 2, 1, 3)
	f.Add(bytes.Repeat([]byte("x"), 700), 64, 3, 650)
	f.Fuzz(checkCuts)
}

// TestCutsBeyondABlock: what is read at a time is not what a part is.
func TestCutsBeyondABlock(t *testing.T) {
	text := append(bytes.Repeat([]byte("x\n"), block), "y\nz"...)
	for _, per := range []int{1 << 10, block - 1, block, block + 1, 2 * block} {
		checkCuts(t, text, per, 1, len(text)-1)
		checkCuts(t, bytes.ReplaceAll(text[:block+9], []byte("\n"), []byte("x")), per, 0, block+9)
	}
}

func checkCuts(t *testing.T, text []byte, per, from, to int) {
	if from < 0 || to > len(text) || from >= to || per < 1 {
		return
	}
	for name, cut := range map[string]cutter{"lines": cutLines(context.Background(), int64(per)), "bytes": cutBytes(context.Background(), int64(per)), "even": cutEven(per%65 + 1)} {
		ends, err := cut(bytes.NewReader(text), int64(from), int64(to))
		if err != nil || len(ends) == 0 || ends[len(ends)-1] != int64(to) {
			t.Fatalf("%s: %v, %v", name, ends, err)
		}
		at := int64(from)
		for i, end := range ends {
			if end <= at || i < len(ends)-1 && text[end-1] != '\n' {
				t.Fatalf("%s: part %d is [%d, %d)", name, i, at, end)
			}
			part := text[at:end]
			lines := bytes.Count(part, []byte("\n"))
			if name == "bytes" && len(part) > per && bytes.IndexByte(part, '\n') >= 0 && bytes.IndexByte(part, '\n') < len(part)-1 {
				t.Fatalf("bytes: part %d has %d bytes in several lines", i, len(part))
			}
			if name == "lines" && (lines > per || i < len(ends)-1 && lines != per) {
				t.Fatalf("lines: part %d has %d lines", i, lines)
			}
			at = end
		}
	}
}
