package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type contractsDiff struct {
	Old string `arg:"" help:"A contract's file, or a topic."`
	New string `arg:"" optional:"" help:"The other one (default: what is in force for OLD's topic)."`
}

// Help says the rest.
func (contractsDiff) Help() string {
	return "A change is breaking when an event that OLD accepts may be refused by NEW. Exit 1 if there is one. With one FILE: what is in force against FILE."
}

// Run compares.
func (c *contractsDiff) Run(a *app) error {
	oldName, newName := c.Old, c.New
	if newName == "" {
		topic := strings.TrimSuffix(c.Old[strings.LastIndex(c.Old, "/")+1:], schemaExt)
		oldName, newName = topic, c.Old
	}
	before, err := a.contractText(oldName)
	if err != nil {
		return err
	}
	after, err := a.contractText(newName)
	if err != nil {
		return err
	}
	d := &schemaDiff{}
	d.schemas("", before, after)
	p := a.printer()
	breaking := 0
	for _, ch := range d.changes {
		if ch.breaking {
			breaking++
		}
		if err := p.add(record{text("pointer", ch.pointer), text("change", ch.what), flag("breaking", ch.breaking)}); err != nil {
			return err
		}
	}
	if err := p.close(); err != nil {
		return err
	}
	a.note("%d changes, %d of them breaking", len(d.changes), breaking)
	if breaking > 0 {
		return exitWith(codeNone)
	}
	return nil
}

// contractText is a contract by file or topic, decoded.
func (a *app) contractText(name string) (map[string]any, error) {
	var raw []byte
	if strings.HasSuffix(name, schemaExt) {
		text, err := readSmall(name)
		if err != nil {
			return nil, fmt.Errorf("comparing contracts: %w", err)
		}
		raw = text
	} else {
		topics, err := a.topics([]string{name})
		if err != nil {
			return nil, err
		}
		raw = topics[0].Schema
	}
	var out map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return nil, &Fault{Doing: "comparing contracts", Path: name, Err: err, Expected: "a JSON Schema", Code: codeUsage}
	}
	return out, nil
}

type schemaChange struct {
	pointer, what string
	breaking      bool
}

// schemaDiff compares keyword by keyword. What it cannot judge counts as
// breaking: a warning too many is cheap.
type schemaDiff struct{ changes []schemaChange }

func (d *schemaDiff) add(pointer, what string, breaking bool) {
	d.changes = append(d.changes, schemaChange{pointer, what, breaking})
}

func (d *schemaDiff) schemas(at string, before, after map[string]any) {
	keys := map[string]bool{}
	for k := range before {
		keys[k] = true
	}
	for k := range after {
		keys[k] = true
	}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if !equalJSON(before[k], after[k]) {
			d.keyword(at, k, before[k], after[k])
		}
	}
}

func (d *schemaDiff) keyword(at, k string, before, after any) {
	switch k {
	case "properties", "$defs", "patternProperties":
		d.members(at+"/"+k, before, after, k == "properties")
	case "required", "enum":
		d.lists(at, k, before, after)
	case "items", "additionalProperties":
		b, ok1 := before.(map[string]any)
		n, ok2 := after.(map[string]any)
		if ok1 && ok2 {
			d.schemas(at+"/"+k, b, n)
			return
		}
		d.add(at, changed(k, before, after), after != nil)
	case "minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties":
		d.add(at, changed(k, before, after), after != nil && (before == nil || numberOf(after) > numberOf(before)))
	case "maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties":
		d.add(at, changed(k, before, after), after != nil && (before == nil || numberOf(after) < numberOf(before)))
	case "type":
		d.add(at, changed(k, before, after), !widerType(before, after))
	case "title", "description", "examples", "default", "$id", "$schema", "$comment", "deprecated":
		d.add(at, changed(k, nil, nil), false)
	default:
		d.add(at, changed(k, before, after), after != nil && !strings.HasPrefix(k, "x-"))
	}
}

// members compares schemas by name.
func (d *schemaDiff) members(at string, before, after any, open bool) {
	b, _ := before.(map[string]any)
	n, _ := after.(map[string]any)
	names := map[string]bool{}
	for k := range b {
		names[k] = true
	}
	for k := range n {
		names[k] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, ok1 := b[name].(map[string]any)
		is, ok2 := n[name].(map[string]any)
		switch {
		case ok1 && ok2:
			d.schemas(at+"/"+name, was, is)
		case ok2:
			d.add(at+"/"+name, "new", open && len(is) > 0 && !onlyNotes(is))
		default:
			d.add(at+"/"+name, "gone: no longer checked", false)
		}
	}
}

// onlyNotes tells whether a schema accepts everything.
func onlyNotes(s map[string]any) bool {
	for k := range s {
		if k != "title" && k != "description" && k != "examples" && !strings.HasPrefix(k, "x-") {
			return false
		}
	}
	return true
}

// lists compares sets: what is newly required breaks, and what is no longer
// among the allowed values.
func (d *schemaDiff) lists(at, k string, before, after any) {
	b, n := texts(before), texts(after)
	for _, v := range n {
		if !slices.Contains(b, v) {
			d.add(at, k+": "+v+" added", k == "required" || before == nil)
		}
	}
	for _, v := range b {
		if !slices.Contains(n, v) {
			d.add(at, k+": "+v+" removed", k == "enum" && after != nil)
		}
	}
}

func texts(v any) []string {
	l, _ := v.([]any)
	var out []string
	for _, it := range l {
		out = append(out, shortJSON(it))
	}
	return out
}

func changed(k string, before, after any) string {
	switch {
	case before == nil && after == nil:
		return k + " changed"
	case before == nil:
		return k + " added: " + shortJSON(after)
	case after == nil:
		return k + " removed: " + shortJSON(before)
	}
	return k + " was " + shortJSON(before) + ", is " + shortJSON(after)
}

func shortJSON(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return clip(string(raw))
}

func numberOf(v any) float64 {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	f, err := n.Float64()
	if err != nil {
		return 0
	}
	return f
}

// widerType tells whether every type allowed before is allowed after.
func widerType(before, after any) bool {
	if after == nil {
		return true
	}
	if before == nil {
		return false
	}
	is := typesOf(after)
	for _, t := range typesOf(before) {
		if !slices.Contains(is, t) && !(t == "integer" && slices.Contains(is, "number")) {
			return false
		}
	}
	return true
}

func typesOf(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var out []string
	l, _ := v.([]any)
	for _, it := range l {
		if s, ok := it.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func equalJSON(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}
