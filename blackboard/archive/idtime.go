package archive

import "math"

// IDTime is the time in milliseconds since the epoch that an id holds, when it
// is a UUIDv7 or a ULID. It depends on nothing but the text.
func IDTime(id []byte) (ms int64, ok bool) {
	switch len(id) {
	case 36:
		return uuidTime(id)
	case 26:
		return ulidTime(id)
	}
	return 0, false
}

// uuidTime reads xxxxxxxx-xxxx-7xxx-[89ab]xxx-xxxxxxxxxxxx, in either case.
func uuidTime(id []byte) (ms int64, ok bool) {
	if id[14] != '7' {
		return 0, false
	}
	for i, c := range id {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return 0, false
			}
			continue
		}
		v := hexDigit(c)
		if v < 0 || i == 19 && v>>2 != 2 {
			return 0, false
		}
		if i < 13 {
			ms = ms<<4 | int64(v)
		}
	}
	return ms, true
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// ulidTime reads 26 digits of Crockford's base 32, the first ten of which are
// 48 bits of milliseconds.
func ulidTime(id []byte) (ms int64, ok bool) {
	if id[0] > '7' {
		return 0, false
	}
	for i, c := range id {
		v := crockford(c)
		if v < 0 {
			return 0, false
		}
		if i < 10 {
			ms = ms<<5 | int64(v)
		}
	}
	return ms, true
}

// crockford is the value of a digit: 0-9 and A-Z without I, L, O and U.
func crockford(c byte) int {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'H':
		return int(c-'A') + 10
	case c == 'J' || c == 'K':
		return int(c-'J') + 18
	case c == 'M' || c == 'N':
		return int(c-'M') + 20
	case 'P' <= c && c <= 'T':
		return int(c-'P') + 22
	case 'V' <= c && c <= 'Z':
		return int(c-'V') + 27
	}
	return -1
}

// idRange sums up the ids of a frame: what times those hold that hold one, and
// whether there are others.
type idRange struct {
	min, max int64 // milliseconds; min > max: none holds a time
	others   int64 // how many ids hold none
}

func noIDs() idRange { return idRange{min: math.MaxInt64, max: math.MinInt64} }

// add counts one explicit id.
func (r *idRange) add(id []byte) {
	ms, ok := IDTime(id)
	if !ok {
		r.others++
		return
	}
	r.min, r.max = min(r.min, ms), max(r.max, ms)
}

// may tells whether an event of the frame may carry this id.
func (r *idRange) may(id []byte) bool {
	ms, ok := IDTime(id)
	if !ok {
		return r.others > 0
	}
	return r.min <= ms && ms <= r.max
}
