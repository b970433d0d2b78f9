package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"stigmergy/contracts"
)

// parseYAML reads a document of plain YAML: no anchors, aliases, tags or merges.
func parseYAML(text []byte) (out *node, faults []Fault) {
	if len(text) > MaxYAML {
		return nil, []Fault{{Keyword: "size", Expected: fmt.Sprintf("a plan in YAML of at most %d bytes", MaxYAML), Got: fmt.Sprintf("%d bytes", len(text)), Hint: "in JSON it may be larger"}}
	}
	if line := tooDeep(text); line > 0 {
		return nil, []Fault{{Keyword: "size", Expected: "a plan", Got: "lists or maps nested too deep, or too long a map", Line: line, Column: 1}}
	}
	defer func() { // the parser is a guest: its panics are faults of the document
		if r := recover(); r != nil {
			out, faults = nil, []Fault{{Keyword: "yaml", Expected: "YAML", Got: clip(fmt.Sprintf("something its parser cannot read (%v)", r)), Line: 1, Column: 1}}
		}
	}()
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, []Fault{yamlFault(err, text)}
	}
	w := yamlWalker{}
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case out != nil:
			w.add(doc.Body, "one document", "a second one", "a file holds one plan")
		default:
			out = w.node(doc.Body, 0)
		}
	}
	if out == nil {
		return nil, []Fault{{Keyword: "type", Expected: "a plan: plan_name and stages", Got: "nothing", Line: 1, Column: 1}}
	}
	return out, w.faults
}

func yamlFault(err error, text []byte) Fault {
	f := Fault{Keyword: "yaml", Expected: "YAML", Line: 1, Column: 1}
	msg := err.Error()
	var at yaml.Error
	if errors.As(err, &at) {
		msg = at.GetMessage()
		f.Line, f.Column = position(at.GetToken())
	}
	f.Got = clip(strings.Join(strings.Fields(msg), " "))
	if row := lineOf(text, f.Line); len(row) > 0 && row[0] == '\t' {
		f.Expected, f.Got, f.Hint = "spaces before the text", "a tab", "YAML does not indent with tabs"
	}
	return f
}

func lineOf(text []byte, n int) []byte {
	for row := range bytes.Lines(text) {
		if n--; n == 0 {
			return row
		}
	}
	return nil
}

func position(t *token.Token) (line, column int) {
	if t == nil || t.Position == nil {
		return 1, 1
	}
	return max(t.Position.Line, 1), max(t.Position.Column, 1)
}

type yamlWalker struct {
	faults []Fault
	way    []string // names and indexes that lead to where it is
	nodes  int
	full   bool
}

func (w *yamlWalker) add(n ast.Node, expected, got, hint string) {
	f := Fault{Keyword: "yaml", Expected: expected, Got: got, Hint: hint}
	for _, step := range w.way {
		f.Pointer = pointer(f.Pointer, step)
	}
	f.Pointer = clip(f.Pointer)
	f.Line, f.Column = position(n.GetToken())
	if m, ok := n.(ast.MapNode); ok { // whose token is its first colon
		for it := m.MapRange(); it.Next(); {
			f.Line, f.Column = position(it.Key().GetToken())
			break
		}
	}
	w.faults = append(w.faults, f)
}

func (w *yamlWalker) node(n ast.Node, depth int) *node {
	out := &node{kind: contracts.Null, text: "null", line: 1, column: 1}
	if n == nil {
		return out
	}
	out.line, out.column = position(n.GetToken())
	if w.nodes++; w.nodes > maxNodes || depth > maxDepth {
		if !w.full {
			w.full = true
			w.faults = append(w.faults, *tooMuch(out))
		}
		return out
	}
	switch n := n.(type) {
	case *ast.SequenceNode:
		out.kind, out.text = contracts.Array, ""
		out.items = make([]*node, 0, len(n.Values))
		for i, item := range n.Values {
			out.items = append(out.items, w.below(strconv.Itoa(i), item, depth))
		}
	case ast.MapNode:
		w.mapping(out, n, depth)
	case *ast.TagNode:
		w.add(n, "a plain value", "a tag", "")
		return w.node(n.Value, depth+1)
	case *ast.AnchorNode:
		w.add(n, "a plain value", "an anchor", "")
		return w.node(n.Value, depth+1)
	default:
		w.scalar(out, n)
	}
	return out
}

func (w *yamlWalker) below(step string, n ast.Node, depth int) *node {
	w.way = append(w.way, step)
	out := w.node(n, depth+1)
	w.way = w.way[:len(w.way)-1]
	return out
}

func (w *yamlWalker) mapping(out *node, m ast.MapNode, depth int) {
	out.kind, out.text = contracts.Object, ""
	first := true
	for it := m.MapRange(); it.Next(); {
		key := &node{kind: contracts.String}
		key.line, key.column = position(it.Key().GetToken())
		if first { // the parser gives a map the place of its first colon
			out.line, out.column, first = key.line, key.column, false
		}
		name, ok := yamlText(it.Key())
		if !ok {
			w.add(it.Key(), "a name", describe(it.Key()), "anchors, aliases, tags and merges are not read")
			continue
		}
		key.text = name
		out.members = append(out.members, member{name, key, w.below(name, it.Value(), depth)})
	}
}

// scalar gives a plain value the kind that YAML 1.2 says it has.
func (w *yamlWalker) scalar(out *node, n ast.Node) {
	switch n := n.(type) {
	case *ast.NullNode:
		return
	case *ast.BoolNode:
		out.kind, out.text = contracts.Bool, strconv.FormatBool(n.Value)
		return
	case *ast.IntegerNode:
		out.kind, out.text = contracts.Number, fmt.Sprint(n.Value)
		v := n.GetToken().Value
		if digits := strings.TrimLeft(v, "+-"); len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
			w.add(n, "a number without zeros before it", clip(v), "in quotes it is kept as it is; YAMLs do not agree what it is without")
		}
		if json.Valid([]byte(v)) {
			out.text = v
		}
		return
	case *ast.FloatNode:
		out.kind, out.text = contracts.Number, n.GetToken().Value
		if !json.Valid([]byte(out.text)) {
			out.text = strconv.FormatFloat(n.Value, 'g', -1, 64)
		}
		if !math.IsInf(n.Value, 0) && !math.IsNaN(n.Value) {
			return
		}
	}
	text, ok := yamlText(n)
	if !ok {
		w.add(n, "a plain value", describe(n), "")
		out.told, out.kind = true, contracts.Absent
		return
	}
	out.kind, out.text = contracts.String, text
	if number := []byte(text); n.Type() == ast.StringType && n.GetToken().Type == token.StringType && json.Valid(number) && kindOf(number) == contracts.Number {
		out.kind = contracts.Number // larger than the parser's integers
	}
	if !validText(text) {
		w.add(n, "text that UTF-8 can hold", quoted(text), "")
	}
}

func kindOf(raw []byte) contracts.Kind { return contracts.ValueOf(raw).Kind }

func validText(s string) bool { return invalid([]byte(s)) < 0 }

// yamlText is a scalar's text with quotes resolved.
func yamlText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tag"
	case *ast.MergeKeyNode:
		return "a merge"
	case *ast.InfinityNode, *ast.NanNode, *ast.FloatNode:
		return "a number that JSON does not have"
	}
	return clip(strings.Join(strings.Fields(n.String()), " "))
}

// tooDeep returns the line at which more brackets, or block marks and quotes
// between two commas, stand open than any plan needs, or a map has more keys,
// counted without understanding quotes: the parser recurses over them, a stack
// that overflows ends the process, and it compares each key with all before it.
// Lines may indent as deep as the size allows: that is not deep.
func tooDeep(text []byte) int {
	const mostBrackets, mostMarks, mostKeys = 10_000, 512, 5_000
	line, open, keys, indent := 1, 0, 0, -1
	for row := range bytes.Lines(text) {
		marks := 0
		for i, c := range row {
			blank := i+1 == len(row) || row[i+1] == ' ' || row[i+1] == '\t' || row[i+1] == '\n' || row[i+1] == '\r'
			switch {
			case c == ',':
				marks = 0
			case c == '[' || c == '{':
				open++
			case c == ']' || c == '}':
				open = max(open-1, 0)
			case c == '!' || c == '&' || c == '*' || c == '"' || c == '\'' || blank && (c == '-' || c == '?' || c == ':'):
				marks++
			}
			if open > mostBrackets || marks > mostMarks {
				return line
			}
		}
		trimmed := bytes.TrimLeft(row, " ")
		switch at := len(row) - len(trimmed); {
		case len(bytes.TrimSpace(row)) == 0 || trimmed[0] == '#':
		case at != indent || trimmed[0] == '-':
			if at < indent || trimmed[0] == '-' {
				keys = 0
			}
			indent = at
		case marks > 0:
			keys++
		}
		if keys > mostKeys {
			return line
		}
		line++
	}
	return 0
}
