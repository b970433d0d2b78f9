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
	sets  []byteSet      // sets[i] is what may stand at i, if the length is fixed
	each  *byteSet       // or: what every byte must be …
	least int            // … of at least so many …
	most  int            // … and at most so many; -1 is no limit
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
	if p.tabulate(tree); p.sets == nil && p.each == nil {
		p.re, err = regexp.Compile(text)
	}
	return p, err
}

// match reports whether the decoded string matches.
func (p *pattern) match(s []byte) bool {
	switch {
	case p.sets != nil:
		return len(s) == len(p.sets) && p.fixed(s)
	case p.each != nil:
		return len(s) >= p.least && (p.most < 0 || len(s) <= p.most) && p.each.all(s)
	}
	return p.re.Match(s)
}

// fixed reports whether s begins as the fixed-length pattern asks.
func (p *pattern) fixed(s []byte) bool {
	if len(s) < len(p.sets) {
		return false
	}
	for i := range p.sets {
		if !p.sets[i][s[i]] {
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

// maxFixed bounds the tables of a fixed-length pattern.
const maxFixed = 128

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
	var sets []byteSet
	for _, part := range body {
		more, ok := fixedSets(part.Simplify())
		if !ok || len(sets)+len(more) > maxFixed {
			return
		}
		sets = append(sets, more...)
	}
	p.sets = sets
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

// fixedSets is the sets of a part that always takes the same number of bytes.
func fixedSets(re *syntax.Regexp) ([]byteSet, bool) {
	if re.Op == syntax.OpConcat || re.Op == syntax.OpCapture {
		var out []byteSet
		for _, sub := range re.Sub {
			more, ok := fixedSets(sub)
			if !ok || len(out)+len(more) > maxFixed {
				return nil, false
			}
			out = append(out, more...)
		}
		return out, true
	}
	if re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0 {
		return literalSets(re.Rune)
	}
	set, ok := asciiSet(re)
	if !ok {
		return nil, false
	}
	return []byteSet{*set}, true
}

func literalSets(runes []rune) ([]byteSet, bool) {
	out := make([]byteSet, len(runes))
	for i, r := range runes {
		if !out[i].add(r, r) {
			return nil, false
		}
	}
	return out, true
}

// asciiSet is the set of a character class or a single character.
func asciiSet(re *syntax.Regexp) (*byteSet, bool) {
	var set byteSet
	switch {
	case re.Op == syntax.OpLiteral && len(re.Rune) == 1 && re.Flags&syntax.FoldCase == 0:
		return &set, set.add(re.Rune[0], re.Rune[0])
	case re.Op == syntax.OpCharClass:
		for i := 0; i < len(re.Rune); i += 2 {
			if !set.add(re.Rune[i], re.Rune[i+1]) {
				return nil, false
			}
		}
		return &set, true
	}
	return nil, false
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
