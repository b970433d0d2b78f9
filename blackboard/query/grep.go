package query

import (
	"bytes"
	"fmt"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

// Grep selects events by the text of their line: RE2, or fixed text. Line ends
// are no part of the text.
type Grep struct {
	invert bool
	fixed  []byte         // exact, if re is nil
	re     *regexp.Regexp // else this
	lits   needles        // one of them stands in every line that matches; none: unknown
}

// NewGrep compiles a pattern. fixed takes it as text, fold ignores case, invert
// selects the lines that do not match.
func NewGrep(pattern string, fixed, fold, invert bool) (*Grep, error) {
	g := &Grep{invert: invert}
	if fixed && !fold {
		g.fixed = []byte(pattern)
		if pattern != "" {
			g.lits = needles{newNeedle(g.fixed, false)}
		}
		return g, nil
	}
	if fixed {
		pattern = regexp.QuoteMeta(pattern)
	}
	if fold {
		pattern = "(?i)" + pattern
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("reading the pattern: %w", err)
	}
	if g.re, err = regexp.Compile(pattern); err != nil {
		return nil, fmt.Errorf("reading the pattern: %w", err)
	}
	g.lits = required(tree.Simplify())
	return g, nil
}

// Match tells whether the line is selected.
func (g *Grep) Match(line []byte) bool {
	if g.re == nil {
		return bytes.Contains(line, g.fixed) != g.invert
	}
	return g.re.Match(line) != g.invert
}

// Find gives where the pattern stands in a line, for colours and --only.
func (g *Grep) Find(line []byte) [][]int {
	if g.re != nil {
		return g.re.FindAllIndex(line, -1)
	}
	var all [][]int
	for from := 0; len(g.fixed) > 0; {
		i := bytes.Index(line[from:], g.fixed)
		if i < 0 {
			break
		}
		all = append(all, []int{from + i, from + i + len(g.fixed)})
		from += i + len(g.fixed)
	}
	return all
}

// prefilter is what every selected line holds one of; nil where nothing is
// known.
func (g *Grep) prefilter() needles {
	if g == nil || g.invert {
		return nil
	}
	return g.lits
}

// required finds literals of which each match holds at least one. A Go regexp
// without a literal runs at some 14 MB/s, so whatever can be known is used.
func required(re *syntax.Regexp) needles {
	switch re.Op {
	case syntax.OpLiteral:
		return literal(re)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best needles
		for _, sub := range re.Sub {
			if ns := required(sub); ns.worth() > best.worth() {
				best = ns
			}
		}
		return best
	case syntax.OpAlternate:
		var all needles
		for _, sub := range re.Sub {
			ns := required(sub)
			if len(ns) == 0 || len(all)+len(ns) > maxNeedles {
				return nil
			}
			all = append(all, ns...)
		}
		return all
	}
	return nil
}

// worth says how well the needles rule lines out: by the shortest of them, and
// fewer are better.
func (ns needles) worth() int {
	if len(ns) == 0 {
		return 0
	}
	short := maxNeedle
	for _, n := range ns {
		short = min(short, len(n.text))
	}
	return 2*maxNeedles*min(short, 24) - len(ns)
}

// literal is the longest stretch of a literal that has one spelling in bytes.
// Ignoring case, only ASCII letters but k and s have that: K also matches the
// Kelvin sign, s the long s, and both are longer.
func literal(re *syntax.Regexp) needles {
	fold := re.Flags&syntax.FoldCase != 0
	var best, run []byte
	for _, r := range re.Rune {
		if fold && (r >= utf8.RuneSelf || r|0x20 == 'k' || r|0x20 == 's') || r == utf8.RuneError {
			run = nil
			continue
		}
		run = utf8.AppendRune(run, r)
		if len(run) > len(best) {
			best = run
		}
	}
	if len(best) == 0 {
		return nil
	}
	return needles{newNeedle(best, fold)}
}
