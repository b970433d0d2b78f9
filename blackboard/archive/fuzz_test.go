package archive

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// FuzzIndex changes the index and the seek table; its checksums are made right
// again, so that what stands behind them is reached.
func FuzzIndex(f *testing.F) {
	raw, file, w, _ := smallArchive(f)
	data := file[:w.DataBytes]
	f.Add(file[w.DataBytes:], true)
	f.Add(file[w.DataBytes:], false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, index []byte, honest bool) {
		b := append(bytes.Clone(data), index...)
		if !honest {
			resum(b)
			rebucket(b)
		}
		r, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		poke(t, r, raw)
		rep, err := CheckAt(bytes.NewReader(b), int64(len(b)), CheckOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if honest && len(rep.Problems) == 0 && !bytes.Equal(b, file) {
			t.Fatalf("nothing is wrong with another index: % x", index)
		}
	})
}

// rebucket makes the checksum of the first bucket right.
func rebucket(file []byte) {
	r, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil || r.x == nil || len(r.dir) < 4 {
		return
	}
	end := int64(binary.LittleEndian.Uint32(r.dir))
	if end < bucketMin || end > int64(r.t.postings) {
		return
	}
	b := file[r.t.postingsAt : r.t.postingsAt+end]
	binary.LittleEndian.PutUint32(b[end-4:], bucketSum(0, b[:end-4]))
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
