package archive

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestXXH64 holds the hash against zstd's own content checksums.
func TestXXH64(t *testing.T) {
	if got := xxh64(nil, 0); got != 0xef46db3751d8e999 {
		t.Errorf("of nothing: %x", got)
	}
	enc, err := newEncoder("fastest", 1, defaultFrame)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(3, 4))
	for n := 1; n < 300; n++ {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		frame := enc.frame(nil, b)
		if want := binary.LittleEndian.Uint32(frame[len(frame)-4:]); uint32(xxh64(b, 0)) != want {
			t.Errorf("%d bytes: %x instead of %x", n, uint32(xxh64(b, 0)), want)
		}
	}
}

func TestBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type code struct {
			v     uint64
			width uint
			rice  bool
		}
		var codes []code
		var w bitWriter
		for range rapid.IntRange(0, 200).Draw(t, "codes") {
			c := code{rapid.Uint64().Draw(t, "v"), uint(rapid.IntRange(0, 56).Draw(t, "width")), rapid.Bool().Draw(t, "rice")}
			if c.rice {
				c.width %= 17
				c.v %= 300 << c.width
				w.rice(c.v, c.width)
			} else {
				c.v &= 1<<c.width - 1
				w.put(c.v, c.width)
			}
			codes = append(codes, c)
		}
		w.flush()
		r := newBitReader(slices.Clip(w.b))
		for i, c := range codes {
			got := uint64(0)
			if c.rice {
				got = r.rice(c.width)
			} else {
				got = r.get(c.width)
			}
			if got != c.v || r.bad {
				t.Fatalf("code %d, %+v: %d", i, c, got)
			}
		}
		for range 9 {
			r.get(8)
		}
		if r.rice(3); !r.bad {
			t.Fatal("nothing is read as something")
		}
	})
}

func TestBestRice(t *testing.T) {
	for want, v := range []uint64{0: 0, 1: 1, 3: 9, 6: 80} {
		if want > 0 && v == 0 {
			continue
		}
		var hist [256]int
		hist[v] = 100
		least := riceLen(v, bestRice(hist[:]))
		for k := range uint(16) {
			if riceLen(v, k) < least {
				t.Errorf("%d: %d bits instead of %d", v, least, riceLen(v, k))
			}
		}
		_ = want
	}
}

func TestParser(t *testing.T) {
	var b []byte
	b = binary.AppendUvarint(b, 300)
	b = binary.AppendUvarint(b, zigzag(-5))
	b = appendText(b, "text")
	b = append(b, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0)
	p := parser{b: b}
	if p.uint() != 300 || p.int() != -5 || p.text() != "text" || p.u32() != 1 || p.u64() != 2 || !p.done() {
		t.Errorf("%+v", p)
	}
	for n := range b {
		p := parser{b: b[:n]}
		p.uint()
		p.int()
		p.text()
		p.u32()
		p.u64()
		if !p.bad {
			t.Errorf("%d bytes are enough", n)
		}
	}
	p = parser{b: []byte{5}}
	if p.count(4) != 0 || !p.bad {
		t.Error("beyond its limit")
	}
}

func TestSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 200).Draw(t, "n")
		s, in := newSet(n), map[int]bool{}
		for range rapid.IntRange(0, 50).Draw(t, "adds") {
			if n > 0 {
				i := rapid.IntRange(0, n-1).Draw(t, "i")
				s.add(i)
				in[i] = true
			}
		}
		var up, down, want []int
		for i := range n {
			if in[i] {
				want = append(want, i)
			}
			if s.Has(i) != in[i] {
				t.Fatalf("%d", i)
			}
		}
		for i := s.Next(-1); i >= 0; i = s.Next(i + 1) {
			up = append(up, i)
		}
		for i := s.Prev(n + 5); i >= 0; i = s.Prev(i - 1) {
			down = append(down, i)
		}
		slices.Reverse(down)
		if !slices.Equal(up, want) || !slices.Equal(down, want) || s.Len() != len(want) || s.Empty() != (len(want) == 0) {
			t.Fatalf("%v, %v instead of %v", up, down, want)
		}
		if full := fullSet(n); full.Len() != n || full.Has(n) || full.Has(-1) {
			t.Fatal("not full")
		}
	})
}

// TestHeader holds the header parser against frames as the library writes them.
func TestHeader(t *testing.T) {
	enc, err := newEncoder("default", 1, defaultFrame)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 200, 255, 256, 257, 65535 + 256, 65536 + 256, 300_000, MaxFrame} {
		b := enc.frame(nil, bytes.Repeat([]byte("ab"), n/2+1)[:n])
		h, end, err := skim(bytes.NewReader(b), 0, int64(len(b)))
		if err != nil || h.content != int64(n) || h.window != int64(n) || !h.checksum || h.odd != "" || end != int64(len(b)) {
			t.Errorf("%d bytes: %+v, ends at %d of %d: %v", n, h, end, len(b), err)
		}
		for cut := range min(len(b), 40) {
			if _, _, err := skim(bytes.NewReader(b[:cut]), 0, int64(cut)); err == nil {
				t.Errorf("%d bytes cut at %d: no error", n, cut)
			}
		}
	}
}
