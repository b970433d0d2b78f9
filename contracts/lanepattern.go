package contracts

import (
	"fmt"
	"strings"
)

// lanePattern is a compiled pattern of lane names: * stands for any run of bytes
// within one element of the path, also none, ** for any run at all.
//
//	admiral        that lane
//	captains/*     captains/1, but not captains/1/notes
//	captains/**    both
//	**             every lane
type lanePattern struct {
	text  string
	parts []lanePart
}

// lanePart is a byte, or a star.
type lanePart struct {
	byte byte
	star uint8 // 1 for *, 2 for **
}

// maxLanePattern is how many bytes a lane pattern has at most.
const maxLanePattern = 512

// parseLanePattern takes a lane's own name or its escaped one: agents/é and
// agents/%C3%A9 are the same.
func parseLanePattern(s string) (lanePattern, error) {
	p := lanePattern{text: s}
	if s == "" || len(s) > maxLanePattern {
		return p, fmt.Errorf("parsing lane pattern %q: it has between 1 and %d bytes", clip(s), maxLanePattern)
	}
	for i := 0; i < len(s); {
		if s[i] == '*' {
			n := len(s[i:]) - len(strings.TrimLeft(s[i:], "*"))
			p.parts = append(p.parts, lanePart{star: uint8(min(n, 2))})
			i += n
			continue
		}
		end := i + 1
		if s[i] == '%' && i+3 <= len(s) && escapedLane(s[i:i+3]) {
			end = i + 3
		}
		piece := s[i:end]
		if end == i+1 {
			piece = EscapeLane(piece)
		}
		for j := range len(piece) {
			p.parts = append(p.parts, lanePart{byte: piece[j]})
		}
		i = end
	}
	if elem := strings.Split(strings.Trim(s, "*"), "/"); strings.HasPrefix(s, "/") || contains(elem, "..") || strings.HasSuffix(s, ".jsonl") {
		return p, fmt.Errorf("parsing lane pattern %q: a lane is named by its path in the board without .jsonl, as captains/*", clip(s))
	}
	return p, nil
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// match runs all ways through the pattern at once, so that no pattern is slow.
func (p lanePattern) match(lane string) bool {
	at := make([]bool, len(p.parts)+1)
	at[0] = true
	p.skipStars(at)
	for i := 0; i < len(lane); i++ {
		for j := len(p.parts); j > 0; j-- {
			at[j] = at[j-1] && p.parts[j-1].star == 0 && p.parts[j-1].byte == lane[i] ||
				at[j] && p.stays(j, lane[i])
		}
		at[0] = p.stays(0, lane[i]) && at[0]
		p.skipStars(at)
	}
	return at[len(p.parts)]
}

// stays tells whether the star that comes next at j takes c.
func (p lanePattern) stays(j int, c byte) bool {
	if j == len(p.parts) {
		return false
	}
	star := p.parts[j].star
	return star == 2 || star == 1 && c != '/'
}

// skipStars lets stars stand for nothing.
func (p lanePattern) skipStars(at []bool) {
	for j, part := range p.parts {
		if part.star > 0 && at[j] {
			at[j+1] = true
		}
	}
}

// literal is what every lane that matches begins with.
func (p lanePattern) literal() string {
	var b []byte
	for _, part := range p.parts {
		if part.star > 0 {
			break
		}
		b = append(b, part.byte)
	}
	return string(b)
}
