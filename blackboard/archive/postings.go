package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/bits"
	"slices"
)

// Postings tell which frames hold a field with a value. A key is the hash of
// both; the sorted keys are cut into buckets of about bucketKeys, and a bucket
// is read alone: one pread answers for one value.
//
//	bucket   count (32 bits) · keys · frame lists · zero bits · CRC-32C
//	keys     differences of the keys within the bucket, Golomb-Rice coded
//	list     how many frames - 1, the first, differences - 1 to the next ones
//
// A key keeps about keyBits + 1.5 bits in the file, so a value that the archive
// does not hold is taken for one it does once in 2^keyBits look-ups.
type postings struct {
	keys    int64 // distinct ones
	buckets int64
	keyBits uint // 8 to 16, what the budget allows
	cntRice uint // parameters of the lists' codes
	gapRice uint
	frames  int
}

const (
	bucketKeys   = 128
	bucketBits   = 7 // log2
	minKeyBits   = 8
	maxKeyBits   = 16
	maxPostFrame = 1 << 16  // frame numbers have 16 bits while they are gathered
	maxPairs     = 4 << 20  // (key, frame) pairs of one archive: 32 MiB
	budget       = 3        // per cent of the frames' size that the postings should keep below
	bucketMin    = 4 + 4    // bytes of an empty bucket
	maxBucket    = 64 << 20 // bytes of one that is read
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// fieldKey is the hash of a field's value.
func fieldKey(field string, value []byte, buf []byte) (uint64, []byte) {
	buf = append(append(append(buf[:0], field...), 0), value...)
	return xxh64(buf, 0), buf
}

// pair packs a key's upper 48 bits and a frame, so that pairs sort by key.
func pair(key uint64, frame int) uint64 { return key&^0xffff | uint64(frame) }

// place is the bucket of a key and its number within the bucket. Places order
// as keys do.
func (p *postings) place(key uint64) (bucket int64, low uint64) {
	hi, lo := bits.Mul64(key&^0xffff, uint64(p.buckets))
	return int64(hi), lo >> (64 - bucketBits - p.keyBits)
}

// firstBits is the width of a list's first frame.
func (p *postings) firstBits() uint { return uint(bits.Len(uint(p.frames - 1))) }

// bucketSum is the checksum of a bucket, which holds at its own place only.
func bucketSum(bucket int64, b []byte) uint32 {
	var n [8]byte
	binary.LittleEndian.PutUint64(n[:], uint64(bucket))
	return crc32.Update(crc32.Checksum(n[:], castagnoli), castagnoli, b)
}

// postingsBuilder turns sorted pairs into buckets.
type postingsBuilder struct {
	postings
	pairs []uint64
	lows  []uint64 // of the bucket in hand
	lists [][2]int // its lists as ranges of frames
	flat  []uint16
}

// buildPostings chooses the parameters and packs sorted pairs without repeats.
// data is the size of the frames, for the budget.
func buildPostings(pairs []uint64, frames int, data int64) (p postings, blob []byte, ends []uint32) {
	b := &postingsBuilder{pairs: pairs}
	b.frames = frames
	listBits := b.measure()
	b.buckets = (b.keys + bucketKeys - 1) / bucketKeys
	b.keyBits = minKeyBits
	for k := uint(maxKeyBits); k > minKeyBits; k-- {
		if (listBits+b.keys*int64(k+2))/8+b.buckets*12 <= data*budget/100 {
			b.keyBits = k
			break
		}
	}
	w := bitWriter{b: make([]byte, 0, (listBits+b.keys*int64(b.keyBits+2))/8+b.buckets*8)}
	ends = make([]uint32, 0, b.buckets)
	for n := int64(0); n < b.buckets; n++ {
		start := len(w.b)
		b.bucket(&w, n)
		w.b = binary.LittleEndian.AppendUint32(w.b, bucketSum(n, w.b[start:]))
		ends = append(ends, uint32(len(w.b)))
	}
	return b.postings, w.b, ends
}

// measure counts the keys and chooses the codes of the lists; it returns how
// many bits all lists take.
func (b *postingsBuilder) measure() int64 {
	var counts, gaps [256]int
	for i := 0; i < len(b.pairs); {
		j := i + 1
		for j < len(b.pairs) && b.pairs[j]>>16 == b.pairs[i]>>16 {
			gaps[min(b.pairs[j]-b.pairs[j-1]-1, 255)]++
			j++
		}
		counts[min(j-i-1, 255)]++
		b.keys++
		i = j
	}
	b.cntRice, b.gapRice = bestRice(counts[:]), bestRice(gaps[:])
	sum := b.keys * int64(b.firstBits())
	for v := range 256 {
		sum += int64(counts[v]*riceLen(uint64(v), b.cntRice) + gaps[v]*riceLen(uint64(v), b.gapRice))
	}
	return sum
}

// bucket takes the pairs of bucket n off and writes it.
func (b *postingsBuilder) bucket(w *bitWriter, n int64) {
	b.lows, b.lists, b.flat = b.lows[:0], b.lists[:0], b.flat[:0]
	for len(b.pairs) > 0 {
		at, low := b.place(b.pairs[0])
		if at != n {
			break
		}
		b.key(low)
	}
	w.put(uint64(len(b.lows)), 32)
	prev := uint64(0)
	for _, low := range b.lows {
		w.rice(low-prev, b.keyBits)
		prev = low
	}
	for _, l := range b.lists {
		b.list(w, b.flat[l[0]:l[1]])
	}
	w.flush()
}

// key takes the pairs off that fall on one place: one key's, as a rule.
func (b *postingsBuilder) key(low uint64) {
	start, bucket := len(b.flat), int64(-1)
	keys := 0
	for len(b.pairs) > 0 {
		at, l := b.place(b.pairs[0])
		if bucket < 0 {
			bucket = at
		}
		if at != bucket || l != low {
			break
		}
		if len(b.flat) == start || b.flat[len(b.flat)-1] >= uint16(b.pairs[0]) {
			keys++
		}
		b.flat = append(b.flat, uint16(b.pairs[0]))
		b.pairs = b.pairs[1:]
	}
	if keys > 1 { // several keys fell together: one list for all
		slices.Sort(b.flat[start:])
		b.flat = b.flat[:start+len(slices.Compact(b.flat[start:]))]
	}
	b.lows = append(b.lows, low)
	b.lists = append(b.lists, [2]int{start, len(b.flat)})
}

func (b *postingsBuilder) list(w *bitWriter, frames []uint16) {
	w.rice(uint64(len(frames)-1), b.cntRice)
	w.put(uint64(frames[0]), b.firstBits())
	for i, f := range frames[1:] {
		w.rice(uint64(f-frames[i]-1), b.gapRice)
	}
}

// find adds the frames of a key to set, from the bucket's bytes (without the
// pad, which buf must have room for). It reports damage.
func (p *postings) find(bucket int64, low uint64, b []byte, set Set) error {
	if len(b) < bucketMin {
		return fmt.Errorf("bucket %d: %d bytes: too short", bucket, len(b))
	}
	body := b[: len(b)-4 : len(b)-4]
	if sum := binary.LittleEndian.Uint32(b[len(b)-4:]); sum != bucketSum(bucket, body) {
		return fmt.Errorf("bucket %d: the checksum is wrong", bucket)
	}
	r := newBitReader(body)
	at, n, ok := p.search(&r, low)
	if !ok || r.bad {
		if r.bad {
			return fmt.Errorf("bucket %d: cut short", bucket)
		}
		return nil
	}
	return p.lists(&r, bucket, at, n, set)
}

// search looks for a key among the bucket's; it is the at-th of n.
func (p *postings) search(r *bitReader, low uint64) (at, n int, ok bool) {
	n = int(r.get(32))
	if n > r.end {
		r.bad = true
		return 0, 0, false
	}
	key, at := uint64(0), -1
	for i := range n {
		key += r.rice(p.keyBits)
		if r.bad {
			return 0, n, false
		}
		if key == low {
			at, ok = i, true
		}
		if key > low && !ok {
			return 0, n, false
		}
	}
	return at, n, ok
}

// lists reads the bucket's lists up to the at-th and adds that to set.
func (p *postings) lists(r *bitReader, bucket int64, at, n int, set Set) error {
	for i := 0; i <= at; i++ {
		count := r.rice(p.cntRice) + 1
		frame := r.get(p.firstBits())
		for j := uint64(0); ; j++ {
			if r.bad || frame >= uint64(p.frames) {
				return fmt.Errorf("bucket %d: a list that is none", bucket)
			}
			if i == at {
				set.add(int(frame))
			}
			if j+1 >= count {
				break
			}
			frame += r.rice(p.gapRice) + 1
		}
	}
	return nil
}
