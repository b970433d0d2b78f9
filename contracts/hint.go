package contracts

import (
	"bytes"
	"strings"
)

// The hints for the usual slips.
const (
	hintTwo      = "two records on one line: write one object a line, each ended by a newline"
	hintPretty   = "pretty-printed JSON, or a record cut short: write one object a line (jq -c . does)"
	hintCut      = "the record was cut short, or its newline came too early: write one object a line, in one write"
	hintComma    = "a trailing comma: remove the comma before it"
	hintCommas   = "a comma too many"
	hintQuotes   = "single quotes: JSON has double quotes only"
	hintCurly    = "typographic quotes: JSON has plain double quotes only"
	hintNaN      = "NaN and Infinity are no JSON: write null or a string"
	hintPython   = "True, False, None are Python: write true, false, null (json.dumps does)"
	hintUndef    = "undefined is no JSON: write null or leave the member out"
	hintComment  = "JSON has no comments"
	hintBareKey  = "keys stand in double quotes"
	hintBareText = "text stands in double quotes"
	hintControl  = `a control character in a string is written as an escape: \n, \t, \u001b`
	hintEscape   = `a backslash itself is written \\, as in "C:\\dir"`
	hintNUL      = "a run of NUL bytes: what a crash or a sparse copy leaves behind"
	hintNumber   = "numbers have no +, no leading zero, no hexadecimal, and digits on both sides of the point"
	hintComma2   = "a comma is missing before it"
	hintColon    = "a colon stands between key and value, not ="
	hintEvent    = `an event is an object: {"type":"build.done","data":{"ok":true}}`
	hintBracket  = "the brackets do not match"
	hintUTF16    = "this looks like UTF-16: write UTF-8"
	hintMore     = "something stands after the object: write one object a line and nothing else"
)

// hint guesses which slip led to what stands at line[at], where the grammar
// would not go on.
func (g *grammar) hint(line []byte, at int) string {
	if prettyLine(line) {
		return hintPretty
	}
	if at >= len(line) {
		return g.hintEnd()
	}
	c, rest := line[at], line[at:]
	switch {
	case c == 0 && bytes.Contains(line[:min(len(line), 64)], []byte{'{', 0, '"', 0}):
		return hintUTF16
	case c == 0:
		return hintNUL
	case c == '\n':
		return hintCut
	case g.state == afterObject && c == '{':
		return hintTwo
	case g.state == afterObject:
		return hintMore
	case g.state == inString:
		return hintControl
	case g.state == inEscape || g.state == inHex:
		return hintEscape
	case c == '/' && g.state < inString:
		return hintComment
	case bytes.HasPrefix(rest, []byte("\u201c")) || bytes.HasPrefix(rest, []byte("\u201d")):
		return hintCurly
	case g.state >= afterMinus && g.state <= inExponent && c != 'I' && c != 'i':
		return hintNumber
	}
	return g.hintStructure(line, at)
}

// hintEnd is for a line that ends too early.
func (g *grammar) hintEnd() string {
	if g.state == beforeObject {
		return hintEvent
	}
	return hintCut
}

// hintStructure is for a byte that the structure of the line does not allow.
func (g *grammar) hintStructure(line []byte, at int) string {
	c := line[at]
	switch g.state {
	case beforeObject:
		return hintEvent
	case keyOrClose, keyNext:
		switch {
		case c == '}' || c == ']':
			return hintComma
		case c == '\'':
			return hintQuotes
		case c == '{':
			return hintTwo
		case c == ',':
			return hintCommas
		}
		return hintBareKey
	case colonNext:
		if c == '=' {
			return hintColon
		} else if c == '{' {
			return hintTwo
		}
	case afterValue:
		return g.hintAfter(line, at)
	}
	return g.hintValue(line, at)
}

// hintAfter is for what stands after a value where a comma or a bracket should.
func (g *grammar) hintAfter(line []byte, at int) string {
	switch c := line[at]; {
	case c == '{' && g.inObj[g.depth]:
		return hintTwo
	case c == '"' || c == '{' || c == '[':
		return hintComma2
	case c == '}' || c == ']':
		return hintBracket
	case digitAt(line, at) && at > 0 && (line[at-1] == '0' || line[at-1] == '-'):
		return hintNumber
	case (c == 'x' || c == 'X') && at > 0 && line[at-1] == '0':
		return hintNumber
	}
	return ""
}

// hintValue is for what stands where a value should.
func (g *grammar) hintValue(line []byte, at int) string {
	if g.state == inLiteral { // its beginning fitted
		at = bytes.LastIndexAny(line[:at], " ,:[") + 1
	}
	word := strings.ToLower(strings.TrimLeft(string(line[at:min(len(line), at+12)]), "+-"))
	switch c := line[at]; {
	case strings.HasPrefix(word, "nan") || strings.HasPrefix(word, "inf"):
		return hintNaN
	case strings.HasPrefix(word, "true") || strings.HasPrefix(word, "false") || strings.HasPrefix(word, "none"):
		return hintPython
	case strings.HasPrefix(word, "undefined"):
		return hintUndef
	case c == '\'':
		return hintQuotes
	case c == '}' || c == ']':
		return hintClose(line, at)
	case c == '+' || c == '.' || digitAt(line, at):
		return hintNumber
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return hintBareText
	}
	return ""
}

// hintClose is for a closing bracket where a value should stand.
func hintClose(line []byte, at int) string {
	before := bytes.TrimRight(line[:at], " \t\r")
	if len(before) > 0 && before[len(before)-1] == ',' {
		return hintComma
	}
	return "a value is missing before it: write null, or leave the key out"
}

func digitAt(line []byte, at int) bool {
	return at < len(line) && line[at] >= '0' && line[at] <= '9'
}

// prettyLine tells whether a refused line looks like one of many lines of one
// indented record: only brackets, a member on its own, an element on its own, or
// an object that the line leaves open.
func prettyLine(line []byte) bool {
	t := bytes.TrimSpace(line[bomLen(line):])
	if len(t) == 0 {
		return false
	}
	if len(bytes.Trim(t, "{}[], \t")) == 0 {
		return len(t) < 8
	}
	last := t[len(t)-1]
	opens := last == '{' || last == '[' || last == ','
	switch c := t[0]; {
	case c == '{':
		return opens
	case c == '"':
		end, _ := scanString(t, 1)
		if end < 0 {
			return false
		}
		after, _ := peek(t, end)
		return after == ':' || after == ',' || end == len(t) && len(line) > len(t)
	case scanNumber(t, 0) > 0 || scanLiteral(t, 0) > 0:
		return opens
	}
	return false
}
