// Package schema checks JSON values against JSON Schema 2020-12, fast.
//
// Contracts use a handful of keywords, and events are checked by the million. So
// a schema is compiled into a checker that walks the value's raw bytes once,
// without decoding and without allocating:
//
//	s, err := schema.Compile([]byte(`{"type":"object","required":["cas_id"],
//		"properties":{"cas_id":{"type":"string","pattern":"^[0-9a-f]{16}$"}}}`))
//	for _, e := range s.Check([]byte(`{"cas_id":"def456"}`)) {
//		fmt.Println(e.Pointer, "expected", e.Expected, "got", e.Got)
//	}
//	// /cas_id expected 16 lower-case hex digits got "def456"
//
// Keywords done by the compiled checker: type, enum, const, properties, required,
// additionalProperties, min- and maxProperties, items, prefixItems, min- and
// maxItems, minLength, maxLength, pattern (RE2), format, minimum, maximum, the
// exclusive ones, multipleOf, allOf, anyOf, oneOf, not, if/then/else, $defs and
// $ref within the file. A schema with any other goes as a whole to
// santhosh-tekuri/jsonschema, which does the rest of the standard; keywords that
// begin with x- are annotations. Both are held to the same answers by fuzzing.
//
// Where the standard leaves a choice: formats are asserted; of a name that stands
// twice in an object the last value counts; numbers are compared exactly, whatever
// their size; a $ref never leads to a file or the network.
package schema

import "encoding/json"

// Error is one place where a value breaks its schema.
type Error struct {
	Pointer  string // JSON pointer to the value, or to the one that is missing
	Keyword  string // the keyword that failed: required, pattern …
	Expected string // what the schema asks for, in words
	Got      string // what stands there: a scalar as written, or a size
}

// Schema is a compiled schema. It is immutable and safe for use by many goroutines.
type Schema struct {
	text     *Value
	root     *node     // the compiled checker, or nil
	fallback *fallback // else this
}

// Compile reads a schema and checks it against the standard's own schema. Its
// errors are of type *TextError and say where in the text the fault is.
func Compile(text []byte) (*Schema, error) {
	return compile(text, options{assertFormats: true, gate: true})
}

// CompileTrusted is Compile without the check against the standard's schema, ten
// times faster: for schemas that a test has checked.
func CompileTrusted(text []byte) (*Schema, error) {
	return compile(text, options{assertFormats: true})
}

// options are what the tests vary.
type options struct {
	assertFormats bool
	gate          bool                          // check against the meta-schema
	load          func(url string) (any, error) // nil: references stay in the file
	noCompiled    bool                          // fallback only
}

func compile(text []byte, opt options) (*Schema, error) {
	v, err := ParseText(text)
	if err != nil {
		return nil, err
	}
	s := &Schema{text: v}
	if opt.gate {
		if s.fallback, err = newFallback(text, v, opt); err != nil {
			return nil, err
		}
	}
	if !opt.noCompiled {
		s.root, err = build(v, opt.assertFormats)
	}
	switch {
	case s.root != nil && err == nil:
		s.fallback = nil
	case err != nil && err != errFallback:
		return nil, faultAt(text, v.Offset, "", err.Error())
	case s.fallback == nil:
		s.root = nil
		s.fallback, err = newFallback(text, v, opt)
	default:
		s.root, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Compiled reports whether the compiled checker does this schema, not the fallback.
func (s *Schema) Compiled() bool { return s.root != nil }

// Text is the schema itself, for its annotations. It must not be changed.
func (s *Schema) Text() *Value { return s.text }

// Check holds a JSON value against the schema. It returns nil when all is well,
// which takes no allocation unless the fallback is asked, and at most MaxErrors
// errors, always in the same order. The value is known to be valid JSON: of what is
// not, Check may say anything, but it says it soon and does not panic.
func (s *Schema) Check(data []byte) []Error {
	if s.root == nil {
		return s.fallback.check(data)
	}
	f := fast{b: data, steps: steps(data)}
	i := skipSpace(data, 0)
	if end, v := f.check(s.root, i); v == yes && skipSpace(data, end) == len(data) {
		return nil
	}
	return s.collect(data)
}

func steps(data []byte) int { return baseSteps + stepsPerByte*len(data) }

// collect asks the checker that finds everything.
func (s *Schema) collect(data []byte) []Error {
	if !json.Valid(data) {
		return []Error{{"", "json", "a JSON value", "something else"}}
	}
	left := steps(data)
	c := collector{b: data, max: MaxErrors, steps: &left}
	i := skipSpace(data, 0)
	c.check(s.root, span{i, skipValue(data, i)}, "")
	if left < 0 { // a branch was cut off: what it would have said is not known
		return tooMuch()
	}
	return c.out
}

// tooMuch is the answer when a schema's alternatives multiply beyond the budget.
func tooMuch() []Error {
	return []Error{{"", "$ref", "a value that can be checked in bounded time", "one that takes too many steps"}}
}
