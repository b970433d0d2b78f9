package schema

func (b *builder) stringKeyword(n *node, name string, val *Value) (err error) {
	if n.str == nil {
		n.str = &stringRule{max: -1}
	}
	switch name {
	case "minLength":
		n.str.min = count(val)
	case "maxLength":
		n.str.max = count(val)
	case "pattern":
		n.str.pattern, err = newPattern(val.Text)
	case "format":
		if !b.assert {
			return nil
		}
		if otherFormat(val.Text) {
			return errFallback
		}
		n.str.format = formatOf(val.Text)
	}
	return err
}

func (n *node) numberKeyword(name string, val *Value) error {
	if n.num == nil {
		n.num = &numberRule{}
	}
	b := &bound{value: newDecimal([]byte(val.Text)), exclusive: name[0] == 'e'}
	b.small, b.isSmall = small([]byte(val.Text))
	switch name {
	case "minimum", "exclusiveMinimum":
		if n.num.min != nil {
			return errFallback // both: rare, and one rule is easier to read
		}
		n.num.min = b
	case "maximum", "exclusiveMaximum":
		if n.num.max != nil {
			return errFallback
		}
		n.num.max = b
	case "multipleOf":
		d, ok := newDivisor(val.Text)
		if !ok {
			return errFallback
		}
		n.num.multipleOf, n.num.multiple = &d, val.Text
	}
	return nil
}

func (b *builder) objectKeyword(n *node, name string, val *Value) (err error) {
	if n.obj == nil {
		n.obj = &objectRule{max: -1, index: map[string]int{}}
	}
	o := n.obj
	switch name {
	case "properties":
		for _, m := range val.Members {
			sub, err := b.schema(m.Value)
			if err != nil {
				return err
			}
			o.props[o.prop(m.Name)].node = sub
		}
	case "required":
		for _, item := range val.Items {
			i := o.prop(item.Text)
			o.requiredAt = append(o.requiredAt, i)
			if i < maxFastProps {
				o.required |= 1 << i
			}
		}
	case "additionalProperties":
		o.extra, err = b.schema(val)
	case "minProperties":
		o.min = count(val)
	case "maxProperties":
		o.max = count(val)
	}
	return err
}

// prop is the index of a property, which is made if there is none. One that is
// only required has no node: to additionalProperties it is an extra.
func (o *objectRule) prop(name string) int {
	i, ok := o.index[name]
	if !ok {
		i = len(o.props)
		o.index[name] = i
		o.props = append(o.props, property{name: name, plain: plainText(name)})
	}
	return i
}

func (b *builder) arrayKeyword(n *node, name string, val *Value) (err error) {
	if n.arr == nil {
		n.arr = &arrayRule{max: -1}
	}
	switch name {
	case "prefixItems":
		n.arr.prefix, err = b.schemas(val)
	case "items":
		n.arr.items, err = b.schema(val)
	case "minItems":
		n.arr.min = count(val)
	case "maxItems":
		n.arr.max = count(val)
	}
	return err
}

func (b *builder) schemas(val *Value) ([]*node, error) {
	out := make([]*node, len(val.Items))
	for i, item := range val.Items {
		n, err := b.schema(item)
		if err != nil {
			return nil, err
		}
		out[i] = n
	}
	return out, nil
}

func (b *builder) inPlaceMany(n *node, name string, val *Value) error {
	list, err := b.schemas(val)
	also := n.combine()
	switch name {
	case "allOf":
		also.allOf = list
	case "anyOf":
		also.anyOf = list
	case "oneOf":
		also.oneOf = list
	}
	return err
}

func (b *builder) inPlaceOne(n *node, v *Value, name string, val *Value) error {
	if name == "$ref" {
		target, err := b.resolve(val.Text)
		if err != nil {
			return err
		}
		val = target
	}
	sub, err := b.schema(val)
	if err != nil {
		return err
	}
	switch also := n.combine(); name {
	case "$ref":
		also.ref, also.refName = sub, v.Str("$ref")
	case "not":
		also.not = sub
	case "if":
		also.cond = sub
	case "then":
		also.yes = sub
	case "else":
		also.no_ = sub
	}
	return nil
}

func (n *node) combine() *inPlace {
	if n.also == nil {
		n.also = &inPlace{}
	}
	return n.also
}

// finish picks the fast way, once all keywords are in.
func (n *node) finish() {
	if n.words == nil && len(n.enum) > 0 {
		n.words = plainWords(n.enum)
	}
	if n.str != nil {
		n.str.size = n.str.fixedSize()
	}
	n.steps = n.obj != nil || n.arr != nil || n.also != nil
	alone := n.also == nil && n.enum == nil
	switch {
	case n.also == nil && n.words != nil && n.types&tString != 0 && n.str == nil:
		n.op = opWord
	case !alone:
	case n.types == tString:
		n.op = opString
	case n.types == tInteger && n.num == nil:
		n.op = opInteger
	case n.types == tObject && n.obj != nil && len(n.obj.props) <= maxFastProps:
		n.op = opObject
	case n.types == tAny && n.str == nil && n.num == nil && n.obj == nil && n.arr == nil:
		n.op = opAny
	}
}

// plainWords is the enum as raw strings, if it is nothing else.
func plainWords(enum []*Value) []string {
	out := make([]string, len(enum))
	for i, v := range enum {
		if v.Kind != String || !plainText(v.Text) {
			return nil
		}
		out[i] = v.Text
	}
	return out
}

// plainText reports whether a string can be written in JSON as it is.
func plainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return true
}

// fixedSize is the length of all strings that meet the rule, if they have only
// one and it is decided by a table.
func (r *stringRule) fixedSize() int {
	switch {
	case r.pattern != nil && r.pattern.runs != nil:
		return r.pattern.size
	case r.format != nil && r.format.name == "uuid":
		return 36
	}
	return 0
}
