package contracts

import "encoding/hex"

// UUIDv7 is the RFC 9562 version 7 UUID of a time in milliseconds since 1970
// and ten random bytes (of which 74 bits are used). Ids made so sort by time.
func UUIDv7(ms int64, rnd [10]byte) string {
	var u [16]byte
	for i := range 6 {
		u[i] = byte(ms >> (40 - 8*i))
	}
	copy(u[6:], rnd[:])
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:], u[0:4])
	hex.Encode(s[9:], u[4:6])
	hex.Encode(s[14:], u[6:8])
	hex.Encode(s[19:], u[8:10])
	hex.Encode(s[24:], u[10:])
	s[8], s[13], s[18], s[23] = '-', '-', '-', '-'
	return string(s[:])
}
