// Package schema checks JSON values against JSON Schema 2020-12.
package schema

// Error is one place where a value breaks its schema.
type Error struct {
	Pointer  string // JSON pointer to the value, relative to the checked one; "" is the whole
	Keyword  string // the keyword that failed: "required", "pattern" …
	Expected string // what the schema asks for
	Got      string // what stands there
}

// Schema is a compiled schema; immutable and safe for use by many goroutines.
type Schema struct{}

// Compile reads a schema.
func Compile(text []byte) (*Schema, error) { return &Schema{}, nil }

// Check holds data, which is known to be valid JSON, against the schema.
// It returns nil when all is well.
func (s *Schema) Check(data []byte) []Error { return nil }
