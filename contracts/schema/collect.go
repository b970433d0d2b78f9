package schema

import "fmt"

// MaxErrors is how many errors one check reports.
const MaxErrors = 100

// collector finds everything that is wrong with a value, in the order of the
// schema's keywords and properties, so that the same value gets the same errors
// each time. It allocates as it likes: good values never come here, or seldom.
type collector struct {
	b     []byte
	out   []Error
	max   int
	steps *int
	depth int
}

// full reports whether enough is known.
func (c *collector) full() bool { return len(c.out) >= c.max }

func (c *collector) add(at span, pointer, keyword, expected string) {
	if !c.full() {
		c.out = append(c.out, Error{pointer, keyword, expected, describe(c.b[at.from:at.to])})
	}
}

// ok asks another schema about the same value, without keeping what it finds.
func (c *collector) ok(n *node, at span) bool {
	sub := collector{b: c.b, max: 1, steps: c.steps, depth: c.depth}
	sub.check(n, at, "")
	return len(sub.out) == 0
}

func (c *collector) check(n *node, at span, pointer string) {
	if c.full() {
		return
	}
	if *c.steps--; c.depth > maxValueDepth {
		*c.steps = -1
	}
	if *c.steps < 0 {
		c.add(at, pointer, "$ref", "a value that can be checked in bounded time")
		return
	}
	c.depth++
	defer func() { c.depth-- }()
	switch n.op {
	case opAny:
		return
	case opNever:
		c.add(at, pointer, "false", "nothing here")
		return
	}
	if !c.typed(n, at) {
		c.add(at, pointer, "type", n.expects())
		return
	}
	if n.enum != nil && !c.listed(n.enum, at) {
		c.add(at, pointer, n.enumKeyword(), n.expects())
	}
	c.rules(n, at, pointer)
	if n.also != nil {
		c.inPlace(n.also, at, pointer)
	}
}

// typed checks the type keyword.
func (c *collector) typed(n *node, at span) bool {
	t := typeAt(c.b, at.from)
	if t == tNumber && n.types&tNumber == 0 {
		return n.types&tInteger != 0 && newDecimal(c.b[at.from:at.to]).integer()
	}
	return n.types&t != 0
}

func typeAt(b []byte, i int) typeSet {
	switch b[i] {
	case '"':
		return tString
	case '{':
		return tObject
	case '[':
		return tArray
	case 't', 'f':
		return tBoolean
	case 'n':
		return tNull
	}
	return tNumber
}

// rules checks the keywords that are for the value's own type.
func (c *collector) rules(n *node, at span, pointer string) {
	switch typeAt(c.b, at.from) {
	case tString:
		if n.str != nil {
			c.str(n, at, pointer)
		}
	case tNumber:
		if n.num != nil {
			c.num(n.num, at, pointer)
		}
	case tObject:
		if n.obj != nil {
			c.object(n.obj, at, pointer)
		}
	case tArray:
		if n.arr != nil {
			c.array(n.arr, at, pointer)
		}
	}
}

func (c *collector) str(n *node, at span, pointer string) {
	s, r := []byte(unquote(c.b[at.from:at.to])), n.str
	length := runes(s)
	if length < r.min {
		c.add(at, pointer, "minLength", atLeast(r.min, "character"))
	}
	if r.max >= 0 && length > r.max {
		c.add(at, pointer, "maxLength", atMost(r.max, "character"))
	}
	if r.pattern != nil && !r.pattern.match(s) {
		c.add(at, pointer, "pattern", n.expects())
	}
	if r.format != nil && !r.format.ok(s) {
		c.add(at, pointer, "format", n.expects())
	}
}

func (c *collector) num(r *numberRule, at span, pointer string) {
	text := c.b[at.from:at.to]
	if !r.min.below(text) {
		c.add(at, pointer, r.min.keyword("inimum"), r.min.describe("more than", "at least"))
	}
	if !r.max.above(text) {
		c.add(at, pointer, r.max.keyword("aximum"), r.max.describe("less than", "at most"))
	}
	if r.multipleOf != nil && !r.multipleOf.divides(newDecimal(text)) {
		c.add(at, pointer, "multipleOf", "a multiple of "+r.multiple)
	}
}

func (c *collector) array(r *arrayRule, at span, pointer string) {
	n := 0
	eachItem(c.b, at.from, func(span) { n++ })
	if n < r.min {
		c.add(at, pointer, "minItems", atLeast(r.min, "item"))
	}
	if r.max >= 0 && n > r.max {
		c.add(at, pointer, "maxItems", atMost(r.max, "item"))
	}
	i := 0
	eachItem(c.b, at.from, func(item span) {
		if sub := r.at(i); sub != nil && !c.full() {
			c.check(sub, item, appendIndex(pointer, i))
		}
		i++
	})
}

// member is a name of an object and its last value.
type member struct {
	name  string
	value span
}

// members are an object's, each name once with its last value, in the order in
// which the names first stand.
func (c *collector) members(at span) ([]member, map[string]int) {
	var list []member
	index := map[string]int{}
	eachMember(c.b, at.from, func(name, value span) {
		key := unquote(c.b[name.from:name.to])
		if i, again := index[key]; again {
			list[i].value = value
			return
		}
		index[key] = len(list)
		list = append(list, member{key, value})
	})
	return list, index
}

func (c *collector) object(o *objectRule, at span, pointer string) {
	list, index := c.members(at)
	for _, i := range o.requiredAt {
		if p := o.props[i]; !has(index, p.name) && !c.full() {
			c.out = append(c.out, Error{appendToken(pointer, p.name), "required", p.node.expects(), "nothing"})
		}
	}
	if len(list) < o.min {
		c.add(at, pointer, "minProperties", atLeast(o.min, "member"))
	}
	if o.max >= 0 && len(list) > o.max {
		c.add(at, pointer, "maxProperties", atMost(o.max, "member"))
	}
	for _, p := range o.props {
		if i, here := index[p.name]; here && p.node != nil {
			c.check(p.node, list[i].value, appendToken(pointer, p.name))
		}
	}
	if o.extra != nil {
		c.extras(o, list, pointer)
	}
}

func has(index map[string]int, name string) bool { _, ok := index[name]; return ok }

func (c *collector) extras(o *objectRule, list []member, pointer string) {
	for _, m := range list {
		if i, known := o.index[m.name]; known && o.props[i].node != nil {
			continue
		}
		at := appendToken(pointer, m.name)
		if o.extra.op == opNever {
			c.add(m.value, at, "additionalProperties", fmt.Sprintf("no member %q", m.name))
		} else {
			c.check(o.extra, m.value, at)
		}
	}
}

func (c *collector) inPlace(a *inPlace, at span, pointer string) {
	if a.ref != nil {
		c.check(a.ref, at, pointer)
	}
	for _, n := range a.allOf {
		c.check(n, at, pointer)
	}
	if a.anyOf != nil {
		c.anyOf(a.anyOf, at, pointer)
	}
	if a.oneOf != nil {
		c.oneOf(a.oneOf, at, pointer)
	}
	if a.not != nil && c.ok(a.not, at) {
		c.add(at, pointer, "not", "anything but "+a.not.expects())
	}
	if a.cond == nil {
		return
	}
	then := a.no_
	if c.ok(a.cond, at) {
		then = a.yes
	}
	if then != nil {
		c.check(then, at, pointer)
	}
}

func (c *collector) anyOf(list []*node, at span, pointer string) {
	for _, n := range list {
		if c.ok(n, at) {
			return
		}
	}
	c.add(at, pointer, "anyOf", "one of: "+alternatives(list))
}

func (c *collector) oneOf(list []*node, at span, pointer string) {
	hits := 0
	for _, n := range list {
		if c.ok(n, at) {
			hits++
		}
	}
	switch {
	case hits == 0:
		c.add(at, pointer, "oneOf", "one of: "+alternatives(list))
	case hits > 1:
		c.add(at, pointer, "oneOf", fmt.Sprintf("only one of: %s; %d hold", alternatives(list), hits))
	}
}

// listed looks a value up among the enum's.
func (c *collector) listed(enum []*Value, at span) bool {
	for _, v := range enum {
		if c.equal(v, at) {
			return true
		}
	}
	return false
}

func (c *collector) equal(v *Value, at span) bool {
	raw := c.b[at.from:at.to]
	switch {
	case raw[0] == '"':
		return v.Kind == String && unquote(raw) == v.Text
	case raw[0] == '[':
		return v.Kind == Array && c.equalItems(v.Items, at)
	case raw[0] == '{':
		return v.Kind == Object && c.equalMembers(v, at)
	}
	return v.equalScalar(raw)
}

func (c *collector) equalItems(items []*Value, at span) bool {
	n, same := 0, true
	eachItem(c.b, at.from, func(item span) {
		same = same && n < len(items) && c.equal(items[n], item)
		n++
	})
	return same && n == len(items)
}

func (c *collector) equalMembers(v *Value, at span) bool {
	list, _ := c.members(at)
	if len(list) != len(v.Members) {
		return false
	}
	for _, m := range list {
		if want := v.Get(m.name); want == nil || !c.equal(want, m.value) {
			return false
		}
	}
	return true
}
