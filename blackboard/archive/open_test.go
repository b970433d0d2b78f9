package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
)

// allLines reads every line through DecodeLines, frame by frame in that order,
// and puts them together by where they stand.
func allLines(t rapid.TB, r *Reader, size int, order func(n int) []int) []byte {
	t.Helper()
	got := make([]byte, size)
	var buf []byte
	n := 0
	for _, i := range order(len(r.Frames())) {
		c, err := r.DecodeLines(i, buf)
		if err != nil {
			t.Fatal(err)
		}
		if c.Cut {
			t.Fatalf("frame %d is cut", i)
		}
		n += copy(got[c.Offset:], c.Bytes)
		buf = c.Bytes
	}
	return got[:n]
}

func forward(n int) (order []int) {
	for i := range n {
		order = append(order, i)
	}
	return order
}

func backward(n int) (order []int) {
	for i := range n {
		order = append(order, n-1-i)
	}
	return order
}

// without gives the archive in every way in which its index can be of no use.
func without(file []byte, data int64) map[string][]byte {
	trailer := bytes.LastIndex(file, []byte(trailerMagic))
	flip := func(at int) []byte {
		b := bytes.Clone(file)
		b[at] ^= 0x10
		return b
	}
	return map[string][]byte{
		"no index":            file[:data],
		"no seek table":       file[:trailer+trailerSize],
		"a cut index":         file[:(int(data)+trailer)/2],
		"a damaged trailer":   flip(trailer + 20),
		"a damaged table":     flip(trailer - 3),
		"a damaged seek":      flip(len(file) - 2),
		"a damaged head":      flip(int(data) + 9),
		"a damaged frame":     flip(int(data) + 1),
		"something behind it": append(bytes.Clone(file), 0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 7),
		"garbage behind it":   append(bytes.Clone(file), "garbage"...),
		"another beside it":   append(bytes.Clone(file[:data]), file[data:]...),
	}
}

// TestWithoutIndex: whatever happens to the index, the lines are the same.
func TestWithoutIndex(t *testing.T) {
	reg, checker := testContracts(t)
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t, checker)
		file, w := m.write(t, reg, checker, WriteOptions{FrameBytes: 512})
		if len(m.raw) == 0 {
			return
		}
		for name, b := range without(file, w.DataBytes) {
			r, err := Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if got := allLines(t, r, len(m.raw), forward); !bytes.Equal(got, m.raw) {
				t.Fatalf("%s: %d bytes of lines instead of %d", name, len(got), len(m.raw))
			}
			if r.Damage() == nil && name != "another beside it" && name != "a damaged head" {
				t.Fatalf("%s: not told", name)
			}
			u, err := r.Unindexed()
			if err != nil {
				t.Fatal(err)
			}
			if got := allLines(t, u, len(m.raw), backward); !bytes.Equal(got, m.raw) {
				t.Fatalf("%s, backward: %d bytes of lines instead of %d", name, len(got), len(m.raw))
			}
			if u.Indexed() || !u.Select(Want{Topics: topicSet{}}).Has(0) {
				t.Fatalf("%s: something is excluded without an index", name)
			}
		}
	})
}

// TestForeignIndex puts one archive's index behind another's frames.
func TestForeignIndex(t *testing.T) {
	reg, checker := testContracts(t)
	make := func(topic string) ([]byte, Written) {
		var raw bytes.Buffer
		for i := range 200 {
			fmt.Fprintf(&raw, "{\"type\":%q,\"data\":{\"n\":%d}}\n", topic, i)
		}
		return newModel(raw.Bytes(), nil, checker).write(t, reg, checker, WriteOptions{FrameBytes: 2048})
	}
	a, wa := make("aaa")
	b, wb := make("bbb")
	swapped := append(bytes.Clone(a[:wa.DataBytes]), b[wb.DataBytes:]...)
	r := open(t, swapped)
	if r.Indexed() || r.Damage() == nil {
		t.Error("another archive's index is believed")
	}
	if wa.DataBytes != wb.DataBytes {
		t.Logf("the frames differ in size: %d and %d", wa.DataBytes, wb.DataBytes)
	}
	// The last frame is right, another is not: found when it is decoded.
	last := open(t, a).Frames()
	f := last[0]
	swapped = append(bytes.Clone(b[:f.Size]), a[f.Size:]...)
	if _, err := open(t, swapped).DecodeFrame(0, nil); err == nil {
		t.Error("a frame of another archive is decoded as this one's")
	}
}

// TestLongLines: long lines are cut; what they are does not depend on the index.
func TestLongLines(t *testing.T) {
	reg, _ := testContracts(t)
	event := func(n int) string {
		return `{"type":"long.one","data":{"plan_id":"in-a-long-line","text":"` + strings.Repeat("0123456789abcdef", n/16) + `"}}`
	}
	for _, c := range []struct {
		name    string
		maxLine int
		want    LineKind
	}{{"allowed", 32 << 20, Event}, {"too long", 1 << 20, Refused}} {
		checker := &contracts.Checker{Registry: reg, MaxLine: c.maxLine}
		raw := []byte("{\"type\":\"a\"}\n" + event(9<<20) + "\n{\"type\":\"b\"}\n" + event(5<<20) + "\n" + event(3<<20) + "\n{\"type\":\"c\"}\n")
		m := newModel(raw, []Run{{Seq: 4, Lines: 2}, {Seq: 8, Lines: 4}}, checker)
		file, w := m.write(t, reg, checker, WriteOptions{})
		r := open(t, file)
		if err := r.Damage(); err != nil {
			t.Fatal(err)
		}
		if w.Lines != 6 || w.Events != map[LineKind]int64{Event: 6, Refused: 3}[c.want] {
			t.Errorf("%s: %d lines, %d events", c.name, w.Lines, w.Events)
		}
		set, _ := r.MayMatch("plan_id", "in-a-long-line")
		if want := map[LineKind]int{Event: 3, Refused: 0}[c.want]; set.Len() != want {
			t.Errorf("%s: in %d frames instead of %d", c.name, set.Len(), want)
		}
		lines, cut := 0, 0
		for i := range r.Frames() {
			ch, err := r.DecodeLines(i, nil)
			if err != nil {
				t.Fatal(err)
			}
			lines += bytes.Count(ch.Bytes, lf)
			if ch.Cut {
				cut++
			}
			if f := r.Frames()[i]; f.RawSize > MaxFrame || f.Part == First && !bytes.HasPrefix(raw[f.RawOffset:], ch.Bytes) {
				t.Errorf("%s: frame %d: %+v", c.name, i, f)
			}
		}
		if lines+cut != 6 || cut != map[LineKind]int{Event: 0, Refused: 2}[c.want] {
			t.Errorf("%s: %d lines and %d cut ones", c.name, lines, cut)
		}
		u, err := r.Unindexed()
		if err != nil {
			t.Fatal(err)
		}
		for _, order := range []func(int) []int{forward, backward} {
			if !bytes.Equal(allLines(t, u, len(raw), order), raw) {
				t.Errorf("%s: without index the lines are others", c.name)
			}
		}
		rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(raw), Extract: NewExtractor(Contracts{Registry: reg, Checker: checker})})
		if err != nil || rep.Err() != nil {
			t.Error(err, rep.Problems)
		}
	}
}

// TestUnfinishedLongLine: a line that never ends is in the file and no line.
func TestUnfinishedLongLine(t *testing.T) {
	raw := append([]byte("{\"type\":\"a\"}\n"), bytes.Repeat([]byte("z"), 6<<20)...)
	reg, checker := testContracts(t)
	file, w := newModel(raw, nil, checker).write(t, reg, checker, WriteOptions{})
	if w.Lines != 1 || w.Refused != 0 || w.RawBytes != int64(len(raw)) {
		t.Errorf("%+v", w.Summary)
	}
	if rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(raw)}); err != nil || rep.Err() != nil {
		t.Error(err, rep.Problems)
	}
}

func TestEmptySegment(t *testing.T) {
	reg, checker := testContracts(t)
	file, w := newModel(nil, nil, checker).write(t, reg, checker, WriteOptions{})
	r := open(t, file)
	if r.Damage() != nil || !r.Indexed() || len(r.Frames()) != 0 || w.Lines != 0 {
		t.Errorf("%v, %+v", r.Damage(), w.Summary)
	}
	if !r.Select(Want{Fields: []Field{{"plan_id", "x"}}}).Empty() {
		t.Error("something in nothing")
	}
	if rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: sealOf(nil)}); err != nil || rep.Err() != nil {
		t.Error(err, rep.Problems)
	}
}

// resum makes the trailer's checksums right again, as a liar would.
func resum(file []byte) {
	at := bytes.LastIndex(file, []byte(trailerMagic))
	if at < 0 || at+trailerSize > len(file) {
		return
	}
	b := file[at : at+trailerSize]
	p := parser{b: b[16:]}
	off := int64(p.u64()) + skippableHead + int64(len(indexHead))
	p.u32()
	off += int64(p.u32())
	for i := range 4 {
		size := int64(binary.LittleEndian.Uint32(b[32+12*i:]))
		if off >= 0 && off+size <= int64(at) {
			binary.LittleEndian.PutUint32(b[32+12*i+8:], crc32.Checksum(file[off:off+size], castagnoli))
		}
		off += size
	}
	binary.LittleEndian.PutUint32(b[trailerSize-4:], crc32.Checksum(b[:trailerSize-4], castagnoli))
}

// TestLyingIndex changes each byte of the index in turn and makes the
// checksums right: nothing may panic, and the bytes that come back are the
// segment's or an error.
func TestLyingIndex(t *testing.T) {
	reg, checker := testContracts(t)
	raw := []byte(strings.Repeat("{\"type\":\"a\",\"data\":{\"plan_id\":\"p1\"}}\nnonsense\n", 40))
	m := newModel(raw, []Run{{Seq: 1, Time: 5, Lines: 80}}, checker)
	file, w := m.write(t, reg, checker, WriteOptions{FrameBytes: 512, IDs: true})
	for at := int(w.DataBytes) + skippableHead; at < len(file); at++ {
		for _, x := range []byte{1, 0x80, 0xff} {
			b := bytes.Clone(file)
			b[at] ^= x
			resum(b)
			r, err := Open(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				continue
			}
			poke(t, r, raw)
		}
	}
}

// poke asks a reader everything. What it decodes must be the segment's.
func poke(t rapid.TB, r *Reader, raw []byte) {
	t.Helper()
	for i := range r.Frames() {
		r.Runs(i, nil)
		r.Odd(i, nil)
		b, err := r.DecodeFrame(i, nil)
		if err == nil && raw != nil && !bytes.Contains(raw, b) {
			t.Fatalf("frame %d: other bytes", i)
		}
		r.DecodeLines(i, nil)
	}
	r.Select(Want{Fields: []Field{{"plan_id", "p1"}, {"id", "x"}}, Topics: topicSet{"a": true}, Time: Range{1, 2}, Seq: Range{1, 2}})
	r.MayMatch("subject", "nothing")
	r.FrameAt(1 << 40)
	r.FrameAt(-1)
	s := r.Summary()
	s.Count(nil)
}
