package schema

import "cmp"

// decimal is a JSON number taken apart: ± 0.D₁D₂… × 10^exp, where the digits are
// those of text from first to last, without the dot, and neither first nor last is
// 0. It points into the text, so that a number of a million digits costs nothing
// to take apart and its exponent is never multiplied out: floats would round, and
// big integers would hang on 1e1000000000.
type decimal struct {
	text        []byte
	neg         bool
	first, last int   // of the significant digits in text; last is exclusive
	digits      int   // how many; 0 is the number zero
	exp         int64 // saturates at ±maxExp
}

// maxExp bounds exponents: beyond it all are alike, and sums cannot overflow.
const maxExp = 1 << 60

// newDecimal takes a number apart. The text must be a valid JSON number.
func newDecimal(text []byte) decimal {
	d := decimal{text: text}
	i, whole := 0, 0 // whole: digits before the dot, from the first significant one
	if i < len(text) && text[i] == '-' {
		d.neg, i = true, 1
	}
	dot, seen := false, 0 // seen: significant digits so far, with trailing zeros
	for ; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '.':
			dot = true
			continue
		case c < '0' || c > '9':
			return d.finish(whole, exponent(text[i:]))
		case c == '0' && seen == 0:
			if dot {
				whole--
			}
			continue
		}
		if seen == 0 {
			d.first = i
		}
		if seen++; !dot {
			whole++
		}
		if c != '0' {
			d.last, d.digits = i+1, seen
		}
	}
	return d.finish(whole, 0)
}

func (d decimal) finish(whole int, exp int64) decimal {
	if d.digits == 0 {
		return decimal{text: d.text}
	}
	d.exp = max(-maxExp, min(exp+int64(whole), maxExp))
	return d
}

// exponent reads e+12, saturating.
func exponent(b []byte) int64 {
	if len(b) == 0 || b[0]|0x20 != 'e' {
		return 0
	}
	i, neg, n := 1, false, int64(0)
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		neg, i = b[i] == '-', i+1
	}
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		n = min(n*10+int64(b[i]-'0'), maxExp/2)
	}
	if neg {
		return -n
	}
	return n
}

// integer reports whether the number is whole: 1.0 and 1e2 are.
func (d decimal) integer() bool { return d.digits == 0 || d.exp >= int64(d.digits) }

// compare orders two numbers exactly.
func (d decimal) compare(o decimal) int {
	if s := cmp.Compare(d.sign(), o.sign()); s != 0 || d.digits == 0 {
		return s
	}
	s := d.magnitude(o)
	if d.neg {
		return -s
	}
	return s
}

func (d decimal) sign() int {
	switch {
	case d.digits == 0:
		return 0
	case d.neg:
		return -1
	}
	return 1
}

func (d decimal) magnitude(o decimal) int {
	if s := cmp.Compare(d.exp, o.exp); s != 0 {
		return s
	}
	for i, j := d.first, o.first; ; i, j = i+1, j+1 {
		i, j = d.skipDot(i), o.skipDot(j)
		switch {
		case i >= d.last && j >= o.last:
			return 0
		case i >= d.last:
			return -1 // what follows in o ends in a digit that is not 0
		case j >= o.last:
			return 1
		case d.text[i] != o.text[j]:
			return cmp.Compare(d.text[i], o.text[j])
		}
	}
}

func (d decimal) skipDot(i int) int {
	if i < d.last && d.text[i] == '.' {
		return i + 1
	}
	return i
}

// small reads a plain integer of at most 18 digits; ok is false for anything else.
func small(b []byte) (n int64, ok bool) {
	i, neg := 0, false
	if len(b) > 0 && b[0] == '-' {
		i, neg = 1, true
	}
	if len(b)-i > 18 || len(b) == i {
		return 0, false
	}
	for ; i < len(b); i++ {
		if b[i]-'0' > 9 {
			return 0, false
		}
		n = n*10 + int64(b[i]-'0')
	}
	if neg {
		n = -n
	}
	return n, true
}

// CompareNumbers orders two JSON numbers exactly: -1, 0 or 1.
func CompareNumbers(a, b string) int {
	return newDecimal([]byte(a)).compare(newDecimal([]byte(b)))
}
