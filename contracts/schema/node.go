package schema

import "strings"

// typeSet is a set of JSON Schema types. An integer is also a number.
type typeSet uint8

const (
	tNull typeSet = 1 << iota
	tBoolean
	tInteger
	tNumber
	tString
	tArray
	tObject

	tAny = tNull | tBoolean | tInteger | tNumber | tString | tArray | tObject
)

var typeNames = [...]string{"null", "boolean", "integer", "number", "string", "array", "object"}

func typeOf(name string) typeSet {
	for i, n := range typeNames {
		if n == name {
			return 1 << i
		}
	}
	return 0
}

func (t typeSet) String() string {
	var names []string
	for i, n := range typeNames {
		if t&(1<<i) != 0 && !(n == "integer" && t&tNumber != 0) {
			names = append(names, n)
		}
	}
	return strings.Join(names, " or ")
}

// op says which way the fast checker takes a node.
type op uint8

const (
	opMixed   op = iota // anything: the general way
	opAny               // the true schema
	opNever             // the false schema
	opString            // only strings, with what str says
	opInteger           // only whole numbers, without bounds
	opObject            // only objects, with what obj says
	opWord              // only certain strings
)

// node is one compiled schema.
type node struct {
	op    op
	types typeSet // tAny if any will do
	enum  []*Value
	words []string // the enum, if all its values are strings

	isConst bool // the enum is a const
	str     *stringRule
	num     *numberRule
	obj     *objectRule
	arr     *arrayRule
	also    *inPlace // $ref and the combining keywords
	steps   bool     // it is worth counting: objects, arrays and combinations
}

type stringRule struct {
	min, max int // code points; max -1 is no limit
	pattern  *pattern
	format   *format
	size     int // the one length a good string has, and its raw text is its own; else 0
}

type numberRule struct {
	min, max   *bound
	multipleOf *divisor
	multiple   string
}

// bound is a limit of a number, kept as a small integer too where it is one.
type bound struct {
	value     decimal
	small     int64
	isSmall   bool
	exclusive bool
}

// maxFastProps is how many named properties the fast checker keeps track of.
const maxFastProps = 64

type objectRule struct {
	props      []property
	index      map[string]int // over props
	required   uint64         // bits over props
	requiredAt []int          // in the schema's order
	extra      *node          // additionalProperties; nil is any
	min, max   int            // number of members; max -1 is no limit
}

type property struct {
	name  string
	plain bool  // the name stands in JSON as it is
	node  *node // nil: the name is only required
}

type arrayRule struct {
	prefix   []*node
	items    *node // nil is any
	min, max int
}

// inPlace holds what is asked of the same value by other schemas.
type inPlace struct {
	ref            *node
	refName        string
	allOf          []*node
	anyOf          []*node
	oneOf          []*node
	not            *node
	cond, yes, no_ *node // if, then, else
}

// branches are all the schemas asked in place.
func (a *inPlace) branches() []*node {
	out := append(append(append([]*node{a.ref, a.not, a.cond, a.yes, a.no_}, a.allOf...), a.anyOf...), a.oneOf...)
	kept := out[:0]
	for _, n := range out {
		if n != nil {
			kept = append(kept, n)
		}
	}
	return kept
}
