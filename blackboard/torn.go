package blackboard

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/lanes"
)

// torn is what is remembered of a tail's unfinished last line, so that one that
// was written over or cut away is noticed: its first bytes and its last.
type torn struct {
	head []byte // from the tail's offset on
	last []byte // up to scanned
}

const (
	tornHead = 256
	tornLast = 64
)

// saw notes that an unfinished line goes on with b, which ends at scanned.
func (t *tail) saw(b []byte) {
	if room := tornHead - len(t.torn.head); room > 0 {
		t.torn.head = append(t.torn.head, b[:min(room, len(b))]...)
	}
	if len(b) >= tornLast {
		t.torn.last = append(t.torn.last[:0], b[len(b)-tornLast:]...)
		return
	}
	keep := max(0, len(t.torn.last)+len(b)-tornLast)
	t.torn.last = append(append(t.torn.last[:0], t.torn.last[keep:]...), b...)
}

// sawFirst is saw for a line that is looked at from its beginning.
func (t *tail) sawFirst(b []byte) {
	t.scanned = t.t.Offset() + int64(len(b))
	t.torn.head, t.torn.last = t.torn.head[:0], t.torn.last[:0]
	t.saw(b)
}

// forgetLine has the line at the offset looked at anew.
func (t *tail) forgetLine() {
	t.scanned, t.long, t.waiting, t.warned = t.t.Offset(), nil, time.Time{}, false
	t.torn.head, t.torn.last = t.torn.head[:0], t.torn.last[:0]
}

// stands says whether the unfinished line that was seen is still there.
func (t *tail) stands() (bool, error) {
	off := t.t.Offset()
	for _, part := range []struct {
		want []byte
		at   int64
	}{{t.torn.head, off}, {t.torn.last, t.scanned - int64(len(t.torn.last))}} {
		got := make([]byte, len(part.want))
		if n, err := t.t.ReadAt(got, part.at); n < len(got) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return false, err
		}
		if !bytes.Equal(got, part.want) {
			return false, nil
		}
	}
	return true, nil
}

// sameLine looks whether a tail's unfinished line is the one that was seen. If
// not, that one is lost, and what stands there now is read from its beginning.
func (k *Kernel) sameLine(ctx context.Context, t *tail) error {
	off := t.t.Offset()
	if t.scanned <= off {
		return nil
	}
	same, err := t.stands()
	if err != nil {
		return nil // the read that follows meets it too
	}
	if same {
		if t.scanned-off <= smallBytes { // cheap, and misses no newline
			t.scanned = off
		}
		return nil
	}
	to := t.scanned
	t.forgetLine()
	return k.note(ctx, "lost", journal.Entry{Lane: t.lane, Segment: t.segment, From: off, To: to})
}

// shrunk answers that bytes of an unfinished line are gone.
func (k *Kernel) shrunk(ctx context.Context, f *lanes.Finding, t *tail) error {
	if err := k.lost(ctx, f, t); err != nil {
		return err
	}
	t.forgetLine()
	k.tails.dirty[t] = true
	return nil
}
