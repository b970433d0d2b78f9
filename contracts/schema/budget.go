package schema

import (
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// budget counts the library's steps and stops it when they are too many: a schema
// that refers to itself in two alternatives takes 2¹²⁸ of them on a deep value. It
// hangs on every schema object as a vocabulary without keywords, the one hook that
// is called on the way.
type budget struct{ left int }

// slowSteps is how many steps the library may take: each is a microsecond or so.
func slowSteps(data []byte) int { return 1<<14 + 4*len(data) }

var errBudget = errors.New("it takes more steps than allowed")

func (b *budget) vocabulary() *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "urn:stigmergy:budget",
		Compile: func(*jsonschema.CompilerContext, map[string]any) (jsonschema.SchemaExt, error) {
			return b, nil
		},
	}
}

// Validate is called for each schema object and value.
func (b *budget) Validate(*jsonschema.ValidatorContext, any) {
	if b.left--; b.left < 0 {
		panic(errBudget)
	}
}
