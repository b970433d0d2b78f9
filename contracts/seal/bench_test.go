package seal

import (
	"testing"

	"stigmergy/contracts/merkle"
)

// BenchmarkSign: a checkpoint is to be signed in a millisecond.
func BenchmarkSign(b *testing.B) {
	k, _ := signer(b, "stigmergy/x", 1)
	c := Checkpoint{"stigmergy/x", 1 << 20, merkle.Empty()}
	for b.Loop() {
		if _, err := c.Sign(k); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRoot: over a million leaf hashes, a quarter of a second of one core.
func BenchmarkRoot(b *testing.B) {
	leaves := make([]merkle.Hash, 1_000_000)
	for i := range leaves {
		leaves[i][0], leaves[i][1], leaves[i][2] = byte(i), byte(i>>8), byte(i>>16)
	}
	for b.Loop() {
		merkle.RootOf(leaves)
	}
}
