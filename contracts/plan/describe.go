package plan

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
)

// Describer writes the descriptions of one stage's shards: what a shard is, in
// the canonical JSON of RFC 8785, whose SHA-256 names it.
//
//	{"inputs":[…],"kind":"exec","spec":{"argv":["gzip","-9c","{input}"]},"v":1}
//
// An input is {"name","sha256"} for a file, with "from" and "to" for a part of
// one, {"item"} for a value, {"shard"} for another shard's output.
type Describer struct {
	suffix []byte
	buf    []byte
}

// NewDescriber is for the shards of a stage with that kind and spec, which is
// any JSON.
func NewDescriber(kind string, spec []byte) (*Describer, error) {
	canon, err := jcs.Append(nil, spec)
	if err != nil {
		return nil, fmt.Errorf("describing shards of kind %s: their spec: %w", kind, err)
	}
	d := &Describer{suffix: append(appendText([]byte(`],"kind":`), kind), `,"spec":`...)}
	d.suffix = append(append(d.suffix, canon...), `,"v":1}`...)
	return d, nil
}

// Append appends the description of a shard with these inputs.
func (d *Describer) Append(dst []byte, inputs []Input) ([]byte, error) {
	dst = append(dst, `{"inputs":[`...)
	for i := range inputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = appendInput(dst, &inputs[i]); err != nil {
			return dst, err
		}
	}
	return append(dst, d.suffix...), nil
}

// Sum is the SHA-256 of Append's text.
func (d *Describer) Sum(inputs []Input) ([sha256.Size]byte, error) {
	var err error
	d.buf, err = d.Append(d.buf[:0], inputs)
	return sha256.Sum256(d.buf), err
}

// appendInput writes the members that are there, in the order of their names.
func appendInput(dst []byte, in *Input) ([]byte, error) {
	dst = append(dst, '{')
	start := len(dst)
	name := func(s string) {
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), s...), `":`...)
	}
	if in.From != nil {
		name("from")
		dst = strconv.AppendInt(dst, *in.From, 10)
	}
	if in.Item != nil {
		name("item")
		var err error
		if dst, err = jcs.Append(dst, *in.Item); err != nil {
			return dst, fmt.Errorf("describing the item %s: %w", clip(string(*in.Item)), err)
		}
	}
	if in.Name != "" {
		name("name")
		dst = appendText(dst, in.Name)
	}
	if in.SHA256 != "" {
		name("sha256")
		dst = appendText(dst, in.SHA256)
	}
	if in.Shard != "" {
		name("shard")
		dst = appendText(dst, in.Shard)
	}
	if in.To != nil {
		name("to")
		dst = strconv.AppendInt(dst, *in.To, 10)
	}
	return append(dst, '}'), nil
}

// appendText writes a string as RFC 8785 does.
func appendText(dst []byte, s string) []byte {
	if strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' }) {
		out, err := jcs.Append(dst, contracts.AppendString(nil, s))
		if err == nil {
			return out
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
