package certify

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"strconv"

	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// MaxSamples is how many leaves are sampled at the most.
const MaxSamples = 16

const sampleHead = "stigmergy.sample.v1\n"

// Samples are the indices of the sampled leaves of a tree of n leaves with
// that root, in the order in which they are drawn.
func Samples(root merkle.Hash, n uint64) []uint64 {
	k := min(MaxSamples, n)
	out := make([]uint64, 0, k)
	var buf [len(sampleHead) + len(root) + 4]byte
	copy(buf[copy(buf[:], sampleHead):], root[:])
	for i := uint32(0); uint64(len(out)) < k; i++ {
		binary.BigEndian.PutUint32(buf[len(buf)-4:], i)
		sum := sha256.Sum256(buf[:])
		index := binary.BigEndian.Uint64(sum[:8]) % n
		if !contains(out, index) {
			out = append(out, index)
		}
	}
	return out
}

func contains(list []uint64, x uint64) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}

// Sample is a proof that a leaf stands in a plan's tree.
type Sample struct {
	Leaf  Leaf
	Index uint64
	Size  uint64 // leaves of the tree
	Path  []merkle.Hash
	Root  merkle.Hash
}

// Prove proves the leaf at index; nodes reads the tree's.
func Prove(leaf Leaf, index, size uint64, root merkle.Hash, nodes merkle.Nodes) (Sample, error) {
	path, err := merkle.ProveInclusion(index, size, nodes)
	return Sample{leaf, index, size, path, root}, err
}

// Check checks that the leaf stands there in the tree of that size and root. An
// index and a size have one shape of path, so an inner node cannot pass for a
// leaf.
func (s *Sample) Check() error {
	if err := merkle.CheckInclusion(s.Index, s.Size, s.Leaf.Hash(), s.Path, s.Root); err != nil {
		return fmt.Errorf("checking leaf %d of %d: %w", s.Index, s.Size, err)
	}
	return nil
}

// leftSide says on which side a path's i-th hash stands, from the leaf up: on
// the left where the index has a bit, and along the tree's right border.
func leftSide(index, size uint64, i int) bool {
	inner := bits.Len64(index ^ (size - 1))
	return i >= inner || index>>i&1 == 1
}

// AppendJSON writes the proof with the seed's fields, and beside them what
// makes it checkable:
//
//	{"leaf_cas_id":"…","leaf_hash":"…","path":[{"side":"left","hash":"…"}],"root_hash":"…",
//	 "index":3,"tree_size":8,"leaf":"stigmergy.shard.v1\n…"}
func (s *Sample) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"leaf_cas_id":`...)
	dst = contracts.AppendString(dst, s.Leaf.CASID)
	dst = append(dst, `,"leaf_hash":"`...)
	dst = s.Leaf.Hash().AppendHex(dst)
	dst = append(dst, `","path":[`...)
	for i, h := range s.Path {
		if i > 0 {
			dst = append(dst, ',')
		}
		side := `{"side":"right","hash":"`
		if leftSide(s.Index, s.Size, i) {
			side = `{"side":"left","hash":"`
		}
		dst = append(h.AppendHex(append(dst, side...)), `"}`...)
	}
	dst = append(dst, `],"root_hash":"`...)
	dst = s.Root.AppendHex(dst)
	dst = append(dst, `","index":`...)
	dst = strconv.AppendUint(dst, s.Index, 10)
	dst = append(dst, `,"tree_size":`...)
	dst = strconv.AppendUint(dst, s.Size, 10)
	dst = append(dst, `,"leaf":`...)
	return append(contracts.AppendString(dst, s.Leaf.Text()), '}')
}

// sampleJSON is what AppendJSON writes.
type sampleJSON struct {
	CASID string `json:"leaf_cas_id"`
	Hash  string `json:"leaf_hash"`
	Path  []struct {
		Side string `json:"side"`
		Hash string `json:"hash"`
	} `json:"path"`
	Root  string  `json:"root_hash"`
	Index *uint64 `json:"index"`
	Size  *uint64 `json:"tree_size"`
	Leaf  *string `json:"leaf"`
}

// ParseSample reads a proof. What says one thing twice must agree: the cas_id
// and the hash with the leaf, the sides with the index.
func ParseSample(text []byte) (*Sample, error) {
	bad := func(format string, args ...any) error { return fmt.Errorf("reading a sample proof: "+format, args...) }
	var j sampleJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return nil, bad("%w", err)
	}
	if j.Index == nil || j.Size == nil || j.Leaf == nil {
		return nil, bad("expected index, tree_size and leaf: without them an inner node passes for a leaf")
	}
	leaf, err := ParseLeaf(*j.Leaf)
	if err != nil {
		return nil, bad("%w", err)
	}
	s := &Sample{Leaf: leaf, Index: *j.Index, Size: *j.Size, Path: make([]merkle.Hash, len(j.Path))}
	switch {
	case leaf.CASID != j.CASID:
		return nil, bad("leaf_cas_id is %q, the leaf's is %s", clip(j.CASID), leaf.CASID)
	case leaf.Hash().String() != j.Hash:
		return nil, bad("leaf_hash is %q, the leaf's is %s", clip(j.Hash), leaf.Hash())
	case s.Index >= s.Size:
		return nil, bad("leaf %d of a tree of %d leaves", s.Index, s.Size)
	}
	for i, step := range j.Path {
		side := "right"
		if leftSide(s.Index, s.Size, i) {
			side = "left"
		}
		if step.Side != side {
			return nil, bad("step %d of the path stands on the %s at index %d of %d, found %q", i, side, s.Index, s.Size, clip(step.Side))
		}
		if s.Path[i], err = merkle.ParseHash(step.Hash); err != nil {
			return nil, bad("step %d: %w", i, err)
		}
	}
	if s.Root, err = merkle.ParseHash(j.Root); err != nil {
		return nil, bad("root_hash: %w", err)
	}
	return s, nil
}

// ErrSamples says that sample proofs are not those that the root asks for.
var ErrSamples = errors.New("the sample proofs are not those that the root draws")

// CheckSamples checks the sample proofs of a plan's root: each holds, and they
// are exactly those that the root draws, in that order.
func CheckSamples(planID string, root merkle.Hash, samples []*Sample) error {
	if len(samples) == 0 {
		if root != merkle.Empty() {
			return fmt.Errorf("%w: none, and the root is not the empty tree's", ErrSamples)
		}
		return nil
	}
	size := samples[0].Size
	want := Samples(root, size)
	if len(want) != len(samples) {
		return fmt.Errorf("%w: expected %d, found %d", ErrSamples, len(want), len(samples))
	}
	for i, s := range samples {
		if s.Size != size || s.Index != want[i] || s.Root != root || s.Leaf.PlanID != planID {
			return fmt.Errorf("%w: the one at %d is of leaf %d of %d, expected leaf %d of %d", ErrSamples, i, s.Index, s.Size, want[i], size)
		}
		if err := s.Check(); err != nil {
			return err
		}
	}
	return nil
}
