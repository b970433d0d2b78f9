package settings

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The file is a person's, but whoever may write to the board may write it too:
// its size and depth are bounded before the parser, which recurses, sees it.
const (
	maxYAML      = 64 << 10
	maxYAMLDepth = 32
)

// parseYAML flattens the settings file: one value a scalar, keys joined by
// dots; the sections stay whole.
func parseYAML(text []byte) (out []value, faults []Fault) {
	here := value{source: FileName, line: 1, column: 1}
	if len(text) > maxYAML {
		return nil, []Fault{here.fault("at most 64 KiB", fmt.Sprintf("%d bytes", len(text)), "")}
	}
	if line := tooDeep(text); line > 0 {
		here.line = line
		return nil, []Fault{here.fault("plain settings", "lists or maps nested too deep", "")}
	}
	defer func() { // the parser is a guest: its panics are faults of the file
		if r := recover(); r != nil {
			out, faults = nil, []Fault{here.fault("YAML", fmt.Sprintf("something its parser cannot read (%v)", r), "")}
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, []Fault{syntaxFault(here, err)}
	}
	w := &walker{}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			w.add(here.at(doc.Body.GetToken()), "one document", "a second one")
			break
		}
		if doc.Body != nil && doc.Body.Type() != ast.NullType {
			w.mapping("", doc.Body, 0)
		}
	}
	return w.values, w.faults
}

func syntaxFault(here value, err error) Fault {
	var at yaml.Error
	msg := err.Error()
	if errors.As(err, &at) {
		msg = at.GetMessage()
		here = here.at(at.GetToken())
	}
	return here.fault("YAML", strings.ReplaceAll(msg, "\n", " "), "")
}

func (v value) at(t *token.Token) value {
	v.source, v.line, v.column = FileName, 1, 1
	if t != nil && t.Position != nil {
		v.line, v.column = t.Position.Line, t.Position.Column
	}
	v.origin = fmt.Sprintf("%s:%d", FileName, v.line)
	return v
}

type walker struct {
	values []value
	faults []Fault
}

func (w *walker) add(v value, expected, found string) {
	w.faults = append(w.faults, v.fault(expected, found, ""))
}

// mapping walks one level of settings below prefix.
func (w *walker) mapping(prefix string, n ast.Node, depth int) {
	m, ok := n.(ast.MapNode)
	if !ok || depth > maxYAMLDepth {
		w.add(value{key: prefix}.at(n.GetToken()), "settings, as name: value", describe(n))
		return
	}
	for it := m.MapRange(); it.Next(); {
		name, ok := plain(it.Key())
		if !ok || name == "" {
			w.add(value{key: prefix}.at(it.Key().GetToken()), "the name of a setting", "another kind of key")
			continue
		}
		key := strings.TrimPrefix(prefix+"."+name, ".")
		w.leaf(value{key: key}.at(it.Key().GetToken()), it.Value(), depth)
	}
}

func (w *walker) leaf(v value, n ast.Node, depth int) {
	section := slices.Contains(sections(), v.key)
	if _, ok := n.(ast.MapNode); ok && !section {
		w.mapping(v.key, n, depth+1)
		return
	}
	var ok bool
	switch {
	case n == nil || n.Type() == ast.NullType:
		v.null, v.text = true, "nothing"
	case section || n.Type() == ast.SequenceType:
		v.text = describe(n)
		v.raw, ok = document(n, depth)
		if !ok {
			w.add(v, "plain values", "an anchor, alias, tag, merge or something too deep")
			return
		}
		v.places = map[string]place{}
		v.find(v.key, n)
	default:
		v.text, ok = plain(n)
		if !ok {
			w.add(v, "a plain value", describe(n))
			return
		}
	}
	w.values = append(w.values, v)
}

// find notes where the parts of a document stand: maps' members by their names,
// lists' by their numbers.
func (v *value) find(key string, n ast.Node) {
	note := func(key string, t *token.Token) {
		if t != nil && t.Position != nil {
			v.places[key] = place{t.Position.Line, t.Position.Column}
		}
	}
	switch n := n.(type) {
	case *ast.SequenceNode:
		for i, item := range n.Values {
			at := fmt.Sprintf("%s.%d", key, i)
			note(at, item.GetToken())
			v.find(at, item)
		}
	case ast.MapNode:
		for it := n.MapRange(); it.Next(); {
			if name, ok := plain(it.Key()); ok {
				at := key + "." + name
				note(at, it.Key().GetToken())
				v.find(at, it.Value())
			}
		}
	}
}

// plain is a scalar's text as it was written, quotes resolved.
func plain(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// document turns a section into what encoding/json would make of it.
func document(n ast.Node, depth int) (any, bool) {
	if depth > maxYAMLDepth {
		return nil, false
	}
	switch n := n.(type) {
	case *ast.SequenceNode:
		list := []any{}
		for _, item := range n.Values {
			v, ok := document(item, depth+1)
			if !ok {
				return nil, false
			}
			list = append(list, v)
		}
		return list, true
	case ast.MapNode:
		out := map[string]any{}
		for it := n.MapRange(); it.Next(); {
			name, ok := plain(it.Key())
			v, ok2 := document(it.Value(), depth+1)
			if !ok || !ok2 {
				return nil, false
			}
			out[name] = v
		}
		return out, true
	}
	return scalar(n)
}

func scalar(n ast.Node) (any, bool) {
	switch n := n.(type) {
	case nil:
		return nil, true
	case *ast.NullNode:
		return nil, true
	case *ast.BoolNode:
		return n.Value, true
	case *ast.IntegerNode:
		return n.Value, true
	case *ast.FloatNode:
		return n.Value, !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value)
	case *ast.StringNode, *ast.LiteralNode:
		return plain(n)
	}
	return nil, false
}

func describe(n ast.Node) string {
	switch n.(type) {
	case ast.MapNode:
		return "a map"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		return "an anchor, alias, tag or merge"
	}
	if s, ok := plain(n); ok {
		return quoted(s)
	}
	return "nothing"
}

// tooDeep returns the line at which more brackets or list marks stand open
// than any settings need, counted without understanding quotes: over-counting
// costs nobody anything at this limit.
func tooDeep(text []byte) int {
	open, line, marks := 0, 1, 0
	for _, c := range text {
		switch c {
		case '[', '{':
			open++
		case ']', '}':
			open = max(open-1, 0)
		case '\n':
			line, marks = line+1, 0
		case '-', '?', ':', '!', '&':
			marks++
		}
		if open > 2*maxYAMLDepth || marks > 512 {
			return line
		}
	}
	return 0
}
