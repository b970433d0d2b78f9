package query

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/itchyny/gojq"
)

// The bounds of one event's run of a jq expression.
const (
	jqTime   = 2 * time.Second
	jqValues = 100_000
)

// ErrJQ says that a jq expression failed on an event or went out of bounds.
var ErrJQ = errors.New("jq")

// JQ is a compiled jq expression. It sees no environment, no files and no other
// input than the event's line.
type JQ struct{ code *gojq.Code }

// ParseJQ compiles an expression.
func ParseJQ(expr string) (*JQ, error) {
	q, err := gojq.Parse(expr)
	if err != nil {
		return nil, fmt.Errorf("reading the jq expression %q: %w", clip(expr), err)
	}
	code, err := gojq.Compile(q)
	if err != nil {
		return nil, fmt.Errorf("reading the jq expression %q: %w", clip(expr), err)
	}
	return &JQ{code}, nil
}

// Run evaluates the expression on one JSON text and gives each result as JSON.
// Numbers that it only passes through keep their digits.
func (q *JQ) Run(ctx context.Context, line []byte, fn func([]byte) error) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("%w: reading the event: %w", ErrJQ, err)
	}
	ctx, cancel := context.WithTimeout(ctx, jqTime)
	defer cancel()
	iter := q.code.RunWithContext(ctx, v)
	for n := 0; ; n++ {
		r, ok := iter.Next()
		if !ok {
			return nil
		}
		if err, bad := r.(error); bad {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return nil
			}
			return fmt.Errorf("%w: %w", ErrJQ, err)
		}
		if n >= jqValues {
			return fmt.Errorf("%w: more than %d results from one event", ErrJQ, jqValues)
		}
		b, err := gojq.Marshal(r)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrJQ, err)
		}
		if err := fn(b); err != nil {
			return err
		}
	}
}
