package query

import "bytes"

// decimal is a JSON number as it is written, split for exact comparison:
// 0.digits × 10^exp, without leading or trailing zeros in digits. Zero has no
// digits.
type decimal struct {
	neg    bool
	exp    int64
	digits []byte
}

// parseDecimal reads a number by the JSON grammar; buf is what the digits of a
// number with a point are gathered in.
func parseDecimal(b, buf []byte) (decimal, bool) {
	var d decimal
	i := 0
	if i < len(b) && b[i] == '-' {
		d.neg = true
		i++
	}
	whole := digitRun(b[i:])
	if whole == 0 || whole > 1 && b[i] == '0' {
		return d, false
	}
	d.digits, d.exp = b[i:i+whole], int64(whole)
	i += whole
	if i < len(b) && b[i] == '.' {
		frac := digitRun(b[i+1:])
		if frac == 0 {
			return d, false
		}
		d.digits = append(append(buf[:0], d.digits...), b[i+1:i+1+frac]...)
		i += 1 + frac
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		e, ok := parseExponent(b[i+1:])
		if !ok {
			return d, false
		}
		d.exp += e
		i = len(b)
	}
	d.trim()
	return d, i == len(b)
}

func digitRun(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// parseExponent reads what follows the e; it saturates, so that 1e999999999999
// is still larger than any number of sane length.
func parseExponent(b []byte) (int64, bool) {
	neg := false
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || digitRun(b) != len(b) {
		return 0, false
	}
	var e int64
	for _, c := range b {
		if e < 1<<56 {
			e = e*10 + int64(c-'0')
		}
	}
	if neg {
		e = -e
	}
	return e, true
}

func (d *decimal) trim() {
	for len(d.digits) > 0 && d.digits[0] == '0' {
		d.digits = d.digits[1:]
		d.exp--
	}
	for n := len(d.digits); n > 0 && d.digits[n-1] == '0'; n-- {
		d.digits = d.digits[:n-1]
	}
	if len(d.digits) == 0 {
		*d = decimal{}
	}
}

// compare orders two numbers exactly, whatever their size.
func (d decimal) compare(e decimal) int {
	switch {
	case d.neg != e.neg:
		if d.neg {
			return -1
		}
		return 1
	case d.neg:
		return e.magnitude(d)
	}
	return d.magnitude(e)
}

// magnitude compares the absolute values.
func (d decimal) magnitude(e decimal) int {
	switch {
	case len(d.digits) == 0 || len(e.digits) == 0:
		return len(d.digits) - len(e.digits)
	case d.exp != e.exp:
		if d.exp < e.exp {
			return -1
		}
		return 1
	}
	return bytes.Compare(d.digits, e.digits)
}
