package archive

import "stigmergy/contracts"

// Contracts is what decides whether a line is an event and which fields are
// indexed.
type Contracts struct {
	Registry *contracts.Registry // its x-index fields are indexed, and subject
	Checker  *contracts.Checker
	// Forged tells whether an event of that topic is forged on this lane
	// (contracts.Policy.Forged); nil: none is.
	Forged func(t *contracts.Topic) bool
}

// NewExtractor makes the Extractor of a board's contracts.
func NewExtractor(c Contracts) Extractor { return &extractor{c: c} }

type extractor struct{ c Contracts }

func (x *extractor) Fields() []string { return nil }

func (x *extractor) MaxLine() int { return x.c.Checker.MaxLine }

func (x *extractor) Extract(at At, line []byte, f *Facts) {}
