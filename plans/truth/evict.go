package truth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts/certify"
)

// evicted is where outputs go that do not hold: they are evidence, and nothing
// is answered from there.
//
//	.stigmergy/evicted/EXPECTED-FOUND    both SHA-256, of the second 12 digits
const evicted = "evicted"

// Evicted is where the bytes are kept that stood for an output; found is their
// SHA-256, "" where that is not known.
func Evicted(l layout.Layout, expected, found string) string {
	if len(found) < 12 {
		found = "no-such-hash"
	}
	return l.Private(evicted, expected+"-"+found[:12])
}

// evict moves a bad output out of the store, so that the shard's next attempt
// is not answered from it. One that is gone is fine: a crash may have come
// between this and the report.
func (w *Worker) evict(ctx context.Context, b certify.Bad) error {
	from := w.cfg.Layout.Blob(b.Expected)
	dir := w.cfg.Layout.Private(evicted)
	if _, err := os.Lstat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("evicting an output: %w", err)
	}
	to := Evicted(w.cfg.Layout, b.Expected, b.Found)
	if err := w.cfg.Disk.Rename(from, to); err != nil {
		return fmt.Errorf("evicting an output: %w", err)
	}
	if b.Refused {
		return w.synced(from, to)
	}
	// Somebody may have stored the right bytes between the look and the move.
	now, _, err := hashOne(ctx, to, make([]byte, 64<<10))
	if err == nil && now == b.Expected {
		err = w.cfg.Disk.Rename(to, from)
	}
	return errors.Join(err, w.synced(from, to))
}

func (w *Worker) synced(from, to string) error {
	return errors.Join(w.cfg.Disk.SyncDir(filepath.Dir(from)), w.cfg.Disk.SyncDir(filepath.Dir(to)))
}
