package contracts

import (
	"fmt"
	"slices"
	"strings"

	"stigmergy/contracts/schema"
)

// Change is one difference between two versions of a contract.
type Change struct {
	Pointer string // into the schema
	Message string // in words: required: plan_id was added
	Breaks  Breaks // whom it breaks
}

// Breaks says whom a change breaks.
type Breaks string

// A change breaks writers if what they wrote yesterday may be refused today, and
// readers if they may meet tomorrow what they did not today.
const (
	BreaksNobody  Breaks = ""
	BreaksWriters Breaks = "writers"
	BreaksReaders Breaks = "readers"
	BreaksBoth    Breaks = "writers and readers"
)

// Compare tells what is different between two versions of a contract, in the order
// of the old one. It errs on the side of breaking: where two keywords differ in a
// way it cannot judge, both are broken. An error is a text that is no schema.
func Compare(old, now []byte) ([]Change, error) {
	a, err := schema.Compile(old)
	if err != nil {
		return nil, fmt.Errorf("reading the old contract: %w", err)
	}
	b, err := schema.Compile(now)
	if err != nil {
		return nil, fmt.Errorf("reading the new contract: %w", err)
	}
	c := comparer{oldRoot: a.Text(), newRoot: b.Text()}
	c.schema("", a.Text(), b.Text(), 0)
	return c.out, nil
}

type comparer struct {
	oldRoot, newRoot *schema.Value
	out              []Change
}

func (c *comparer) add(pointer string, breaks Breaks, format string, args ...any) {
	c.out = append(c.out, Change{pointer, fmt.Sprintf(format, args...), breaks})
}

// target is what a local reference leads to; nil if it leads elsewhere.
func target(root, v *schema.Value) *schema.Value {
	if v == nil {
		return nil
	}
	pointer, ok := strings.CutPrefix(v.Text, "#")
	if !ok {
		return nil
	}
	return root.At(pointer)
}

// follow resolves references that stand alone, a few in a row.
func follow(root, v *schema.Value) *schema.Value {
	for range 16 {
		to := target(root, v.Get("$ref"))
		if to == nil || len(v.Members) > 1 && v != root {
			return v
		}
		if v == root && len(keywords(v, v)) > 1+has(v, "$defs")+has(v, "$schema") {
			return v
		}
		v = to
	}
	return v
}

func has(v *schema.Value, name string) int {
	if v.Get(name) != nil {
		return 1
	}
	return 0
}

// maxCompareDepth stops at schemas that refer to themselves.
const maxCompareDepth = 32

func (c *comparer) schema(at string, old, now *schema.Value, depth int) {
	old, now = follow(c.oldRoot, old), follow(c.newRoot, now)
	if depth > maxCompareDepth || same(old, now) && !strings.Contains(show(old), `"$ref"`) {
		return
	}
	if old.Kind != schema.Object || now.Kind != schema.Object {
		c.add(at, BreaksBoth, "the schema was %s and is %s", show(old), show(now))
		return
	}
	for _, k := range keywords(old, now) {
		a, b := old.Get(k), now.Get(k)
		if same(a, b) && !strings.Contains(show(a), `"$ref"`) && k != "$ref" {
			continue
		}
		c.keyword(at+"/"+k, k, a, b, depth)
	}
}

// keywords are the names in both, in the old one's order.
func keywords(old, now *schema.Value) (out []string) {
	for _, v := range []*schema.Value{old, now} {
		for _, m := range v.Members {
			if !slices.Contains(out, m.Name) {
				out = append(out, m.Name)
			}
		}
	}
	return out
}

// keyword compares one keyword that differs; nil is absent.
func (c *comparer) keyword(at, name string, old, now *schema.Value, depth int) {
	switch name {
	case "title", "description", "$comment", "examples", "default", "$defs", "$schema", "$id", "deprecated":
	case "properties":
		c.properties(at, old, now, depth)
	case "$ref":
		a, b := target(c.oldRoot, old), target(c.newRoot, now)
		if a == nil || b == nil {
			c.presence(at, name, old, now)
			return
		}
		c.schema(at, a, b, depth+1)
	case "required":
		c.members(at, "required", old, now, BreaksWriters, BreaksReaders)
	case "enum":
		if old == nil || now == nil {
			c.presence(at, name, old, now)
			return
		}
		c.members(at, "allowed values", old, now, BreaksReaders, BreaksWriters)
	case "type":
		c.types(at, old, now)
	case "items", "additionalProperties", "not":
		c.sub(at, name, old, now, depth)
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		c.bound(at, name, old, now, -1)
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		c.bound(at, name, old, now, 1)
	case "x-owner", "x-request":
		c.add(at, BreaksWriters, "%s was %s and is %s", name, show(old), show(now))
	case "pattern", "format", "const", "multipleOf", "uniqueItems":
		c.presence(at, name, old, now)
	default:
		if same(old, now) {
			return
		}
		if strings.HasPrefix(name, "x-") {
			c.add(at, BreaksNobody, "%s was %s and is %s", name, show(old), show(now))
			return
		}
		c.add(at, BreaksBoth, "%s was %s and is %s", name, show(old), show(now))
	}
}

func (c *comparer) properties(at string, old, now *schema.Value, depth int) {
	for _, name := range keywords(orEmpty(old), orEmpty(now)) {
		a, b := old.Get(name), now.Get(name)
		here := at + "/" + escapeToken(name)
		switch {
		case a == nil:
			c.add(here, BreaksNobody, "property %s was added", name)
		case b == nil:
			c.add(here, BreaksReaders, "property %s was removed", name)
		default:
			c.schema(here, a, b, depth+1)
		}
	}
}

func orEmpty(v *schema.Value) *schema.Value {
	if v == nil {
		return &schema.Value{Kind: schema.Object}
	}
	return v
}

func escapeToken(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "~0"), "/", "~1")
}

// members compares two lists as sets.
func (c *comparer) members(at, what string, old, now *schema.Value, added, removed Breaks) {
	a, b := texts(old), texts(now)
	for _, s := range a {
		if !slices.Contains(b, s) {
			c.add(at, removed, "%s: %s was removed", what, s)
		}
	}
	for _, s := range b {
		if !slices.Contains(a, s) {
			c.add(at, added, "%s: %s was added", what, s)
		}
	}
}

func texts(v *schema.Value) (out []string) {
	if v == nil {
		return nil
	}
	for _, item := range v.Items {
		out = append(out, show(item))
	}
	return out
}

// types compares sets of types; a number is also an integer.
func (c *comparer) types(at string, old, now *schema.Value) {
	a, b := typeWords(old), typeWords(now)
	lost, won := without(a, b), without(b, a)
	switch {
	case len(lost) > 0 && len(won) > 0:
		c.add(at, BreaksBoth, "type was %s and is %s", show(old), show(now))
	case len(lost) > 0:
		c.add(at, BreaksWriters, "type was narrowed from %s to %s", show(old), show(now))
	case len(won) > 0:
		c.add(at, BreaksReaders, "type was widened from %s to %s", show(old), show(now))
	}
}

func typeWords(v *schema.Value) (out []string) {
	switch {
	case v == nil:
		return []string{"null", "boolean", "integer", "number", "string", "array", "object"}
	case v.Kind == schema.String:
		out = []string{v.Text}
	}
	for _, item := range v.Items {
		out = append(out, item.Text)
	}
	if slices.Contains(out, "number") && !slices.Contains(out, "integer") {
		out = append(out, "integer")
	}
	return out
}

func without(a, b []string) (out []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func (c *comparer) sub(at, name string, old, now *schema.Value, depth int) {
	if old == nil || now == nil || name == "not" || old.Kind == schema.Bool || now.Kind == schema.Bool {
		c.presence(at, name, orTrue(old), orTrue(now))
		return
	}
	c.schema(at, old, now, depth+1)
}

// orTrue is what an absent subschema means.
func orTrue(v *schema.Value) *schema.Value {
	if v == nil || v.Kind == schema.Bool && v.Bool {
		return nil
	}
	return v
}

// presence compares a keyword that only ever asks for more.
func (c *comparer) presence(at, name string, old, now *schema.Value) {
	switch {
	case same(old, now):
	case old == nil:
		c.add(at, BreaksWriters, "%s was added: %s", name, show(now))
	case now == nil:
		c.add(at, BreaksReaders, "%s was removed: %s", name, show(old))
	default:
		c.add(at, BreaksBoth, "%s was %s and is %s", name, show(old), show(now))
	}
}

// bound compares limits; side is 1 for upper ones.
func (c *comparer) bound(at, name string, old, now *schema.Value, side int) {
	if old == nil || now == nil {
		c.presence(at, name, old, now)
		return
	}
	breaks := BreaksReaders
	switch schema.CompareNumbers(now.Text, old.Text) * side {
	case 0:
		return
	case -1:
		breaks = BreaksWriters
	}
	c.add(at, breaks, "%s was %s and is %s", name, old.Text, now.Text)
}

func same(a, b *schema.Value) bool {
	return a == b || a != nil && b != nil && show(a) == show(b)
}

func show(v *schema.Value) string {
	if v == nil {
		return "absent"
	}
	return string(v.AppendJSON(nil))
}
