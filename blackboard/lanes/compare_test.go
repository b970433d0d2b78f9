package lanes

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCompareAgainstReference: what Compare says of any new file, beside the
// plain definition.
func TestCompareAgainstReference(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newReader(t, Options{})
		r.start(nil)
		defer func() { must(t, r.set.Close()); must(t, os.RemoveAll(r.dir)) }()
		old := drawText(rt, "old")
		r.append("a.jsonl", old)
		r.sweep()
		down := rapid.Bool().Draw(rt, "nobody watches")
		var saved []Saved
		if down {
			saved = r.stop()
		}
		is := drawNew(rt, old)
		r.write("t", is)
		r.rename("t", "a.jsonl")
		if down {
			r.start(saved)
		}
		r.set.Sweep()
		fs := r.set.Findings()
		if down && len(fs) == 0 { // the inode is a new one, and so is its birth
			rt.Fatal("nothing found")
		}
		f := fs[len(fs)-1]
		if f.Kind != Replaced || f.Reachable == down {
			rt.Fatalf("got %s, reachable %v", f.Kind, f.Reachable)
		}
		if got, want := r.set.Compare(f), verdict(whole(old), is, !down); got != want {
			rt.Fatalf("old %d bytes, taken in %d, new %d: %s, want %s", len(old), len(whole(old)), len(is), got, want)
		}
		if rapid.Bool().Draw(rt, "is quiet") {
			r.clock.add(r.set.opt.Settle)
			want := verdict(whole(old), is, !down)
			if want == Beginning {
				want = Other
			}
			if got := r.set.Compare(f); got != want {
				rt.Fatalf("after a while: %s, want %s", got, want)
			}
		}
	})
}

func drawText(rt *rapid.T, label string) string {
	n := rapid.SampledFrom([]int{0, 1, 50, 4095, 4096, 4097, 8191, 8192, 12_000, 300_000}).Draw(rt, label)
	text := strings.Repeat("0123456789abcde\n", n/16+1)[:n]
	if rapid.Bool().Draw(rt, "ends with a newline") && n > 0 {
		text = text[:n-1] + "\n"
	}
	return text
}

// drawNew makes a text out of an old one: some of it, with a change, and more.
func drawNew(rt *rapid.T, old string) string {
	b := []byte(old[:rapid.IntRange(0, len(old)).Draw(rt, "keep")])
	if rapid.Bool().Draw(rt, "keep all") {
		b = []byte(old)
	}
	if len(b) > 0 && rapid.IntRange(0, 2).Draw(rt, "change") == 0 {
		b[rapid.IntRange(0, len(b)-1).Draw(rt, "at")] ^= 1
	}
	if rapid.Bool().Draw(rt, "more") {
		b = append(b, "more\n"...)
	}
	return string(b)
}

// verdict is the definition. Of an old file that is out of reach only the
// first and the last 4 KiB of what was taken in are known.
func verdict(taken, is string, reachable bool) Verdict {
	switch {
	case taken == "":
		return Same
	case reachable && strings.HasPrefix(is, taken):
		return Same
	case reachable && strings.HasPrefix(taken, is):
		return Beginning
	case reachable:
		return Other
	}
	n := len(taken)
	if len(is) >= n {
		if bytes.Equal(first([]byte(is)), first([]byte(taken))) || n < Window && is[:n] == taken {
			if is[max(n-Window, 0):n] == taken[max(n-Window, 0):] {
				return Likely
			}
		}
		return Other
	}
	if len(is) < Window || n > Window && is[:Window] == taken[:Window] {
		return Beginning
	}
	return Other
}

func first(b []byte) []byte { return b[:min(len(b), Window)] }

// TestEqualUpTo goes on from where it was left, and stops where files differ.
func TestEqualUpTo(t *testing.T) {
	a := bytes.Repeat([]byte("x"), 1_000_000)
	for _, at := range []int64{0, 1, 262_143, 262_144, 262_145, 999_999} {
		b := bytes.Clone(a)
		b[at] = 'y'
		n, err := equalUpTo(bytes.NewReader(a), bytes.NewReader(b), 0, int64(len(a)))
		if err != nil || n > at || at-n >= 256<<10 {
			t.Errorf("a difference at %d: equal up to %d, %v", at, n, err)
		}
		if n, err := equalUpTo(bytes.NewReader(a), bytes.NewReader(b), at+1, int64(len(a))); n != int64(len(a)) || err != nil {
			t.Errorf("behind a difference at %d: equal up to %d, %v", at, n, err)
		}
	}
	if n, err := equalUpTo(bytes.NewReader(a), bytes.NewReader(a[:500_000]), 0, int64(len(a))); n > 500_000 || err == nil {
		t.Errorf("beyond an end: equal up to %d, %v", n, err)
	}
}
