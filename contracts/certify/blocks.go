package certify

import "stigmergy/contracts/merkle"

// BlockLevel is how many leaves stand under one hash of Blocks: 1 << BlockLevel.
const BlockLevel = 8

// BlockSize is that number.
const BlockSize = 1 << BlockLevel

// Blocks is a tree of which only the hash over every BlockSize leaves is kept:
// enough for its root, and, with the leaves of one block read again, for a
// proof of any of these. The zero Blocks is empty and ready.
//
// The last block may have fewer leaves. That is the tree all the same, for its
// hash is promoted until it has a left sibling.
type Blocks struct {
	Size   uint64        // leaves added
	Hashes []merkle.Hash // over whole blocks
	last   merkle.Tree   // over the leaves behind them
}

// Add appends a leaf.
func (b *Blocks) Add(leaf merkle.Hash) {
	b.last.Add(leaf)
	b.Size++
	if b.last.Size() == BlockSize {
		b.Hashes = append(b.Hashes, b.last.Root())
		b.last.Reset()
	}
}

// Resume is the tree that had whole blocks only when it was put aside.
func Resume(whole []merkle.Hash) *Blocks {
	return &Blocks{Size: uint64(len(whole)) << BlockLevel, Hashes: whole}
}

// Root is the root over all leaves so far.
func (b *Blocks) Root() merkle.Hash {
	var t merkle.Tree
	for _, h := range b.Hashes {
		t.Add(h)
	}
	if b.last.Size() > 0 {
		t.Add(b.last.Root())
	}
	return t.Root()
}

// Nodes reads the tree's nodes for proofs; leaves gives the leaf hashes of a
// block, of which it is asked once for each.
func (b *Blocks) Nodes(leaves func(block uint64) ([]merkle.Hash, error)) merkle.Nodes {
	upper := merkle.LevelsOf(b.Hashes)
	lower := map[uint64]merkle.Levels{}
	return func(level int, index uint64) (merkle.Hash, error) {
		if level >= BlockLevel {
			return upper.Node(level-BlockLevel, index)
		}
		block := index << level >> BlockLevel
		l, ok := lower[block]
		if !ok {
			hashes, err := leaves(block)
			if err != nil {
				return merkle.Hash{}, err
			}
			l = merkle.LevelsOf(hashes)
			lower[block] = l
		}
		return l.Node(level, index-block<<(BlockLevel-level))
	}
}
