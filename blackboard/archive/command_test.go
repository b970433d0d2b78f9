package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// command runs a tool on input, or skips where it is not installed.
func command(t testing.TB, input []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdin = bytes.NewReader(input)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, errs.String())
	}
	return out
}

func zstdCommand(t testing.TB, input []byte, args ...string) []byte {
	return command(t, input, "zstd", args...)
}

// TestEveryTool: the file is plain zstd to all that read zstd.
func TestEveryTool(t *testing.T) {
	reg, checker := testContracts(t)
	var raw bytes.Buffer
	for i := range 9000 {
		fmt.Fprintf(&raw, "{\"type\":\"build.done\",\"data\":{\"plan_id\":\"p%d\",\"n\":%d}}\n", i/7, i*i)
	}
	raw.WriteString("unfinished")
	file, w := newModel(raw.Bytes(), nil, checker).write(t, reg, checker, WriteOptions{FrameBytes: 64 << 10})
	path := filepath.Join(t.TempDir(), "00000001.jsonl.zst")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("zstd -dc", func(t *testing.T) {
		if !bytes.Equal(command(t, nil, "zstd", "-dc", path), raw.Bytes()) {
			t.Error("other bytes")
		}
	})
	t.Run("zstd -dc from a pipe", func(t *testing.T) {
		if !bytes.Equal(command(t, file, "zstd", "-dc"), raw.Bytes()) {
			t.Error("other bytes")
		}
	})
	t.Run("zstd --test", func(t *testing.T) { command(t, nil, "zstd", "-q", "--test", "--memory=8MiB", path) })
	t.Run("zstd -l", func(t *testing.T) {
		out := string(command(t, nil, "zstd", "-lv", path))
		for _, want := range []string{fmt.Sprintf("Zstandard Frames: %d\n", w.Frames), "Skippable Frames: 2\n", fmt.Sprintf("(%d B)", raw.Len()), "XXH64"} {
			if !strings.Contains(out, want) {
				t.Errorf("no %q in %s", want, out)
			}
		}
	})
	t.Run("zstdcat", func(t *testing.T) {
		if !bytes.Equal(command(t, nil, "zstdcat", path), raw.Bytes()) {
			t.Error("other bytes")
		}
	})
	t.Run("zstdgrep", func(t *testing.T) {
		if n := bytes.Count(command(t, nil, "zstdgrep", `"p1000"`, path), lf); n != 7 {
			t.Errorf("%d lines", n)
		}
	})
	t.Run("rg -z", func(t *testing.T) {
		if n := bytes.Count(command(t, nil, "rg", "-z", `"p1000"`, path), lf); n != 7 {
			t.Errorf("%d lines", n)
		}
	})
}

// TestSeekTable reads the table as any reader of the seekable format does: from
// the file's end, by the format's text alone.
func TestSeekTable(t *testing.T) {
	raw, file, w, _ := smallArchive(t)
	n := len(file)
	frames := int(binary.LittleEndian.Uint32(file[n-9:]))
	size := 17 + 12*frames
	if binary.LittleEndian.Uint32(file[n-4:]) != 0x8F92EAB1 || file[n-5] != 0x80 || frames != w.Frames ||
		binary.LittleEndian.Uint32(file[n-size:]) != 0x184D2A5E || int(binary.LittleEndian.Uint32(file[n-size+4:])) != size-8 {
		t.Fatalf("no seek table: % x", file[n-size:])
	}
	off, got := 0, []byte(nil)
	for i := range frames {
		e := file[n-size+8+12*i:]
		packed, plain := int(binary.LittleEndian.Uint32(e)), int(binary.LittleEndian.Uint32(e[4:]))
		b := zstdCommand(t, file[off:off+packed], "-dc")
		if len(b) != plain || uint32(xxh64(b, 0)) != binary.LittleEndian.Uint32(e[8:]) {
			t.Errorf("frame %d: %d bytes instead of %d, or another checksum", i, len(b), plain)
		}
		off, got = off+packed, append(got, b...)
	}
	if !bytes.Equal(got, raw) {
		t.Error("the frames are not the segment")
	}
}

// TestSmallerThanZstd3: index and all, an archive is no larger than what
// `zstd -3` makes of the segment, and the index is at most 3 % of it.
func TestSmallerThanZstd3(t *testing.T) {
	raw := corpus(t, 48_000)
	runs := make([]Run, 0, 500)
	for i := range 480 {
		runs = append(runs, Run{Seq: uint64(i) * 3, Time: 1769400000e9 + int64(i), Lines: 100})
	}
	reg, checker := testContracts(t)
	_, w := newModel(raw, runs, checker).write(t, reg, checker, WriteOptions{})
	other := len(zstdCommand(t, raw, "-3", "-c"))
	percent := 100 * float64(w.IndexBytes) / float64(w.Size)
	t.Logf("%d bytes raw, %d archived, %d by zstd -3 (%.1f %%); index %.2f %%", len(raw), w.Size, other, 100*float64(w.Size)/float64(other), percent)
	if w.Events != 48_000 {
		t.Errorf("%d events", w.Events)
	}
	if percent > 3 {
		t.Errorf("the index is %.2f %% of the archive", percent)
	}
	if w.Size > int64(other) {
		t.Errorf("%d bytes are more than the %d of zstd -3", w.Size, other)
	}
}
