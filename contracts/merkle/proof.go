package merkle

import (
	"errors"
	"math/bits"
)

// ErrProof is what a proof that does not hold ends in, whatever is wrong with it.
var ErrProof = errors.New("merkle proof does not hold")

// CheckInclusion checks that leaf stands at index in the tree of size leaves with
// that root (RFC 9162, 2.1.3.2). For one index and size only one path length is
// right, so an inner node cannot pass for a leaf.
func CheckInclusion(index, size uint64, leaf Hash, path []Hash, root Hash) error {
	if index >= size {
		return ErrProof
	}
	inner := bits.Len64(index ^ (size - 1))
	border := bits.OnesCount64(index >> inner)
	if len(path) != inner+border {
		return ErrProof
	}
	h := chainInner(leaf, path[:inner], index)
	if chainLeft(h, path[inner:]) != root {
		return ErrProof
	}
	return nil
}

// CheckConsistency checks that the tree of size2 leaves with root2 begins with the
// tree of size1 leaves with root1 (RFC 9162, 2.1.4.2). Equal sizes need an empty
// proof and equal roots; the empty tree is a beginning of any.
func CheckConsistency(size1, size2 uint64, proof []Hash, root1, root2 Hash) error {
	switch {
	case size1 > size2:
		return ErrProof
	case size1 == 0 && root1 != Empty():
		return ErrProof
	case size1 == size2:
		return holds(len(proof) == 0 && root1 == root2)
	case size1 == 0:
		return holds(len(proof) == 0)
	case len(proof) == 0:
		return ErrProof
	}
	inner := bits.Len64((size1 - 1) ^ (size2 - 1))
	border := bits.OnesCount64((size1 - 1) >> inner)
	shift := bits.TrailingZeros64(size1)
	inner -= shift // the proof starts at the largest subtree that ends the old tree
	seed, rest := proof[0], proof[1:]
	if size1 == 1<<shift { // the old tree is that subtree itself
		seed, rest = root1, proof
	}
	if len(rest) != inner+border {
		return ErrProof
	}
	mask := (size1 - 1) >> shift
	old := chainLeft(chainInnerRight(seed, rest[:inner], mask), rest[inner:])
	now := chainLeft(chainInner(seed, rest[:inner], mask), rest[inner:])
	return holds(old == root1 && now == root2)
}

func holds(ok bool) error {
	if ok {
		return nil
	}
	return ErrProof
}

// chainInner climbs a path whose sides are the index's bits.
func chainInner(h Hash, path []Hash, index uint64) Hash {
	for i, p := range path {
		if index>>i&1 == 0 {
			h = NodeHash(h, p)
		} else {
			h = NodeHash(p, h)
		}
	}
	return h
}

// chainInnerRight climbs taking in only what stands to the left: what the tree was
// when its last leaf was this one.
func chainInnerRight(h Hash, path []Hash, index uint64) Hash {
	for i, p := range path {
		if index>>i&1 == 1 {
			h = NodeHash(p, h)
		}
	}
	return h
}

// chainLeft climbs along the right border, where every sibling stands to the left.
func chainLeft(h Hash, path []Hash) Hash {
	for _, p := range path {
		h = NodeHash(p, h)
	}
	return h
}
