package query

import (
	"bytes"
	"encoding/binary"
)

// needle finds one literal in raw bytes: the prefilter that decides which lines
// are looked at. Literals of eight bytes and more are found by Horspool's skip
// over hashed runs of four bytes, which on JSON full of digits passes over the
// text several times faster than bytes.Index; shorter ones by bytes.Index.
type needle struct {
	text []byte // lower case where fold
	fold bool   // ASCII letters match in either case
	skip *[skipSize]uint8
}

const (
	skipBits = 12
	skipSize = 1 << skipBits
	gram     = 4
	// longNeedle is from where on skipping beats bytes.Index on JSON.
	longNeedle = 16
	// maxNeedle bounds the skips to what a byte holds.
	maxNeedle = 200
)

// newNeedle makes a needle; a very long literal is cut, which finds more, never
// less.
func newNeedle(text []byte, fold bool) *needle {
	text = bytes.Clone(text[:min(len(text), maxNeedle)])
	if fold {
		text = lowerASCII(text)
	}
	n := &needle{text: text, fold: fold}
	if len(text) < longNeedle && !fold || len(text) < gram {
		return n
	}
	n.skip = new([skipSize]uint8)
	last := len(text) - gram
	for i := range n.skip {
		n.skip[i] = uint8(last + 1)
	}
	for i := 0; i <= last; i++ {
		n.skip[n.hash(text[i:])] = uint8(last - i)
	}
	return n
}

func lowerASCII(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

func (n *needle) hash(b []byte) uint32 {
	g := binary.LittleEndian.Uint32(b)
	if n.fold {
		g |= 0x20202020 // also meets other bytes: the comparison decides
	}
	return g * 0x9E3779B1 >> (32 - skipBits)
}

// index is where the needle first stands in b, or -1.
func (n *needle) index(b []byte) int {
	switch {
	case n.skip != nil && n.fold:
		return n.skipFold(b)
	case n.skip != nil:
		return n.skipExact(b)
	case n.fold:
		return n.slowFold(b)
	}
	return bytes.Index(b, n.text)
}

// twin is from what length on a text is searched in two halves at once: every
// step waits for the one before it, so that two walks take little longer than one.
const twin = 4 << 10

func (n *needle) skipExact(b []byte) int {
	last := len(n.text) - gram // what stands before the run that is hashed
	if len(b) < twin {
		return n.walkExact(b, last, len(b)-gram+1)
	}
	skip, mid, end := n.skip, len(b)/2, len(b)-gram+1
	i, j := last, mid
	for i < mid && j < end {
		s := skip[binary.LittleEndian.Uint32(b[i:])*0x9E3779B1>>(32-skipBits)]
		t := skip[binary.LittleEndian.Uint32(b[j:])*0x9E3779B1>>(32-skipBits)]
		if s == 0 {
			if bytes.Equal(b[i-last:i+gram], n.text) {
				return i - last
			}
			s = 1
		}
		if t == 0 {
			if bytes.Equal(b[j-last:j+gram], n.text) {
				break
			}
			t = 1
		}
		i, j = i+int(s), j+int(t)
	}
	if at := n.walkExact(b, i, mid); at >= 0 {
		return at
	}
	return n.walkExact(b, max(i, j), end)
}

// walkExact looks for needles whose last run begins at i or behind it, and
// before end.
func (n *needle) walkExact(b []byte, i, end int) int {
	last := len(n.text) - gram
	for i < end {
		if s := n.skip[binary.LittleEndian.Uint32(b[i:])*0x9E3779B1>>(32-skipBits)]; s != 0 {
			i += int(s)
			continue
		}
		if bytes.Equal(b[i-last:i+gram], n.text) {
			return i - last
		}
		i++
	}
	return -1
}

func (n *needle) skipFold(b []byte) int {
	last := len(n.text) - gram
	for i := last; i+gram <= len(b); {
		g := binary.LittleEndian.Uint32(b[i:]) | 0x20202020
		s := n.skip[g*0x9E3779B1>>(32-skipBits)]
		if s != 0 {
			i += int(s)
			continue
		}
		if equalFold(b[i-last:i+gram], n.text) {
			return i - last
		}
		i++
	}
	return -1
}

func (n *needle) slowFold(b []byte) int {
	for i := 0; i+len(n.text) <= len(b); i++ {
		if equalFold(b[i:i+len(n.text)], n.text) {
			return i
		}
	}
	return -1
}

// equalFold compares with lower-cased text of the same length.
func equalFold(b, lower []byte) bool {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// needles finds lines that hold at least one of several literals. None at all
// finds every line.
type needles []*needle

// maxNeedles is how many literals one pass may look for; more cost as much as
// looking at every line.
const maxNeedles = 16

// walk remembers where each needle stands next, so that no byte is searched
// twice, and which of a needle's bytes is the rare one in the texts at hand.
type walk struct {
	set  needles
	next []int // where each stands at or after the last place asked for; len(b): nowhere
	rare []int // index of the byte to look for; -1: let the needle find itself
}

func (ns needles) walk() *walk {
	w := &walk{set: ns, next: make([]int, len(ns))}
	w.reset()
	return w
}

func (w *walk) reset() {
	for i := range w.next {
		w.next[i] = -1
	}
}

// from is the first place at or after i where one of the needles stands, or
// len(b). The same b is given until reset, and i never falls.
func (w *walk) from(b []byte, i int) int {
	if w.rare == nil {
		w.sample(b)
	}
	first := len(b)
	for k, n := range w.set {
		if w.next[k] < i {
			w.next[k] = len(b)
			if j := n.indexBy(b[i:], w.rare[k]); j >= 0 {
				w.next[k] = i + j
			}
		}
		first = min(first, w.next[k])
	}
	return first
}

// sample counts bytes of the first text and picks the rarest byte of each
// needle. A byte that does not come up often is found by the machine's fastest
// instructions; what is left to do then is next to nothing.
func (w *walk) sample(b []byte) {
	var count [256]int
	b = b[:min(len(b), 64<<10)]
	for _, c := range b {
		count[c]++
	}
	w.rare = make([]int, len(w.set))
	for k, n := range w.set {
		w.rare[k] = -1
		if n.fold {
			continue
		}
		best := 0
		for i, c := range n.text {
			if count[c] < count[n.text[best]] {
				best = i
			}
		}
		if count[n.text[best]]*rareEvery < len(b) || n.skip == nil && count[n.text[best]]*8 < len(b) {
			w.rare[k] = best
		}
	}
}

// rareEvery is how far apart a byte must stand for looking for it to be faster
// than to skip.
const rareEvery = 100

// indexBy is index by way of one byte of the needle.
func (n *needle) indexBy(b []byte, rare int) int {
	if rare < 0 {
		return n.index(b)
	}
	c := n.text[rare]
	last := len(b) - len(n.text) // where the needle can stand
	for i := 0; i <= last; {
		j := bytes.IndexByte(b[i+rare:last+rare+1], c)
		if j < 0 {
			return -1
		}
		if i += j; bytes.Equal(b[i:i+len(n.text)], n.text) {
			return i
		}
		i++
	}
	return -1
}
