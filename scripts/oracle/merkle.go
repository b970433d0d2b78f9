package oracle

import "crypto/sha256"

// tree is RFC 6962, section 2.1, as the text has it: leaves are hashed with a
// 0x00 before them, nodes with a 0x01, and an odd one is promoted. It keeps
// one hash for every power of two.
type tree struct {
	peaks [][32]byte
	sizes []int64
	n     int64
}

func node(l, r [32]byte) [32]byte {
	h := sha256.New()
	h.Write([]byte{1})
	h.Write(l[:])
	h.Write(r[:])
	return [32]byte(h.Sum(nil))
}

func (t *tree) add(h [32]byte) {
	t.n++
	size := int64(1)
	for len(t.peaks) > 0 && t.sizes[len(t.sizes)-1] == size {
		last := len(t.peaks) - 1
		h = node(t.peaks[last], h)
		t.peaks, t.sizes = t.peaks[:last], t.sizes[:last]
		size *= 2
	}
	t.peaks, t.sizes = append(t.peaks, h), append(t.sizes, size)
}

func (t *tree) root() [32]byte {
	if t.n == 0 {
		return sha256.Sum256(nil)
	}
	h := t.peaks[len(t.peaks)-1]
	for i := len(t.peaks) - 2; i >= 0; i-- {
		h = node(t.peaks[i], h)
	}
	return h
}

func (t *tree) reset() { *t = tree{peaks: t.peaks[:0], sizes: t.sizes[:0]} }
