package plan

import (
	"fmt"

	"stigmergy/contracts"
)

// Fault is one thing wrong with a plan. Pointer leads into the plan's document.
type Fault = contracts.FieldError

// CapFaults gives at most contracts.MaxErrors faults, and no more text than a
// line should hold; the last one says how many are left out.
func CapFaults(faults []Fault) []Fault {
	const most = 48 << 10
	size := 0
	for i, f := range faults {
		size += len(f.Pointer) + len(f.Keyword) + len(f.Expected) + len(f.Got) + len(f.Hint) + 100
		last := i == len(faults)-1
		if !last && i == contracts.MaxErrors-1 || size > most && i > 0 {
			return append(faults[:i:i], Fault{
				Keyword: "more", Expected: "a plan without faults", Got: fmt.Sprintf("%d further faults", len(faults)-i), Hint: "mend those above first",
			})
		}
	}
	return faults
}

// faults collects what is wrong.
type faults struct{ list []Fault }

func (f *faults) add(n *node, pointer, keyword, expected, got, hint string) {
	if n != nil && n.told {
		return
	}
	out := Fault{Pointer: clip(pointer), Keyword: keyword, Expected: expected, Got: got, Hint: hint}
	if n != nil {
		out.Line, out.Column = n.line, n.column
	}
	f.list = append(f.list, out)
}

// object is one object of the document being read: its fields are asked for by
// name, and those that nobody asked for are unknown.
type object struct {
	*faults
	n     *node
	at    string // pointer
	known []string
	ok    bool
}

func (f *faults) object(n *node, at, expected string) *object {
	o := &object{faults: f, n: n, at: at, ok: n != nil && n.kind == contracts.Object}
	if !o.ok {
		f.add(n, at, "type", expected, n.show(), "")
	}
	return o
}

// field gives a field's value, or nil. null is nothing.
func (o *object) field(name string) *node {
	o.known = append(o.known, name)
	if !o.ok {
		return nil
	}
	v := o.n.get(name)
	if v != nil && v.kind == contracts.Null {
		return nil
	}
	return v
}

func (o *object) missing(name, expected string) {
	if o.ok {
		o.add(o.n, pointer(o.at, name), "required", expected, "nothing", "")
	}
}

// done tells of every field that is unknown or stands twice.
func (o *object) done(what string) {
	if !o.ok {
		return
	}
	seen := map[string]bool{}
	for _, m := range o.n.members {
		at := pointer(o.at, m.name)
		switch {
		case seen[m.name]:
			o.add(m.at, at, "duplicate_key", "each field once", quoted(m.name)+" a second time", "")
		case !contains(o.known, m.name):
			hint := didYouMean(m.name, o.known)
			if hint == "" {
				hint = what + " has " + join(o.known)
			}
			o.add(m.at, at, "unknown", "a field that "+what+" has", quoted(m.name), hint)
		}
		seen[m.name] = true
	}
}

// str is a field that is text.
func (o *object) str(name, expected string, required bool) (string, *node) {
	v := o.field(name)
	switch {
	case v == nil && required:
		o.missing(name, expected)
	case v != nil && v.kind != contracts.String:
		hint := ""
		if v.kind == contracts.Number || v.kind == contracts.Bool {
			hint = "in quotes: " + quoted(v.text)
		}
		o.add(v, pointer(o.at, name), "type", expected, v.show(), hint)
	case v != nil:
		return v.text, v
	}
	return "", nil
}

// integer is a field that is a whole number within bounds.
func (o *object) integer(name string, def, least, most int64) int64 {
	v := o.field(name)
	if v == nil {
		return def
	}
	expected := fmt.Sprintf("a whole number from %d to %d", least, most)
	n, ok := whole(v)
	switch {
	case !ok || n < least || n > most:
		hint := ""
		if v.kind == contracts.String && isNumber(v.text) {
			hint = "without quotes: " + clip(v.text)
		}
		o.add(v, pointer(o.at, name), "range", expected, v.show(), hint)
		return def
	}
	return n
}
