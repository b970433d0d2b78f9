package query

import (
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
)

// aggKind is what an aggregate computes.
type aggKind uint8

const (
	aggCount aggKind = iota // of events; of those that have the field
	aggSum
	aggAvg
	aggMin
	aggMax
	aggQuantile // p50, p95, p99, any pNN or pNN.N
	aggLast     // the last event's time; its value of the field
)

// Agg is one aggregate: count, last, or FUNCTION(field).
type Agg struct {
	text string
	kind aggKind
	q    float64 // aggQuantile: 0.95
	path *contracts.Path
}

// String is the aggregate as it was written; it is the member's name in a row.
func (a *Agg) String() string { return a.text }

// ParseAggs reads aggregates separated by commas: count, last, count(f), sum(f),
// avg(f), min(f), max(f), last(f), pNN(f).
func ParseAggs(s string) ([]Agg, error) {
	var all []Agg
	for s != "" {
		one, rest := s, ""
		if i := topComma(s); i >= 0 {
			one, rest = s[:i], s[i+1:]
			if rest == "" {
				return nil, fmt.Errorf("reading the aggregates: nothing follows the comma after %q", clip(one))
			}
		}
		a, err := parseAgg(strings.TrimSpace(one))
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		s = rest
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("reading the aggregates: expected count, sum(f), avg(f), min(f), max(f), p95(f) or last")
	}
	return all, nil
}

// topComma is the first comma outside parentheses.
func topComma(s string) int {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth--
		case ',':
			if depth <= 0 {
				return i
			}
		}
	}
	return -1
}

func parseAgg(s string) (Agg, error) {
	a := Agg{text: s}
	name, field, has := strings.Cut(s, "(")
	if has {
		var closed bool
		if field, closed = strings.CutSuffix(field, ")"); !closed || field == "" {
			return a, fmt.Errorf("reading the aggregate %q: expected %s(field)", clip(s), clip(name))
		}
		p, err := contracts.ParsePath(field)
		if err != nil {
			return a, fmt.Errorf("reading the aggregate %q: %w", clip(s), err)
		}
		a.path = &p
	}
	if !a.named(name) {
		return a, fmt.Errorf("reading the aggregate %q: expected count, sum(f), avg(f), min(f), max(f), p95(f) or last", clip(s))
	}
	if !has && a.kind != aggCount && a.kind != aggLast {
		return a, fmt.Errorf("reading the aggregate %q: it needs a field, as %s(duration_ms)", clip(s), name)
	}
	return a, nil
}

func (a *Agg) named(name string) bool {
	switch name {
	case "count":
		a.kind = aggCount
	case "sum":
		a.kind = aggSum
	case "avg":
		a.kind = aggAvg
	case "min":
		a.kind = aggMin
	case "max":
		a.kind = aggMax
	case "last":
		a.kind = aggLast
	default:
		digits, ok := strings.CutPrefix(name, "p")
		p, err := strconv.ParseFloat(digits, 64)
		if !ok || err != nil || !(p >= 0 && p <= 100) {
			return false
		}
		a.kind, a.q = aggQuantile, p/100
	}
	return true
}
