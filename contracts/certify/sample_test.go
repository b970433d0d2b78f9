package certify

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/merkle"
)

const somePlan = "0f8fad5b-d9cb-469f-a165-70867728950e"

func digest(format string, args ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hex.EncodeToString(sum[:])
}

// someLeaves are n leaves whose outputs begin with the salt.
func someLeaves(n int) []Leaf {
	out := make([]Leaf, n)
	for i := range out {
		in := digest("input %d", i)
		out[i] = Leaf{somePlan, "pack", in[:16], in, digest("output %d", i)}
	}
	return out
}

func levelsOf(leaves []Leaf) merkle.Levels {
	hashes := make([]merkle.Hash, len(leaves))
	for i, l := range leaves {
		hashes[i] = l.Hash()
	}
	return merkle.LevelsOf(hashes)
}

func samplesOf(t testing.TB, leaves []Leaf) (merkle.Hash, []*Sample) {
	t.Helper()
	tree := levelsOf(leaves)
	root := tree.Root()
	var out []*Sample
	for _, i := range Samples(root, uint64(len(leaves))) {
		s, err := Prove(leaves[i], i, uint64(len(leaves)), root, tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &s)
	}
	return root, out
}

func TestSamplesAreDrawnByTheRoot(t *testing.T) {
	for n := uint64(0); n < 300; n++ {
		root := merkle.LeafHash([]byte(strconv.FormatUint(n, 10)))
		got := Samples(root, n)
		if uint64(len(got)) != min(n, MaxSamples) {
			t.Fatalf("%d samples of %d", len(got), n)
		}
		seen := map[uint64]bool{}
		for _, i := range got {
			if i >= n || seen[i] {
				t.Fatalf("samples of %d: %v", n, got)
			}
			seen[i] = true
		}
	}
}

// A stranger draws the same ones.
func TestSamplesInPython(t *testing.T) {
	const program = `
import hashlib, struct, sys
for root, n in zip(sys.argv[1::2], sys.argv[2::2]):
    root, n, out, i = bytes.fromhex(root), int(n), [], 0
    while len(out) < min(16, n):
        h = hashlib.sha256(b"stigmergy.sample.v1\n" + root + struct.pack(">I", i)).digest()
        x = struct.unpack(">Q", h[:8])[0] % n
        if x not in out: out.append(x)
        i += 1
    print(*out)
`
	sizes := []uint64{1, 2, 17, 1000, 1 << 40}
	args, want := []string{"-c", program}, ""
	for _, n := range sizes {
		root := merkle.LeafHash([]byte{byte(n)})
		args = append(args, root.String(), strconv.FormatUint(n, 10))
		want += strings.Trim(fmt.Sprint(Samples(root, n)), "[]") + "\n"
	}
	out, err := exec.Command("python3", args...).Output()
	if err != nil {
		t.Skip("no python3 here:", err)
	}
	if string(out) != want {
		t.Fatalf("drawn %s, python draws %s", want, out)
	}
}

// The traps' sizes: nothing, one, powers of two and their neighbours.
func TestSampleProofsHoldAtEverySize(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 255, 256, 257, 1000, 1023, 1024, 1025} {
		root, samples := samplesOf(t, someLeaves(n))
		if err := CheckSamples(somePlan, root, samples); err != nil {
			t.Fatalf("%d leaves: %v", n, err)
		}
		for _, s := range samples {
			text := s.AppendJSON(nil)
			back, err := ParseSample(text)
			if err != nil || back.Check() != nil || !bytes.Equal(back.AppendJSON(nil), text) {
				t.Fatalf("%d leaves: %s: %v", n, text, err)
			}
		}
		if n > 0 && CheckSamples(somePlan, root, samples[1:]) == nil {
			t.Fatalf("%d leaves: one sample less was taken", n)
		}
	}
	if err := CheckSamples(somePlan, merkle.LeafHash(nil), nil); !errors.Is(err, ErrSamples) {
		t.Fatalf("no samples for a root that is not the empty tree's: %v", err)
	}
}

// The seed's fields, as the seed names them, and ours.
func TestSampleHasTheSeedsFields(t *testing.T) {
	_, samples := samplesOf(t, someLeaves(3))
	var got map[string]any
	if err := json.Unmarshal(samples[0].AppendJSON(nil), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"leaf_cas_id", "leaf_hash", "path", "root_hash", "index", "tree_size", "leaf"} {
		if _, ok := got[key]; !ok {
			t.Errorf("no %s", key)
		}
		delete(got, key)
	}
	if len(got) > 0 {
		t.Errorf("more: %v", got)
	}
}

// The sides say the same as index and size: following them gives the root.
func TestSidesLeadToTheRoot(t *testing.T) {
	for n := 1; n < 70; n++ {
		leaves := someLeaves(n)
		tree := levelsOf(leaves)
		for i := range leaves {
			s, err := Prove(leaves[i], uint64(i), uint64(n), tree.Root(), tree.Node)
			if err != nil {
				t.Fatal(err)
			}
			h := s.Leaf.Hash()
			for k, p := range s.Path {
				if leftSide(s.Index, s.Size, k) {
					h = merkle.NodeHash(p, h)
				} else {
					h = merkle.NodeHash(h, p)
				}
			}
			if h != s.Root {
				t.Fatalf("leaf %d of %d: the sides lead elsewhere", i, n)
			}
		}
	}
}

// Every byte of a proof counts: no other text is taken for a proof that holds
// of something else.
func TestNoOtherProofHolds(t *testing.T) {
	root, samples := samplesOf(t, someLeaves(21))
	text := samples[4].AppendJSON(nil)
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(text)
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		b[at] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		s, err := ParseSample(b)
		if err != nil || s.Check() != nil || s.Root != root {
			return
		}
		if !bytes.Equal(s.AppendJSON(nil), text) {
			t.Fatalf("%s was taken", b)
		}
	})
}

func TestAnInnerNodeIsNoLeaf(t *testing.T) {
	leaves := someLeaves(8)
	tree := levelsOf(leaves)
	s, err := Prove(leaves[0], 0, 8, tree.Root(), tree.Node)
	if err != nil {
		t.Fatal(err)
	}
	s.Path = s.Path[1:] // as if the parent were a leaf of a tree of four
	if s.Check() == nil {
		t.Fatal("a shorter path was taken")
	}
	s.Size = 4
	if s.Check() == nil {
		t.Fatal("a shorter path was taken in a smaller tree")
	}
	s, _ = Prove(leaves[0], 0, 8, tree.Root(), tree.Node)
	s.Path = append(s.Path, merkle.Hash{})
	if s.Check() == nil {
		t.Fatal("a trailing hash was taken")
	}
	s, _ = Prove(leaves[7], 7, 8, tree.Root(), tree.Node)
	s.Index = 1<<63 + 7
	if s.Check() == nil {
		t.Fatal("a huge index was taken")
	}
}

func TestCertificateIsCalled(t *testing.T) {
	root := merkle.LeafHash(nil)
	if got, want := CertificateID(somePlan, root), "cert_0f8fad5b_"+root.String()[:12]; got != want {
		t.Fatalf("%s, want %s", got, want)
	}
	if got := CertificateID("abc", root); !strings.HasPrefix(got, "cert_abc_") {
		t.Fatal(got)
	}
}

func BenchmarkSampleProofs(b *testing.B) {
	leaves := someLeaves(1000)
	for b.Loop() {
		tree := levelsOf(leaves)
		root := tree.Root()
		var out []byte
		for i := range leaves {
			s, err := Prove(leaves[i], uint64(i), 1000, root, tree.Node)
			if err != nil {
				b.Fatal(err)
			}
			out = s.AppendJSON(out)
		}
		if len(out) < 1000*1000 {
			b.Fatal(len(out))
		}
	}
}
