package interop

import (
	"bytes"
	"context"
	"math/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"

	"stigmergy/blackboard/history"
	"stigmergy/blackboard/journal"
	"stigmergy/blackboard/layout"
	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

func leaves(n int) []merkle.Hash {
	out := make([]merkle.Hash, n)
	for i := range out {
		out[i] = merkle.LeafHash([]byte(strconv.Itoa(i)))
	}
	return out
}

func raw(hs []merkle.Hash) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

// mutate changes a proof in one way that no good proof has.
func mutate(r *rand.Rand, p []merkle.Hash) []merkle.Hash {
	p = append([]merkle.Hash(nil), p...)
	switch k := r.Intn(3); {
	case k == 0 || len(p) == 0:
		return append(p, merkle.Hash{})
	case k == 1:
		return p[:len(p)-1]
	}
	p[r.Intn(len(p))][r.Intn(32)] ^= 1 << r.Intn(8)
	return p
}

// TestProofsAgree: what we prove, they accept; what they refuse, we refuse.
func TestProofsAgree(t *testing.T) {
	const largest = 1030
	tree := merkle.LevelsOf(leaves(largest))
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewSource(seed))
	for range 4000 {
		size := uint64(1 + r.Intn(largest))
		index := uint64(r.Intn(int(size)))
		root, err := merkle.RootAt(size, tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		p, err := merkle.ProveInclusion(index, size, tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range [][]merkle.Hash{p, mutate(r, p)} {
			theirs := proof.VerifyInclusion(rfc6962.DefaultHasher, index, size, tree[0][index][:], raw(q), root[:])
			ours := merkle.CheckInclusion(index, size, tree[0][index], q, root)
			if (theirs == nil) != (ours == nil) {
				t.Fatalf("leaf %d of %d: they say %v, we say %v", index, size, theirs, ours)
			}
		}
		old := uint64(1 + r.Intn(int(size)))
		oldRoot, _ := merkle.RootAt(old, tree.Node)
		p, err = merkle.ProveConsistency(old, size, tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range [][]merkle.Hash{p, mutate(r, p)} {
			theirs := proof.VerifyConsistency(rfc6962.DefaultHasher, old, size, raw(q), oldRoot[:], root[:])
			ours := merkle.CheckConsistency(old, size, q, oldRoot, root)
			if (theirs == nil) != (ours == nil) {
				t.Fatalf("%d in %d: they say %v, we say %v", old, size, theirs, ours)
			}
		}
	}
}

// board is a board whose journal holds n entries, signed.
func board(t *testing.T, n int) (layout.Layout, []byte, string) {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	var tree merkle.Tree
	for i := range n {
		e := journal.Entry{Seq: uint64(i), Time: int64(i), Kind: journal.Tick}
		line := e.Append(nil)
		tree.Add(merkle.LeafHash(line))
		text = append(append(text, line...), '\n')
	}
	if err := os.WriteFile(l.JournalSegment(1), text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := history.EnsureKey(l, nil, "stigmergy/test"); err != nil {
		t.Fatal(err)
	}
	key, err := history.Key(l)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := seal.Checkpoint{Origin: key.Name(), Size: uint64(n), Root: tree.Root()}.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return l, signed, key.Public()
}

// hashes cuts an entry bundle and hashes its leaves as RFC 6962 does.
func hashes(b []byte) ([][]byte, error) {
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(b); err != nil {
		return nil, err
	}
	out := make([][]byte, len(bundle.Entries))
	for i, e := range bundle.Entries {
		out[i] = rfc6962.DefaultHasher.HashLeaf(e)
	}
	return out, nil
}

// TestExportIsALog: Tessera's fsck accepts what certify export writes, and its
// client proves from it what we prove.
func TestExportIsALog(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256, 257, 511, 512, 600, 70000} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			l, signed, vkey := board(t, n)
			dir := t.TempDir()
			if _, err := history.Export(l, dir, signed); err != nil {
				t.Fatal(err)
			}
			v, err := note.NewVerifier(vkey)
			if err != nil {
				t.Fatal(err)
			}
			f := client.FileFetcher{Root: dir}
			if err := fsck.New("stigmergy/test", v, f, hashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
				t.Fatalf("fsck: %v", err)
			}
			pb, err := client.NewProofBuilder(ctx, uint64(n), f.ReadTile)
			if err != nil {
				t.Fatal(err)
			}
			r, err := history.NewReader(l)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range []uint64{0, uint64(n) / 2, uint64(n) - 1} {
				theirs, err := pb.InclusionProof(ctx, i)
				if err != nil {
					t.Fatal(err)
				}
				ours, err := r.Prove(i, uint64(n))
				if err != nil || len(ours) != len(theirs) {
					t.Fatalf("leaf %d: %d hashes, they have %d: %v", i, len(ours), len(theirs), err)
				}
				for k := range ours {
					if !bytes.Equal(ours[k][:], theirs[k]) {
						t.Fatalf("leaf %d: hash %d differs", i, k)
					}
				}
			}
			again, err := history.Export(l, dir, signed)
			if err != nil || again.Written != 0 {
				t.Fatalf("a second export wrote %+v: %v", again, err)
			}
		})
	}
}

// TestFsckNoticesAChange is the control: whatever is changed in what was
// exported, fsck says so. Each of its workers ends with the first difference that
// it finds, so it gets more of them than there are resources: with fewer, nobody
// would be left to take the rest, and it would wait for ever.
func TestFsckNoticesAChange(t *testing.T) {
	for rel, says := range map[string]string{
		"tile/entries/000":       "log has:",
		"tile/entries/001.p/44":  "log has:",
		"tile/0/000":             "log has:",
		"tile/0/001.p/44":        "log has:",
		"tile/1/000.p/1":         "log has:",
		"checkpoint":             "failed to fetch and verify checkpoint",
		"tile/entries/000 short": "error while streaming bundles",
	} {
		t.Run(rel, func(t *testing.T) {
			l, signed, vkey := board(t, 300)
			dir := t.TempDir()
			if _, err := history.Export(l, dir, signed); err != nil {
				t.Fatal(err)
			}
			rel, short := strings.CutSuffix(rel, " short")
			path := filepath.Join(dir, rel)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b[20] ^= 1; short {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			v, err := note.NewVerifier(vkey)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			err = fsck.New("stigmergy/test", v, client.FileFetcher{Root: dir}, hashes, fsck.Opts{N: 16}).Check(ctx)
			if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), says) {
				t.Fatalf("expected %q, fsck says: %.200v", says, err)
			}
		})
	}
}
