package merkle

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func leavesOf(n int) []Hash {
	out := make([]Hash, n)
	for i := range out {
		out[i] = LeafHash([]byte{byte(i), byte(i >> 8)})
	}
	return out
}

// TestProofsOfEverySmallTree: every leaf of every size is proved, every
// beginning is consistent, and neither holds for anything else.
func TestProofsOfEverySmallTree(t *testing.T) {
	all := leavesOf(40)
	for n := range len(all) + 1 {
		l := LevelsOf(all[:n])
		if l.Root() != RootOf(all[:n]) || l.Size() != uint64(n) {
			t.Fatalf("size %d: %s, want %s", n, l.Root(), RootOf(all[:n]))
		}
		for i := range n {
			p, err := ProveInclusion(uint64(i), uint64(n), l.Node)
			if err != nil || CheckInclusion(uint64(i), uint64(n), all[i], p, l.Root()) != nil {
				t.Fatalf("leaf %d of %d: %v %v", i, n, p, err)
			}
			if CheckInclusion(uint64(i), uint64(n), all[(i+1)%len(all)], p, l.Root()) == nil {
				t.Fatalf("leaf %d of %d: another leaf passes", i, n)
			}
		}
		for m := range n + 1 {
			p, err := ProveConsistency(uint64(m), uint64(n), l.Node)
			if err != nil || CheckConsistency(uint64(m), uint64(n), p, RootOf(all[:m]), l.Root()) != nil {
				t.Fatalf("%d in %d: %v %v", m, n, p, err)
			}
		}
	}
}

func TestProofsOfLargeTrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{1, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 3000}).Draw(t, "n")
		l := LevelsOf(leavesOf(n))
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		p, err := ProveInclusion(uint64(i), uint64(n), l.Node)
		if err != nil {
			t.Fatal(err)
		}
		if err := CheckInclusion(uint64(i), uint64(n), l[0][i], p, l.Root()); err != nil {
			t.Fatal(err)
		}
		if CheckInclusion(uint64(i), uint64(n), l[0][i], append(p, Hash{}), l.Root()) == nil {
			t.Fatal("a trailing hash passes")
		}
		if len(p) > 0 && CheckInclusion(uint64(i), uint64(n), l[0][i], p[1:], l.Root()) == nil {
			t.Fatal("a path that is too short passes")
		}
		if root, err := RootAt(uint64(i), l.Node); err != nil || root != RootOf(l[0][:i]) {
			t.Fatalf("root at %d: %s %v", i, root, err)
		}
	})
}

func TestNoProofWithoutTheNodes(t *testing.T) {
	gone := errors.New("gone")
	none := func(int, uint64) (Hash, error) { return Hash{}, gone }
	if _, err := ProveInclusion(0, 2, none); !errors.Is(err, gone) {
		t.Error(err)
	}
	if _, err := ProveConsistency(1, 2, none); !errors.Is(err, gone) {
		t.Error(err)
	}
	if _, err := RootAt(3, none); !errors.Is(err, gone) {
		t.Error(err)
	}
	for _, f := range []func() error{
		func() error { _, err := ProveInclusion(2, 2, none); return err },
		func() error { _, err := ProveInclusion(0, 0, none); return err },
		func() error { _, err := ProveInclusion(1<<60, 1<<61, none); return err },
		func() error { _, err := ProveConsistency(3, 2, none); return err },
		func() error { _, err := RootAt(1<<60, none); return err },
		func() error { _, err := (Levels{nil}).Node(0, 0); return err },
	} {
		if f() == nil {
			t.Error("proved what is not there")
		}
	}
}
