package blackboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// look settles what changed on the board since the last look.
func (k *Kernel) look(ctx context.Context) (bool, error) {
	found := k.set.Findings()
	for i := range found {
		if err := k.found(ctx, &found[i]); err != nil {
			return true, err
		}
	}
	return len(found) > 0, nil
}

func (k *Kernel) found(ctx context.Context, f *lanes.Finding) error {
	t := k.tails.of(f.Tail)
	if f.Tail != nil && (t == nil || t.t != f.Tail) {
		return nil // ended by a finding before this one
	}
	switch f.Kind {
	case lanes.Found:
		return k.newFile(ctx, f)
	case lanes.Grown:
		return k.grown(ctx, t)
	case lanes.Shrunk:
		return k.shrunk(ctx, f, t)
	case lanes.Truncated:
		return k.truncated(ctx, f, t)
	case lanes.Replaced:
		return k.replaced(ctx, f, t)
	case lanes.Gone:
		return k.gone(ctx, f, t)
	case lanes.Unreadable:
		return k.once(ctx, "unreadable", f.Path, journal.Entry{Lane: f.Lane, Path: contracts.EscapeLane(f.Path), Detail: text(f.Err), Errno: errnoOf(f.Err)})
	case lanes.Readable:
		delete(k.told, "unreadable "+f.Path)
	case lanes.NotALane:
		return k.once(ctx, "not_a_lane", f.Path, journal.Entry{Path: contracts.EscapeLane(f.Path), Reason: f.What, Detail: "it is a " + f.What})
	case lanes.HardLink:
		return k.once(ctx, "not_a_lane", f.Path, journal.Entry{Path: contracts.EscapeLane(f.Path), Reason: "hardlink", Detail: "it is a second name of " + contracts.EscapeLane(f.OldPath)})
	case lanes.OwnedTouched:
		return k.touched(ctx, f.Lane)
	case lanes.ConfigChanged:
		return k.reload(ctx)
	case lanes.Overflow:
		return k.note(ctx, "overflow", journal.Entry{})
	case lanes.Polling:
		if f.Err != nil {
			k.log.Warn("watching does not work here: looking every few seconds", "error", f.Err)
		}
	case lanes.BoardGone:
		return fmt.Errorf("watching the board %s: %w", k.layout.Dir, f.Err)
	}
	return nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func errnoOf(err error) string {
	var no syscall.Errno
	if errors.As(err, &no) {
		return errnoName(no)
	}
	return ""
}

// once notes a fact the first time it is met.
func (k *Kernel) once(ctx context.Context, kind, path string, e journal.Entry) error {
	key := kind + " " + contracts.EscapeLane(path)
	if k.told[key] {
		return nil
	}
	k.told[key] = true
	if e.Path == "" {
		e.Path = contracts.EscapeLane(path)
	}
	return k.note(ctx, kind, e)
}

// newFile begins a segment. Where the lane has one that goes on under another
// name, that one is over: somebody rotated it.
func (k *Kernel) newFile(ctx context.Context, f *lanes.Finding) error {
	next := k.tails.next(f.Lane)
	if old := k.tails.active[f.Lane]; old != nil && !f.Orphan {
		if err := k.drain(ctx, old); err != nil {
			return err
		}
		if err := k.end(ctx, old, "renamed", next, false); err != nil {
			return err
		}
	}
	if f.Orphan {
		return k.late(ctx, k.tails.add(k.layout, k.set.Track(*f, f.Lane, next), draining))
	}
	k.tails.add(k.layout, k.set.Track(*f, f.Lane, next), active)
	return nil
}

func (k *Kernel) grown(ctx context.Context, t *tail) error {
	if t.stage == sealed { // late bytes behind a seal: the next free segment
		return k.late(ctx, k.tails.add(k.layout, k.set.Fork(t.t, k.tails.next(t.lane)), draining))
	}
	k.tails.dirty[t] = true
	return nil
}

// late takes in late bytes and journals that their segment is over already, so
// that it is sealed and archived like any other.
func (k *Kernel) late(ctx context.Context, t *tail) error {
	if err := k.drain(ctx, t); err != nil {
		return err
	}
	return k.note(ctx, "renamed", journal.Entry{Lane: t.lane, Segment: t.segment, To: t.t.Offset()})
}

// drain reads a tail to its end.
func (k *Kernel) drain(ctx context.Context, t *tail) error {
	delete(k.tails.dirty, t)
	for {
		before := t.t.Offset()
		more, err := k.takeTail(ctx, t)
		if err != nil || !more || t.t.Offset() == before {
			return err
		}
	}
}

// end journals that a segment is over, for a reason that is not the daemon's
// own. gone: its bytes cannot be read any more.
func (k *Kernel) end(ctx context.Context, t *tail, kind string, next uint64, gone bool) error {
	off := t.t.Offset()
	if gone && off > 0 {
		if err := k.note(ctx, "destroyed", journal.Entry{Lane: t.lane, Segment: t.segment, To: off}); err != nil {
			return err
		}
	}
	k.tails.end(t)
	if off == 0 && (gone || t.born == 0) { // nothing of it was ever taken in
		k.set.Drop(t.t)
		k.tails.drop(t)
		return nil
	}
	e := journal.Entry{Lane: t.lane, Segment: t.segment, To: off, Next: next}
	if gone {
		e.Reason = "gone"
		k.set.Drop(t.t)
		k.tails.drop(t)
	}
	return k.note(ctx, kind, e)
}

// lost notes bytes that were seen and are gone before they were taken in.
func (k *Kernel) lost(ctx context.Context, f *lanes.Finding, t *tail) error {
	from := max(f.From, t.t.Offset())
	if f.To <= from {
		return nil
	}
	return k.note(ctx, "lost", journal.Entry{Lane: t.lane, Segment: t.segment, From: from, To: f.To})
}

func (k *Kernel) truncated(ctx context.Context, f *lanes.Finding, t *tail) error {
	if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	next, st := k.tails.next(t.lane), t.stage
	k.tails.end(t)
	k.tails.drop(t)
	nt := k.tails.add(k.layout, k.set.Track(*f, t.lane, next), st)
	if t.born == 0 {
		return nil
	}
	off := t.t.Offset()
	err := k.note(ctx, "destroyed", journal.Entry{Lane: t.lane, Segment: t.segment, To: off})
	if err != nil {
		return err
	}
	k.tails.dirty[nt] = true
	return k.note(ctx, "truncated", journal.Entry{Lane: t.lane, Segment: t.segment, To: off, Next: next, Reason: "gone"})
}

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
		k.set.Continue(*f)
		k.tails.dirty[t] = true
		return nil
	case lanes.Likely:
		same, err := k.sameByRoots(f, t)
		if err != nil {
			return err
		}
		if same {
			k.set.Continue(*f)
			k.tails.dirty[t] = true
			return nil
		}
	}
	return k.other(ctx, f, t)
}

// other begins a new segment in a file that took a lane's name.
func (k *Kernel) other(ctx context.Context, f *lanes.Finding, t *tail) error {
	next := k.tails.next(t.lane)
	rewritten := f.Reachable && k.comesBack(f, t)
	kind := "replaced"
	if f.Reason == lanes.Renamed || f.Reason == lanes.Away {
		kind = "renamed"
	}
	if err := k.end(ctx, t, kind, next, !f.Reachable); err != nil {
		return err
	}
	k.tails.add(k.layout, k.set.Track(*f, t.lane, next), active)
	if !rewritten {
		return nil
	}
	return k.note(ctx, "rewritten", journal.Entry{Lane: t.lane, Segment: next})
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

// sameByRoots says whether a file begins with exactly the bytes that the
// journal's entries took in of a segment.
func (k *Kernel) sameByRoots(f *lanes.Finding, t *tail) (bool, error) {
	same, end := true, int64(0)
	var buf []byte
	_, err := journal.Scan(k.layout, t.first, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind != journal.Input || e.Lane != t.lane || e.Segment != t.segment {
			return nil
		}
		end = e.To
		root, err := rootAt(f, e.From, e.To, e.Lines, &buf)
		if err != nil || root != e.Root {
			same = false
			return journal.Stop
		}
		return nil
	})
	return same && end == t.t.Offset(), err
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

func (k *Kernel) gone(ctx context.Context, f *lanes.Finding, t *tail) error {
	if f.Reachable {
		if err := k.drain(ctx, t); err != nil {
			return err
		}
	} else if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	if f.Reason != lanes.Deleted && f.Reachable || t.stage != active {
		return nil // it may come back; the next file under its name ends it
	}
	return k.end(ctx, t, "deleted", 0, !f.Reachable)
}

// touched looks at an owned lane that somebody else wrote to.
func (k *Kernel) touched(ctx context.Context, lane string) error {
	seg, off := k.fold.Head(lane)
	if _, err := os.Lstat(k.layout.Lane(lane)); off == 0 && missing(err) {
		k.set.Expect(lane, -1)
		return nil
	}
	o, err := k.pub.file(lane, seg, off)
	if err != nil {
		return fmt.Errorf("looking at the owned lane %s: %w", lane, err)
	}
	if err := k.guardFully(ctx, lane, o); err != nil {
		return err
	}
	k.set.Expect(lane, o.end)
	_, err = k.surprises(ctx)
	return err
}

// reload takes up changed settings and contracts, or says why not.
func (k *Kernel) reload(ctx context.Context) error {
	c, text, faults := LoadConfig(k.layout, k.opt.Sources, k.config)
	for _, f := range faults {
		if err := k.faulty(ctx, f); err != nil {
			return err
		}
	}
	if c == nil {
		return nil
	}
	if len(faults) == 0 {
		k.heal()
	}
	if c.SHA256 == k.config.SHA256 {
		k.config.Settings = c.Settings // what the fold does not depend on
		return nil
	}
	k.config, k.ctext = c, text
	if !k.opened { // before the run's first entry it is journaled with that
		return nil
	}
	return k.reconfigure(ctx)
}

// faulty alerts a broken contract or setting, once as long as it stays so.
func (k *Kernel) faulty(ctx context.Context, f Fault) error {
	key := f.Kind + " " + f.Path + " " + f.Err.Error()
	if k.told[key] {
		return nil
	}
	k.told[key] = true
	return k.note(ctx, f.Kind, journal.Entry{Path: f.Path, Detail: clip(f.Err.Error())})
}

// heal forgets faults that were told, so that they are told when they return.
func (k *Kernel) heal() {
	for key := range k.told {
		if len(key) > 4 && key[:4] == "bad_" {
			delete(k.told, key)
		}
	}
}

// clip keeps an entry below its limit, whatever a file's faults are called.
func clip(s string) string {
	const most = 2000
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
