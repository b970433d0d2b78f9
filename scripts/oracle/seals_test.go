package oracle

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataFrames: what stands in skippable frames is not hashed, wherever they
// are; what is no frame is told.
func TestDataFrames(t *testing.T) {
	if _, err := exec.LookPath("zstd"); err != nil {
		t.Skip("zstd is not installed")
	}
	pack := func(text string, flags ...string) []byte {
		cmd := exec.Command("zstd", append(flags, "-qc")...)
		cmd.Stdin = strings.NewReader(text)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	one, two := pack("a\n"), pack(strings.Repeat("xyz", 100_000)+strings.Repeat("\x00", 1<<20), "--no-check")
	empty := pack("")
	skip := append([]byte("\x5a\x2a\x4d\x18\x04\x00\x00\x00"), "data"...)
	path := filepath.Join(t.TempDir(), "a.zst")
	write := func(parts ...[]byte) {
		var b []byte
		for _, p := range parts {
			b = append(b, p...)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(one, skip, two, empty, skip, skip)
	sum := sha256.Sum256(append(append(append([]byte{}, one...), two...), empty...))
	n, got, err := dataFrames(path)
	if err != nil || got != hex.EncodeToString(sum[:]) || n != int64(len(one)+len(two)+len(empty)+3*len(skip)) {
		t.Fatalf("%d bytes, %s, %v", n, got, err)
	}
	for _, cut := range [][]byte{two[:len(two)-1], skip[:9], []byte("what is this"), {0x28}} {
		write(one, cut)
		if _, _, err := dataFrames(path); err == nil {
			t.Errorf("%d bytes of no frame were passed over", len(cut))
		}
	}
}
