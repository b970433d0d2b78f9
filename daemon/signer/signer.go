// Package signer is the worker that signs the board's history: a checkpoint a
// second while the journal grows, one when a segment is rotated, one when the
// daemon ends, and none while the board is quiet.
//
// It reads the journal's files beside the kernel, which never waits for it. For
// each checkpoint, in this order:
//
//  1. lanes and journal are on disk up to its size (Kernel.Grown)
//  2. tiles, each a file written whole
//  3. .stigmergy/checkpoint, the signed note
//  4. board.checkpoint on workers/signer, which ends the effect and starts the next
//
// The line of 4 makes one more entry, which asks for no further checkpoint: when
// nothing else follows, .stigmergy/head is signed over it, and that is all.
package signer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/layout"
	"stigmergy/handlers/sign"
)

// Kernel is what the signer asks of the board's.
type Kernel interface {
	Grown(ctx context.Context, seq uint64) error
	Synced() uint64
	InForce() *blackboard.Config
	Tell(ctx context.Context, kind, detail string) error
	TellNow(ctx context.Context, kind, detail string) error
}

// Config is what a signer works with.
type Config struct {
	Layout layout.Layout
	Disk   *durable.Disk
	Log    *slog.Logger
	Kernel func() Kernel // asked for from the first effect on
	Now    func() time.Time
	// Wait lets a time pass, or less if the context ends; nil: a timer.
	Wait func(ctx context.Context, d time.Duration)
	User string // who runs the daemon, for the audit of a key's rotation
}

// Every is how often a growing board is signed.
const Every = time.Second

// Signer signs one board. It is a blackboard.Worker.
type Signer struct {
	cfg Config

	mu      sync.Mutex // one effect at a time: Do in its goroutine, or End
	log     *history.Log
	others  bool // entries behind the newest checkpoint that are not its own line
	hurry   bool // a rotation is among them
	headed  uint64
	stopped bool // nothing is signed: told
	last    time.Time

	ask  sync.Mutex // guards what follows
	turn *turn      // a rotation of the key that was asked for
	wake context.CancelFunc
}

// New makes a signer; it does nothing before its first effect.
func New(cfg Config) *Signer {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = func(ctx context.Context, d time.Duration) {
			t := time.NewTimer(d)
			defer t.Stop()
			select {
			case <-ctx.Done():
			case <-t.C:
			}
		}
	}
	return &Signer{cfg: cfg}
}

// Kinds is the one.
func (s *Signer) Kinds() []string { return []string{sign.Kind} }

// Lasting says that nobody is to wait for it.
func (s *Signer) Lasting(string) bool { return true }

// Do waits until a checkpoint is due, and signs it.
func (s *Signer) Do(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.due(ctx)
	if err == nil && ctx.Err() == nil {
		err = s.sign(e, report)
	}
	return s.judge(ctx, err, s.cfg.Kernel().Tell)
}

// End signs what is left when the daemon ends. It is asked once more after its
// line was taken in, and then signs the head.
func (s *Signer) End(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.open(ctx)
	if err == nil && !s.stopped {
		err = s.read()
	}
	switch {
	case err != nil || s.stopped:
	case s.others || s.turning() != nil:
		err = s.sign(e, report)
	default:
		err = s.head()
	}
	return s.judge(ctx, err, s.cfg.Kernel().TellNow)
}

// judge stops signing for good where the journal is not what was signed.
func (s *Signer) judge(ctx context.Context, err error, tell func(context.Context, string, string) error) error {
	var mismatch *history.MismatchError
	if !errors.As(err, &mismatch) {
		return err
	}
	s.stopped = true
	s.cfg.Log.Error("signing has stopped: run `stigmergy verify`, then `stigmergy doctor`", "error", err)
	first, err := history.Stop(s.cfg.Layout, s.cfg.Disk, mismatch, s.cfg.Now())
	if err == nil && first {
		err = tell(ctx, "mismatch", mismatch.Error())
	}
	return err
}

// due returns when there is something to sign and its time has come.
func (s *Signer) due(ctx context.Context) error {
	if err := s.open(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if s.stopped {
			<-ctx.Done()
			return ctx.Err()
		}
		if err := s.read(); err != nil {
			return err
		}
		if s.turning() != nil {
			return nil
		}
		if !s.others {
			if err := s.head(); err != nil {
				return err
			}
			if err := s.grown(ctx); err != nil {
				return err
			}
			continue
		}
		left := Every - s.cfg.Now().Sub(s.last)
		if s.hurry || s.last.IsZero() || left <= 0 {
			return nil
		}
		wctx, done := s.wakeable(ctx)
		s.cfg.Wait(wctx, min(left, Every))
		done()
	}
	return ctx.Err()
}

// grown waits for one more entry on the disk, or for somebody who asks for a
// new key.
func (s *Signer) grown(ctx context.Context) error {
	wctx, done := s.wakeable(ctx)
	defer done()
	err := s.cfg.Kernel().Grown(wctx, s.log.Size()+1)
	if err != nil && ctx.Err() == nil && wctx.Err() != nil {
		return nil
	}
	return err
}

// wakeable is a context that Rotate ends.
func (s *Signer) wakeable(ctx context.Context) (context.Context, func()) {
	wctx, cancel := context.WithCancel(ctx)
	s.ask.Lock()
	defer s.ask.Unlock()
	s.wake = cancel
	if s.turn != nil {
		cancel()
	}
	return wctx, cancel
}

// read takes in what is on the disk by now.
func (s *Signer) read() error {
	seen, err := s.log.ReadTo(s.cfg.Kernel().Synced())
	s.others = s.others || seen.Others
	s.hurry = s.hurry || seen.Now
	return err
}
