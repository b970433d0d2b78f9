package plans

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts/plan"
)

func TestAClashOfNamesIsRefused(t *testing.T) {
	s := &shards{n: 4, order: []int32{0, 1, 2, 3}}
	s.sums = make([][32]byte, 4)
	s.sums[0][0], s.sums[1][0], s.sums[2][0] = 3, 1, 3 // 2 is 0's twin
	s.sums[3] = s.sums[1]
	if err := s.sort(); err != nil || len(s.order) != 2 || s.order[0] != 1 || s.order[1] != 0 {
		t.Errorf("twins: %v, %v", s.order, err)
	}
	s.order = []int32{0, 1, 2, 3}
	s.sums[3][31] = 7 // the same first 16 digits, another description
	var c *clash
	if err := s.sort(); !errors.As(err, &c) || !strings.Contains(err.Error(), "0100000000000000") {
		t.Errorf("a clash: %v", err)
	}
}

func TestAFileThatChangesWhileItIsRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := openWorld(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	grow := func() {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("more")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	calls := 0
	err = w.steady("f", func(*os.File, int64) error { calls++; grow(); return nil })
	var tr *trouble
	if !errors.As(err, &tr) || calls != tries || !strings.Contains(tr.got, "changes") {
		t.Errorf("always: %v after %d tries", err, calls)
	}
	calls = 0
	err = w.steady("f", func(*os.File, int64) error {
		if calls++; calls == 1 {
			grow()
		}
		return nil
	})
	if err != nil || calls != 2 {
		t.Errorf("once: %v after %d tries", err, calls)
	}
}

func TestWhatWasNotAsked(t *testing.T) {
	r := Resolver{Root: filepath.Join(t.TempDir(), "none")}
	res, err := r.Resolve(context.Background(), plan.Resolve{Plan: plan.RawJSON(`{"plan_name":"p","stages":[{"stage_id":"a","kind":"exec","spec":{"argv":["date"]}}]}`)})
	if err != nil || len(res.Faults) != 1 || res.Faults[0].Keyword != "root" {
		t.Errorf("no root: %+v, %v", res, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := r.Resolve(ctx, plan.Resolve{Plan: plan.RawJSON(`"a: b"`)}); err == nil {
		// The parser may have been first: then the root is told.
		t.Log("the context ended too late")
	}
	full := errors.New("no space left on device")
	r = Resolver{Root: t.TempDir(), Put: func([]byte) (string, error) { return "", full }}
	if _, err := r.Resolve(context.Background(), plan.Resolve{Plan: plan.RawJSON(`{"plan_name":"p","stages":[{"stage_id":"a","kind":"exec","spec":{"argv":["date"]},"partition":{"by":"range","to":5000}}]}`)}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

func TestCutEven(t *testing.T) {
	text := []byte("a\nbb\nccc\ndddd\neeeee\nffffff")
	for n := 1; n < 12; n++ {
		ends, err := cutEven(n)(bytes.NewReader(text), 2, int64(len(text)))
		if err != nil || len(ends) > n || ends[len(ends)-1] != int64(len(text)) {
			t.Errorf("%d parts: %v, %v", n, ends, err)
		}
		for i, e := range ends {
			if i > 0 && ends[i-1] >= e || i < len(ends)-1 && text[e-1] != '\n' {
				t.Errorf("%d parts: %v", n, ends)
			}
		}
	}
}

func TestKindOf(t *testing.T) {
	for mode, want := range map[fs.FileMode]string{fs.ModeDir: "a folder", fs.ModeNamedPipe: "a pipe", fs.ModeSocket: "a socket", fs.ModeDevice: "a device", fs.ModeSymlink: "a link"} {
		if got := kindOf(mode); got != want {
			t.Errorf("%v is %s", mode, got)
		}
	}
}
