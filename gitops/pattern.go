package gitops

import (
	"path"
	"strings"
)

// What stands under paths of a batch is a git pathspec as `git add -u -- PATHS`
// takes it, from the repository's top: a file, a folder, or with * ? [ ] a
// pattern in which * also matches /. Its magic (a leading colon) is no magic
// here but part of a name. What stands under allow, and under paths of a gate,
// is stricter: * and ? stay within a folder, ** crosses folders.

// spec is a pattern as git is given it.
func spec(pattern string) string { return ":(top)" + pattern }

// outside tells why a pattern may lead out of the repository, or "".
func outside(pattern string) string {
	clean := path.Clean(pattern)
	switch {
	case strings.ContainsRune(pattern, 0):
		return "a NUL byte"
	case strings.HasPrefix(pattern, "/"):
		return "an absolute path"
	case clean == ".." || strings.HasPrefix(clean, "../"):
		return "a path that leaves the repository"
	}
	for _, part := range strings.Split(pattern, "/") {
		if strings.EqualFold(part, ".git") {
			return "git's own folder"
		}
		if part == ".." {
			return "a path that goes upwards"
		}
	}
	return ""
}

// wild tells whether a pattern has a wildcard.
func wild(pattern string) bool { return strings.ContainsAny(pattern, "*?[\\") }

// matchSpec tells whether git's plain pathspec takes a path: the literal
// name, all below a folder of that name, or the wildcard pattern.
func matchSpec(pattern, name string) bool {
	return match(pattern, name, true)
}

// matchGlob tells whether a strict pattern takes a path.
func matchGlob(pattern, name string) bool {
	return match(pattern, name, false)
}

func match(pattern, name string, loose bool) bool {
	p := strings.TrimSuffix(pattern, "/")
	for strings.HasPrefix(p, "./") {
		p = p[2:]
	}
	if p == "." || p == "" || p == name || strings.HasPrefix(name, p+"/") {
		return true
	}
	if !wild(p) || strings.HasSuffix(pattern, "/") { // a wildcard takes files, as git has it
		return false
	}
	return glob{loose: loose, budget: 1 << 20}.run(p, name)
}

// anyGlob tells whether one of the strict patterns takes a path.
func anyGlob(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchGlob(p, name) {
			return true
		}
	}
	return false
}

func anySpec(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchSpec(p, name) {
			return true
		}
	}
	return false
}

// glob is git's wildmatch: with loose every * crosses folders. The budget
// bounds patterns that were made to take for ever.
type glob struct {
	loose  bool
	budget int
}

func (g glob) run(p, s string) bool { return g.at(p, s, true) }

// at tells whether p takes all of s; begin: a path's part begins here in p.
func (g *glob) at(p, s string, begin bool) bool {
	for p != "" {
		if g.budget--; g.budget < 0 {
			return false
		}
		if p[0] == '*' {
			return g.star(p, s, begin)
		}
		n, ok := g.one(p, s)
		if !ok {
			return false
		}
		begin = p[0] == '/'
		p, s = p[n:], s[1:]
	}
	return s == ""
}

// one takes one byte of s by what p begins with, and tells how long that is.
func (g *glob) one(p, s string) (n int, ok bool) {
	if s == "" {
		return 0, false
	}
	switch {
	case p[0] == '?':
		return 1, s[0] != '/' || g.loose
	case p[0] == '[':
		return class(p, s[0], g.loose)
	case p[0] == '\\' && len(p) > 1:
		return 2, s[0] == p[1]
	}
	return 1, s[0] == p[0]
}

// star does * and **. As a whole part of a path ** takes any number of
// folders, also none.
func (g *glob) star(p, s string, begin bool) bool {
	rest := strings.TrimLeft(p, "*")
	folders := !g.loose && begin && len(p)-len(rest) > 1 && (rest == "" || rest[0] == '/')
	if folders && rest == "" {
		return true
	}
	if folders {
		for tail, ok := s, true; ok; _, tail, ok = strings.Cut(tail, "/") {
			if g.at(rest[1:], tail, true) {
				return true
			}
		}
		return false
	}
	for i := 0; ; i++ {
		if g.at(rest, s[i:], false) {
			return true
		}
		if i == len(s) || s[i] == '/' && !g.loose || g.budget < 0 {
			return false
		}
	}
}

// class matches c against the bracket expression that p begins with; one that
// does not end takes nothing.
func class(p string, c byte, loose bool) (n int, ok bool) {
	i, negated, found := 1, false, false
	if i < len(p) && (p[i] == '!' || p[i] == '^') {
		negated, i = true, i+1
	}
	for first := true; ; first = false {
		if i >= len(p) {
			return 0, false
		}
		if p[i] == ']' && !first {
			break
		}
		if p[i] == '\\' && i+1 < len(p) {
			i++
		}
		lo, hi := p[i], p[i]
		if i+2 < len(p) && p[i+1] == '-' && p[i+2] != ']' {
			hi, i = p[i+2], i+2
		}
		found = found || lo <= c && c <= hi
		i++
	}
	return i + 1, found != negated && (c != '/' || loose)
}
