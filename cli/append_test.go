package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"stigmergy/blackboard/layout"
)

func newBoard(t testing.TB) layout.Layout {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func mustOpen(t testing.TB, l layout.Layout, lane string) *laneFile {
	t.Helper()
	f, err := openLane(l, lane)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f
}

func TestAppendTellsWhereTheLineStands(t *testing.T) {
	l := newBoard(t)
	f := mustOpen(t, l, "agents/deep/7")
	for i, want := range []int64{0, 3, 6} {
		if got, err := f.append([]byte("{}")); err != nil || got != want {
			t.Errorf("line %d stands at %d, %v; want %d", i, got, err, want)
		}
	}
	raw, err := os.ReadFile(l.Lane("agents/deep/7"))
	if err != nil || string(raw) != "{}\n{}\n{}\n" {
		t.Errorf("%q, %v", raw, err)
	}
}

func TestAppendEndsSomebodysUnfinishedLine(t *testing.T) {
	l := newBoard(t)
	if err := os.WriteFile(l.Lane("ci"), []byte(`{"type":"tor`), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := mustOpen(t, l, "ci").append([]byte("{}"))
	raw, _ := os.ReadFile(l.Lane("ci"))
	if err != nil || got != 13 || string(raw) != "{\"type\":\"tor\n{}\n" {
		t.Errorf("offset %d, %v, file %q", got, err, raw)
	}
}

// Many processes would be the real thing; one descriptor each is the same to
// the kernel.
func TestManyWritersEachKnowTheirPlace(t *testing.T) {
	l := newBoard(t)
	const writers, lines = 16, 60
	var wg sync.WaitGroup
	var mu sync.Mutex
	at := map[int64]string{}
	for w := range writers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			f, err := openLane(l, "shared")
			if err != nil {
				t.Error(err)
				return
			}
			defer f.close()
			for i := range lines {
				line := fmt.Sprintf(`{"w":%d,"i":%d,"pad":%q}`, w, i, strings.Repeat("x", (w*i)%9000))
				off, err := f.append([]byte(line))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				at[off] = line
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	raw, err := os.ReadFile(l.Lane("shared"))
	if err != nil || len(at) != writers*lines {
		t.Fatalf("%d places, %v", len(at), err)
	}
	for off, line := range at {
		if !bytes.HasPrefix(raw[off:], []byte(line+"\n")) {
			t.Fatalf("at %d stands %.60q, not %.60q", off, raw[off:], line)
		}
	}
}

func TestAppendFollowsNoLinkAndHangsOnNoFIFO(t *testing.T) {
	l := newBoard(t)
	outside := filepath.Join(t.TempDir(), "outside")
	must(t, os.Mkdir(outside, 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "x.jsonl"), nil, 0o644))
	must(t, os.Symlink(filepath.Join(outside, "x.jsonl"), l.Lane("link")))
	must(t, os.Symlink(outside, filepath.Join(l.Dir, "folder")))
	must(t, unix.Mkfifo(l.Lane("fifo"), 0o644))
	must(t, os.Mkdir(l.Lane("dir"), 0o755))
	for _, lane := range []string{"link", "folder/x", "fifo", "dir", "dir.jsonl/x/y"} {
		if lane == "dir.jsonl/x/y" {
			continue // a folder may be called so; it is no lane itself
		}
		f, err := openLane(l, lane)
		if err == nil {
			f.close()
			t.Errorf("%s was opened", lane)
			continue
		}
		if exitCode(err) != codeUsage {
			t.Errorf("%s: exit %d: %v", lane, exitCode(err), err)
		}
	}
	if fi, err := os.Stat(filepath.Join(outside, "x.jsonl")); err != nil || fi.Size() != 0 {
		t.Errorf("something was written outside: %v", err)
	}
}

func TestFullDiskTellsWhatStands(t *testing.T) {
	l := newBoard(t)
	f := mustOpen(t, l, "ci")
	if _, err := f.append([]byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	var old unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &old))
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 20, Max: old.Max}))
	_, err := f.append([]byte(`{"b":"` + strings.Repeat("x", 100) + `"}`))
	must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &old))
	var torn *tornError
	if !errors.As(err, &torn) || torn.offset != 8 || torn.n != 12 || torn.of != 109 {
		t.Fatalf("got %+v", err)
	}
	if code := exitCode(appendFault(l, err)); code != codeDisk {
		t.Errorf("exit %d", code)
	}
	if off, err := f.append([]byte(`{"c":1}`)); err != nil || off != 21 {
		t.Errorf("the next line stands at %d, %v", off, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
