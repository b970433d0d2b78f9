package query

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"stigmergy/contracts"
)

// Op is what a filter does with the values at its path.
type Op uint8

// The operators, with their word forms for shells (path:gt:8).
const (
	Exists  Op = iota // path
	Absent            // !path
	Equal             // path=v    eq
	Differs           // path!=v   ne: no value at the path equals v
	Less              // path<v    lt
	AtMost            // path<=v   le
	Greater           // path>v    gt
	AtLeast           // path>=v   ge
	Matches           // path~re   re: RE2, anywhere in the text
)

// Filter is one condition on an event, as -w writes it. Numbers compare as
// numbers (exactly, whatever their size), RFC 3339 as times, all else as text;
// Equal compares the text of a number, boolean or string. Where a path runs
// through an array, any element may match.
type Filter struct {
	text string
	path contracts.Path
	op   Op
	want operand
	re   *regexp.Regexp
}

// operand is what a filter compares with, read once in every way it can be.
type operand struct {
	text   []byte
	num    decimal
	isNum  bool
	at     int64
	isTime bool
}

// ParseFilter reads one filter: path=v, !=, <, <=, >, >=, ~re, path, !path, or
// path:OP:v with eq ne lt le gt ge re. A backslash takes its meaning from the
// character after it in a path.
func ParseFilter(s string) (Filter, error) {
	path, op, value := splitFilter(s)
	f := Filter{text: s, op: op}
	if path == "" {
		return f, fmt.Errorf("reading the filter %q: it names no path; write path=value", clip(s))
	}
	if wrong := misspelt(path, op, value); wrong != "" {
		return f, fmt.Errorf("reading the filter %q: %s", clip(s), wrong)
	}
	if op == Equal && strings.HasPrefix(value, "=") && s[len(path):len(path)+2] == "==" {
		return f, fmt.Errorf("reading the filter %q: == is written =; a value that begins with = as %s:eq:%s", clip(s), path, clip(value))
	}
	var err error
	if f.path, err = contracts.ParsePath(path); err != nil {
		return f, fmt.Errorf("reading the filter %q: %w", clip(s), err)
	}
	if op == Matches {
		if f.re, err = regexp.Compile(value); err != nil {
			return f, fmt.Errorf("reading the filter %q: %w", clip(s), err)
		}
	}
	f.want = newOperand(value)
	return f, nil
}

// misspelt says which operator was probably meant, where none of ours stands.
func misspelt(path string, op Op, value string) string {
	switch word := strings.Split(path, ":"); {
	case op == Less && strings.HasPrefix(value, ">"):
		return "<> is written !="
	case op == Exists && len(word) == 3 && len(word[1]) <= 5 && !strings.Contains(path, `\`):
		return fmt.Sprintf("%q is no operator: expected eq, ne, lt, le, gt, ge or re; a colon of the path's own as \\:", word[1])
	}
	return ""
}

// ParseFilters reads many; all must hold.
func ParseFilters(texts []string) ([]Filter, error) {
	fs := make([]Filter, 0, len(texts))
	for _, t := range texts {
		f, err := ParseFilter(t)
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// splitFilter finds the first operator that no backslash takes away.
func splitFilter(s string) (path string, op Op, value string) {
	if rest, ok := strings.CutPrefix(s, "!"); ok {
		return rest, Absent, ""
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '=', '<', '>', '~', '!', ':':
			if op, n := operatorAt(s[i:]); n > 0 {
				return s[:i], op, s[i+n:]
			}
		}
	}
	return s, Exists, ""
}

// operatorAt is the operator that s begins with and its length, 0 for none.
func operatorAt(s string) (Op, int) {
	switch s[0] {
	case '=':
		return Equal, 1
	case '~':
		return Matches, 1
	case '!':
		if strings.HasPrefix(s, "!=") {
			return Differs, 2
		}
	case '<':
		if strings.HasPrefix(s, "<=") {
			return AtMost, 2
		}
		return Less, 1
	case '>':
		if strings.HasPrefix(s, ">=") {
			return AtLeast, 2
		}
		return Greater, 1
	case ':':
		return wordAt(s)
	}
	return Exists, 0
}

func wordAt(s string) (Op, int) {
	if len(s) < 4 || s[3] != ':' {
		return Exists, 0
	}
	switch s[1:3] {
	case "eq":
		return Equal, 4
	case "ne":
		return Differs, 4
	case "lt":
		return Less, 4
	case "le":
		return AtMost, 4
	case "gt":
		return Greater, 4
	case "ge":
		return AtLeast, 4
	case "re":
		return Matches, 4
	}
	return Exists, 0
}

func newOperand(s string) operand {
	o := operand{text: []byte(s)}
	o.num, o.isNum = parseDecimal(o.text, nil)
	o.at, o.isTime = parseRFC3339(o.text)
	return o
}

// String is the filter as it was written.
func (f *Filter) String() string { return f.text }

// Path is the path that the filter looks at.
func (f *Filter) Path() contracts.Path { return f.path }

// Equality gives the attribute or field of data that the filter wants to have
// one text, if it does: what an index can answer.
func (f *Filter) Equality() (field, value string, ok bool) {
	keys := f.path.Keys()
	return keys[0], string(f.want.text), f.op == Equal && len(keys) == 1
}

// Match tells whether the event passes.
func (f *Filter) Match(ev *contracts.Event) bool {
	found := false
	ev.Each(f.path, func(v contracts.Value) bool {
		found = f.one(v)
		return !found
	})
	if f.op == Absent || f.op == Differs {
		return !found
	}
	return found
}

// one tells whether one value at the path is what the operator looks for; for
// the two negations, what it must not find.
func (f *Filter) one(v contracts.Value) bool {
	switch f.op {
	case Exists, Absent:
		return v.Exists()
	}
	if v.Kind == contracts.Object || v.Kind == contracts.Array || !v.Exists() {
		return false
	}
	text := v.TextBytes()
	switch f.op {
	case Equal, Differs:
		return bytes.Equal(text, f.want.text)
	case Matches:
		return f.re.Match(text)
	}
	if v.Kind == contracts.Null {
		return false
	}
	c := f.want.compare(text)
	switch f.op {
	case Less:
		return c < 0
	case AtMost:
		return c <= 0
	case Greater:
		return c > 0
	}
	return c >= 0
}

// compare orders a value's text against the operand: as numbers where both are,
// as times where both are, else as text.
func (o *operand) compare(text []byte) int {
	if o.isNum {
		var buf [64]byte
		if d, ok := parseDecimal(text, buf[:]); ok {
			return d.compare(o.num)
		}
	}
	if o.isTime {
		if at, ok := parseRFC3339(text); ok {
			switch {
			case at < o.at:
				return -1
			case at > o.at:
				return 1
			}
			return 0
		}
	}
	return bytes.Compare(text, o.text)
}

// parseRFC3339 reads a time as unix nanoseconds; cheap to refuse what is none.
func parseRFC3339(b []byte) (int64, bool) {
	if len(b) < 20 || len(b) > 64 || b[4] != '-' || b[7] != '-' || b[13] != ':' {
		return 0, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return 0, false
	}
	switch y := t.Year(); { // what nanoseconds since 1970 can say
	case y < 1678:
		return math.MinInt64, true
	case y > 2261:
		return math.MaxInt64, true
	}
	return t.UnixNano(), true
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}
