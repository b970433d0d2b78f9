package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"stigmergy/blackboard/durable"
)

// stored is a folder with a segment that is to be archived.
func stored(t testing.TB, lines int) (StoreRequest, []byte) {
	t.Helper()
	reg, checker := testContracts(t)
	var raw bytes.Buffer
	for i := range lines {
		fmt.Fprintf(&raw, "{\"type\":\"build.done\",\"data\":{\"plan_id\":\"p%d\",\"n\":%d}}\n", i/7, i*i*i)
	}
	dir := t.TempDir()
	req := StoreRequest{
		Raw: filepath.Join(dir, "00000003.jsonl"), Path: filepath.Join(dir, "00000003.jsonl.zst"), Seal: *sealOf(raw.Bytes()),
		Source: Source{Lane: testLane, Segment: testSegment, Runs: []Run{{Seq: 7, Time: 1, Lines: int64(lines)}},
			Extract: NewExtractor(Contracts{Registry: reg, Checker: checker})},
		Write: WriteOptions{FrameBytes: 4096, Low: true},
	}
	if err := os.WriteFile(req.Raw, raw.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return req, raw.Bytes()
}

func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	des, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range des {
		out = append(out, d.Name())
	}
	return out
}

func TestStore(t *testing.T) {
	req, raw := stored(t, 500)
	w, err := Store(req)
	if err != nil {
		t.Fatal(err)
	}
	rep, err := Check(req.Path, CheckOptions{Seal: &req.Seal, DataSHA256: &w.DataSHA256, Lane: testLane, Segment: testSegment})
	if err != nil || rep.Err() != nil || rep.Seal.Bytes != int64(len(raw)) {
		t.Fatal(err, rep.Problems)
	}
	before, err := os.Stat(req.Path)
	if err != nil {
		t.Fatal(err)
	}
	// After a crash it is asked for again: what stands is kept, and told.
	again, err := Store(req)
	if err != nil || again.DataSHA256 != w.DataSHA256 || again.RawSHA256 != w.RawSHA256 || again.IndexBytes != w.IndexBytes || again.Frames != w.Frames {
		t.Errorf("%v, %+v", err, again)
	}
	if after, err := os.Stat(req.Path); err != nil || !os.SameFile(before, after) {
		t.Error("written once more")
	}
	if got := names(t, filepath.Dir(req.Path)); len(got) != 2 {
		t.Errorf("left behind: %v", got)
	}
}

// TestStoreMakesFolders: the folders that lead to the archive are made, and
// synced.
func TestStoreMakesFolders(t *testing.T) {
	req, _ := stored(t, 10)
	disk, err := durable.New("count")
	if err != nil {
		t.Fatal(err)
	}
	req.Disk = disk
	req.Path = filepath.Join(filepath.Dir(req.Raw), "archive", "agents", "7", "00000003.jsonl.zst")
	if _, err := Store(req); err != nil {
		t.Fatal(err)
	}
	if rep, err := Check(req.Path, CheckOptions{Seal: &req.Seal}); err != nil || rep.Err() != nil {
		t.Error(err, rep.Problems)
	}
	if n, _ := disk.Steps(); n != 3+4 { // three folders; write, sync, rename, sync
		t.Errorf("%d steps", n)
	}
	req.Path = filepath.Join(req.Raw, "x", "00000003.jsonl.zst")
	if _, err := Store(req); err == nil {
		t.Error("a file is taken for a folder")
	}
}

// TestStoreHoldsAgainstSeal: a segment that is not what was sealed is not
// archived.
func TestStoreHoldsAgainstSeal(t *testing.T) {
	req, _ := stored(t, 100)
	req.Seal.SHA256[0]++
	if _, err := Store(req); err == nil || !strings.Contains(err.Error(), "seal: SHA-256") {
		t.Error(err)
	}
	if got := names(t, filepath.Dir(req.Path)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// TestStoreReplacesDamaged: an archive that does not hold against the seal
// gives way.
func TestStoreReplacesDamaged(t *testing.T) {
	req, _ := stored(t, 100)
	for name, b := range map[string]string{"garbage": "garbage", "nothing": ""} {
		if err := os.WriteFile(req.Path, []byte(b), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(req.Path), "."+filepath.Base(req.Path)+"-77.tmp"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Store(req); err != nil {
			t.Fatal(name, err)
		}
		if rep, err := Check(req.Path, CheckOptions{Seal: &req.Seal}); err != nil || rep.Err() != nil {
			t.Error(name, err, rep.Problems)
		}
		if got := names(t, filepath.Dir(req.Path)); len(got) != 2 {
			t.Errorf("%s: left behind: %v", name, got)
		}
	}
}

// TestStoreFailsWhole lets every durable step fail: there is no archive then, or
// a whole one, nothing else is left, and the next try succeeds.
func TestStoreFailsWhole(t *testing.T) {
	for step := 1; ; step++ {
		disk, err := durable.New(fmt.Sprintf("%d:ENOSPC", step))
		if err != nil {
			t.Fatal(err)
		}
		req, _ := stored(t, 300)
		req.Disk = disk
		_, err = Store(req)
		if err == nil {
			t.Logf("%d steps", step-1)
			if step < 5 {
				t.Error("fewer steps than write, sync, rename and sync")
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		for _, name := range names(t, filepath.Dir(req.Path)) {
			if strings.HasSuffix(name, ".tmp") {
				t.Errorf("step %d: %s is left", step, name)
			}
		}
		if _, err := os.Lstat(req.Path); err == nil {
			if rep, err := Check(req.Path, CheckOptions{Seal: &req.Seal}); err != nil || rep.Err() != nil {
				t.Errorf("step %d: half an archive: %v %v", step, err, rep.Problems)
			}
		}
		req.Disk = nil
		if _, err := Store(req); err != nil {
			t.Errorf("step %d: the next try: %v", step, err)
		}
	}
}

// TestStoreStops: work that is not wanted any more leaves nothing.
func TestStoreStops(t *testing.T) {
	req, _ := stored(t, 300)
	ctx, cancel := context.WithCancel(t.Context())
	req.Context = ctx
	cancel()
	if _, err := Store(req); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if got := names(t, filepath.Dir(req.Path)); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}

// TestRebuild makes the index anew, whatever became of it: it is the same
// index, and the frames are not touched.
func TestRebuild(t *testing.T) {
	req, _ := stored(t, 500)
	w, err := Store(req)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(req.Path)
	if err != nil {
		t.Fatal(err)
	}
	again := RebuildRequest{Path: req.Path, Source: req.Source, Write: req.Write}
	for name, b := range without(file, w.DataBytes) {
		again.Seal = nil
		if name != "no index" && name != "no seek table" && name != "a damaged seek" {
			again.Seal = &req.Seal
		}
		if err := os.WriteFile(req.Path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := Rebuild(again)
		if err != nil {
			t.Fatal(name, err)
		}
		if b, err := os.ReadFile(req.Path); err != nil || !bytes.Equal(b, file) {
			t.Errorf("%s: not the same archive: %v", name, err)
		}
		if got.DataSHA256 != w.DataSHA256 || got.RawSHA256 != w.RawSHA256 || got.Size != w.Size {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestRebuildRefuses: what cannot be read is not rebuilt, and stays.
func TestRebuildRefuses(t *testing.T) {
	req, raw := stored(t, 500)
	w, err := Store(req)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(req.Path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(file)
	damaged[w.DataBytes/2] ^= 8
	for name, b := range map[string][]byte{
		"a damaged frame": damaged, "cut in a frame": file[:w.DataBytes-5], "garbage": []byte("garbage"),
		"of other tools": zstdCommand(t, raw, "-c"), "a frame less": file[open(t, file).Frames()[0].Size:],
	} {
		if err := os.WriteFile(req.Path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Rebuild(RebuildRequest{Path: req.Path, Source: req.Source, Seal: &req.Seal}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got, err := os.ReadFile(req.Path); err != nil || !bytes.Equal(got, b) {
			t.Errorf("%s: the file was changed", name)
		}
	}
}

func TestOpenFile(t *testing.T) {
	req, _ := stored(t, 10)
	if _, err := Store(req); err != nil {
		t.Fatal(err)
	}
	d := NewDecoder()
	f, err := d.OpenFile(req.Path)
	if err != nil || f.Summary().Lines != 10 {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	dir := filepath.Dir(req.Path)
	link, fifo := filepath.Join(dir, "link"), filepath.Join(dir, "fifo")
	if err := errors.Join(os.Symlink(req.Path, link), syscall.Mkfifo(fifo, 0o644)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, fifo, dir, filepath.Join(dir, "none")} {
		if _, err := d.OpenFile(path); err == nil {
			t.Errorf("%s is opened", path)
		}
	}
}
