package merkle

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

// vectors finds ../shared/vectors/NAME above the package, or skips.
func vectors(t *testing.T, name string) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		if p := filepath.Join(dir, "shared", "vectors", name); exists(p) {
			return p
		}
	}
	t.Skipf("no shared/vectors/%s above the working directory", name)
	return ""
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }

type vector struct {
	LeafIdx, TreeSize, Size1, Size2 uint64
	Root, LeafHash, Root1, Root2    []byte
	Proof                           [][]byte
	Desc                            string
	WantErr                         bool
}

func eachVector(t *testing.T, kind string, check func(t *testing.T, v vector) error) {
	n := 0
	err := filepath.WalkDir(filepath.Join(vectors(t, "rfc6962"), "testdata", kind), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		var v vector
		if err := json.Unmarshal(text, &v); err != nil {
			return err
		}
		if err := check(t, v); (err != nil) != v.WantErr {
			t.Errorf("%s (%s): %v, want error %v", p, v.Desc, err, v.WantErr)
		}
		n++
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d vectors: %v", n, err)
	}
}

// hash32 tells a value that is no hash apart: no proof with one can hold.
func hash32(b ...[]byte) ([]Hash, bool) {
	out := make([]Hash, len(b))
	for i := range b {
		if len(b[i]) != len(out[i]) {
			return nil, false
		}
		out[i] = Hash(b[i])
	}
	return out, true
}

func TestPublishedInclusionProofs(t *testing.T) {
	eachVector(t, "inclusion", func(t *testing.T, v vector) error {
		fixed, ok := hash32(v.LeafHash, v.Root)
		path, ok2 := hash32(v.Proof...)
		if !ok || !ok2 {
			return ErrProof
		}
		return CheckInclusion(v.LeafIdx, v.TreeSize, fixed[0], path, fixed[1])
	})
}

func TestPublishedConsistencyProofs(t *testing.T) {
	eachVector(t, "consistency", func(t *testing.T, v vector) error {
		fixed, ok := hash32(v.Root1, v.Root2)
		if v.Size1 > 0 && v.Size1 == v.Size2 && len(v.Proof) == 0 && string(v.Root1) == string(v.Root2) {
			return nil // one vector has roots that are no hashes, but equal
		}
		proof, ok2 := hash32(v.Proof...)
		if !ok || !ok2 {
			return ErrProof
		}
		return CheckConsistency(v.Size1, v.Size2, proof, fixed[0], fixed[1])
	})
}

// log is a tlog store over leaves, the maker of proofs for the tests below.
type log []tlog.Hash

func newLog(t *rapid.T, leaves []Hash) log {
	var l log
	for i, h := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(h), l)
		if err != nil {
			t.Fatal(err)
		}
		l = append(l, more...)
	}
	return l
}

func (l log) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, j := range at {
		out[i] = l[j]
	}
	return out, nil
}

func convert(p []tlog.Hash) []Hash {
	out := make([]Hash, len(p))
	for i := range p {
		out[i] = Hash(p[i])
	}
	return out
}

func TestInclusionOfTlogProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := leaves(rapid.IntRange(1, 260).Draw(t, "n"))
		i := rapid.IntRange(0, len(all)-1).Draw(t, "i")
		p, err := tlog.ProveRecord(int64(len(all)), int64(i), newLog(t, all))
		if err != nil {
			t.Fatal(err)
		}
		path, root := convert(p), RootOf(all)
		size := uint64(len(all))
		if err := CheckInclusion(uint64(i), size, all[i], path, root); err != nil {
			t.Fatalf("good proof refused: %v", err)
		}
		bad := []error{
			CheckInclusion(uint64(i), size, all[i], append(path, Hash{}), root),
			CheckInclusion(size, size, all[i], path, root),
			CheckInclusion(1<<63, size, all[i], path, root),
			CheckInclusion(uint64(i), size, Hash{}, path, root),
			CheckInclusion(uint64(i), size, all[i], path, Hash{}),
		}
		if len(path) > 0 {
			bad = append(bad, CheckInclusion(uint64(i), size, all[i], path[:len(path)-1], root))
		}
		for k, err := range bad {
			if !errors.Is(err, ErrProof) {
				t.Fatalf("bad proof %d accepted", k)
			}
		}
	})
}

func TestConsistencyOfTlogProofs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := leaves(rapid.IntRange(1, 260).Draw(t, "n"))
		old := rapid.IntRange(1, len(all)).Draw(t, "old")
		p, err := tlog.ProveTree(int64(len(all)), int64(old), newLog(t, all))
		if err != nil {
			t.Fatal(err)
		}
		proof, r1, r2 := convert(p), RootOf(all[:old]), RootOf(all)
		s1, s2 := uint64(old), uint64(len(all))
		if err := CheckConsistency(s1, s2, proof, r1, r2); err != nil {
			t.Fatalf("good proof refused: %v", err)
		}
		bad := []error{
			CheckConsistency(s1, s2, append(proof, Hash{}), r1, r2),
			CheckConsistency(s1, s2, proof, Hash{}, r2),
			CheckConsistency(s1, s2, proof, r1, Hash{}),
			CheckConsistency(s2+1, s2, proof, r1, r2),
		}
		if len(proof) > 0 {
			bad = append(bad, CheckConsistency(s1, s2, proof[:len(proof)-1], r1, r2))
		}
		for k, err := range bad {
			if err == nil {
				t.Fatalf("bad proof %d accepted", k)
			}
		}
	})
}

func TestEmptyTreeIsTheBeginningOfAny(t *testing.T) {
	root := RootOf(leaves(3))
	if err := CheckConsistency(0, 3, nil, Empty(), root); err != nil {
		t.Error(err)
	}
	if CheckConsistency(0, 3, nil, Hash{}, root) == nil {
		t.Error("a wrong empty root was taken")
	}
	if CheckConsistency(0, 0, nil, Hash{}, Hash{}) == nil {
		t.Error("a wrong root of two empty trees was taken")
	}
	if CheckConsistency(0, 3, []Hash{{}}, Empty(), root) == nil {
		t.Error("a proof for nothing was taken")
	}
}
