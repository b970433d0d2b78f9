package lanes

import (
	"bytes"
	"crypto/sha256"
	"io"
)

// Verdict is how a new file compares with what was taken in of the old one.
type Verdict uint8

const (
	// Other: another content. Track(f, lane, next segment).
	Other Verdict = iota + 1
	// Same: begins with exactly the bytes taken in, every byte compared.
	// Continue(f); then read Tail on from its offset.
	Same
	// Likely: the old file cannot be read any more; the hashes of the first
	// and the last 4 KiB agree, or none are known. Compare with the journal's
	// roots through f.ReadAt, then Continue or Track.
	Likely
	// Beginning: so far the new file is a mere beginning of what was taken in
	// (an editor or cp that is still writing). Do nothing: the finding comes
	// again when there is more to say, as Other after Options.Settle without
	// a change.
	Beginning
)

// String is the verdict in lower case.
func (v Verdict) String() string {
	switch v {
	case Other:
		return "other"
	case Same:
		return "same"
	case Likely:
		return "likely"
	case Beginning:
		return "beginning"
	}
	return "none"
}

// Compare says how the new file of a Replaced compares with what was taken in
// of f.Tail, up to its offset now (read it to its end first). Where the old
// file is reachable every byte is compared.
func (s *Set) Compare(f Finding) Verdict {
	c, t := f.cand, f.Tail
	if c == nil || t == nil {
		return Other
	}
	st, err := c.file.stat()
	if err != nil {
		return s.soon(c)
	}
	if c.st.size != st.size {
		c.st, c.since = st, s.now()
	}
	end := t.Base + t.offset
	v := Other
	if ok, _ := t.holds(); ok && t.reachable() {
		c.same = 0
		v = s.compareAll(t, c, end)
	} else {
		v = s.compareMark(t, c, end)
	}
	if v == Beginning {
		return s.soon(c)
	}
	return v
}

// soon is Beginning for as long as the new file may still be growing.
func (s *Set) soon(c *cand) Verdict {
	left := c.since + int64(s.opt.Settle) - s.now()
	if left <= 0 {
		return Other
	}
	c.begin = true
	s.again[c.rel] = s.now() + left
	return Beginning
}

// compareAll compares two files byte by byte up to end, from where it was left.
func (s *Set) compareAll(t *Tail, c *cand, end int64) Verdict {
	upTo := min(end, c.st.size)
	n, err := equalUpTo(t.file, c.file, c.same, upTo)
	c.same = n
	switch {
	case err != nil || n < upTo:
		return Other
	case upTo < end:
		return Beginning
	}
	return Same
}

// equalUpTo says how far two files are equal, [0, from) given.
func equalUpTo(a, b io.ReaderAt, from, to int64) (int64, error) {
	const step = 256 << 10
	buf := make([]byte, 2*min(step, max(to-from, 1)))
	x, y := buf[:len(buf)/2], buf[len(buf)/2:]
	for at := from; at < to; {
		n := int(min(int64(len(x)), to-at))
		if m, err := a.ReadAt(x[:n], at); m < n {
			return at, err
		}
		if m, err := b.ReadAt(y[:n], at); m < n {
			return at, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return at, nil
		}
		at += int64(n)
	}
	return to, nil
}

// compareMark compares the new file with what the mark tells of the old one.
func (s *Set) compareMark(t *Tail, c *cand, end int64) Verdict {
	switch {
	case t.offset == 0:
		return Same
	case t.Base > 0:
		return Other
	case t.state == blank && c.st.size >= end:
		return Likely
	case c.st.size >= end:
		return s.compareHashes(t, c)
	case t.state == blank || c.st.size < Window || headIs(t, c):
		return Beginning
	}
	return Other
}

func (s *Set) compareHashes(t *Tail, c *cand) Verdict {
	if t.win.offset == 0 {
		return Likely // none are known
	}
	head, tail := t.win.hashes()
	n := span(t.win.offset)
	if !sumIs(c, t.win.offset-n, n, tail) || !sumIs(c, 0, n, head) {
		return Other
	}
	return Likely
}

func headIs(t *Tail, c *cand) bool {
	if t.win.offset <= Window { // its head is all of it
		return false
	}
	return sumIs(c, 0, Window, t.win.head)
}

func sumIs(c *cand, off, n int64, sum [32]byte) bool {
	b := make([]byte, n)
	m, _ := c.file.ReadAt(b, off)
	return m == len(b) && sha256.Sum256(b) == sum
}

// stillBeginning says whether there is nothing new to say of a file that was
// found to be a mere beginning.
func (r *round) stillBeginning(t *Tail, c *cand) bool {
	left := c.since + int64(r.s.opt.Settle) - r.now
	end := t.Base + t.offset
	if left <= 0 || c.st.size >= end {
		return false
	}
	if t.reachable() && r.s.compareAll(t, c, end) != Beginning {
		return false
	}
	r.s.again[c.rel] = r.now + left
	return true
}
