package schema

import (
	"math/bits"
	"strconv"
)

// divisor is the value of multipleOf: units × 10^exp, with units not a multiple of
// ten. It asks of any decimal, however long, by modular arithmetic.
type divisor struct {
	units uint64
	exp   int64
}

// newDivisor reads one; ok is false for zero, negative ones and those of more than
// 18 significant digits.
func newDivisor(text string) (d divisor, ok bool) {
	n := newDecimal([]byte(text))
	if n.sign() <= 0 || n.digits > 18 {
		return d, false
	}
	digits := make([]byte, 0, 20)
	for i := n.first; i < n.last; i++ {
		if n.text[i] != '.' {
			digits = append(digits, n.text[i])
		}
	}
	units, err := strconv.ParseUint(string(digits), 10, 64)
	return divisor{units, n.exp - int64(n.digits)}, err == nil
}

// divides reports whether n is a whole multiple of d.
func (d divisor) divides(n decimal) bool {
	if n.digits == 0 {
		return true
	}
	shift := n.exp - int64(n.digits) - d.exp // n's last digit against d's
	if shift < 0 {
		return false // n ends in a digit that is not 0 below d's last one
	}
	rest := uint64(0)
	for i := n.first; i < n.last; i++ {
		if c := n.text[i]; c != '.' {
			rest = d.mod(rest, 10, uint64(c-'0'))
		}
	}
	return d.mod(rest, d.pow10(shift), 0) == 0
}

// mod is (a × b + c) modulo units.
func (d divisor) mod(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c, 0)
	return bits.Rem64(hi+carry, lo, d.units)
}

// pow10 is 10^n modulo units.
func (d divisor) pow10(n int64) uint64 {
	out, base := 1%d.units, 10%d.units
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			out = d.mod(out, base, 0)
		}
		base = d.mod(base, base, 0)
	}
	return out
}
