package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxShown is how many bytes of a value an error shows.
const maxShown = 80

// describe shows a raw value in an error: scalars as they stand, others by size.
func describe(raw []byte) string {
	if len(raw) == 0 {
		return "nothing"
	}
	n := 0
	switch raw[0] {
	case '{':
		eachMember(raw, 0, func(_, _ span) { n++ })
		return "an object of " + plural(n, "member")
	case '[':
		eachItem(raw, 0, func(span) { n++ })
		return "an array of " + plural(n, "item")
	}
	return shorten(string(raw))
}

// shorten cuts a text between characters.
func shorten(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", s[:cut], len(s))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func atLeast(n int, what string) string { return "at least " + plural(n, what) }
func atMost(n int, what string) string  { return "at most " + plural(n, what) }

// expects says in words what a schema asks for.
func (n *node) expects() string {
	if n == nil || n.op == opAny {
		return "any value"
	}
	switch {
	case n.op == opNever:
		return "nothing here"
	case n.enum != nil:
		return expectsOneOf(n.enum)
	case n.str != nil && n.types&tString != 0 && (n.str.format != nil || n.str.pattern != nil):
		return n.str.expects() + orOther(n.types&^tString)
	case n.types == tAny && n.also != nil && n.also.ref != nil:
		return n.also.ref.expects()
	case n.types == tAny && n.also != nil && n.also.anyOf != nil:
		return "one of: " + alternatives(n.also.anyOf)
	case n.types == tAny && n.obj != nil && len(n.obj.requiredAt) > 0:
		return n.obj.expects()
	case n.types == tAny:
		return "a value that keeps to the contract"
	}
	return article(n.types.String())
}

func (o *objectRule) expects() string {
	names := make([]string, len(o.requiredAt))
	for i, at := range o.requiredAt {
		names[i] = o.props[at].name
	}
	return "an object with " + strings.Join(names, ", ")
}

func orOther(t typeSet) string {
	if t == 0 {
		return ""
	}
	return " or " + t.String()
}

func article(s string) string {
	switch s[0] {
	case 'a', 'i', 'o':
		return "an " + s
	case 'n':
		if s == "null" {
			return s
		}
	}
	return "a " + s
}

func expectsOneOf(enum []*Value) string {
	words := make([]string, len(enum))
	for i, v := range enum {
		words[i] = string(v.AppendJSON(nil))
	}
	if len(words) == 1 {
		return words[0]
	}
	return "one of " + strings.Join(words, ", ")
}

func alternatives(list []*node) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = n.expects()
	}
	return strings.Join(words, "; ")
}

// The patterns that contracts use most, in words.
func (p *pattern) expects() string {
	var n int
	if _, err := fmt.Sscanf(p.text, "^[0-9a-f]{%d}$", &n); err == nil && p.text == fmt.Sprintf("^[0-9a-f]{%d}$", n) {
		return fmt.Sprintf("%d lower-case hex digits", n)
	}
	return "a string that matches " + p.text
}

func (r *stringRule) expects() string {
	if r.format == nil {
		return r.pattern.expects()
	}
	switch r.format.name {
	case "uuid":
		return "a UUID"
	case "date-time":
		return "an RFC 3339 time such as 2026-01-29T02:31:13Z"
	case "date":
		return "an RFC 3339 date such as 2026-01-29"
	}
	return "an RFC 3339 time of day such as 02:31:13Z"
}

func (n *node) enumKeyword() string {
	if n.isConst {
		return "const"
	}
	return "enum"
}

// keyword is the bound's own: minimum or exclusiveMinimum.
func (b *bound) keyword(rest string) string {
	first := "m"
	if b.exclusive {
		first = "exclusiveM"
	}
	return first + rest
}

func (b *bound) describe(outside, on string) string {
	if b.exclusive {
		return outside + " " + string(b.value.text)
	}
	return on + " " + string(b.value.text)
}
