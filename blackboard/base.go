package blackboard

import (
	"bytes"
	"context"
	"io"
	"slices"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
)

// A segment mostly begins where its file begins. Not so where the bytes before
// it are another segment's: late ones behind a seal, a copy that was put back
// after its lane was deleted, what follows a power loss. Then a rotate entry
// says where,
//
//	{…,"rotate":true,"lane":"ci","segment":0,"next":3,"to":0,"base":4711,"path":"ci.jsonl.1"}
//
// segment 0 for none that ends with it, path where the file is not the lane's.

// begins journals that a tail's segment begins in the middle of a file.
func (k *Kernel) begins(ctx context.Context, t *lanes.Tail, why string) error {
	e := &journal.Entry{Kind: journal.Rotate, Lane: t.Lane, Next: t.Segment, Base: t.Base, Reason: why}
	if lane, ok := layout.LaneName(t.Path); !ok || lane != t.Lane {
		e.Path = contracts.EscapeLane(t.Path)
	}
	return k.fact(ctx, e)
}

// late takes in late bytes and journals that their segment is over already, so
// that it is sealed and archived like any other.
func (k *Kernel) late(ctx context.Context, lt *lanes.Tail) error {
	if lt == nil {
		return nil // there is a newer finding about it
	}
	t := k.tails.add(k.layout, lt, draining)
	if lt.Base > 0 {
		if err := k.begins(ctx, lt, "late"); err != nil {
			return err
		}
	}
	if err := k.drain(ctx, t); err != nil {
		return err
	}
	if t.born == 0 && k.abandoned(t) {
		return k.forsake(ctx, t)
	}
	return k.over(ctx, t, "renamed", 0, "")
}

// over journals that a segment takes no more lines but what its file's writers
// still have to give.
func (k *Kernel) over(ctx context.Context, t *tail, kind string, next uint64, reason string) error {
	if t.born == 0 && reason != gone {
		k.mark(t)
	}
	e := journal.Entry{Lane: t.lane, Segment: t.segment, To: t.t.Offset(), Next: next, Reason: reason}
	if lane, ok := layout.LaneName(t.t.Path); reason != gone && (!ok || lane != t.lane) {
		e.Path = contracts.EscapeLane(t.t.Path)
	}
	return k.note(ctx, kind, e)
}

// gone is the reason of a note that ends a segment whose bytes are nowhere.
const gone = "gone"

// left is a lane's last segment, where it ended because its name was gone: a
// file that comes back with the same bytes is no new one.
type left struct {
	Segment uint64         `json:"segment"`
	Offset  int64          `json:"offset"`
	First   journal.Cursor `json:"first"`
	Head    []byte         `json:"head,omitempty"` // its first bytes, where they could be read

	size  int64     // of the file that may be a copy of it, while it is shorter
	since time.Time // that it has this size
}

const leftHead = 256

// leaves remembers a segment that ends because its file is gone.
func (k *Kernel) leaves(t *tail) {
	off := t.t.Offset()
	if off == 0 || t.t.Base != 0 {
		return
	}
	head := make([]byte, min(leftHead, off))
	n, _ := t.t.ReadAt(head, 0) // nothing, where it is out of reach
	k.tails.left[t.lane] = &left{Segment: t.segment, Offset: off, First: t.first, Head: head[:n]}
}

// back says how a new file compares with the segment that its lane ended with.
func (k *Kernel) back(f *lanes.Finding, l *left) (lanes.Verdict, error) {
	head := make([]byte, min(int64(len(l.Head)), f.Size))
	if n, _ := f.ReadAt(head, 0); !bytes.Equal(head[:n], l.Head[:n]) {
		return lanes.Other, nil
	}
	if f.Size >= l.Offset {
		same, err := k.sameByRoots(f, segmentKey{f.Lane, l.Segment}, l.First, l.Offset)
		if same {
			return lanes.Same, err
		}
		return lanes.Other, err
	}
	now := k.opt.Clock.Now()
	if l.size != f.Size || l.since.IsZero() {
		l.size, l.since = f.Size, now
	}
	if at := l.since.Add(copying); now.Before(at) { // it may still be being copied
		k.tails.lookAgain(f.Path, at)
		return lanes.Beginning, nil
	}
	return lanes.Other, nil
}

// copying is how long a file that is the mere beginning of one that was taken
// in may go without growing.
const copying = 500 * time.Millisecond

// putBack goes on in a copy of a file that was deleted, behind what was taken
// in of that one.
func (k *Kernel) putBack(ctx context.Context, f *lanes.Finding, l *left) error {
	delete(k.tails.left, f.Lane)
	t := k.set.Track(*f, f.Lane, l.Segment)
	if t == nil {
		return nil
	}
	t.Advance(l.Offset, nil)
	t = k.set.Fork(t, k.tails.next(f.Lane))
	if err := k.begins(ctx, t, "restored"); err != nil {
		return err
	}
	k.tails.add(k.layout, t, active)
	return nil
}

// sameByRoots says whether a file begins with exactly the bytes that the
// journal's entries took in of a segment, up to an offset.
func (k *Kernel) sameByRoots(r io.ReaderAt, key segmentKey, first journal.Cursor, upTo int64) (bool, error) {
	same, end := true, int64(0)
	var buf []byte
	_, err := journal.Scan(k.layout, first, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind != journal.Input || e.Lane != key.lane || e.Segment != key.segment {
			return nil
		}
		end = e.To
		root, err := rootAt(r, e.From, e.To, e.Lines, &buf)
		if same = err == nil && root == e.Root; !same || end >= upTo {
			return journal.Stop
		}
		return nil
	})
	return same && end == upTo, err
}

// destroyed notes that all that was taken in of a segment is gone, once:
// recovery may have found parts of it missing before.
func (k *Kernel) destroyed(ctx context.Context, key segmentKey, to int64) error {
	k.torn = slices.DeleteFunc(k.torn, func(n pendingNote) bool { return n.e.Lane == key.lane && n.e.Segment == key.segment })
	for _, n := range k.known {
		if n.Lane == key.lane && n.Segment == key.segment && n.From == 0 && n.To >= to {
			return nil
		}
	}
	return k.note(ctx, "destroyed", journal.Entry{Lane: key.lane, Segment: key.segment, To: to})
}

// tornWait is how long what recovery found missing waits for what becomes of
// the segment's file.
const tornWait = 2 * time.Second

// destroyedRest notes what recovery found missing in segments whose files
// stand nevertheless.
func (k *Kernel) destroyedRest(ctx context.Context) error {
	if len(k.torn) == 0 {
		return nil
	}
	if k.opt.Clock.Now().Before(k.tornAt) && ctx.Err() == nil {
		k.tails.sooner(k.tornAt)
		return nil
	}
	for len(k.torn) > 0 {
		n := k.torn[0]
		k.torn = k.torn[1:]
		if err := k.note(ctx, n.kind, n.e); err != nil {
			return err
		}
	}
	return nil
}

// vanished ends a segment whose bytes are nowhere, though it was not archived.
func (k *Kernel) vanished(ctx context.Context, key segmentKey, off int64) error {
	t := k.tails.all[key]
	if t != nil {
		k.set.Drop(t.t)
		k.tails.drop(t)
	}
	if off > 0 {
		if err := k.destroyed(ctx, key, off); err != nil {
			return err
		}
	}
	return k.note(ctx, "deleted", journal.Entry{Lane: key.lane, Segment: key.segment, To: off, Reason: gone})
}
