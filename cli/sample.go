package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"stigmergy/contracts"
)

// A sample is made from the schema alone, the same every time.
const (
	sampleTime = "2025-10-11T21:00:00Z"
	sampleUUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	sampleID   = "0199d50e-2b00-7000-8000-000000000001"
)

// sample is a valid event of a topic: with every field that its contract
// names, or with the required ones where all together contradict each other.
func sample(t *contracts.Topic) ([]byte, error) {
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader(t.Schema))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		return nil, fmt.Errorf("reading the contract of %s: %w", t.Name, err)
	}
	lane := t.Owner
	if lane == "" {
		lane = t.Lane
	}
	if lane == "" {
		lane = "agents/7"
	}
	var why error
	for _, all := range []bool{true, false} {
		s := sampler{root: root, all: all}
		data, _ := json.Marshal(s.value(root, "data", 0)) // maps, lists and scalars only
		line := contracts.Build{ID: sampleID, Source: lane, Type: t.Name, Time: sampleTime, Data: data}.Append(nil)
		var env contracts.Envelope
		if contracts.Scan(line, &env) != nil {
			continue
		}
		errs := t.Check(line, &env)
		if len(errs) == 0 {
			return line, nil
		}
		why = fmt.Errorf("%s: expected %s, got %s", errs[0].Pointer, errs[0].Expected, errs[0].Got)
	}
	return nil, &Fault{Doing: "making a sample of " + t.Name, Err: errors.Join(errors.New("its contract is too intricate for that"), why),
		Try: "stigmergy contracts show " + t.Name, Code: codeNone}
}

type sampler struct {
	root map[string]any
	all  bool
}

// object keeps the schema's own order: required fields first.
type object []struct {
	name  string
	value any
}

// MarshalJSON writes the fields in order.
func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, f := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(contracts.AppendString(out, f.name), ':')
		v, err := json.Marshal(f.value)
		if err != nil {
			return nil, err
		}
		out = append(out, v...)
	}
	return append(out, '}'), nil
}

// value makes something that a schema accepts.
func (s sampler) value(schema map[string]any, name string, depth int) any {
	if depth > 12 {
		return nil
	}
	schema = s.resolve(schema, depth)
	if v, ok := fixed(schema); ok {
		return v
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		if first, ok := firstOf(schema[key]); ok && schema["properties"] == nil {
			return s.value(first, name, depth+1)
		}
	}
	switch kindOf(schema) {
	case "object":
		return s.object(schema, depth)
	case "array":
		return s.array(schema, name, depth)
	case "string":
		return stringFor(schema, name)
	case "integer", "number":
		return numberFor(schema)
	case "boolean":
		return true
	}
	return nil
}

// resolve follows $ref within the document and merges allOf.
func (s sampler) resolve(schema map[string]any, depth int) map[string]any {
	ref, _ := schema["$ref"].(string)
	parts, _ := schema["allOf"].([]any)
	if ref == "" && len(parts) == 0 || depth > 12 {
		return schema
	}
	out := map[string]any{}
	if ref != "" {
		var at any = s.root
		for token := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
			m, _ := at.(map[string]any)
			at = m[token]
		}
		if target, ok := at.(map[string]any); ok {
			merge(out, s.resolve(target, depth+1))
		}
	}
	for _, p := range parts {
		if m, ok := p.(map[string]any); ok {
			merge(out, s.resolve(m, depth+1))
		}
	}
	merge(out, schema)
	return out
}

func merge(dst, src map[string]any) {
	for k, v := range src {
		switch old := dst[k].(type) {
		case map[string]any:
			if m, ok := v.(map[string]any); ok {
				both := map[string]any{}
				merge(both, old)
				merge(both, m)
				dst[k] = both
				continue
			}
		case []any:
			if l, ok := v.([]any); ok && k == "required" {
				dst[k] = append(slices.Clone(old), l...)
				continue
			}
		}
		dst[k] = v
	}
}

// fixed is a value that the schema itself spells out.
func fixed(schema map[string]any) (any, bool) {
	if v, ok := schema["const"]; ok {
		return v, true
	}
	for _, key := range []string{"examples", "enum"} {
		if l, ok := schema[key].([]any); ok && len(l) > 0 {
			return l[0], true
		}
	}
	v, ok := schema["default"]
	return v, ok
}

func firstOf(v any) (map[string]any, bool) {
	l, _ := v.([]any)
	if len(l) == 0 {
		return nil, false
	}
	m, ok := l[0].(map[string]any)
	return m, ok
}

func kindOf(schema map[string]any) string {
	switch t := schema["type"].(type) {
	case string:
		return t
	case []any:
		for _, v := range t {
			if s, ok := v.(string); ok && s != "null" {
				return s
			}
		}
	}
	switch {
	case schema["properties"] != nil, schema["required"] != nil:
		return "object"
	case schema["items"] != nil:
		return "array"
	case schema["minimum"] != nil:
		return "integer"
	}
	return "string"
}

func (s sampler) object(schema map[string]any, depth int) any {
	props, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	var names []string
	for _, r := range required {
		if name, ok := r.(string); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if s.all {
		var rest []string
		for name := range props {
			if !slices.Contains(names, name) {
				rest = append(rest, name)
			}
		}
		slices.Sort(rest)
		names = append(names, rest...)
	}
	out := object{}
	for _, name := range names {
		p, ok := props[name].(map[string]any)
		if !ok {
			p = map[string]any{"type": "string"}
		}
		out = append(out, struct {
			name  string
			value any
		}{name, s.value(p, name, depth+1)})
	}
	return out
}

func (s sampler) array(schema map[string]any, name string, depth int) any {
	n := max(intOf(schema["minItems"]), 1)
	items, _ := schema["items"].(map[string]any)
	out := []any{}
	for range min(n, 8) {
		out = append(out, s.value(items, name, depth+1))
	}
	return out
}

func intOf(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, _ := strconv.Atoi(n.String())
	return i
}

func numberFor(schema map[string]any) any {
	for _, key := range []string{"minimum", "exclusiveMinimum"} {
		if n, ok := schema[key].(json.Number); ok {
			f, err := n.Float64()
			if err == nil && key == "exclusiveMinimum" {
				f++
			}
			return math.Max(f, 1)
		}
	}
	return 1
}

// stringFor makes a string of the right shape, with the field's name where
// any would do.
func stringFor(schema map[string]any, name string) string {
	switch format, _ := schema["format"].(string); format {
	case "uuid":
		return sampleUUID
	case "date-time":
		return sampleTime
	case "uri":
		return "https://example.org/"
	}
	if p, ok := schema["pattern"].(string); ok {
		if re, err := syntax.Parse(p, syntax.Perl); err == nil {
			return matching(re.Simplify())
		}
	}
	out := name
	for n := intOf(schema["minLength"]); len(out) < n; {
		out += "-" + name
	}
	if most := intOf(schema["maxLength"]); most > 0 {
		out = out[:min(len(out), most)]
	}
	return out
}

// matching is one of the shortest texts that an expression matches.
func matching(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		for _, want := range "a0-/" {
			for i := 0; i+1 < len(re.Rune); i += 2 {
				if re.Rune[i] <= want && want <= re.Rune[i+1] {
					return string(want)
				}
			}
		}
		return string(re.Rune[:1])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus:
		return matching(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(matching(re.Sub[0]), re.Min)
	case syntax.OpAlternate:
		return matching(re.Sub[0])
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range re.Sub {
			b.WriteString(matching(sub))
		}
		return b.String()
	}
	return ""
}
