package archive

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var errSum = errors.New("the checksum is wrong")

const (
	trailerMagic = "stgytrl1"
	trailerSize  = 8 + 8 + 8 + 4 + 4 + 4*12 + 4
)

// trailer ends the index and says where its parts stand.
type trailer struct {
	payload                uint64 // of the skippable frame, trailer included
	data                   uint64 // the frames before it
	last                   uint32 // content checksum of the last of them: whose index this is
	postings               uint32
	odd, runs, dir, table  section
	postingsAt, oddAt      int64 // in the file
	runsAt, dirAt, tableAt int64
}

func (t *trailer) appendTo(b []byte) []byte {
	start := len(b)
	b = append(b, trailerMagic...)
	b = binary.LittleEndian.AppendUint64(b, t.payload)
	b = binary.LittleEndian.AppendUint64(b, t.data)
	b = binary.LittleEndian.AppendUint32(b, t.last)
	b = binary.LittleEndian.AppendUint32(b, t.postings)
	for _, s := range []section{t.odd, t.runs, t.dir, t.table} {
		b = binary.LittleEndian.AppendUint32(b, s.size)
		b = binary.LittleEndian.AppendUint32(b, s.raw)
		b = binary.LittleEndian.AppendUint32(b, s.crc)
	}
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// parseTrailer reads the trailer of an index that ends at offset end of the
// file, and holds its sizes against each other.
func parseTrailer(b []byte, end int64) (t trailer, err error) {
	if len(b) != trailerSize || string(b[:8]) != trailerMagic {
		return t, errors.New("no index trailer")
	}
	if crc32.Checksum(b[:trailerSize-4], castagnoli) != binary.LittleEndian.Uint32(b[trailerSize-4:]) {
		return t, errSum
	}
	p := parser{b: b[8:]}
	t.payload, t.data, t.last, t.postings = p.u64(), p.u64(), p.u32(), p.u32()
	for _, s := range []*section{&t.odd, &t.runs, &t.dir, &t.table} {
		s.size, s.raw, s.crc = p.u32(), p.u32(), p.u32()
		if s.raw < s.size || s.raw > maxContent {
			return t, errors.New("a section of impossible size")
		}
	}
	t.postingsAt = int64(t.data) + skippableHead + int64(len(indexHead))
	t.oddAt = t.postingsAt + int64(t.postings)
	t.runsAt = t.oddAt + int64(t.odd.size)
	t.dirAt = t.runsAt + int64(t.runs.size)
	t.tableAt = t.dirAt + int64(t.dir.size)
	if t.data > 1<<60 || t.payload > maxIndex*2 || t.tableAt+int64(t.table.size)+trailerSize != end ||
		end-int64(t.data)-skippableHead != int64(t.payload) {
		return t, errors.New("sizes that do not fit the file")
	}
	return t, nil
}
