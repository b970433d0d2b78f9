package contracts

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// explain says why Scan refuses a line. It costs a second reading, byte by
// byte, and only refused lines pay for it.
func explain(line []byte) *Refusal {
	if uint64(len(line)) > math.MaxUint32 {
		return tooLong(len(line), math.MaxUint32)
	}
	var g grammar
	if at, v := g.read(line, bomLen(line)); v != fine || g.state != afterObject {
		return g.refuse(line, at, v)
	}
	if key, at, found := duplicateKey(line); found {
		return refuse(ReasonDuplicateKey, FieldError{
			Pointer: pointer(key), Keyword: "unique",
			Expected: "each key once", Got: quote(key) + " again at byte " + strconv.Itoa(at),
		})
	}
	return refuse(ReasonBadTopic, FieldError{
		Pointer: "/topic", Keyword: "const",
		Expected: "type and topic to be equal", Got: "two different values",
		Hint: "topic is another name of type: write only one of them",
	})
}

func refuse(r Reason, errs ...FieldError) *Refusal { return &Refusal{Reason: r, Errors: errs} }

func tooLong(n int, limit int64) *Refusal {
	return refuse(ReasonTooLong, FieldError{
		Keyword:  "maxLength",
		Expected: fmt.Sprintf("at most %d bytes (max_line)", limit),
		Got:      fmt.Sprintf("%d bytes", n),
		Hint:     "put large data into a file and write its path and SHA-256 into the event",
	})
}

// refuse words what the grammar met at line[at].
func (g *grammar) refuse(line []byte, at int, v verdict) *Refusal {
	e := FieldError{Keyword: "json", Expected: g.expected(), Got: found(line, at)}
	switch {
	case v == tooDeep:
		e.Keyword, e.Expected = "depth", fmt.Sprintf("at most %d levels of nesting", MaxDepth)
		return refuse(ReasonTooDeep, e)
	case v == badUTF8 || v == notJSON && line[at] >= utf8.RuneSelf && invalidAt(line, at):
		e.Keyword, e.Expected, e.Hint = "utf8", "UTF-8", utf8Hint(g, line, at)
		if g.state != inUTF8 && g.state >= inHex && g.state <= lowU {
			e.Expected = "a whole surrogate pair"
		}
		return refuse(ReasonBadUTF8, e)
	}
	e.Hint = g.hint(line, at)
	return refuse(ReasonNotJSON, e)
}

func invalidAt(line []byte, at int) bool {
	r, n := utf8.DecodeRune(line[at:])
	return r == utf8.RuneError && n == 1
}

func utf8Hint(g *grammar, line []byte, at int) string {
	switch {
	case g.state >= inHex && g.state <= lowU:
		return `a character above U+FFFF is written as two escapes, \ud83d\ude00, or as itself`
	case utf16Line(line):
		return "this looks like UTF-16: write UTF-8"
	case g.state == inUTF8:
		return "a character was cut in the middle, or the text is Latin-1: write UTF-8"
	}
	return "the text may be Latin-1 or binary: write UTF-8, and bytes as base64 in data_base64"
}

func utf16Line(line []byte) bool {
	return len(line) >= 2 && (line[0] == 0xFF && line[1] == 0xFE || line[0] == 0xFE && line[1] == 0xFF)
}

// expected says what the grammar would have taken.
func (g *grammar) expected() string {
	switch g.state {
	case beforeObject:
		return "one JSON object, beginning with {"
	case keyOrClose:
		return "a key in double quotes, or }"
	case keyNext:
		return "a key in double quotes"
	case colonNext:
		return "a colon after the key"
	case valueNext:
		return "a value"
	case valueOrClose:
		return "a value, or ]"
	case afterValue, inLiteral:
		return g.expectedAfter()
	case afterObject:
		return "nothing after the object"
	case inString:
		return "the rest of a string, and its closing quote"
	case inEscape:
		return `one of " \ / b f n r t u after a backslash`
	case inHex, lowSlash, lowU:
		return "four hexadecimal digits after \\u"
	case inUTF8:
		return "the rest of a character"
	}
	return "a number as JSON writes it"
}

func (g *grammar) expectedAfter() string {
	if g.state == inLiteral {
		return "true, false or null"
	}
	if g.inObj[g.depth] {
		return "a comma or } after the value"
	}
	return "a comma or ] after the value"
}

// found names the byte at line[at] and what stands before it.
func found(line []byte, at int) string {
	var s strings.Builder
	switch {
	case at >= len(line) && at == 0:
		return "an empty line"
	case at >= len(line):
		fmt.Fprintf(&s, "the end of the line at byte %d", at)
	case line[at] < ' ' || line[at] >= 0x7F:
		fmt.Fprintf(&s, "byte 0x%02X at byte %d", line[at], at)
	default:
		fmt.Fprintf(&s, "%c at byte %d", line[at], at)
	}
	if at > 0 {
		s.WriteString(", after " + quote(string(line[max(0, at-24):at])))
	}
	return s.String()
}

// quote quotes a piece of an untrusted line for a message, in ASCII only: JSON in
// backquotes, as it stands, where that can be done.
func quote(s string) string {
	s = clip(s)
	q := strconv.QuoteToASCII(s)
	if plain := len(q) == len(s)+2+strings.Count(s, `"`); plain && len(q) > len(s)+2 && strconv.CanBackquote(s) {
		return "`" + s + "`"
	}
	return q
}

// pointer is the JSON pointer to a member of the line's object.
func pointer(key string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(clip(key))
}
