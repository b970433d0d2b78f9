package merkle

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Nodes reads the hash of a perfect subtree: the one at level l (0 is the
// leaves) and index n stands over the leaves from n<<l to (n+1)<<l.
type Nodes func(level int, index uint64) (Hash, error)

// ReadHashes lets Nodes pass for the storage that tlog reads.
func (f Nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, n := tlog.SplitStoredHashIndex(x)
		h, err := f(level, uint64(n))
		if err != nil {
			return nil, err
		}
		out[i] = tlog.Hash(h)
	}
	return out, nil
}

// maxSize keeps sizes where the arithmetic of storage indexes does not
// overflow; no log of ours comes near.
const maxSize = 1 << 56

// ProveInclusion is the path that CheckInclusion wants: the siblings from the
// leaf's up to the root's child.
func ProveInclusion(index, size uint64, nodes Nodes) ([]Hash, error) {
	if index >= size || size > maxSize {
		return nil, fmt.Errorf("proving leaf %d: the tree has %d leaves", index, size)
	}
	p, err := tlog.ProveRecord(int64(size), int64(index), nodes)
	return hashes(p, err, "proving leaf %d of %d: %w", index, size)
}

// ProveConsistency is the proof that CheckConsistency wants: that the tree of
// size2 leaves begins with the one of size1.
func ProveConsistency(size1, size2 uint64, nodes Nodes) ([]Hash, error) {
	if size1 > size2 || size2 > maxSize {
		return nil, fmt.Errorf("proving consistency: a tree of %d leaves does not begin with one of %d", size2, size1)
	}
	if size1 == 0 || size1 == size2 {
		return nil, nil
	}
	p, err := tlog.ProveTree(int64(size2), int64(size1), nodes)
	return hashes(p, err, "proving consistency of %d with %d leaves: %w", size1, size2)
}

// RootAt is the root over the first size leaves.
func RootAt(size uint64, nodes Nodes) (Hash, error) {
	if size == 0 {
		return Empty(), nil
	}
	if size > maxSize {
		return Hash{}, fmt.Errorf("computing a root: %d leaves are more than the %d that a tree may have", size, uint64(maxSize))
	}
	h, err := tlog.TreeHash(int64(size), nodes)
	if err != nil {
		return Hash{}, fmt.Errorf("computing the root over %d leaves: %w", size, err)
	}
	return Hash(h), nil
}

func hashes(in []tlog.Hash, err error, format string, a, b uint64) ([]Hash, error) {
	if err != nil {
		return nil, fmt.Errorf(format, a, b, err)
	}
	out := make([]Hash, len(in))
	for i, h := range in {
		out[i] = Hash(h)
	}
	return out, nil
}

// Levels is a whole tree in memory: row l holds the roots of the perfect
// subtrees of 1<<l leaves. Its Node is what proofs are made from.
type Levels [][]Hash

// LevelsOf hashes all levels over leaf hashes, which it keeps as row 0.
func LevelsOf(leaves []Hash) Levels {
	l := Levels{leaves}
	for row := leaves; len(row) > 1; {
		up := make([]Hash, len(row)/2)
		for i := range up {
			up[i] = NodeHash(row[2*i], row[2*i+1])
		}
		l, row = append(l, up), up
	}
	return l
}

// Node is a Nodes over the tree.
func (l Levels) Node(level int, index uint64) (Hash, error) {
	if level < 0 || level >= len(l) || index >= uint64(len(l[level])) {
		return Hash{}, fmt.Errorf("no node at level %d, index %d", level, index)
	}
	return l[level][index], nil
}

// Size is the number of leaves.
func (l Levels) Size() uint64 { return uint64(len(l[0])) }

// Root is the root over all leaves.
func (l Levels) Root() Hash {
	h, err := RootAt(l.Size(), l.Node)
	if err != nil { // every node is there
		return Hash{}
	}
	return h
}
