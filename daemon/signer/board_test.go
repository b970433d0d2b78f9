package signer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/seal"
	"stigmergy/daemon/signer"
	"stigmergy/handlers/all"
)

// board is a board whose kernel a test cranks, with a real signer.
type board struct {
	testing.TB
	l      layout.Layout
	k      *blackboard.Kernel
	signer *signer.Signer
	flags  map[string]string
}

func newBoard(t testing.TB, flags map[string]string) *board {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	b := &board{TB: t, l: l, flags: flags}
	b.open()
	t.Cleanup(func() {
		if b.k != nil {
			b.close()
		}
	})
	return b
}

func (b *board) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *board) open() {
	b.Helper()
	fold, err := all.New()
	b.must(err)
	flags := map[string]string{"sync_interval": "1ms"}
	for k, v := range b.flags {
		flags[k] = v
	}
	b.signer = signer.New(signer.Config{Layout: b.l, Log: slog.New(slog.DiscardHandler), Kernel: func() signer.Kernel { return b.k }})
	b.k, err = blackboard.Open(blackboard.Options{
		Layout: b.l, Fold: fold, Fresh: func() (blackboard.Fold, error) { return all.New() }, Manual: true, Version: "test", Once: true,
		Sources: blackboard.Sources{Flags: flags, UID: uint32(os.Geteuid())}, Workers: []blackboard.Worker{b.signer},
	})
	b.must(err)
}

// append writes lines to a lane, as any writer would.
func (b *board) append(lane string, lines ...string) {
	b.Helper()
	path := b.l.Lane(lane)
	b.must(os.MkdirAll(filepath.Dir(path), 0o755))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	b.must(err)
	for _, line := range lines {
		_, err := f.WriteString(line + "\n")
		b.must(err)
	}
	b.must(f.Close())
}

// settle cranks until nothing is left to do but to sign.
func (b *board) settle() {
	b.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	b.k.Sweep()
	for {
		b.must(b.k.Settle(ctx, nil))
		if !b.k.Waiting() {
			return
		}
		b.must(b.k.Await(ctx))
	}
}

func (b *board) close() {
	b.Helper()
	err := b.k.Close(context.Background())
	b.k = nil
	b.must(err)
}

// restart ends the run in good order and begins another one.
func (b *board) restart() {
	b.Helper()
	b.must(b.k.Close(context.Background()))
	b.open()
}

func (b *board) rotate(lane string) {
	b.Helper()
	_, err := b.k.Rotate(context.Background(), lane)
	b.must(err)
	b.settle()
}

// verify is what a stranger finds out.
func (b *board) verify(opt blackboard.VerifyOptions) *blackboard.Verified {
	b.Helper()
	opt.Layout, opt.Workers = b.l, 1
	v, err := blackboard.Verify(context.Background(), opt)
	b.must(err)
	return v
}

func (b *board) expect(want blackboard.Verdict) *blackboard.Verified {
	b.Helper()
	v := b.verify(blackboard.VerifyOptions{})
	if v.Verdict != want {
		b.Fatalf("verdict %s, want %s: %+v", v.Verdict, want, v.First())
	}
	return v
}

func (b *board) checkpoint() (note []byte, c seal.Checkpoint) {
	b.Helper()
	note, err := history.ReadCheckpoint(b.l)
	b.must(err)
	c, err = seal.PeekCheckpoint(note)
	b.must(err)
	return note, c
}

func event(n int) string {
	return fmt.Sprintf(`{"type":"test.event","data":{"n":%d,"text":"the quick brown fox"}}`, n)
}
