package archive

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
)

// askable are the fields and values that are asked for.
var (
	askFields = []string{"subject", "plan_id", "cas_id", "color", `a\.b`, "data.source", "data.plan_id", "data.color", "id", "source", "other", "data.subject"}
	askValues = []string{"p1", "p2", `long-value-with-"quotes"`, "x", "7", "7.0", "true", "null", "", "q", "deep", "p3", "inner", "päth", "ext", "e2",
		"late", "s1", "1", "same", "01KFVVAM9PZYG9W5XYBHG48NPZ", "0192e4a0-0000-7000-8000-000000000001", "01KFVVAM9PZYG9W5XYBHG48NPX", "never"}
)

func drawWant(t *rapid.T) (w Want) {
	if rapid.Bool().Draw(t, "by topic") {
		ps, err := contracts.ParsePatterns([]string{rapid.SampledFrom([]string{"build.done", "build.*", "**", "z.**", "none"}).Draw(t, "pattern")})
		if err != nil {
			t.Fatal(err)
		}
		w.Topics = ps
	}
	for range rapid.IntRange(0, 2).Draw(t, "fields") {
		w.Fields = append(w.Fields, Field{rapid.SampledFrom(askFields).Draw(t, "field"), rapid.SampledFrom(askValues).Draw(t, "value")})
	}
	if rapid.IntRange(0, 2).Draw(t, "by time") == 0 {
		at := rapid.SampledFrom([]int64{1769385600e9, 1769400000e9, 1769400300e9, 1925000000e9}).Draw(t, "at")
		w.Time = Range{at, at + int64(rapid.IntRange(0, 400).Draw(t, "for"))*1e9}
	}
	if rapid.IntRange(0, 2).Draw(t, "by seq") == 0 {
		from := int64(rapid.IntRange(0, 1100).Draw(t, "from seq"))
		w.Seq = Range{from, from + int64(rapid.IntRange(0, 50).Draw(t, "seqs"))}
	}
	w.Lines = rapid.IntRange(0, 9).Draw(t, "lines") == 0
	return w
}

// wants is the naive meaning of a Want.
func (l *modelLine) wants(w Want) bool {
	if !w.Seq.any() && (!l.at.Known || int64(l.at.Seq) < w.Seq.Min || int64(l.at.Seq) > w.Seq.Max) {
		return false
	}
	if w.Lines {
		return true
	}
	if !l.event() || w.Topics != nil && !w.Topics.Match(l.ev.TopicName) {
		return false
	}
	if t := l.ev.Time(); !w.Time.any() && (t < w.Time.Min || t > w.Time.Max) {
		return false
	}
	return !slices.ContainsFunc(w.Fields, func(f Field) bool { return !l.has(f.Name, f.Value) })
}

// TestSelectKeepsWhatMatches is the promise that everything else rests on.
func TestSelectKeepsWhatMatches(t *testing.T) {
	reg, checker := testContracts(t)
	kept, frames := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, checker)
		file, w := m.write(t, reg, checker, WriteOptions{FrameBytes: 512, IDs: rapid.Bool().Draw(t, "ids")})
		r := open(t, file)
		for range 8 {
			want := drawWant(t)
			set := r.Select(want)
			kept, frames = kept+set.Len(), frames+len(r.Frames())
			for i, l := range m.lines {
				if !l.wants(want) {
					continue
				}
				if f := r.FrameAt(l.offset); !set.Has(f) {
					t.Fatalf("%+v leaves out line %d in frame %d: %s", want, i, f, l.text)
				}
				if !w.May(want) {
					t.Fatalf("%+v leaves out the archive", want)
				}
			}
		}
	})
	t.Logf("%d of %d frames kept", kept, frames)
	if kept*2 > frames {
		t.Error("hardly anything is left out")
	}
}

// TestPositionsAreIDs: an event without an id has its position for one.
func TestPositionsAreIDs(t *testing.T) {
	reg, checker := testContracts(t)
	m := newModel(bytes.Repeat([]byte("{\"type\":\"a\",\"data\":{\"n\":1}}\n"), 100), nil, checker)
	file, _ := m.write(t, reg, checker, WriteOptions{FrameBytes: 512, IDs: true})
	r := open(t, file)
	for _, l := range m.lines {
		set, indexed := r.MayMatch("id", l.ev.ID())
		if !indexed || set.Len() != 1 || !set.Has(r.FrameAt(l.offset)) {
			t.Fatalf("%s: %v", l.ev.ID(), set)
		}
	}
	if set, _ := r.MayMatch("id", "agents/8@3:0"); !set.Empty() {
		t.Error("another lane's position is found")
	}
}

// manyFields is an extractor of lines "name=value".
type manyFields struct{}

func (manyFields) Fields() []string { return []string{"k"} }
func (manyFields) MaxLine() int     { return 0 }
func (manyFields) Extract(_ At, line []byte, f *Facts) {
	f.Topic, f.Time, f.HasTime = []byte("t"), int64(len(line)), true
	f.Values = append(f.Values, Value{0, line})
}

// TestLookUps: every value is found in just the frames that hold it, and few
// others are found at all.
func TestLookUps(t *testing.T) {
	var raw bytes.Buffer
	for i := range 60_000 {
		fmt.Fprintf(&raw, "%d\n", i*i%40_000_003)
	}
	var out bytes.Buffer
	if _, err := Write(&out, bytes.NewReader(raw.Bytes()), Source{Extract: manyFields{}}, WriteOptions{FrameBytes: 8192}); err != nil {
		t.Fatal(err)
	}
	r := open(t, out.Bytes())
	want := map[string]Set{}
	off := 0
	for line := range bytes.SplitSeq(bytes.TrimSuffix(raw.Bytes(), lf), lf) {
		s, ok := want[string(line)]
		if !ok {
			s = newSet(len(r.Frames()))
			want[string(line)] = s
		}
		s.add(r.FrameAt(int64(off)))
		off += len(line) + 1
	}
	more := 0
	for v, s := range want {
		got, indexed := r.MayMatch("k", v)
		if !indexed {
			t.Fatal(r.Damage())
		}
		for i := range r.Frames() {
			if s.Has(i) && !got.Has(i) {
				t.Fatalf("%s is not found in frame %d", v, i)
			}
		}
		more += got.Len() - s.Len()
	}
	if more > 2*len(want)>>r.x.post.keyBits+5 {
		t.Errorf("%d frames too many", more)
	}
	hits := 0
	for i := range 100_000 {
		if set, _ := r.MayMatch("k", fmt.Sprint("no", i)); !set.Empty() {
			hits++
		}
	}
	t.Logf("%d values, %d frames, %d bytes of postings, %d false hits in 100,000", len(want), len(r.Frames()), r.t.postings, hits)
	if hits > 100_000>>(r.x.post.keyBits-2) {
		t.Errorf("%d false hits with %d bits", hits, r.x.post.keyBits)
	}
}

// TestPostingsModel holds packed postings against a map, keys that fall
// together and frames in any number included.
func TestPostingsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frames := rapid.IntRange(1, 300).Draw(t, "frames")
		near := rapid.Bool().Draw(t, "near") // keys that share a bucket
		want := map[uint64]map[int]bool{}
		var pairs []uint64
		for range rapid.IntRange(0, 400).Draw(t, "pairs") {
			key := rapid.Uint64().Draw(t, "key")
			if near {
				key = key%8<<40 | 0xffff
			}
			key &^= 0xffff
			frame := rapid.IntRange(0, frames-1).Draw(t, "frame")
			pairs = append(pairs, pair(key, frame))
			if want[key] == nil {
				want[key] = map[int]bool{}
			}
			want[key][frame] = true
		}
		slices.Sort(pairs)
		p, blob, ends := buildPostings(slices.Compact(pairs), frames, int64(rapid.IntRange(0, 1<<20).Draw(t, "data")))
		for key, in := range want {
			n, low := p.place(key)
			start := uint32(0)
			if n > 0 {
				start = ends[n-1]
			}
			set := newSet(frames)
			if err := p.find(n, low, blob[start:ends[n]], set); err != nil {
				t.Fatal(err)
			}
			for f := range in {
				if !set.Has(f) {
					t.Fatalf("key %x is not found in frame %d", key, f)
				}
			}
			if !near && set.Len() != len(in) && p.keyBits == maxKeyBits {
				t.Logf("%d frames instead of %d", set.Len(), len(in))
			}
		}
		if len(ends) > 0 && int(ends[len(ends)-1]) != len(blob) {
			t.Fatal("bytes that belong to no bucket")
		}
	})
}

func TestRangeMeets(t *testing.T) {
	for _, c := range []struct {
		r        Range
		min, max int64
		want     bool
	}{
		{Range{}, 5, 6, true}, {Range{1, 4}, 5, 6, false}, {Range{1, 5}, 5, 6, true}, {Range{7, 9}, 5, 6, false},
		{Range{math.MinInt64, 5}, 5, 6, true}, {Range{6, math.MaxInt64}, math.MinInt64, math.MaxInt64, true},
	} {
		if got := c.r.meets(c.min, c.max); got != c.want {
			t.Errorf("%v meets %d…%d: %v", c.r, c.min, c.max, got)
		}
	}
}
