package blackboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/handlers/all"
)

// manual is a clock that only the test moves.
type manual struct{ t time.Time }

func (m *manual) Now() time.Time { return m.t }

// board is a board under test, with its kernel cranked by hand.
type board struct {
	testing.TB
	layout layout.Layout
	clock  *manual
	k      *blackboard.Kernel
	flags  map[string]string

	disk *durable.Disk // fail points
	once bool          // a disk that refuses ends the run
	boot string        // the machine's boot id; "": the real one
}

func newBoard(t testing.TB, flags map[string]string) *board {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	b := &board{TB: t, layout: l, clock: &manual{time.Date(2026, 1, 29, 2, 31, 13, 0, time.UTC)}, flags: flags}
	b.open()
	t.Cleanup(func() {
		if b.k != nil {
			b.close()
		}
		b.audit()
	})
	return b
}

func (b *board) open() {
	b.Helper()
	b.must(b.tryOpen())
}

// tryOpen starts a kernel, which may refuse.
func (b *board) tryOpen() error {
	b.Helper()
	fold, err := all.New()
	if err != nil {
		b.Fatal(err)
	}
	k, err := blackboard.Open(blackboard.Options{
		Layout: b.layout, Fold: fold, Fresh: func() (blackboard.Fold, error) { return all.New() }, Clock: b.clock, Manual: true, Version: "test",
		Sources: blackboard.Sources{Flags: b.settings(), UID: uint32(os.Geteuid())},
		Disk:    b.disk, Once: b.once, BootID: b.boot, Pause: time.Millisecond,
	})
	b.k = k
	return err
}

// settings are the board's, with a disk that is synced without delay.
func (b *board) settings() map[string]string {
	out := map[string]string{"sync_interval": "1ms"}
	maps.Copy(out, b.flags)
	return out
}

// settle cranks until nothing is left to do.
func (b *board) settle() {
	b.Helper()
	b.must(b.trySettle())
}

// trySettle cranks until nothing is left to do or the kernel gives up.
func (b *board) trySettle() error {
	b.k.Sweep()
	for end := b.clock.t.Add(time.Hour); b.clock.t.Before(end); {
		if err := b.k.Settle(context.Background(), nil); err != nil {
			return err
		}
		if !b.k.Waiting() {
			return nil
		}
		if !b.k.Busy() {
			b.clock.t = b.clock.t.Add(100 * time.Millisecond)
		} else if err := b.k.Await(context.Background()); err != nil {
			return err
		}
	}
	return fmt.Errorf("after an hour the board still waits for %v", b.k.Outstanding())
}

func (b *board) close() {
	b.Helper()
	k := b.k
	b.k = nil
	if err := k.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func (b *board) crash() {
	b.Helper()
	k := b.k
	b.k = nil
	if err := k.Crash(); err != nil {
		b.Fatal(err)
	}
}

func (b *board) append(lane, text string) {
	b.Helper()
	path := b.layout.Lane(lane)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.Fatal(err)
	}
}

// entries are the journal's.
func (b *board) entries() []journal.Entry {
	b.Helper()
	var out []journal.Entry
	_, err := journal.Scan(b.layout, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		out = append(out, *e)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// lines are those of an owned lane's active segment.
func (b *board) lines(lane string) []map[string]any {
	b.Helper()
	text, err := os.ReadFile(b.layout.Lane(lane))
	if err != nil && !os.IsNotExist(err) {
		b.Fatal(err)
	}
	var out []map[string]any
	for line := range bytes.Lines(text) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			b.Fatalf("lane %s: %v: %s", lane, err, line)
		}
		out = append(out, m)
	}
	return out
}

// alerts are the types of the board's alerts, in order.
func (b *board) alerts() []string {
	var out []string
	for _, m := range b.lines("board") {
		if m["type"] == "board.alert" {
			out = append(out, m["data"].(map[string]any)["alert_type"].(string))
		}
	}
	return out
}

// audit replays the whole board: every test's board must stand it.
func (b *board) audit() {
	b.Helper()
	if b.Failed() {
		return
	}
	fold, err := all.New()
	if err != nil {
		b.Fatal(err)
	}
	if _, err := blackboard.Replay(context.Background(), blackboard.ReplayOptions{Layout: b.layout, Fold: fold}); err != nil {
		b.Errorf("replay: %v", err)
	}
	seq := uint64(0)
	for _, e := range b.entries() {
		if e.Seq != seq {
			b.Errorf("entry %d stands where %d should", e.Seq, seq)
		}
		seq++
	}
}

// tree is every file of the board with its bytes.
func (b *board) tree() map[string]string {
	b.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(b.layout.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		out[strings.TrimPrefix(path, b.layout.Dir)] = string(text)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return out
}

func event(n int) string {
	return fmt.Sprintf(`{"type":"build.done","id":"%d","data":{"ok":true,"n":%d}}`+"\n", n, n)
}

func countInputs(b *board) (n int64) {
	for _, e := range b.entries() {
		if e.Kind == journal.Input && !layout.Worker(e.Lane) {
			n += e.Lines
		}
	}
	return n
}
