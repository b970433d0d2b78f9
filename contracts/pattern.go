package contracts

import (
	"fmt"
	"strings"
)

// maxPattern is how many bytes a pattern has at most.
const maxPattern = 2 * MaxTopic

// Pattern is a compiled topic pattern. Topics and patterns are tokens with dots
// between them:
//
//	hxo.plan       that topic
//	hxo.shard.*    * stands for one token …
//	hxo.*.fail*    … or for part of one (also for an empty part)
//	hxo.plan.**    ** (or >) at the end for the rest: one token or more,
//	               so hxo.plan.submit and hxo.plan.a.b, but not hxo.plan
//	**             every topic
type Pattern struct {
	text string // as written
	glob string // without the ** at the end
	rest bool   // it had one: more tokens must follow
	star bool   // glob holds a *
}

// ParsePattern compiles a pattern, or says what is wrong with it.
func ParsePattern(s string) (Pattern, error) {
	bad := func(why string) (Pattern, error) {
		return Pattern{}, fmt.Errorf("parsing topic pattern %q: %s", clip(s), why)
	}
	p := Pattern{text: s, glob: s}
	for _, rest := range []string{"**", ">"} {
		if before, ok := strings.CutSuffix(s, rest); ok && (before == "" || before[len(before)-1] == '.') {
			p.glob, p.rest = before, true
		}
	}
	tokens := strings.TrimSuffix(p.glob, ".")
	p.star = strings.Contains(tokens, "*")
	switch {
	case s == "":
		return bad("it is empty; ** matches every topic")
	case len(s) > maxPattern:
		return bad(fmt.Sprintf("it is longer than %d bytes", maxPattern))
	case p.rest && p.glob == "":
		return p, nil
	case strings.Contains(tokens, "**") || strings.Contains(tokens, ">"):
		return bad("** and > stand for the rest: only at the end, as a token of their own")
	case !p.rest && len(tokens) != len(s):
		return bad("it ends with a dot; ** after the dot matches the rest")
	}
	for token := range strings.SplitSeq(tokens, ".") {
		if token == "" {
			return bad("a token is empty")
		}
		for i := range len(token) {
			if c := token[i]; c != '*' && !topicByte(c) {
				return bad(fmt.Sprintf("%q is in no topic's name: a-z 0-9 _ - and dots", c))
			}
		}
	}
	return p, nil
}

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Match tells whether the pattern matches a topic.
func (p Pattern) Match(topic string) bool { return matchPattern(p, topic) }

// MatchBytes is Match for bytes.
func (p Pattern) MatchBytes(topic []byte) bool { return matchPattern(p, topic) }

// Literal is the one topic that the pattern matches, if it has no wildcard.
func (p Pattern) Literal() (string, bool) {
	if p.star || p.rest {
		return "", false
	}
	return p.text, true
}

// Prefix is what every topic that matches begins with.
func (p Pattern) Prefix() string {
	before, _, _ := strings.Cut(p.glob, "*")
	return before
}

func matchPattern[T string | []byte](p Pattern, topic T) bool {
	switch {
	case p.star:
		return matchGlob(p.glob, topic, p.rest)
	case p.rest:
		return len(topic) > len(p.glob) && string(topic[:len(p.glob)]) == p.glob
	}
	return string(topic) == p.glob
}

// matchGlob walks pattern and topic side by side. At a byte that differs the
// last * takes one byte more; it never takes a dot, and a dot that fits forgets
// it, so the work is bounded by the squares of the tokens' lengths. With rest,
// something must be left over when the pattern ends.
func matchGlob[T string | []byte](glob string, topic T, rest bool) bool {
	i, j, star, mark := 0, 0, -1, 0
	for {
		switch {
		case i == len(glob) && rest:
			return j < len(topic)
		case i < len(glob) && glob[i] == '*':
			star, mark = i, j
			i++
			continue
		case j == len(topic):
			return i == len(glob)
		case i < len(glob) && glob[i] == topic[j]:
			if glob[i] == '.' {
				star = -1
			}
			i, j = i+1, j+1
			continue
		case star < 0 || topic[mark] == '.':
			return false
		}
		mark++
		i, j = star+1, mark
	}
}

// Patterns matches what any of its patterns matches; empty, every topic.
type Patterns []Pattern

// ParsePatterns compiles each pattern.
func ParsePatterns(texts []string) (Patterns, error) {
	ps := make(Patterns, 0, len(texts))
	for _, t := range texts {
		p, err := ParsePattern(t)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// Match tells whether any of the patterns matches a topic.
func (ps Patterns) Match(topic string) bool { return matchAny(ps, topic) }

// MatchBytes is Match for bytes.
func (ps Patterns) MatchBytes(topic []byte) bool { return matchAny(ps, topic) }

func matchAny[T string | []byte](ps Patterns, topic T) bool {
	for i := range ps {
		if matchPattern(ps[i], topic) {
			return true
		}
	}
	return len(ps) == 0
}
