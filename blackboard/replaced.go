package blackboard

import (
	"bytes"
	"context"
	"io"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/contracts/merkle"
)

func (k *Kernel) replaced(ctx context.Context, f *lanes.Finding, t *tail) error {
	if f.Reachable {
		if err := k.drain(ctx, t); err != nil {
			return err
		}
	} else if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	switch v := k.set.Compare(*f); v {
	case lanes.Beginning:
		return nil
	case lanes.Same:
		k.goesOn(f, t)
		return nil
	case lanes.Likely:
		same, err := k.sameByRoots(f, t.key(), t.first, t.t.Offset())
		if err != nil {
			return err
		}
		if same {
			k.goesOn(f, t)
			return nil
		}
	}
	return k.other(ctx, f, t)
}

// goesOn answers that a tail's segment goes on in a new file.
func (k *Kernel) goesOn(f *lanes.Finding, t *tail) {
	k.set.Continue(*f)
	if t.born != 0 {
		k.mark(t)
	}
	k.tails.dirty[t] = true
}

// other begins a new segment in a file that took a lane's name.
func (k *Kernel) other(ctx context.Context, f *lanes.Finding, t *tail) error {
	next := k.tails.last[t.lane] + 1
	rewritten := f.Reachable && k.comesBack(f, t)
	kind := "replaced"
	if f.Reason == lanes.Renamed || f.Reason == lanes.Away {
		kind = "renamed"
	}
	if err := k.end(ctx, t, kind, next, !f.Reachable); err != nil {
		return err
	}
	lt := k.set.Track(*f, t.lane, k.tails.next(t.lane))
	if lt == nil {
		return nil
	}
	k.tails.add(k.layout, lt, active)
	if !rewritten {
		return nil
	}
	return k.note(ctx, "rewritten", journal.Entry{Lane: t.lane, Segment: lt.Segment})
}

// comesBack says whether lines that were taken in stand in the new file too:
// an edit, not a fresh start.
func (k *Kernel) comesBack(f *lanes.Finding, t *tail) bool {
	const look = 64 << 10
	was := make([]byte, min(look, t.t.Offset()))
	n, _ := t.t.ReadAt(was, 0)
	is := make([]byte, look)
	m, _ := f.ReadAt(is, 0)
	known := map[string]bool{}
	for line := range bytes.Lines(was[:n]) {
		known[string(line)] = len(bytes.TrimSpace(line)) > 0
	}
	for line := range bytes.Lines(is[:m]) {
		if known[string(line)] {
			return true
		}
	}
	return false
}

func rootAt(r io.ReaderAt, from, to, lines int64, buf *[]byte) (merkle.Hash, error) {
	if lines == 1 && to-from > batchBytes {
		l, err := scanLong(io.NewSectionReader(r, from, to-1-from), to-1-from)
		return l.leaf, err
	}
	if int64(cap(*buf)) < to-from {
		*buf = make([]byte, to-from)
	}
	b := (*buf)[:to-from]
	if _, err := io.ReadFull(io.NewSectionReader(r, from, to-from), b); err != nil {
		return merkle.Hash{}, err
	}
	root, _ := rootOf(b)
	return root, nil
}
