package query

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestNeedleFindsTheFirst: whatever the text, and however long, a needle is
// found where it first stands, hit after hit.
func TestNeedleFindsTheFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOfN(rapid.SampledFrom([]byte("ab")), 0, 40).Draw(t, "text")
		word := append([]byte("needle-of-16-byt"), text...)
		unit := rapid.SampledFrom([]string{"needle-of-16-by", "0123456789abcdef", "a", "tt", "need"}).Draw(t, "unit")
		b := bytes.Repeat([]byte(unit), rapid.IntRange(0, 3*twin/len(unit)).Draw(t, "times"))
		for range rapid.IntRange(0, 4).Draw(t, "hits") {
			at := rapid.IntRange(0, len(b)).Draw(t, "at")
			piece := bytes.Clone(word[:rapid.IntRange(len(word)-1, len(word)).Draw(t, "whole")])
			b = append(b[:at:at], append(piece, b[at:]...)...)
		}
		n := newNeedle(word, false)
		for off := 0; ; {
			want, got := bytes.Index(b[off:], word), n.index(b[off:])
			if want != got {
				t.Fatalf("from %d of %d: found at %d, it stands at %d", off, len(b), got, want)
			}
			if want < 0 {
				return
			}
			off += want + 1
		}
	})
}
