package merkle

import (
	"bytes"
	"crypto/sha256"
	"math/bits"
	"runtime"
	"sync"
	"sync/atomic"
)

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

// AddLines appends a leaf for every line of raw, which ends with a newline, and
// copies none: each is hashed behind the newline before it, which is the leaf's
// zero byte meanwhile. So nobody else may look at raw until AddLines is done.
func (t *Tree) AddLines(raw []byte) {
	n := bytes.IndexByte(raw, '\n')
	if n < 0 {
		return
	}
	t.Add(LeafHash(raw[:n]))
	for n+1 < len(raw) {
		raw = raw[n:]
		if n = bytes.IndexByte(raw[1:], '\n') + 1; n == 0 {
			return
		}
		raw[0] = 0
		t.Add(sha256.Sum256(raw[:n]))
		raw[0] = '\n'
	}
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

// RootOf is the root over leaf hashes. Many of them are hashed on all cores.
func RootOf(leaves []Hash) Hash {
	if workers := min(runtime.GOMAXPROCS(0), len(leaves)/run); workers > 1 {
		return rootOf(leaves, workers)
	}
	var t Tree
	for _, h := range leaves {
		t.Add(h)
	}
	return t.Root()
}

// run is how many leaves, a power of two, are one piece of work: a perfect
// subtree, whose root stands in a tree of such roots as a leaf does.
const run = 1 << 12

func rootOf(leaves []Hash, workers int) Hash {
	roots := make([]Hash, (len(leaves)+run-1)/run)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(roots); i = int(next.Add(1)) - 1 {
				var t Tree
				for _, h := range leaves[i*run : min((i+1)*run, len(leaves))] {
					t.Add(h)
				}
				roots[i] = t.Root()
			}
		})
	}
	wg.Wait()
	return RootOf(roots)
}
