// Package feed brings exemplars from a board into its store: as the worker of
// the effect exemplar.ingest, by hand where no daemon runs, and all of them
// again from what stands on the board.
//
//	f := feed.New(feed.Config{Layout: l, Root: func() string { return root }, Log: log})
//	res, err := f.Ingest(ctx, exemplars.Event{…}) // without a daemon
//	n, err := f.Rebuild(ctx)
//
// The store is a cache. What makes a row is on the board: the packet in its
// hfo.exemplar, that it was taken and under which receipt in its
// exemplar.ingested; for a packet that no daemon has met yet, in the receipt.
// The store remembers how far along the board it is and catches up from there
// once in the life of a Feed; a store that is new, or was lost, from the
// beginning.
package feed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/exemplars"
)

// Config is what a Feed is told.
type Config struct {
	Layout layout.Layout
	Root   func() string    // where packets' paths resolve and receipts are written
	Now    func() time.Time // nil: the machine's
	Log    Logger           // nil: none
	Step   func() error     // see exemplars.Store
}

// Logger is told what went wrong and was put right.
type Logger interface {
	Warn(msg string, args ...any)
}

type silent struct{}

func (silent) Warn(string, ...any) {}

// Feed feeds one board's store. It may be used by many goroutines. It holds no
// file open while nobody is at work.
type Feed struct {
	cfg   Config
	mu    sync.Mutex // guards what follows
	users int        // at work with what is open
	store *exemplars.Store
	root  *os.Root
	ready bool // it caught up once
}

// New makes a feed. Nothing is opened before it is needed.
func New(cfg Config) *Feed {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = silent{}
	}
	return &Feed{cfg: cfg}
}

// Path is where a board's store lies.
func Path(l layout.Layout) string { return l.Private("exemplars.db") }

// Ingest takes a packet in. See exemplars.Store.Ingest.
func (f *Feed) Ingest(ctx context.Context, ev exemplars.Event) (res exemplars.Result, err error) {
	return res, f.with(ctx, func(s *exemplars.Store, root *os.Root) error {
		res, err = s.Ingest(ctx, root, ev, f.cfg.Now())
		return err
	})
}

// Has is what came of a packet earlier; nil if it is not in the store.
func (f *Feed) Has(ctx context.Context, exemplarID string) (res *exemplars.Result, err error) {
	return res, f.with(ctx, func(s *exemplars.Store, _ *os.Root) error {
		res, err = s.Has(ctx, exemplarID)
		return err
	})
}

// Rebuild makes every row anew from the board, in one transaction: readers see
// the old rows until then. It tells how many there are.
func (f *Feed) Rebuild(ctx context.Context) (n int64, err error) {
	f.mu.Lock()
	f.ready = true // it begins at the beginning anyway
	f.mu.Unlock()
	return n, f.with(ctx, func(s *exemplars.Store, root *os.Root) error {
		if err := f.catchUp(ctx, s, root, true); err != nil {
			return err
		}
		n, err = s.Count(ctx)
		return err
	})
}

// Hold keeps the store open until release: what is asked in between need not
// open it each time.
func (f *Feed) Hold(ctx context.Context) (release func() error, err error) {
	if _, _, err := f.acquire(ctx); err != nil {
		return nil, err
	}
	return f.release, nil
}

// with lends store and root to fn. The first time, and where the store is new,
// it catches up with the board before.
func (f *Feed) with(ctx context.Context, fn func(*exemplars.Store, *os.Root) error) error {
	store, root, err := f.acquire(ctx)
	if err != nil {
		return err
	}
	return errors.Join(fn(store, root), f.release())
}

func (f *Feed) acquire(ctx context.Context) (*exemplars.Store, *os.Root, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users > 0 {
		f.users++
		return f.store, f.root, nil
	}
	root, err := os.OpenRoot(f.cfg.Root())
	if err != nil {
		return nil, nil, fmt.Errorf("opening root, where packets' paths resolve: %w", err)
	}
	store, err := f.openStore()
	if err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	at, err := store.Cursor(ctx)
	if err == nil && (at == "" || !f.ready) {
		err = f.catchUp(ctx, store, root, false)
	}
	if err != nil {
		return nil, nil, errors.Join(err, store.Close(), root.Close())
	}
	f.store, f.root, f.users, f.ready = store, root, 1, true
	return store, root, nil
}

// release closes what the last one at work lets go of.
func (f *Feed) release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users--; f.users > 0 {
		return nil
	}
	return errors.Join(f.store.Close(), f.root.Close())
}

// openStore opens the store; a damaged one is put aside.
func (f *Feed) openStore() (*exemplars.Store, error) {
	id, err := f.cfg.Layout.ID()
	if err != nil {
		return nil, err
	}
	path := Path(f.cfg.Layout)
	store, err := exemplars.Open(path, id)
	if errors.Is(err, exemplars.ErrDamaged) {
		f.cfg.Log.Warn("the store of exemplars is damaged: it is made anew from the board", "kept", path+".damaged", "error", err)
		if err := aside(path); err != nil {
			return nil, err
		}
		store, err = exemplars.Open(path, id)
	}
	if err != nil {
		return nil, err
	}
	store.Step = f.cfg.Step
	return store, nil
}

// aside keeps a damaged store for whoever wants to look at it.
func aside(path string) error {
	if err := os.Rename(path, path+".damaged"); err != nil {
		return fmt.Errorf("putting a damaged store aside: %w", err)
	}
	for _, ext := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + ext); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("putting a damaged store aside: %w", err)
		}
	}
	return nil
}
