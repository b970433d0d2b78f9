package certify

import (
	"errors"
	"math/bits"

	"stigmergy/contracts/merkle"
)

// Difference is where two trees of one size differ.
type Difference struct {
	Leaves      []int // indices of the leaves that differ, in order
	Comparisons int   // pairs of hashes that were compared
	// Of the smallest subtree over all that differs: its leaves, and what it
	// hashes to in either tree.
	From, To int
	A, B     merkle.Hash
}

// ErrSizes says that two trees cannot be compared.
var ErrSizes = errors.New("trees of different sizes have no common subtrees to compare")

// Bisect finds the leaves in which two trees differ. It compares the roots, and
// below every pair that differs the two halves; where the left ones are equal
// the right ones cannot be. For k leaves out of n that is O(k log n).
func Bisect(a, b merkle.Levels) (*Difference, error) {
	if a.Size() != b.Size() {
		return nil, ErrSizes
	}
	d := &bisection{a: a, b: b}
	n := int(a.Size())
	if n == 0 || !d.differ(0, n) {
		return &d.out, nil
	}
	d.descend(0, n)
	first, last := d.out.Leaves[0], d.out.Leaves[len(d.out.Leaves)-1]
	from, to := 0, n
	for to-from > 1 {
		k := from + half(to-from)
		if last < k {
			to = k
		} else if first >= k {
			from = k
		} else {
			break
		}
	}
	d.out.From, d.out.To, d.out.A, d.out.B = from, to, over(a, from, to), over(b, from, to)
	return &d.out, nil
}

type bisection struct {
	a, b merkle.Levels
	out  Difference
}

// descend finds what differs below a pair that does.
func (d *bisection) descend(from, to int) {
	if to-from == 1 {
		d.out.Leaves = append(d.out.Leaves, from)
		return
	}
	k := from + half(to-from)
	if !d.differ(from, k) {
		d.descend(k, to)
		return
	}
	d.descend(from, k)
	if d.differ(k, to) {
		d.descend(k, to)
	}
}

func (d *bisection) differ(from, to int) bool {
	d.out.Comparisons++
	return over(d.a, from, to) != over(d.b, from, to)
}

// half is the largest power of two below n: where RFC 6962 splits a tree.
func half(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// over is the hash over the leaves from … to of a tree. A subtree that RFC 6962
// knows is perfect, unless it stands at the right border.
func over(l merkle.Levels, from, to int) merkle.Hash {
	n := to - from
	if n&(n-1) == 0 {
		level := bits.TrailingZeros(uint(n))
		return l[level][from>>level]
	}
	k := half(n)
	return merkle.NodeHash(over(l, from, from+k), over(l, from+k, to))
}
