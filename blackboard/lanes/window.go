package lanes

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash/maphash"
)

// window is what is kept of the bytes taken in, to tell later whether they
// still stand: the first 4 KiB and the last 4 KiB before the offset. While a
// file is busy the last ones are kept as they are, so that an append costs a
// copy and no hash; they are hashed when a mark is asked for or the buffer is
// wanted for another file.
type window struct {
	offset int64    // in the segment: where the last bytes end
	head   [32]byte // SHA-256 of the first 4 KiB, once offset is beyond them
	quick  uint64   // the same in another hash, 0 where not known yet
	sum    [32]byte // SHA-256 of the last min(Window, offset) bytes, where summed
	summed bool
	buf    []byte // those bytes themselves, or nil
	used   bool   // since windows last came by
	queued bool   // in windows.queue
}

func span(offset int64) int64 { return min(offset, Window) }

// hashes are the mark's two hashes.
func (w *window) hashes() (head, tail [32]byte) {
	if w.offset == 0 {
		return head, tail
	}
	if !w.summed {
		w.sum, w.summed = sha256.Sum256(w.buf), true
	}
	if w.offset <= Window {
		return w.sum, w.sum
	}
	return w.head, w.sum
}

// windows hands out the buffers of busy windows.
type windows struct {
	seed  maphash.Seed
	max   int
	queue []*window
	free  [][]byte
	a, b  []byte // scratch, Window each
}

func newWindows(max int) *windows {
	return &windows{seed: maphash.MakeSeed(), max: max, a: make([]byte, Window), b: make([]byte, Window)}
}

// busy notes that w holds a buffer, and takes one from a window that was not
// used for long when there are too many.
func (ws *windows) busy(w *window) {
	w.used = true
	if w.queued {
		return
	}
	w.queued = true
	ws.queue = append(ws.queue, w)
	for len(ws.queue) > ws.max {
		old := ws.queue[0]
		ws.queue = ws.queue[1:]
		if old.used && old != w {
			old.used = false
			ws.queue = append(ws.queue, old)
			continue
		}
		ws.rest(old)
	}
}

// rest turns w's buffer into a hash.
func (ws *windows) rest(w *window) {
	if w.buf != nil {
		w.hashes()
	}
	ws.drop(w)
}

// drop takes w's buffer away.
func (ws *windows) drop(w *window) {
	if w.buf != nil {
		ws.free = append(ws.free, w.buf)
	}
	w.buf, w.queued, w.used = nil, false, false
}

func (ws *windows) buffer() []byte {
	if n := len(ws.free); n > 0 {
		b := ws.free[n-1]
		ws.free = ws.free[:n-1]
		return b[:0]
	}
	return make([]byte, 0, Window)
}

// readFunc reads bytes of a segment, all of p or an error.
type readFunc func(p []byte, off int64) error

// holds says whether the bytes before w.offset still stand in the file; where
// they do, w has its buffer afterwards.
func (ws *windows) holds(w *window, read readFunc) (bool, error) {
	ok, err := ws.lastHold(w, read)
	if !ok || w.offset <= Window {
		return ok, err
	}
	return ws.headHolds(w, read)
}

// lastHold is holds for the last bytes only.
func (ws *windows) lastHold(w *window, read readFunc) (bool, error) {
	if w.offset == 0 {
		return true, nil
	}
	last := ws.a[:span(w.offset)]
	if err := read(last, w.offset-int64(len(last))); err != nil {
		return false, err
	}
	switch {
	case w.buf != nil:
		if !bytes.Equal(w.buf, last) {
			return false, nil
		}
	case sha256.Sum256(last) != w.sum:
		return false, nil
	default:
		w.buf = append(ws.buffer(), last...)
	}
	ws.busy(w)
	return true, nil
}

func (ws *windows) headHolds(w *window, read readFunc) (bool, error) {
	head := ws.a[:Window]
	if err := read(head, 0); err != nil {
		return false, err
	}
	quick := maphash.Bytes(ws.seed, head) | 1
	if w.quick != 0 {
		return quick == w.quick, nil
	}
	if sha256.Sum256(head) != w.head {
		return false, nil
	}
	w.quick = quick
	return true, nil
}

// errChanged says that the bytes before the offset are no longer those taken in.
var errChanged = errors.New("the bytes taken in have changed")

// advance moves w on to to; last are bytes that end there. What is missing of
// them is read from the file.
func (ws *windows) advance(w *window, to int64, last []byte, read readFunc) error {
	if w.buf == nil && w.offset > 0 && len(last) < int(span(to)) {
		if ok, err := ws.lastHold(w, read); !ok {
			return errors.Join(errChanged, err)
		}
	}
	from := to - int64(len(last)) // where last begins
	if from < w.offset {
		last = last[w.offset-from:]
		from = w.offset
	}
	if err := ws.cross(w, to, from, last, read); err != nil {
		return err
	}
	b, err := ws.compose(w, to, from, last, read)
	if err != nil {
		return err
	}
	if w.buf == nil {
		w.buf = ws.buffer()
	}
	w.buf = append(w.buf[:0], b...)
	w.offset, w.summed = to, false
	ws.busy(w)
	return nil
}

// compose is the last min(Window, to) bytes before to, in scratch or in last.
func (ws *windows) compose(w *window, to, from int64, last []byte, read readFunc) ([]byte, error) {
	need := int(span(to))
	if len(last) >= need {
		return last[len(last)-need:], nil
	}
	b := ws.a[:need]
	rest := b[:need-len(last)] // the bytes before from
	copy(b[len(rest):], last)
	if from == w.offset && w.buf != nil {
		copy(rest, w.buf[len(w.buf)-len(rest):])
		return b, nil
	}
	return b, read(rest, from-int64(len(rest)))
}

// cross hashes the head when to goes beyond it for the first time.
func (ws *windows) cross(w *window, to, from int64, last []byte, read readFunc) error {
	if w.offset > Window || to <= Window {
		return nil
	}
	head := ws.b
	if from == w.offset && (w.buf != nil || w.offset == 0) && int(w.offset)+len(last) >= Window {
		n := copy(head, w.buf)
		copy(head[n:], last)
	} else if err := read(head, 0); err != nil {
		return err
	}
	w.head, w.quick = sha256.Sum256(head), maphash.Bytes(ws.seed, head)|1
	return nil
}
