package contracts

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Reason says in one word why a line is refused; the words are those of
// board.quarantined.
type Reason string

// The reasons for which a line is quarantined.
const (
	ReasonNotJSON      Reason = "not_json"      // not one JSON object
	ReasonBadUTF8      Reason = "bad_utf8"      // not UTF-8, or a lone surrogate escape
	ReasonDuplicateKey Reason = "duplicate_key" // a key stands twice in the envelope
	ReasonTooDeep      Reason = "too_deep"      // nested deeper than MaxDepth
	ReasonTooLong      Reason = "too_long"      // longer than max_line
	ReasonBadTime      Reason = "bad_time"      // time is not RFC 3339
	ReasonBadTopic     Reason = "bad_topic"     // type is no topic name, or unknown
	ReasonContract     Reason = "contract"      // breaks its topic's contract
	ReasonForged       Reason = "forged"        // an owned topic on another lane
	ReasonForeign      Reason = "foreign"       // bytes in an owned lane that the daemon did not write
)

// MaxErrors is how many errors one refusal carries at most.
const MaxErrors = 100

// FieldError is one thing wrong with a line. Pointer is a JSON pointer
// (RFC 6901) from the line's own top, as /data/plan_id; "" is the whole line.
type FieldError struct {
	Pointer  string `json:"pointer"`
	Keyword  string `json:"keyword"`
	Expected string `json:"expected"`
	Got      string `json:"got"`
	Hint     string `json:"hint,omitempty"`
	// Line and Column count from 1, in a document of several lines (a plan);
	// columns count characters. 0: there is none.
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty"`
}

// Refusal is why a line is no event. Topic is the line's topic where it could
// be read, Contract names the schema that was broken.
type Refusal struct {
	Reason   Reason       `json:"reason"`
	Errors   []FieldError `json:"errors"`
	Topic    string       `json:"topic,omitempty"`
	Contract string       `json:"contract,omitempty"`
}

// Mangled tells whether the line may be several records run together, or one cut
// short with another behind it: whether Recover should look at it.
func (r *Refusal) Mangled() bool {
	return r.Reason == ReasonNotJSON || r.Reason == ReasonBadUTF8
}

// Error puts the refusal in one line, without control characters: the reason and
// its first error.
func (r *Refusal) Error() string {
	if len(r.Errors) == 0 {
		return string(r.Reason)
	}
	e := r.Errors[0]
	s := string(r.Reason)
	if e.Pointer != "" {
		s += " at " + e.Pointer
	}
	s += ": expected " + e.Expected + ", got " + e.Got
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return printable(s)
}

// printable is s with everything that a terminal would not print as an escape.
func printable(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if strconv.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		q := strconv.QuoteRuneToASCII(r)
		b.WriteString(q[1 : len(q)-1])
	}
	return b.String()
}
