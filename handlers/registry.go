package handlers

import (
	"fmt"

	"stigmergy/contracts"
)

// Registry is the handlers of a board, in the order in which an event goes to
// them. It is not changed once a Machine has it.
type Registry struct {
	units []*unit
	kinds map[string]EffectKind
}

// unit is one handler and what it turned out to be able to do.
type unit struct {
	Handler
	name     string
	index    int
	patterns []contracts.Pattern
	ticks    int // what it derived in the tick being folded

	entry   EntryHandler
	refused RefusalHandler
	reject  RejectHandler
	storm   StormHandler
}

// NewRegistry puts handlers in order. Two of one name, a name that cannot be
// part of a key, and a topic that is no pattern are errors.
func NewRegistry(hs ...Handler) (*Registry, error) {
	r := &Registry{kinds: map[string]EffectKind{}}
	for _, h := range hs {
		if err := r.add(h); err != nil {
			return nil, fmt.Errorf("registering handler %s: %w", h.Name(), err)
		}
	}
	return r, nil
}

func (r *Registry) add(h Handler) error {
	u := &unit{Handler: h, name: h.Name(), index: len(r.units)}
	if !validName(u.name) {
		return fmt.Errorf("expected a name of a-z, 0-9 and -, found %q", u.name)
	}
	for _, other := range r.units {
		if other.name == u.name {
			return fmt.Errorf("the name is taken")
		}
	}
	for _, t := range h.Topics() {
		p, err := contracts.ParsePattern(t)
		if err != nil {
			return err
		}
		u.patterns = append(u.patterns, p)
	}
	u.entry, _ = h.(EntryHandler)
	u.refused, _ = h.(RefusalHandler)
	u.reject, _ = h.(RejectHandler)
	u.storm, _ = h.(StormHandler)
	r.units = append(r.units, u)
	return r.addKinds(h)
}

func (r *Registry) addKinds(h Handler) error {
	e, ok := h.(EffectHandler)
	if !ok {
		return nil
	}
	for _, k := range e.Effects() {
		if _, taken := r.kinds[k.Kind]; taken || k.Kind == "" || len(k.Ends) == 0 {
			return fmt.Errorf("effect kind %q is taken, nameless or never ends", k.Kind)
		}
		r.kinds[k.Kind] = k
	}
	return nil
}

// Names are the handlers' names, in order.
func (r *Registry) Names() []string {
	names := make([]string, len(r.units))
	for i, u := range r.units {
		names[i] = u.name
	}
	return names
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

func (u *unit) wants(topic string) bool {
	for _, p := range u.patterns {
		if p.Match(topic) {
			return true
		}
	}
	return false
}
