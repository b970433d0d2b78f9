package schema

// object walks an object once. Where a name stands twice the last one counts, as
// for every decoder that fills a map; so a property that failed is forgiven when a
// later one of its name holds.
func (f *fast) object(o *objectRule, i int) (end int, v verdict) {
	b := f.b
	var seen, failed uint64
	members, next := 0, 0
	i = skipSpace(b, i+1)
	for i < len(b) && b[i] == '"' {
		members++
		at, after := o.lookup(b, i, next)
		if at == escaped {
			return i, unsure
		}
		i = skipSpace(b, after)
		i = skipSpace(b, i+1) // past the colon
		sub := o.extra
		if at >= 0 {
			next = at + 1
			seen |= 1 << at
			if n := o.props[at].node; n != nil {
				sub = n
			}
		}
		if sub == nil {
			i = skipValue(b, i)
		} else {
			stop, v := f.check(sub, i)
			switch {
			case v == yes:
				failed &^= bit(at)
			case v == unsure || at < 0:
				return i, unsure
			default:
				failed |= bit(at)
				stop = skipValue(b, i)
			}
			i = stop
		}
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	if i >= len(b) || b[i] != '}' {
		return i, unsure
	}
	return i + 1, o.verdict(seen, failed, members)
}

func bit(at int) uint64 {
	if at < 0 {
		return 0
	}
	return 1 << at
}

// verdict sums up a walk. The number of members counts repeated names twice, so
// only some answers can be given by it.
func (o *objectRule) verdict(seen, failed uint64, members int) verdict {
	switch {
	case failed != 0 || seen&o.required != o.required || members < o.min:
		return no
	case o.min > 1 || o.max >= 0 && members > o.max:
		return unsure
	}
	return yes
}

// What lookup answers beside an index.
const (
	unknown = -1
	escaped = -2
)

// lookup finds the property whose name is at i, beginning with the one that would
// be next: writers keep an order. after is where the name's closing quote ends.
func (o *objectRule) lookup(b []byte, i, next int) (at, after int) {
	if next < len(o.props) {
		p := &o.props[next]
		if end := i + 1 + len(p.name); end < len(b) && b[end] == '"' && string(b[i+1:end]) == p.name && p.plain {
			return next, end + 1
		}
	}
	after, plain := skipString(b, i)
	if !plain || after-i < 2 {
		return escaped, after
	}
	return o.find(b[i+1 : after-1]), after
}

// fewProps is up to how many properties comparing each beats hashing.
const fewProps = 8

func (o *objectRule) find(name []byte) int {
	if len(o.props) <= fewProps {
		for i := range o.props {
			if o.props[i].name == string(name) {
				return i
			}
		}
		return unknown
	}
	if i, ok := o.index[string(name)]; ok {
		return i
	}
	return unknown
}

// maybeObject is object where a rule may be missing or too wide to keep track of.
func (f *fast) maybeObject(o *objectRule, i int) (end int, v verdict) {
	switch {
	case o == nil:
		return skipValue(f.b, i), yes
	case len(o.props) > maxFastProps:
		return i, unsure
	}
	return f.object(o, i)
}

func (f *fast) array(a *arrayRule, i int) (end int, v verdict) {
	if a == nil || a.items == nil && a.prefix == nil && a.min == 0 && a.max < 0 {
		return skipValue(f.b, i), yes
	}
	b, n := f.b, 0
	i = skipSpace(b, i+1)
	for i < len(b) && b[i] != ']' {
		if sub := a.at(n); sub == nil {
			i = skipValue(b, i)
		} else if i, v = f.check(sub, i); v != yes {
			return i, v
		}
		n++
		i = skipSpace(b, i)
		if i < len(b) && b[i] == ',' {
			i = skipSpace(b, i+1)
		}
	}
	if i >= len(b) {
		return i, unsure
	}
	return i + 1, is(n >= a.min && (a.max < 0 || n <= a.max))
}

// at is the schema of the n-th item, or nil.
func (a *arrayRule) at(n int) *node {
	if n < len(a.prefix) {
		return a.prefix[n]
	}
	return a.items
}

// inPlace asks the schemas that are combined over the same value.
func (f *fast) inPlace(a *inPlace, i int) verdict {
	if a.ref != nil {
		if _, v := f.check(a.ref, i); v != yes {
			return v
		}
	}
	for _, n := range a.allOf {
		if _, v := f.check(n, i); v != yes {
			return v
		}
	}
	if v := f.some(a, i); v != yes {
		return v
	}
	if a.not != nil {
		if _, v := f.check(a.not, i); v != no {
			return negate(v)
		}
	}
	return f.conditional(a, i)
}

func negate(v verdict) verdict {
	switch v {
	case yes:
		return no
	case no:
		return yes
	}
	return unsure
}

// some asks anyOf and oneOf.
func (f *fast) some(a *inPlace, i int) verdict {
	if a.anyOf != nil {
		if v := f.any(a.anyOf, i); v != yes {
			return v
		}
	}
	if a.oneOf == nil {
		return yes
	}
	hits := 0
	for _, n := range a.oneOf {
		switch _, v := f.check(n, i); v {
		case yes:
			hits++
		case unsure:
			return unsure
		}
	}
	return is(hits == 1)
}

func (f *fast) any(list []*node, i int) verdict {
	out := no
	for _, n := range list {
		switch _, v := f.check(n, i); v {
		case yes:
			return yes
		case unsure:
			out = unsure
		}
	}
	return out
}

func (f *fast) conditional(a *inPlace, i int) verdict {
	if a.cond == nil || a.yes == nil && a.no_ == nil {
		return yes
	}
	then := a.yes
	switch _, v := f.check(a.cond, i); v {
	case unsure:
		return unsure
	case no:
		then = a.no_
	}
	if then == nil {
		return yes
	}
	_, v := f.check(then, i)
	return v
}
