package schema

import "encoding/binary"

// Digests and UUIDs are most of what contracts look at: eight bytes at a time.

// between marks, with the high bit, the bytes of w from lo to hi; all of w's bytes
// must be below 0x80.
func between(w uint64, lo, hi byte) uint64 {
	return (w + uint64(0x80-lo)*ones) &^ (w + uint64(0x7f-hi)*ones)
}

func lowerHex8(w uint64) bool {
	return w&highs == 0 && (between(w, '0', '9')|between(w, 'a', 'f'))&highs == highs
}

func anyHex8(w uint64) bool {
	return w&highs == 0 && (between(w, '0', '9')|between(w, 'a', 'f')|between(w, 'A', 'F'))&highs == highs
}

// lowerHex reports whether all bytes are 0-9a-f.
func lowerHex(s []byte) bool {
	for len(s) >= 8 {
		if !lowerHex8(binary.LittleEndian.Uint64(s)) {
			return false
		}
		s = s[8:]
	}
	return lowerHexSet.all(s)
}

// isUUID is RFC 9562's text form, in either case.
func isUUID(s []byte) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return false
	}
	four := func(i int) uint64 { return uint64(binary.LittleEndian.Uint32(s[i:])) }
	return anyHex8(binary.LittleEndian.Uint64(s)) &&
		anyHex8(four(9)|four(14)<<32) &&
		anyHex8(four(19)|four(24)<<32) &&
		anyHex8(binary.LittleEndian.Uint64(s[28:]))
}
