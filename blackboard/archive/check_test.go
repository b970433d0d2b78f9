package archive

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// smallArchive has everything an archive can have in as few bytes as possible.
func smallArchive(t testing.TB) (raw, file []byte, w Written, x Extractor) {
	t.Helper()
	reg, checker := testContracts(t)
	var b bytes.Buffer
	for i := range 24 {
		fmt.Fprintf(&b, "{\"type\":\"build.done\",\"id\":\"i%d\",\"data\":{\"plan_id\":\"p%d\",\"n\":%d}}\n", i, i/5, i*i)
	}
	b.WriteString("\nnonsense\n")
	b.WriteString("{\"type\":\"cut.short\",\"data\":{\"a\":12{\"type\":\"a\",\"data\":{}}\n")
	m := newModel(b.Bytes(), []Run{{Seq: 10, Time: 1e18, Lines: 20}, {Seq: 12, Time: 2e18, Lines: 7}}, checker)
	file, w = m.write(t, reg, checker, WriteOptions{FrameBytes: 600, IDs: true})
	return m.raw, file, w, NewExtractor(Contracts{Registry: reg, Checker: checker})
}

// TestEveryBit flips every single bit of an archive: each is found, without the
// segment's seal.
func TestEveryBit(t *testing.T) {
	_, file, w, _ := smallArchive(t)
	t.Logf("%d bytes, %d frames, %d of index", len(file), w.Frames, w.IndexBytes)
	b := bytes.Clone(file)
	where := map[string]int{}
	for bit := range len(file) * 8 {
		b[bit/8] ^= 1 << (bit % 8)
		rep, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Problems) == 0 {
			t.Errorf("bit %d of byte %d (frames end at %d): not found", bit%8, bit/8, w.DataBytes)
		} else {
			what, _, _ := strings.Cut(rep.Problems[0].What, ":")
			what, _, _ = strings.Cut(what, " ")
			where[what]++
		}
		b[bit/8] ^= 1 << (bit % 8)
	}
	t.Log(where)
	if where["frame"] == 0 || where["index"] == 0 || where["seek"] == 0 {
		t.Error("places are not told")
	}
}

// TestEveryLength cuts an archive at every length, and adds to it.
func TestEveryLength(t *testing.T) {
	raw, file, w, _ := smallArchive(t)
	for n := range len(file) {
		rep, err := CheckAt(bytes.NewReader(file[:n]), int64(n), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(rep.Problems) == 0 {
			t.Errorf("cut at %d of %d (frames end at %d): not found", n, len(file), w.DataBytes)
		}
		if r, err := Open(bytes.NewReader(file[:n]), int64(n)); err == nil {
			poke(t, r, raw)
			if int64(n) < w.DataBytes && r.Lost() == nil && len(r.Frames()) == w.Frames {
				t.Errorf("cut at %d: nothing is lost", n)
			}
		}
	}
	for _, more := range []string{"\x00", "x", "\x50\x2a\x4d\x18\x00\x00\x00\x00", strings.Repeat("y", 1<<20)} {
		b := append(bytes.Clone(file), more...)
		if rep, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{}); err != nil || len(rep.Problems) == 0 {
			t.Errorf("%d more bytes: not found", len(more))
		}
	}
}

// TestCheckTellsWhere names the frame and the place.
func TestCheckTellsWhere(t *testing.T) {
	raw, file, w, x := smallArchive(t)
	path := filepath.Join(t.TempDir(), "00000003.jsonl.zst")
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(file)
	seal := sealOf(raw)
	rep, err := Check(path, CheckOptions{Seal: seal, Extract: x, DataSHA256: &w.DataSHA256})
	if err != nil || rep.Err() != nil || rep.Seal != *seal || rep.Summary.Lines != 27 || rep.Summary.Recovered != 1 {
		t.Fatal(err, rep)
	}
	f := open(t, file).Frames()[1]
	b := bytes.Clone(file)
	b[f.Offset+f.Size/2] ^= 4
	write(b)
	rep, err = Check(path, CheckOptions{})
	if err != nil || rep.Err() == nil || rep.Problems[0].Offset != f.Offset || !strings.HasPrefix(rep.Problems[0].What, "frame 1:") {
		t.Error(err, rep.Problems)
	}
	// The frames before and behind it are still read.
	for i, want := range []bool{true, false, true} {
		if _, err := open(t, b).DecodeFrame(i, nil); (err == nil) != want {
			t.Errorf("frame %d: %v", i, err)
		}
	}
	if _, err := Check(filepath.Join(t.TempDir(), "none"), CheckOptions{}); err == nil {
		t.Error("no error without a file")
	}
}

// TestCheckAgainst holds an archive against what it is not.
func TestCheckAgainst(t *testing.T) {
	raw, file, _, _ := smallArchive(t)
	other := sealOf(append(bytes.Clone(raw), '\n'))
	other.Lines--
	for _, change := range []func(s *Seal){
		func(s *Seal) { *s = *other }, func(s *Seal) { s.Lines++ }, func(s *Seal) { s.Bytes-- },
		func(s *Seal) { s.SHA256[31]++ }, func(s *Seal) { s.Root[0]++ },
	} {
		seal := *sealOf(raw)
		change(&seal)
		rep, err := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{Seal: &seal})
		if err != nil || rep.Err() == nil || !strings.Contains(rep.Err().Error(), "seal: ") {
			t.Error(err, rep.Problems)
		}
	}
	rep, _ := CheckAt(bytes.NewReader(file), int64(len(file)), CheckOptions{DataSHA256: new([32]byte), Lane: "agents/8", Segment: 3})
	if len(rep.Problems) != 2 {
		t.Error(rep.Problems)
	}
}

// TestLyingIndexIsFound: an index with good checksums that says what is not so.
func TestLyingIndexIsFound(t *testing.T) {
	reg, checker := testContracts(t)
	_, _, _, x := smallArchive(t)
	const n = 96
	line := func(text string) string {
		if !strings.Contains(text, `"time"`) {
			text = strings.Replace(text, "{", `{"time":"2026-01-26T00:00:00Z",`, 1)
		}
		return text + strings.Repeat(" ", n-1-len(text)) + "\n"
	}
	truth := newModel([]byte(strings.Repeat(line(`{"type":"aa","data":{"plan_id":"p1"}}`), 30)), nil, checker)
	for name, lie := range map[string]string{
		"topic":   line(`{"type":"bb","data":{"plan_id":"p1"}}`),
		"value":   line(`{"type":"aa","data":{"plan_id":"p2"}}`),
		"refusal": strings.Repeat("x", n-1) + "\n",
		"blank":   line(""),
		"time":    line(`{"type":"aa","time":"2026-01-01T00:00:00Z"}`),
		"id":      line(`{"type":"aa","id":"x","data":{"plan_id":"p1"}}`),
		"line":    "{}\n" + line(`   {"type":"aa"}`)[3:],
	} {
		lied := bytes.Clone(truth.raw)
		copy(lied[n*7:], lie)
		file, w := truth.write(t, reg, checker, WriteOptions{FrameBytes: 512})
		// An index made of other lines, bound to these frames.
		col := newCollector(Source{Lane: testLane, Segment: testSegment, Extract: x}, false)
		fd := newFeeder(col)
		for i, f := range open(t, file).Frames() {
			if err := fd.frame(lied[f.RawOffset:f.RawOffset+f.RawSize], f.RawOffset, i == w.Frames-1); err != nil {
				t.Fatal(err)
			}
			g := &col.frames[i]
			g.Offset, g.Size, g.checksum, g.crc = f.Offset, f.Size, f.checksum, f.crc
		}
		enc, err := newEncoder("default", 1, defaultFrame)
		if err != nil {
			t.Fatal(err)
		}
		index := newIndex(col)
		b, err := index.append(bytes.Clone(file[:w.DataBytes]), enc)
		if err != nil {
			t.Fatal(err)
		}
		b = appendSeekTable(b, index.frames)
		if r := open(t, b); r.Damage() != nil {
			t.Fatal(name, r.Damage())
		}
		rep, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{Extract: x})
		if err != nil || rep.Err() == nil || !strings.Contains(fmt.Sprint(rep.Problems), "index: ") {
			t.Errorf("%s: %v %v", name, err, rep.Problems)
		}
	}
}

// TestSealer cuts bytes anyhow; the seal is that of the whole.
func TestSealer(t *testing.T) {
	raw := []byte("one\n\ntwo two\nthree three three\nunfinished")
	want := sealOf(raw)
	if want.Lines != 4 || want.Bytes != int64(len(raw)) {
		t.Errorf("%+v", want)
	}
	for n := 1; n < len(raw); n++ {
		s := newSealer()
		for rest := raw; len(rest) > 0; rest = rest[min(n, len(rest)):] {
			s.Write(rest[:min(n, len(rest))])
		}
		if s.done() != *want {
			t.Errorf("in pieces of %d: another seal", n)
		}
	}
}
