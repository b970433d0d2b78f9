package contracts

import (
	"bytes"
	"hash/maphash"
	"math/bits"
)

// extraKeys remembers the keys of a line's object that Envelope does not know,
// to find one that stands twice. A few are compared one with another; more, or
// one spelt with escapes, are left to duplicateKey, whose table no choice of keys
// makes slow.
type extraKeys struct {
	n    int
	dup  bool
	many bool
	key  [12]uint64 // offset and end of the key's text
}

// add notes the key b[off:end]. The slot is that of a known attribute whose
// name is spelt with escapes.
func (x *extraKeys) add(b []byte, off, end int, esc bool, env *Envelope) *Span {
	if esc {
		x.many = true
		return env.escapedSlot(b[off:end])
	}
	if x.n == len(x.key) {
		x.many = true
		return nil
	}
	key := b[off:end]
	for _, k := range x.key[:x.n] {
		if bytes.Equal(b[k>>32:k&(1<<32-1)], key) {
			x.dup = true
		}
	}
	x.key[x.n] = uint64(off)<<32 | uint64(end)
	x.n++
	return nil
}

// unique tells whether no key was noted twice; b is otherwise valid.
func (x *extraKeys) unique(b []byte) bool {
	if x.dup || !x.many {
		return !x.dup
	}
	_, _, found := duplicateKey(b)
	return !found
}

// escapedSlot is slot for a name spelt with escapes.
func (e *Envelope) escapedSlot(body []byte) *Span {
	const longest = len(`datacontenttype`) * len(`\u0000`)
	if len(body) > longest {
		return nil
	}
	var buf [longest]byte
	return e.slot(appendUnescaped(buf[:0], body))
}

// duplicateKey finds the first key of a valid line's object that stood there
// before, and the offset where it stands again. Keys are kept in an open table by
// a hash that is seeded anew each time; the answer does not depend on the seed.
func duplicateKey(line []byte) (key string, at int, found bool) {
	keys := 0
	eachMember(line, bomLen(line), func(int, int, Span) bool { keys++; return true })
	seed, mask := maphash.MakeSeed(), 1<<bits.Len(uint(2*keys))-1
	table := make([]uint64, mask+1)
	eachMember(line, bomLen(line), func(off, end int, _ Span) bool {
		text := unquote(line[off:end])
		slot := int(maphash.Bytes(seed, text)) & mask
		for ; table[slot] != 0; slot = (slot + 1) & mask {
			k := table[slot]
			if bytes.Equal(unquote(line[k>>32:k&(1<<32-1)]), text) {
				key, at, found = string(text), off, true
				return false
			}
		}
		table[slot] = uint64(off)<<32 | uint64(end)
		return true
	})
	return key, at, found
}

// eachMember gives the members of the object at line[i], which is known to be
// valid: where the key stands, with its quotes, and the value. It stops when fn
// returns false, or where the line turns out not to be valid.
func eachMember(line []byte, i int, fn func(keyOff, keyEnd int, value Span) bool) {
	_, i = peek(line, i)
	c, i := peek(line, i+1)
	for c == '"' {
		keyEnd, _ := scanString(line, i+1)
		if keyEnd < 0 {
			return
		}
		_, colon := peek(line, keyEnd)
		_, off := peek(line, colon+1)
		end, esc := scanValue(line, off)
		if end < 0 || !fn(i, keyEnd, Span{Off: uint32(off), End: uint32(end), Esc: esc}) {
			return
		}
		if c, i = peek(line, end); c != ',' {
			return
		}
		c, i = peek(line, i+1)
	}
}
