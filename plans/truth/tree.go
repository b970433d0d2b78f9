package truth

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"

	"stigmergy/blackboard/durable"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
)

// Tree is a plan's tree at one moment.
type Tree struct {
	plan   string
	stages []string
	leaves []leaf
	Root   merkle.Hash
	Size   int
}

type leaf struct {
	key
	input, output merkle.Hash
}

// drop lets go of the leaves; root and size stay.
func (t *Tree) drop() { t.leaves = nil }

// Leaf is leaf i.
func (t *Tree) Leaf(i int) certify.Leaf { return t.with(i, t.leaves[i].output.String()) }

func (t *Tree) with(i int, output string) certify.Leaf {
	l := t.leaves[i]
	return certify.Leaf{PlanID: t.plan, StageID: t.stages[l.stage], CASID: fmt.Sprintf("%016x", l.cas), Input: l.input.String(), Output: output}
}

// Find is the index of the leaf of a shard; stage "" is any. n says how many
// leaves have that cas_id.
func (t *Tree) Find(stage, cas string) (index, n int) {
	index = -1
	for i := range t.leaves {
		if fmt.Sprintf("%016x", t.leaves[i].cas) == cas && (stage == "" || t.stages[t.leaves[i].stage] == stage) {
			if index < 0 {
				index = i
			}
			n++
		}
	}
	return index, n
}

func (t *Tree) hash() {
	var m merkle.Tree
	for i := range t.leaves {
		m.Add(t.Leaf(i).Hash())
	}
	t.Root, t.Size = m.Root(), len(t.leaves)
}

// Levels is the whole tree.
func (t *Tree) Levels() merkle.Levels {
	hashes := make([]merkle.Hash, len(t.leaves))
	for i := range t.leaves {
		hashes[i] = t.Leaf(i).Hash()
	}
	return merkle.LevelsOf(hashes)
}

// Seen is what stands in the store for the outputs of some leaves.
type Seen struct {
	Leaves int // whose outputs were hashed
	Bytes  int64
	Bad    []certify.Bad
}

// Outputs hashes what stands in the store for these leaves; nil is all of them.
// An output that several leaves share is hashed once.
func (t *Tree) Outputs(ctx context.Context, cas durable.CAS, only []uint64) (*Seen, error) {
	n := len(t.leaves)
	if only != nil {
		n = len(only)
	}
	order := make([]int32, n)
	for i := range order {
		if order[i] = int32(i); only != nil {
			order[i] = int32(only[i])
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(bytes.Compare(t.leaves[a].output[:], t.leaves[b].output[:]), cmp.Compare(a, b))
	})
	s := &Seen{Leaves: n}
	var mu sync.Mutex // guards s and order behind next, errs
	var errs []error
	next := func() (same []int32) {
		mu.Lock()
		defer mu.Unlock()
		for i := range order {
			if t.leaves[order[i]].output != t.leaves[order[0]].output {
				same, order = order[:i], order[i:]
				return same
			}
		}
		same, order = order, nil
		return same
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			buf := make([]byte, 64<<10)
			for same := next(); len(same) > 0 && ctx.Err() == nil; same = next() {
				want := t.leaves[same[0]].output.String()
				found, size, err := hashOne(ctx, cas.Layout.Blob(want), buf)
				mu.Lock()
				s.Bytes += size
				if err != nil {
					errs = append(errs, err)
				} else if found != want {
					for _, i := range same {
						s.Bad = append(s.Bad, certify.Bad{Shard: t.Leaf(int(i)).Shard(), Index: int(i), Expected: want, Found: found})
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	slices.SortFunc(s.Bad, func(a, b certify.Bad) int { return cmp.Compare(a.Index, b.Index) })
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		return nil, err
	}
	return s, nil
}

// hashOne hashes a file. What is no regular file that can be read is as good
// as nothing: the name is the daemon's, but what stands there is anybody's.
func hashOne(ctx context.Context, path string, buf []byte) (sum string, n int64, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) || errors.Is(err, syscall.ENOTDIR) {
		return "", 0, nil
	}
	if err != nil {
		return "", 0, fmt.Errorf("hashing an output again: %w", err)
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return "", 0, err
	}
	h := sha256.New()
	for {
		k, err := f.Read(buf)
		h.Write(buf[:k])
		n += int64(k)
		switch {
		case errors.Is(err, io.EOF):
			return hex.EncodeToString(h.Sum(nil)), n, nil
		case err != nil:
			return "", n, fmt.Errorf("hashing an output again: %w", err)
		case ctx.Err() != nil:
			return "", n, ctx.Err()
		}
	}
}

// bisect compares the tree that was claimed with the one over what stands in
// the store.
func (t *Tree) bisect(bad []certify.Bad) (*certify.Difference, error) {
	claimed := t.Levels()
	hashes := append([]merkle.Hash(nil), claimed[0]...)
	for _, b := range bad {
		hashes[b.Index] = t.with(b.Index, b.Found).Hash()
	}
	return certify.Bisect(claimed, merkle.LevelsOf(hashes))
}

// join adds the shards that an outside Truth named to those that were found.
func (t *Tree) join(bad []certify.Bad, suspect []certify.Shard) []certify.Bad {
	have := map[int]bool{}
	for _, b := range bad {
		have[b.Index] = true
	}
	for _, s := range suspect {
		i, _ := t.Find(s.StageID, s.CASID)
		if i < 0 || have[i] {
			continue
		}
		have[i] = true
		bad = append(bad, certify.Bad{Shard: t.Leaf(i).Shard(), Index: i, Expected: t.leaves[i].output.String(), Refused: true})
	}
	slices.SortFunc(bad, func(a, b certify.Bad) int { return cmp.Compare(a.Index, b.Index) })
	return bad
}
