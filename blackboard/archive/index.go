package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// The index is the payload of a skippable frame:
//
//	"stgyidx1"
//	postings   buckets, each with its own checksum (postings.go)
//	odd        the lines that are no plain events, by frame (runs.go)
//	runs       the journal entries, by frame (runs.go)
//	directory  where each bucket ends, 4 bytes each
//	table      lane, segment, fields, topics, frames (table.go)
//	trailer    the sizes and checksums of these, and its own (trailer.go)
//
// odd, runs and table are one zstd frame each where that is much shorter. What is
// needed first stands last, so that one read of the file's end fetches it.
const (
	skippableMagic = 0x184D2A50 // and the 15 numbers after it
	indexMagic     = 0x184D2A51
	seekMagic      = 0x184D2A5E
	skippableHead  = 8
	indexHead      = "stgyidx1"
	maxIndex       = 1 << 30
)

// index is what is written: the collector's findings with the frames' sizes.
type index struct {
	c      *collector
	frames []Frame
	post   postings
	blob   []byte
	ends   []uint32
	noRuns bool
}

// newIndex puts together what the collector found in the lines and what became
// of the frames.
func newIndex(c *collector) *index {
	x := &index{c: c, frames: c.frames}
	data := dataBytes(x.frames)
	if c.posted {
		slices.Sort(c.pairs)
		x.post, x.blob, x.ends = buildPostings(slices.Compact(c.pairs), len(x.frames), data)
		c.pairs = nil
	}
	x.noRuns = len(c.runs) > maxContent
	return x
}

// describe adds what the index says to a summary.
func (x *index) describe(s *Summary) {
	names := slices.Sorted(slices.Values(x.c.names))
	counts := make([]int64, len(names))
	for i := range x.frames {
		for _, t := range x.frames[i].Topics {
			n, _ := slices.BinarySearch(names, t.Topic)
			counts[n] += t.Count
		}
	}
	s.describe(x.c.src.Lane, x.c.src.Segment, x.frames, names, counts)
	s.Examined, s.Entries = x.c.examined, !x.noRuns
}

// dataBytes is where the frames end in the file.
func dataBytes(frames []Frame) int64 {
	if len(frames) == 0 {
		return 0
	}
	f := frames[len(frames)-1]
	return f.Offset + f.Size
}

// append writes the whole skippable frame. An index that would be absurdly
// large is left out: dst comes back as it was.
func (x *index) append(dst []byte, enc *encoder) ([]byte, error) {
	var t trailer
	table := x.appendTable(nil)
	odd, runs := x.c.odd, x.c.runs
	if x.noRuns {
		runs = nil
	}
	if len(x.frames) > maxFrames || len(table) > maxContent || len(odd) > maxContent || len(x.blob) > maxIndex {
		return dst, nil
	}
	start := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, indexMagic)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, indexHead...)
	dst = append(dst, x.blob...)
	t.postings = uint32(len(x.blob))
	dst = t.odd.append(dst, odd, enc)
	dst = t.runs.append(dst, runs, enc)
	dst = t.dir.append(dst, directory(x.ends), nil)
	dst = t.table.append(dst, table, enc)
	t.data = uint64(dataBytes(x.frames))
	if n := len(x.frames); n > 0 {
		t.last = x.frames[n-1].checksum
	}
	t.payload = uint64(len(dst) - start - skippableHead + trailerSize)
	dst = t.appendTo(dst)
	if size := len(dst) - start - skippableHead; uint64(size) != t.payload {
		return nil, fmt.Errorf("writing an index: %d bytes instead of %d", size, t.payload)
	}
	binary.LittleEndian.PutUint32(dst[start+4:], uint32(t.payload))
	return dst, nil
}

func directory(ends []uint32) []byte {
	b := make([]byte, 0, 4*len(ends))
	for _, e := range ends {
		b = binary.LittleEndian.AppendUint32(b, e)
	}
	return b
}

// section is where one part of the index stands and what it must be.
type section struct {
	size uint32 // as stored
	raw  uint32 // unpacked; equal to size: stored as it is
	crc  uint32 // CRC-32C of the stored bytes
}

// append packs b where that helps and enc is given.
func (s *section) append(dst, b []byte, enc *encoder) []byte {
	s.raw = uint32(len(b))
	if enc != nil && len(b) > 0 {
		if packed := enc.frame(nil, b); len(packed) < len(b)*3/4 { // else not worth the time to unpack
			b = packed
		}
	}
	s.size, s.crc = uint32(len(b)), crc32.Checksum(b, castagnoli)
	return append(dst, b...)
}

// unpack verifies and unpacks a section's stored bytes.
func (s *section) unpack(d *Decoder, b []byte) ([]byte, error) {
	if crc32.Checksum(b, castagnoli) != s.crc {
		return nil, errSum
	}
	if s.raw == s.size {
		return b, nil
	}
	return d.decode(nil, b, int64(s.raw))
}
