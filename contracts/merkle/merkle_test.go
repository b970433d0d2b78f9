package merkle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/bits"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"
)

func leaves(n int) []Hash {
	out := make([]Hash, n)
	for i := range out {
		out[i] = LeafHash(fmt.Appendf(nil, "leaf %d", i))
	}
	return out
}

func TestLeafIsPrefixedSHA256AtEveryLength(t *testing.T) {
	for n := 0; n < 2100; n++ {
		b := bytes.Repeat([]byte{byte(n)}, n)
		if got, want := LeafHash(b), Hash(sha256.Sum256(append([]byte{0}, b...))); got != want {
			t.Fatalf("%d bytes: %v, want %v", n, got, want)
		}
		if got := LeafHash(b); got != Hash(tlog.RecordHash(b)) {
			t.Fatalf("%d bytes: tlog differs", n)
		}
	}
}

func TestNodeAgreesWithTlog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Hash(sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "l")))
		r := Hash(sha256.Sum256(rapid.SliceOf(rapid.Byte()).Draw(t, "r")))
		if NodeHash(l, r) != Hash(tlog.NodeHash(tlog.Hash(l), tlog.Hash(r))) {
			t.Fatal("node hash differs from tlog's")
		}
	})
}

// The trees of the RFC's own leaves, as every implementation publishes them.
func TestKnownRoots(t *testing.T) {
	var tree Tree
	want := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	in := []string{"", "\x00", "\x10", "\x20\x21", "\x30\x31", "\x40\x41\x42\x43",
		"\x50\x51\x52\x53\x54\x55\x56\x57", "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"}
	for i, w := range want {
		if got := tree.Root().String(); got != w {
			t.Errorf("root of %d leaves: %s, want %s", i, got, w)
		}
		if i < len(in) {
			tree.Add(LeafHash([]byte(in[i])))
		}
	}
}

// tlogRoot computes the root by Go's own implementation.
func tlogRoot(t interface{ Fatal(...any) }, hashes []Hash) Hash {
	var store []tlog.Hash
	reader := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(at))
		for i, j := range at {
			out[i] = store[j]
		}
		return out, nil
	})
	for i, h := range hashes {
		more, err := tlog.StoredHashesForRecordHash(int64(i), tlog.Hash(h), reader)
		if err != nil {
			t.Fatal(err)
		}
		store = append(store, more...)
	}
	root, err := tlog.TreeHash(int64(len(hashes)), reader)
	if err != nil {
		t.Fatal(err)
	}
	return Hash(root)
}

func TestRootAgreesWithTlogAtEverySize(t *testing.T) {
	all := leaves(300)
	for n := 1; n <= len(all); n++ {
		if got, want := RootOf(all[:n]), tlogRoot(t, all[:n]); got != want {
			t.Fatalf("%d leaves: %v, want %v", n, got, want)
		}
	}
}

// naive is RFC 6962's definition, word for word.
func naive(h []Hash) Hash {
	switch len(h) {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return h[0]
	}
	k := 1 << (bits.Len(uint(len(h)-1)) - 1)
	return NodeHash(naive(h[:k]), naive(h[k:]))
}

func TestTreeIsTheDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := leaves(rapid.IntRange(0, 1100).Draw(t, "n"))
		cut := rapid.IntRange(0, len(all)).Draw(t, "cut")
		var tree Tree
		for _, h := range all[:cut] {
			tree.Add(h)
		}
		resumed, ok := Resume(tree.Size(), tree.Peaks())
		if !ok {
			t.Fatal("peaks refused")
		}
		for _, h := range all[cut:] {
			resumed.Add(h)
		}
		if resumed.Root() != naive(all) || tree.Root() != naive(all[:cut]) {
			t.Fatalf("root of %d (cut %d) is not the definition's", len(all), cut)
		}
	})
}

func TestResumeRefusesAWrongNumberOfPeaks(t *testing.T) {
	if _, ok := Resume(5, make([]Hash, 1)); ok {
		t.Fatal("two peaks are needed for five leaves")
	}
	if tree, ok := Resume(0, nil); !ok || tree.Root() != Empty() {
		t.Fatal("the empty tree resumes")
	}
}

func TestOddNodesArePromotedNotDoubled(t *testing.T) {
	h := leaves(3)
	if RootOf(h) == RootOf(append(h, h[2])) {
		t.Fatal("three leaves hash like four with the last doubled")
	}
	if RootOf(h) != NodeHash(NodeHash(h[0], h[1]), h[2]) {
		t.Fatal("the third leaf was not promoted")
	}
}

func TestLeavesAndNodesAreSeparated(t *testing.T) {
	h := leaves(2)
	inner := append(append([]byte{}, h[0][:]...), h[1][:]...)
	if LeafHash(inner) == NodeHash(h[0], h[1]) {
		t.Fatal("a leaf of two hashes passes for their node")
	}
}

func TestParseHash(t *testing.T) {
	h := LeafHash([]byte("x"))
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Fatalf("%v %v", got, err)
	}
	if string(h.AppendHex(nil)) != h.String() {
		t.Fatal("AppendHex differs from String")
	}
	for _, bad := range []string{"", "00", strings.ToUpper(h.String()), strings.Repeat("g", 64), h.String() + "0"} {
		if got, err := ParseHash(bad); err == nil || got != (Hash{}) {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	var tree Tree
	for _, n := range []int{0, 300, 800, 5000} {
		b := make([]byte, n)
		if a := testing.AllocsPerRun(100, func() { tree.Add(LeafHash(b)); tree.Root() }); a != 0 {
			t.Errorf("%d byte leaf: %v allocations", n, a)
		}
	}
}

// The pipeline of the package comment.
func TestShellPipeline(t *testing.T) {
	line := `{"type":"build.done"}`
	cmd := exec.Command("sh", "-c", `(printf '\0'; head -n1 | tr -d '\n') | sha256sum`)
	cmd.Stdin = strings.NewReader(line + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Skip("no sh with sha256sum here:", err)
	}
	if got := strings.Fields(string(out))[0]; got != RootOf([]Hash{LeafHash([]byte(line))}).String() {
		t.Fatalf("shell says %s", got)
	}
}

func BenchmarkLeafHash(b *testing.B) {
	for _, n := range []int{100, 300, 700, 4000} {
		line := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				LeafHash(line)
			}
		})
	}
}

func BenchmarkAdd(b *testing.B) {
	var tree Tree
	h := LeafHash(nil)
	for b.Loop() {
		tree.Add(h)
	}
}

// TestRootOfMany: what all cores hash together is what one hashes.
func TestRootOfMany(t *testing.T) {
	all := make([]Hash, 5*run+3)
	for i := range all {
		all[i] = LeafHash([]byte{byte(i), byte(i >> 8)})
	}
	for _, n := range []int{2*run - 1, 2 * run, 2*run + 1, 3*run + run/2 + 1, 4 * run, len(all)} {
		var tree Tree
		for _, h := range all[:n] {
			tree.Add(h)
		}
		for _, workers := range []int{2, 3, 16} {
			if got := rootOf(all[:n], workers); got != tree.Root() {
				t.Errorf("%d leaves, %d workers: %s, want %s", n, workers, got, tree.Root())
			}
		}
		if got := RootOf(all[:n]); got != tree.Root() {
			t.Errorf("%d leaves: %s, want %s", n, got, tree.Root())
		}
	}
}

// TestAddLines: lines that are hashed where they stand have the hashes that they
// have elsewhere, and stand there as before.
func TestAddLines(t *testing.T) {
	for _, text := range []string{"", "\n", "a\n", "\n\n", "a\n\nb\r\n", "a", "a\nb", strings.Repeat("x", 3000) + "\n" + strings.Repeat("y", 383) + "\nz\n\n"} {
		var got, want Tree
		raw := []byte(text)
		got.AddLines(raw)
		for line := range strings.Lines(text) {
			if body, whole := strings.CutSuffix(line, "\n"); whole {
				want.Add(LeafHash([]byte(body)))
			}
		}
		if got.Root() != want.Root() || got.Size() != want.Size() || string(raw) != text {
			t.Errorf("%.20q: %d leaves, want %d; afterwards %.20q", text, got.Size(), want.Size(), raw)
		}
	}
}
