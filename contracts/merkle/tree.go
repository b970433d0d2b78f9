package merkle

import "math/bits"

// Tree takes leaves one by one and knows the root over all so far. It holds one
// hash for each set bit of the size, so a tree of 2⁴⁰ leaves takes as little as
// one of ten. The zero Tree is empty and ready.
type Tree struct {
	size  uint64
	stack [64]Hash // roots of the perfect subtrees, largest first; one a set bit of size
}

// Add appends a leaf's hash.
func (t *Tree) Add(leaf Hash) {
	n := bits.OnesCount64(t.size)
	for s := t.size; s&1 == 1; s >>= 1 {
		n--
		leaf = NodeHash(t.stack[n], leaf)
	}
	t.stack[n] = leaf
	t.size++
}

// Root is the root over the leaves so far; Empty for none.
func (t *Tree) Root() Hash {
	n := bits.OnesCount64(t.size)
	if n == 0 {
		return Empty()
	}
	h := t.stack[n-1]
	for i := n - 2; i >= 0; i-- {
		h = NodeHash(t.stack[i], h)
	}
	return h
}

// Size is how many leaves were added.
func (t *Tree) Size() uint64 { return t.size }

// Reset empties the tree for the next batch.
func (t *Tree) Reset() { t.size = 0 }

// Peaks are the roots of the perfect subtrees, largest first: with Size, all that
// is needed to go on later.
func (t *Tree) Peaks() []Hash {
	return append([]Hash(nil), t.stack[:bits.OnesCount64(t.size)]...)
}

// Resume is the tree of that size with those peaks; false if their number is not
// the number of set bits of size.
func Resume(size uint64, peaks []Hash) (Tree, bool) {
	t := Tree{size: size}
	if len(peaks) != bits.OnesCount64(size) {
		return Tree{}, false
	}
	copy(t.stack[:], peaks)
	return t, true
}

// RootOf is the root over leaf hashes.
func RootOf(leaves []Hash) Hash {
	var t Tree
	for _, h := range leaves {
		t.Add(h)
	}
	return t.Root()
}
