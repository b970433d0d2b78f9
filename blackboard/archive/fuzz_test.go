package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// FuzzIndex puts any bytes into the sections of an index, with checksums and
// sizes that are right.
func FuzzIndex(f *testing.F) {
	raw, file, w, _ := smallArchive(f)
	r := open(f, file)
	odd, err1 := r.load(&r.odd, &r.t.odd, r.t.oddAt, "odd")
	runs, err2 := r.load(&r.runs, &r.t.runs, r.t.runsAt, "runs")
	table := make([]byte, r.t.table.size)
	if err := errors.Join(err1, err2, readAt(r.f, table, r.t.tableAt)); err != nil {
		f.Fatal(err)
	}
	table, err := r.t.table.unpack(r.dec, table)
	if err != nil {
		f.Fatal(err)
	}
	blob := file[r.t.postingsAt:r.t.oddAt]
	data := file[:w.DataBytes]
	f.Add(table, blob[:len(blob)-4], odd, runs, uint16(0), uint16(0))
	f.Add(table, blob[:len(blob)-4], odd, runs, uint16(1), uint16(7))
	f.Fuzz(func(t *testing.T, table, blob, odd, runs []byte, at, flip uint16) {
		b := assemble(data, table, blob, odd, runs, r.t.last)
		n := len(data) + int(at)%(len(b)-len(data))
		b[n] ^= byte(flip)
		r, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		poke(t, r, raw)
		rep, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if byte(flip) != 0 && len(rep.Problems) == 0 {
			t.Fatalf("byte %d is changed, and nothing is wrong", n)
		}
	})
}

// assemble makes an archive of these parts, as if they were right; the
// postings are one bucket.
func assemble(data, table, blob, odd, runs []byte, last uint32) []byte {
	var t trailer
	b := bytes.Clone(data)
	b = binary.LittleEndian.AppendUint32(b, indexMagic)
	b = append(b, 0, 0, 0, 0)
	b = append(b, indexHead...)
	b = append(b, blob...)
	b = binary.LittleEndian.AppendUint32(b, bucketSum(0, blob))
	t.postings = uint32(len(blob)) + 4
	b = t.odd.append(b, odd, nil)
	b = t.runs.append(b, runs, nil)
	b = t.dir.append(b, directory([]uint32{t.postings}), nil)
	b = t.table.append(b, table, nil)
	t.data, t.last = uint64(len(data)), last
	t.payload = uint64(len(b) - len(data) - skippableHead + trailerSize)
	b = t.appendTo(b)
	binary.LittleEndian.PutUint32(b[len(data)+4:], uint32(t.payload))
	frames, _, _ := walk(bytes.NewReader(b), int64(len(data)))
	for i := range frames {
		f := &frames[i]
		f.checksum = binary.LittleEndian.Uint32(b[f.Offset+f.Size-4:])
	}
	return appendSeekTable(b, frames)
}

// FuzzSeekTable reads any bytes as a seek table, and as one behind frames
// without an index.
func FuzzSeekTable(f *testing.F) {
	raw, file, w, _ := smallArchive(f)
	table := file[len(file)-(17+12*w.Frames):]
	f.Add(table)
	f.Add(table[8:])
	f.Add(appendSeekTable(nil, nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, err := parseSeekTable(b, w.DataBytes)
		if err == nil {
			if n := dataBytes(frames); n > w.DataBytes {
				t.Fatalf("frames to byte %d of %d", n, w.DataBytes)
			}
		}
		for _, data := range [][]byte{file[:w.DataBytes], file[:w.DataBytes/2]} {
			whole := append(bytes.Clone(data), b...)
			if r, err := Open(bytes.NewReader(whole), int64(len(whole))); err == nil {
				poke(t, r, raw)
			}
		}
	})
}

// FuzzOpen opens any bytes.
func FuzzOpen(f *testing.F) {
	_, file, w, _ := smallArchive(f)
	f.Add(file)
	f.Add(file[:w.DataBytes])
	f.Add(file[w.DataBytes:])
	f.Add(bomb(3, -1, 17))
	f.Add(bomb(2, 2*maxBlock, 0))
	f.Add(bomb(2, 100, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		poke(t, r, nil)
		if _, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}
