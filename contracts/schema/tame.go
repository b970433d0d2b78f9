package schema

import (
	"encoding/json"
	"strconv"
	"strings"
)

// maxPlaces is how many digits, and places before or after the dot, a number has
// at most when the fallback sees it. The library multiplies numbers out: it would
// hang on 1e999999 and panic on 1e9999999.
const maxPlaces = 400

// tame puts a number that fits in place of each that does not. It has the same
// sign, is whole where the other is, and compares alike with any that fits.
func tame(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, sub := range v {
			v[k] = tame(sub)
		}
	case []any:
		for i, sub := range v {
			v[i] = tame(sub)
		}
	case json.Number:
		return tameNumber(v)
	}
	return v
}

func tameNumber(n json.Number) json.Number {
	if len(n) <= maxPlaces/2 && !strings.ContainsAny(string(n), "eE") {
		return n
	}
	d := newDecimal([]byte(n))
	if fits(d, maxPlaces) && len(n) <= 2*maxPlaces {
		return n
	}
	return json.Number(squash(d))
}

func fits(d decimal, places int) bool {
	return d.digits <= places && d.exp <= int64(places) && d.exp >= -int64(places)
}

// squash writes a number with at most maxPlaces digits and a few more places. What
// it cannot keep is divisibility: multipleOf in a schema of the fallback's may be
// wrong about numbers of more than maxPlaces digits.
func squash(d decimal) string {
	if d.digits == 0 {
		return "0"
	}
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	b.WriteString("0.")
	for i, n := d.first, 0; i < d.last && n < maxPlaces; i++ {
		if c := d.text[i]; c != '.' {
			b.WriteByte(c)
			n++
		}
	}
	exp := max(-2*maxPlaces, min(d.exp, 2*maxPlaces))
	if d.digits > maxPlaces {
		b.WriteByte('1') // what was cut off is not nothing
		if d.integer() {
			exp = max(exp, maxPlaces+1)
		} else {
			exp = min(exp, maxPlaces)
		}
	}
	return b.String() + "e" + strconv.FormatInt(exp, 10)
}

// schemaPlaces is the same limit for the numbers of a schema: lower, so that every
// number that was squashed still stands beyond all of them.
const schemaPlaces = 200

// hugeNumber finds a number in a schema that is over the limit.
func hugeNumber(v *Value, at string) (pointer string, found bool) {
	if v.Kind == Number && !fits(newDecimal([]byte(v.Text)), schemaPlaces) {
		return at, true
	}
	for i, item := range v.Items {
		if p, ok := hugeNumber(item, appendIndex(at, i)); ok {
			return p, true
		}
	}
	for _, m := range v.Members {
		if p, ok := hugeNumber(m.Value, appendToken(at, m.Name)); ok {
			return p, true
		}
	}
	return "", false
}
