package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"time"
)

// entry is what we read of the journal's lines.
type entry struct {
	Lane  string  `json:"lane"`
	To    int64   `json:"to"`
	Lines int64   `json:"lines"`
	Root  string  `json:"root"`
	Cause *uint64 `json:"cause"`
}

func (e *entry) input() bool { return e.Root != "" && e.Cause == nil }

// tailer follows the journal's segments from the first on.
type tailer struct {
	dir string
	n   int
	f   *os.File
	buf []byte
	end []byte // a line that has not ended yet
}

// next calls fn for every entry that is new, and says whether there was one.
func (t *tailer) next(fn func(e *entry)) (bool, error) {
	if t.f == nil && !t.open(t.n+1) {
		return false, nil
	}
	if t.buf == nil {
		t.buf = make([]byte, 1<<20)
	}
	some := false
	for {
		n, _ := t.f.Read(t.buf)
		if n == 0 {
			if t.open(t.n + 1) {
				continue
			}
			return some, nil
		}
		some = true
		t.end = append(t.end, t.buf[:n]...)
		for {
			line, rest, ok := bytes.Cut(t.end, []byte("\n"))
			if !ok {
				break
			}
			var e entry
			if err := json.Unmarshal(line, &e); err != nil {
				return some, fmt.Errorf("the journal holds %q: %w", line, err)
			}
			fn(&e)
			t.end = rest
		}
		t.end = append([]byte(nil), t.end...)
	}
}

func (t *tailer) open(n int) bool {
	f, err := os.Open(filepath.Join(t.dir, fmt.Sprintf("%08d.jsonl", n)))
	if err != nil {
		return false
	}
	if t.f != nil {
		t.f.Close()
	}
	t.f, t.n = f, n
	return true
}

func journalDir(board string) string { return filepath.Join(board, ".stigmergy", "journal") }

// sizeOf is how much the files below a folder hold.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if fi, err := d.Info(); err == nil {
				n += fi.Size()
			}
		}
		return nil
	})
	return n
}

// quantile of durations, which it sorts.
func quantile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return -1
	}
	sort.Slice(d, func(i, j int) bool { return d[i] < d[j] })
	return d[int(p*float64(len(d)-1))]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.3f", float64(d)/1e6) }
