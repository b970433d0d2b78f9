package contracts

import (
	"fmt"
	"strings"
)

// Path is a compiled path into an event, as filters write it: id is the
// envelope's, plan_id the payload's, data.id the payload's too; gates.outcome
// descends, also through arrays; a\.b is one key with a dot in it.
type Path struct {
	text string
	keys []string
}

// ParsePath compiles a path: dots descend, \. is a dot and \\ a backslash within
// a key, and so for what ends a path in a filter (= < > ~ ! :). An empty path or key, or more keys than a line can be deep, is an error.
func ParsePath(s string) (Path, error) {
	p := Path{text: s}
	key, start := []byte(nil), 0
	cut := func(end int) {
		p.keys = append(p.keys, string(append(key, s[start:end]...)))
		key, start = nil, end+1
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '.':
			cut(i)
		case s[i] == '\\' && i+1 < len(s) && strings.IndexByte(`.\=<>~!:`, s[i+1]) >= 0:
			key = append(key, s[start:i]...)
			i++
			start = i
		}
	}
	cut(len(s))
	for _, k := range p.keys {
		if k == "" {
			return Path{}, fmt.Errorf("parsing path %q: a key is empty (\\. is a dot in a key)", clip(s))
		}
	}
	if len(p.keys) > MaxDepth {
		return Path{}, fmt.Errorf("parsing path %q: it has more than %d keys", clip(s), MaxDepth)
	}
	return p, nil
}

// String is the path as it was written.
func (p Path) String() string { return p.text }

// Keys are the path's keys, unescaped.
func (p Path) Keys() []string { return p.keys }

// EscapeKey writes one key as it stands in a path.
func EscapeKey(key string) string {
	return strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(key)
}

// Get is the first value at a path, as Each finds it; a path that does not parse
// finds nothing.
func (e *Event) Get(path string) Value {
	if path != "" && strings.IndexByte(path, '.') < 0 && strings.IndexByte(path, '\\') < 0 {
		keys := [1]string{path}
		return e.first(keys[:])
	}
	p, err := ParsePath(path)
	if err != nil {
		return Value{}
	}
	return e.first(p.keys)
}

// At is Get for a compiled path.
func (e *Event) At(path Path) Value { return e.first(path.keys) }

func (e *Event) first(keys []string) (v Value) {
	e.each(keys, func(found Value) bool { v = found; return false })
	return v
}

// Each gives the values at a path until fn returns false. The first key is an
// attribute that Envelope knows (missing ones have the values the board gives
// them: specversion, id, source, time, data) or any other member of the line's
// object, else a member of data. Through an array the rest of the path is looked
// up in every element, also of arrays in it; an array at the path's end is given
// whole and then element by element. Of a key that stands twice in an object the last counts, as
// for most readers of JSON.
func (e *Event) Each(path Path, fn func(Value) bool) { e.each(path.keys, fn) }

func (e *Event) each(keys []string, fn func(Value) bool) {
	if len(keys) == 0 {
		return
	}
	if v, ok := e.attribute(keys[0]); ok {
		eachAt(v, keys[1:], fn)
		return
	}
	if e.Env.extensions() {
		if v := member(e.Line, bomLen(e.Line), keys[0]); v.Exists() {
			eachAt(v, keys[1:], fn)
			return
		}
	}
	eachAt(ValueOf(e.Data()), keys, fn)
}

// eachAt looks keys up from v on. It recurses once for each key; each level reads
// its value once, however deeply arrays stand in arrays.
func eachAt(v Value, keys []string, fn func(Value) bool) bool {
	switch {
	case v.Kind == Array:
		if len(keys) == 0 && !fn(v) {
			return false
		}
		return leaves(v.Raw, func(el Value) bool { return eachAt(el, keys, fn) })
	case v.Kind == Absent:
		return true
	case len(keys) == 0:
		return fn(v)
	case v.Kind == Object:
		return eachAt(member(v.Raw, 0, keys[0]), keys[1:], fn)
	}
	return true
}

// leaves gives the elements of an array, and in place of an array among them that
// one's elements, until fn returns false.
func leaves(array []byte, fn func(v Value) bool) bool {
	for c, i := peek(array, 0); c != 0; c, i = peek(array, i) {
		if c == '[' || c == ']' || c == ',' {
			i++
			continue
		}
		end, _ := scanValue(array, i)
		if end < 0 || !fn(ValueOf(array[i:end:end])) {
			return false
		}
		i = end
	}
	return true
}
