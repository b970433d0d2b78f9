package schema

import (
	"regexp"
	"regexp/syntax"
	"unicode"
)

// pattern is a compiled "pattern" keyword. The usual ones (so many hex digits, a
// name of certain characters) become tables; any other runs as an RE2 regexp,
// whose time is linear in the text whatever the pattern.
type pattern struct {
	text  string
	re    *regexp.Regexp // nil if one of the tables does it
	runs  []run          // the text is of fixed length, so many bytes of each set
	size  int            // that length
	each  *byteSet       // or: what every byte must be …
	least int            // … of at least so many …
	most  int            // … and at most so many; -1 is no limit
}

// run is so many bytes of a set.
type run struct {
	set *byteSet
	n   int
	hex bool // the set is 0-9a-f
}

// byteSet is a set of bytes; in use only ASCII without quote and backslash, so
// that a raw JSON string of them is its own text.
type byteSet [256]bool

func newPattern(text string) (*pattern, error) {
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	p := &pattern{text: text}
	if p.tabulate(tree); p.runs == nil && p.each == nil {
		p.re, err = regexp.Compile(text)
	}
	return p, err
}

// match reports whether the decoded string matches.
func (p *pattern) match(s []byte) bool {
	switch {
	case p.runs != nil:
		return len(s) == p.size && p.fixed(s)
	case p.each != nil:
		return len(s) >= p.least && (p.most < 0 || len(s) <= p.most) && p.each.all(s)
	}
	return p.re.Match(s)
}

// fixed checks a text of the right length.
func (p *pattern) fixed(s []byte) bool {
	for _, r := range p.runs {
		part := s[:r.n]
		s = s[r.n:]
		if r.hex && !lowerHex(part) || !r.hex && !r.set.all(part) {
			return false
		}
	}
	return true
}

func (t *byteSet) all(s []byte) bool {
	for _, c := range s {
		if !t[c] {
			return false
		}
	}
	return true
}

// maxFixed bounds the length that is kept as runs.
const maxFixed = 1 << 10

// tabulate recognizes ^…$ over ASCII sets: all of fixed length, or one set
// repeated.
func (p *pattern) tabulate(re *syntax.Regexp) {
	if re.Op != syntax.OpConcat || len(re.Sub) < 3 {
		return
	}
	last := len(re.Sub) - 1
	if re.Sub[0].Op != syntax.OpBeginText || re.Sub[last].Op != syntax.OpEndText {
		return
	}
	body := re.Sub[1:last]
	if len(body) == 1 && p.repeated(body[0]) {
		return
	}
	var runs []run
	for _, part := range body {
		more, ok := fixedRuns(part, 0)
		if !ok {
			return
		}
		runs = append(runs, more...)
	}
	for _, r := range runs {
		p.size += r.n
	}
	if p.size <= maxFixed && p.size > 0 {
		p.runs = runs
	}
}

// repeated recognizes X+, X* and X{m,n} for one set X.
func (p *pattern) repeated(re *syntax.Regexp) bool {
	least, most := 0, -1
	switch re.Op {
	case syntax.OpStar:
	case syntax.OpPlus:
		least = 1
	case syntax.OpRepeat:
		least, most = re.Min, re.Max
	default:
		return false
	}
	set, ok := asciiSet(re.Sub[0])
	if !ok || least == most {
		return false
	}
	p.each, p.least, p.most = set, least, most
	return true
}

// fixedRuns are the runs of a part that always takes the same number of bytes.
func fixedRuns(re *syntax.Regexp, depth int) ([]run, bool) {
	switch {
	case depth > 8:
		return nil, false
	case re.Op == syntax.OpConcat, re.Op == syntax.OpCapture, re.Op == syntax.OpRepeat && re.Min == re.Max:
		return fixedSubs(re, depth)
	case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0:
		return literalRuns(re.Rune)
	}
	set, ok := asciiSet(re)
	return []run{{set, 1, ok && *set == lowerHexSet}}, ok
}

func fixedSubs(re *syntax.Regexp, depth int) (out []run, ok bool) {
	for _, sub := range re.Sub {
		more, ok := fixedRuns(sub, depth+1)
		if !ok || len(out)+len(more) > maxFixed {
			return nil, false
		}
		out = append(out, more...)
	}
	if re.Op != syntax.OpRepeat {
		return out, true
	}
	if len(out) == 1 {
		out[0].n *= re.Min
		return out, out[0].n > 0
	}
	once := out
	for i := 1; i < re.Min; i++ {
		if out = append(out, once...); len(out) > maxFixed {
			return nil, false
		}
	}
	return out, re.Min > 0
}

func literalRuns(runes []rune) ([]run, bool) {
	out := make([]run, len(runes))
	for i, r := range runes {
		set := new(byteSet)
		if !set.add(r, r) {
			return nil, false
		}
		out[i] = run{set, 1, false}
	}
	return out, true
}

// asciiSet is the set of a character class or a single character.
func asciiSet(re *syntax.Regexp) (*byteSet, bool) {
	set := new(byteSet)
	switch {
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0:
		return set, set.add(re.Rune[0], re.Rune[0])
	case re.Op == syntax.OpCharClass && len(re.Rune) > 0:
		for i := 0; i < len(re.Rune); i += 2 {
			if !set.add(re.Rune[i], re.Rune[i+1]) {
				return set, false
			}
		}
		return set, true
	}
	return set, false
}

// add takes a range in; false if a raw JSON string could write it otherwise.
func (t *byteSet) add(lo, hi rune) bool {
	if lo < ' ' || hi >= unicode.MaxASCII || lo <= '"' && '"' <= hi || lo <= '\\' && '\\' <= hi {
		return false
	}
	for r := lo; r <= hi; r++ {
		t[r] = true
	}
	return true
}

func setOf(chars string) (t byteSet) {
	for _, c := range chars {
		t[c] = true
	}
	return t
}

var (
	lowerHexSet = setOf("0123456789abcdef")
	hexDigit    = setOf("0123456789abcdefABCDEF")
)
