package schema

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
)

// errFallback says that a schema uses a keyword the compiled checker does not do.
var errFallback = errors.New("left to the fallback")

// builder turns a schema's text into nodes. References share nodes, by the
// schema they lead to.
type builder struct {
	root   *Value
	assert bool // formats are asserted
	done   map[*Value]*node
}

const dialect = "https://json-schema.org/draft/2020-12/schema"

// build compiles the whole schema; errFallback if it cannot.
func build(root *Value, assertFormats bool) (*node, error) {
	b := &builder{root: root, assert: assertFormats, done: map[*Value]*node{}}
	if s := root.Get("$schema"); s != nil && strings.TrimSuffix(s.Text, "#") != dialect {
		return nil, errFallback
	}
	n, err := b.schema(root)
	if err == nil && cyclic(b.done) {
		return nil, errCycle
	}
	return n, err
}

// errCycle is a schema that refers to itself without going any deeper into the
// value: nothing can be checked against it.
var errCycle = errors.New("the schema refers to itself without end")

// cyclic reports whether some node leads back to itself in place.
func cyclic(nodes map[*Value]*node) bool {
	const open, closed = 1, 2
	state := map[*node]int{}
	var visit func(n *node) bool
	visit = func(n *node) bool {
		if state[n] != 0 || n.also == nil {
			return state[n] == open
		}
		state[n] = open
		for _, next := range n.also.branches() {
			if visit(next) {
				return true
			}
		}
		state[n] = closed
		return false
	}
	for _, n := range nodes {
		if visit(n) {
			return true
		}
	}
	return false
}

func (b *builder) schema(v *Value) (*node, error) {
	if n := b.done[v]; n != nil {
		return n, nil
	}
	n := &node{types: tAny}
	b.done[v] = n
	switch {
	case v.Kind == Bool && v.Bool:
		n.op = opAny
		return n, nil
	case v.Kind == Bool:
		n.op = opNever
		return n, nil
	case v.Kind != Object:
		return nil, fmt.Errorf("a schema is an object or a boolean")
	}
	for _, m := range v.Members {
		if err := b.keyword(n, v, m.Name, m.Value); err != nil {
			return nil, err
		}
	}
	n.finish()
	return n, nil
}

// keyword compiles one keyword. Those that only make sense together are compiled
// when the first of them is met.
func (b *builder) keyword(n *node, v *Value, name string, val *Value) (err error) {
	switch name {
	case "type":
		n.types = typesOf(val)
	case "enum":
		n.enum = val.Items
	case "const":
		if v.Get("enum") != nil {
			return errFallback
		}
		n.enum, n.isConst = []*Value{val}, true
	case "minLength", "maxLength", "pattern", "format":
		return b.stringKeyword(n, name, val)
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return n.numberKeyword(name, val)
	case "properties", "required", "additionalProperties", "minProperties", "maxProperties":
		return b.objectKeyword(n, name, val)
	case "prefixItems", "items", "minItems", "maxItems":
		return b.arrayKeyword(n, name, val)
	case "$ref", "not", "if", "then", "else":
		return b.inPlaceOne(n, v, name, val)
	case "allOf", "anyOf", "oneOf":
		return b.inPlaceMany(n, name, val)
	case "$defs":
		return b.defs(val)
	case "$id":
		if v != b.root {
			return errFallback
		}
	default:
		if !annotation(name) {
			return errFallback
		}
	}
	return nil
}

// annotation reports whether a keyword asserts nothing. A name the standard does
// not have asserts nothing either, but it may be a slip or an older draft's: those
// go to the fallback, which knows them all.
func annotation(name string) bool {
	switch name {
	case "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly", "$schema":
		return true
	}
	return strings.HasPrefix(name, "x-")
}

func typesOf(v *Value) (t typeSet) {
	if v.Kind == String {
		t = typeOf(v.Text)
	}
	for _, item := range v.Items {
		t |= typeOf(item.Text)
	}
	if t&tNumber != 0 {
		t |= tInteger
	}
	return t
}

// defs compiles definitions that nobody may refer to: a fault in them is a fault.
func (b *builder) defs(val *Value) error {
	for _, m := range val.Members {
		if _, err := b.schema(m.Value); err != nil {
			return err
		}
	}
	return nil
}

// resolve finds what a local reference means: # or #/a/pointer.
func (b *builder) resolve(ref string) (*Value, error) {
	fragment, local := strings.CutPrefix(ref, "#")
	if !local || fragment != "" && fragment[0] != '/' {
		return nil, errFallback
	}
	pointer, err := url.PathUnescape(fragment)
	if err != nil {
		return nil, fmt.Errorf("reference %q: %w", ref, err)
	}
	v := b.root.At(pointer)
	if v == nil {
		return nil, fmt.Errorf("reference %q leads nowhere", ref)
	}
	return v, nil
}

// count reads a non-negative whole number such as minLength's; more than an int
// holds is as good as the largest.
func count(v *Value) int {
	d := newDecimal([]byte(v.Text))
	if n, ok := small([]byte(v.Text)); ok {
		return int(n)
	}
	if d.exp > 18 {
		return math.MaxInt
	}
	n := 0
	for i, left := d.first, d.exp; left > 0; left-- { // such as 2.0 or 1e3
		i = d.skipDot(i)
		n *= 10
		if i < d.last {
			n += int(d.text[i] - '0')
			i++
		}
	}
	return n
}
