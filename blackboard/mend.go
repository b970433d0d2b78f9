package blackboard

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
)

// What somebody cut off or wrote over in a lane of the daemon's own is derived
// once more: a fresh fold goes through the history, and the bytes that are
// missing are written where they stood.

// unfit are the entries of an owned segment whose bytes a file does not hold,
// by seq, and how many it does hold.
func (k *Kernel) unfit(r io.ReaderAt, key segmentKey, upTo int64) (bad map[uint64]journal.Entry, good int, err error) {
	bad = map[uint64]journal.Entry{}
	var buf []byte
	_, err = journal.Scan(k.layout, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind != journal.Derived || e.Lane != key.lane || e.Segment != key.segment || e.To > upTo {
			return nil
		}
		if root, err := rootAt(r, e.From, e.To, e.Lines, &buf); err == nil && root == e.Root {
			good++
		} else {
			bad[e.Seq] = *e
		}
		return nil
	})
	return bad, good, err
}

var errMended = errors.New("all is written")

// mend derives entries of one segment again and writes them to its file.
func (k *Kernel) mend(ctx context.Context, f *os.File, bad map[uint64]journal.Entry) error {
	if len(bad) == 0 {
		return nil
	}
	if k.opt.Fresh == nil {
		return errors.New("deriving it again: there is no second fold")
	}
	fold, err := k.opt.Fresh()
	if err != nil {
		return fmt.Errorf("deriving it again: %w", err)
	}
	_, err = replay(ctx, ReplayOptions{Layout: k.layout, Fold: fold}, func(e *journal.Entry, b []byte) error {
		if _, ok := bad[e.Seq]; !ok {
			return nil
		}
		if b == nil {
			return fmt.Errorf("deriving entry %d again: what it was derived from is gone", e.Seq)
		}
		if _, err := k.disk.WriteAt(f, b, e.From); err != nil {
			return fmt.Errorf("deriving entry %d again: %w", e.Seq, err)
		}
		if delete(bad, e.Seq); len(bad) == 0 {
			return errMended
		}
		return nil
	})
	switch {
	case errors.Is(err, errMended):
		return nil
	case err == nil && len(bad) > 0:
		return errors.New("deriving it again: the history does not reach back so far")
	}
	return err
}

// mendLater has an owned lane's file put right beside the kernel, and says
// whether that can be.
func (k *Kernel) mendLater(lane string, o *owned) bool {
	if k.opt.Fresh == nil || !k.ready {
		return false
	}
	k.work.mends[segmentKey{lane, o.segment}] = o.end
	return true
}

// mending begins to put the next lane right.
func (w *workers) mending() bool {
	k := w.k
	for key, end := range w.mends {
		if w.busy {
			return false
		}
		delete(w.mends, key)
		path := k.layout.Lane(key.lane)
		if seg, _ := k.fold.Head(key.lane); seg != key.segment {
			path = k.layout.Segment(key.lane, key.segment)
		}
		f, err := k.pub.root.OpenFile(k.rel(path), os.O_RDWR, 0)
		if err != nil {
			k.log.Warn("putting an owned lane right", "lane", key.lane, "error", err)
			continue
		}
		j := &job{Effect: Effect{Key: "mend:" + key.lane, Kind: "owned.mend"}}
		w.background(j, func(ctx context.Context) (func(context.Context) error, error) {
			defer f.Close()
			bad, _, err := k.unfit(f, key, end)
			lost := extent(bad)
			if err == nil {
				err = k.mend(ctx, f, bad)
			}
			if err == nil || ctx.Err() != nil {
				return func(context.Context) error { return nil }, nil
			}
			return func(ctx context.Context) error {
				k.log.Warn("putting an owned lane right", "lane", key.lane, "error", err)
				return k.lostOwned(ctx, key, lost)
			}, nil
		})
		return true
	}
	return false
}

// extent is the stretch that entries of one segment cover.
func extent(es map[uint64]journal.Entry) (all journal.Entry) {
	for _, e := range es {
		if all.To == 0 || e.From < all.From {
			all.From = e.From
		}
		all.To = max(all.To, e.To)
	}
	return all
}

func (k *Kernel) rel(path string) string { return path[len(k.layout.Dir)+1:] }

// ownedFile opens an owned lane's active segment. One that somebody changed
// while it was not held open is brought to where the journal says it is: a file
// that holds nothing of ours is put aside, what is missing is derived again.
func (k *Kernel) ownedFile(ctx context.Context, lane string, seg uint64, off int64, suspect bool) (*owned, error) {
	var o *owned
	var fresh bool
	err := k.insist(ctx, func() (err error) {
		o, fresh, err = k.pub.file(lane, seg, off)
		return err
	})
	if err != nil || !fresh {
		return o, err
	}
	same, err := o.quick()
	if err != nil || same && !suspect {
		return o, err
	}
	return k.fit(ctx, lane, o)
}

func (k *Kernel) fit(ctx context.Context, lane string, o *owned) (*owned, error) {
	key := segmentKey{lane, o.segment}
	bad, good, err := k.unfit(o.f, key, o.end)
	if err != nil || len(bad) == 0 {
		return o, err
	}
	rel := layout.LaneRel(lane)
	detail := "the file was cut short: what was missing was derived again"
	if somebodys(o.f, bad) {
		if err := k.pub.keep(lane, o, good > 0); err != nil {
			return nil, fmt.Errorf("putting the owned lane %s right: %w", lane, err)
		}
		if o, _, err = k.pub.file(lane, key.segment, o.end); err != nil {
			return nil, err
		}
		detail = "the file was changed or replaced: it was derived again, and what stood there stands beside it"
	}
	lost := extent(bad)
	if err := k.mend(ctx, o.f, bad); err != nil {
		k.log.Warn("putting an owned lane right", "lane", lane, "error", err)
		return o, k.lostOwned(ctx, key, lost)
	}
	return o, k.notice(ctx, "foreign", journal.Entry{Lane: lane, Segment: key.segment, Path: rel, Detail: detail})
}

// lostOwned notes, once, what cannot be derived again.
func (k *Kernel) lostOwned(ctx context.Context, key segmentKey, lost journal.Entry) error {
	e := journal.Entry{Lane: key.lane, Segment: key.segment, From: lost.From, To: lost.To}
	if told := lostKey(&e); !k.told[told] {
		k.told[told] = true
		return k.notice(ctx, "destroyed", e)
	}
	return nil
}

func lostKey(e *journal.Entry) string {
	return fmt.Sprintf("destroyed %s@%d:%d-%d", e.Lane, e.Segment, e.From, e.To)
}

// somebodys says whether anything but zeros stands where an entry's bytes
// should, to their end.
func somebodys(r io.ReaderAt, bad map[uint64]journal.Entry) bool {
	for _, e := range bad {
		b := make([]byte, e.To-e.From)
		if n, _ := r.ReadAt(b, e.From); strange(b[:n], make([]byte, n)) {
			return true
		}
	}
	return false
}
