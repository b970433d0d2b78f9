package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"stigmergy/contracts"
)

// maxDepth is how deep a plan's document may be nested, and maxNodes how many
// values it may hold.
const (
	maxDepth = 64
	maxNodes = 1 << 20
)

// parseDocument reads a plan's text: JSON if that is what it is, else YAML.
func parseDocument(text []byte) (*node, []Fault) {
	body := bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	switch {
	case len(body) > MaxText:
		return nil, []Fault{{Keyword: "size", Expected: fmt.Sprintf("a plan of at most %d bytes", MaxText), Got: fmt.Sprintf("%d bytes", len(body)), Hint: "name files by a glob, numbers by a range"}}
	case len(bytes.TrimSpace(body)) == 0:
		return nil, []Fault{{Keyword: "type", Expected: "a plan: plan_name and stages", Got: "nothing", Line: 1, Column: 1}}
	}
	if at := invalid(body); at >= 0 {
		line, column := place(body, at)
		return nil, []Fault{{Keyword: "utf8", Expected: "UTF-8", Got: fmt.Sprintf("the byte 0x%02x", body[at]), Line: line, Column: column}}
	}
	if !json.Valid(body) {
		if looksJSON(body) {
			return nil, []Fault{jsonFault(body)}
		}
		return parseYAML(body)
	}
	p := jsonParser{b: body, line: 1, column: 1}
	n := p.value(0)
	if p.fault != nil {
		return nil, []Fault{*p.fault}
	}
	return n, nil
}

// looksJSON tells whether text is meant to be JSON: it begins with an object
// whose first key is in double quotes.
func looksJSON(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) > 1 && b[0] == '{' && bytes.HasPrefix(bytes.TrimSpace(b[1:]), []byte{'"'})
}

// jsonFault asks the decoder what is wrong, and where.
func jsonFault(b []byte) Fault {
	f := Fault{Keyword: "json", Expected: "JSON"}
	var raw json.RawMessage
	var syntax *json.SyntaxError
	at := len(b)
	if err := json.Unmarshal(b, &raw); errors.As(err, &syntax) {
		at = max(0, int(syntax.Offset)-1)
		f.Got = strings.TrimSuffix(syntax.Error(), " of input")
	}
	f.Line, f.Column = place(b, at)
	if before := bytes.TrimRight(b[:min(at, len(b))], " \t\r\n"); len(before) > 0 && before[len(before)-1] == ',' {
		f.Hint = "is there a comma too many?"
	}
	return f
}

// place is the line and column of an offset.
func place(b []byte, at int) (line, column int) {
	before := b[:min(at, len(b))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[start:]) + 1
}

// invalid is where b stops being UTF-8, or -1.
func invalid(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// jsonParser reads a text that is known to be JSON, and counts lines.
type jsonParser struct {
	b      []byte
	i      int
	line   int
	column int
	nodes  int
	fault  *Fault
}

// skip goes on to where the next token stands.
func (p *jsonParser) skip() byte {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case '\n':
			p.line, p.column = p.line+1, 0
		case ' ', '\t', '\r':
		default:
			return p.b[p.i]
		}
		p.i, p.column = p.i+1, p.column+1
	}
	return 0
}

func (p *jsonParser) step() { p.i, p.column = p.i+1, p.column+1 }

func (p *jsonParser) value(depth int) *node {
	c := p.skip()
	n := &node{line: p.line, column: p.column}
	if p.nodes++; p.fault == nil && (depth > maxDepth || p.nodes > maxNodes) {
		p.fault = tooMuch(n)
	}
	if p.fault != nil {
		return n
	}
	switch c {
	case '{':
		n.kind = contracts.Object
		p.step()
		for p.skip() != '}' && p.fault == nil {
			key := p.value(depth + 1)
			p.skip()
			p.step() // the colon
			n.members = append(n.members, member{key.text, key, p.value(depth + 1)})
			p.comma()
		}
		p.step()
	case '[':
		n.kind = contracts.Array
		p.step()
		for p.skip() != ']' && p.fault == nil {
			n.items = append(n.items, p.value(depth+1))
			p.comma()
		}
		p.step()
	default:
		p.scalar(n)
	}
	return n
}

func (p *jsonParser) comma() {
	if p.skip() == ',' {
		p.step()
	}
}

func (p *jsonParser) scalar(n *node) {
	end := p.i + 1
	if p.b[p.i] == '"' {
		for p.b[end] != '"' {
			if p.b[end] == '\\' {
				end++
			}
			end++
		}
		end++
	} else {
		for end < len(p.b) && !bytes.ContainsRune([]byte(" \t\r\n,]}"), rune(p.b[end])) {
			end++
		}
	}
	raw := p.b[p.i:end]
	v := contracts.ValueOf(raw)
	n.kind, n.text = v.Kind, v.Text()
	p.column += utf8.RuneCount(raw)
	p.i = end
	if n.kind == contracts.String && !contracts.Valid(raw) {
		p.fault = &Fault{Keyword: "utf8", Expected: "text that UTF-8 can hold", Got: clip(string(raw)), Hint: "half of a surrogate pair stands alone", Line: n.line, Column: n.column}
	}
}

func tooMuch(n *node) *Fault {
	return &Fault{Keyword: "size", Expected: fmt.Sprintf("a plan at most %d deep, of at most %d values", maxDepth, maxNodes), Got: "more", Line: n.line, Column: n.column}
}
