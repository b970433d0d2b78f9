package archive

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter packs numbers of any width, lowest bit first.
type bitWriter struct {
	b   []byte
	acc uint64
	n   uint // bits in acc, below 8 between calls
}

// put writes the low width bits of v; width is at most 56.
func (w *bitWriter) put(v uint64, width uint) {
	w.acc |= (v & (1<<width - 1)) << w.n
	for w.n += width; w.n >= 8; w.n -= 8 {
		w.b = append(w.b, byte(w.acc))
		w.acc >>= 8
	}
}

// rice writes v by a Golomb-Rice code: v>>k zeros, a one, the low k bits.
func (w *bitWriter) rice(v uint64, k uint) {
	q := v >> k
	for ; q >= 32; q -= 32 {
		w.put(0, 32)
	}
	w.put(1<<q, uint(q)+1)
	w.put(v, k)
}

// flush pads the last byte with zeros.
func (w *bitWriter) flush() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// riceLen is how many bits rice writes.
func riceLen(v uint64, k uint) int { return int(v>>k) + 1 + int(k) }

// bitReader reads what a bitWriter wrote. Its bytes must be followed by eight
// more (bitPad), which are never part of a number.
type bitReader struct {
	b   []byte // with the pad
	pos int
	end int // in bits
	bad bool
}

const bitPad = 8

// newBitReader reads b, which must have room for the pad behind it.
func newBitReader(b []byte) bitReader {
	return bitReader{b: append(b, make([]byte, bitPad)...), end: len(b) * 8}
}

// peek is the next bits, at least 56 of them right.
func (r *bitReader) peek() uint64 {
	return binary.LittleEndian.Uint64(r.b[r.pos>>3:]) >> (r.pos & 7)
}

// skip goes on by n bits, or turns bad at the end.
func (r *bitReader) skip(n int) {
	if r.pos += n; r.pos > r.end {
		r.pos, r.bad = r.end, true
	}
}

// get reads width bits, at most 56.
func (r *bitReader) get(width uint) uint64 {
	v := r.peek() & (1<<width - 1)
	r.skip(int(width))
	return v
}

// rice reads one Golomb-Rice code.
func (r *bitReader) rice(k uint) uint64 {
	var q uint64
	for !r.bad {
		w := r.peek() | 1<<56
		z := bits.TrailingZeros64(w)
		q += uint64(z)
		if z < 56 {
			r.skip(z + 1)
			break
		}
		r.skip(56)
	}
	return q<<k | r.get(k)
}

// bestRice is the parameter that codes the numbers shortest. hist counts how
// often each value below its length occurs; the last counts all beyond.
func bestRice(hist []int) uint {
	best, least := uint(0), -1
	for k := uint(0); k < 16; k++ {
		sum := 0
		for v, n := range hist {
			sum += n * riceLen(uint64(v), k)
		}
		if least < 0 || sum < least {
			best, least = k, sum
		}
	}
	return best
}
