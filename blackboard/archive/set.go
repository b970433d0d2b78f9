package archive

import "math/bits"

// Set is a set of frame numbers of one archive.
type Set struct {
	n    int
	bits []uint64
}

// newSet is the empty set of numbers below n.
func newSet(n int) Set { return Set{n: n, bits: make([]uint64, (n+63)/64)} }

// fullSet holds every number below n.
func fullSet(n int) Set {
	s := newSet(n)
	for i := range s.bits {
		s.bits[i] = ^uint64(0)
	}
	if n%64 != 0 {
		s.bits[n/64] = 1<<(n%64) - 1
	}
	return s
}

func (s Set) add(i int) { s.bits[i/64] |= 1 << (i % 64) }

func (s Set) drop(i int) { s.bits[i/64] &^= 1 << (i % 64) }

// and keeps what t holds too.
func (s Set) and(t Set) {
	for i := range s.bits {
		s.bits[i] &= t.bits[i]
	}
}

// Has tells whether i is in the set.
func (s Set) Has(i int) bool { return i >= 0 && i < s.n && s.bits[i/64]>>(i%64)&1 != 0 }

// Len counts the numbers in the set.
func (s Set) Len() int {
	n := 0
	for _, w := range s.bits {
		n += bits.OnesCount64(w)
	}
	return n
}

// Empty tells whether nothing is in the set.
func (s Set) Empty() bool {
	for _, w := range s.bits {
		if w != 0 {
			return false
		}
	}
	return true
}

// Next is the smallest number in the set that is at least i, or -1.
func (s Set) Next(i int) int {
	for i = max(i, 0); i < s.n; i = (i/64 + 1) * 64 {
		if w := s.bits[i/64] >> (i % 64); w != 0 {
			return i + bits.TrailingZeros64(w)
		}
	}
	return -1
}

// Prev is the largest number in the set that is at most i, or -1.
func (s Set) Prev(i int) int {
	for i = min(i, s.n-1); i >= 0; i = i/64*64 - 1 {
		if w := s.bits[i/64] << (63 - i%64); w != 0 {
			return i - bits.LeadingZeros64(w)
		}
	}
	return -1
}
