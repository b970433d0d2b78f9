package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
)

// Plan is a document that was read. What depends on the world, the files that
// its partitions name, is not looked at yet.
type Plan struct {
	Name   string
	SHA256 string   // of its canonical JSON (RFC 8785): the same for YAML and JSON
	Stages []*Draft // in the plan's order; of a plan with faults those that could be read
}

// Draft is one stage of a document.
type Draft struct {
	ID          string
	Kind        string
	Spec        []byte // canonical JSON
	Partition   Partition
	Needs       []string // stage_ids; those of partition outputs included
	TimeoutMS   int64
	Retries     int
	Concurrency int
	Job         Job
	Sound       bool // nothing is wrong with its partition: it can be resolved

	n     *node
	at    string // JSON pointer
	argvs []argv
}

// Fault is one about the stage: field is below it, as /partition/glob.
func (s *Draft) Fault(field, keyword, expected, got, hint string) Fault {
	n := s.n.find(field)
	return Fault{Pointer: s.at + field, Keyword: keyword, Expected: expected, Got: got, Hint: hint, Line: n.line, Column: n.column}
}

// Parse reads a plan's document, YAML or JSON, and holds it against the kinds
// of jobs that are known. It tells everything that is wrong, in the order of
// the document. The plan is nil where nothing could be read.
func Parse(text []byte, kinds []Kind) (*Plan, []Fault) {
	doc, list := parseDocument(text)
	if doc == nil {
		return nil, list
	}
	r := &reader{kinds: map[string]*Kind{}}
	r.list = list
	for _, k := range append(Builtin(), kinds...) {
		r.kinds[k.Kind] = &k
	}
	p := r.plan(doc)
	if len(r.list) == 0 {
		sum, err := jcs.Sum(doc.appendJSON(nil))
		if err != nil { // exact finds all that RFC 8785 has no form for
			r.add(doc, "", "json", "a document that RFC 8785 can write", clip(err.Error()), "")
		}
		p.SHA256 = sum
	}
	return p, SortFaults(r.list)
}

// SortFaults puts faults in the order of the document.
func SortFaults(list []Fault) []Fault {
	slices.SortStableFunc(list, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return list
}

// reader reads one document.
type reader struct {
	faults
	kinds map[string]*Kind
}

func (r *reader) plan(doc *node) *Plan {
	p := &Plan{}
	o := r.object(doc, "", "a plan: plan_name and stages")
	var at *node
	p.Name, at = o.str("plan_name", "the plan's name", true)
	if at != nil && (strings.TrimSpace(p.Name) == "" || len(p.Name) > maxName || hasControl(p.Name)) {
		r.add(at, "/plan_name", "pattern", fmt.Sprintf("a name of 1 to %d bytes, without control characters", maxName), quoted(p.Name), "")
	}
	o.str("description", "text", false)
	stages := o.field("stages")
	switch {
	case stages == nil:
		o.missing("stages", "a list of stages")
	case stages.kind != contracts.Array:
		r.add(stages, "/stages", "type", "a list of stages", stages.show(), "")
	case len(stages.items) == 0 || len(stages.items) > MaxStages:
		r.add(stages, "/stages", "size", fmt.Sprintf("1 to %d stages", MaxStages), stages.show(), "")
	default:
		for i, n := range stages.items {
			if s := r.stage(n, index("/stages", i)); s != nil {
				p.Stages = append(p.Stages, s)
			}
		}
		r.total(p.Stages)
		r.twins(p.Stages)
		r.graph(p.Stages)
		for _, s := range p.Stages {
			r.placeholders(s)
		}
	}
	o.done("a plan")
	return p
}

// exact finds what two readers of a value could understand differently:
// numbers that doubles do not hold, and names that stand twice.
func (r *reader) exact(n *node, at string) {
	const hint = "in quotes it is kept as it is"
	switch n.kind {
	case contracts.Number:
		_, exact := whole(n)
		switch {
		case !isNumber(n.text):
			r.add(n, at, "number", "a number that a double holds", clip(n.text), hint)
		case !exact && !strings.ContainsAny(n.text, ".eE"):
			r.add(n, at, "number", "a number up to 2^53, which all readers of JSON hold exactly", clip(n.text), hint)
		}
	case contracts.Array:
		for i, item := range n.items {
			r.exact(item, index(at, i))
		}
	case contracts.Object:
		seen := make(map[string]bool, len(n.members))
		for _, m := range n.members {
			if seen[m.name] {
				r.add(m.at, pointer(at, m.name), "duplicate_key", "each name once", quoted(m.name)+" a second time", "")
			}
			seen[m.name] = true
			r.exact(m.value, pointer(at, m.name))
		}
	}
}

// total adds up what is known without looking at any file.
func (r *reader) total(stages []*Draft) {
	var sum int64
	for _, s := range stages {
		p := &s.Partition
		n := int64(len(p.Items))
		if p.By == ByRange && s.Sound {
			n = p.Count()
		}
		per := max(p.PerShard, 1)
		sum += (n + per - 1) / per
		if sum > MaxShards {
			r.list = append(r.list, s.TooMany(sum))
			for _, s := range stages {
				s.Sound = false
			}
			return
		}
	}
}

// TooMany is the fault of a plan that has n shards up to this stage.
func (s *Draft) TooMany(n int64) Fault {
	return s.Fault("/partition", "shards", fmt.Sprintf("a plan of at most %d shards", MaxShards), fmt.Sprintf("%d up to this stage", n), "a larger per_shard, or several plans")
}

// twins finds stage_ids that stand twice.
func (r *reader) twins(stages []*Draft) {
	first := map[string]*Draft{}
	for _, s := range stages {
		if s.ID == "" {
			continue
		}
		if other := first[s.ID]; other != nil {
			r.add(s.n.find("/stage_id"), s.at+"/stage_id", "unique", "a stage_id of its own", quoted(s.ID), fmt.Sprintf("it is the one of %s, line %d", other.at, other.n.line))
			continue
		}
		first[s.ID] = s
	}
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0 })
}

// CanonicalText is a document, YAML or JSON, as the canonical JSON of RFC 8785:
// what a plan's SHA-256 is of.
func CanonicalText(text []byte) ([]byte, []Fault) {
	doc, list := parseDocument(text)
	if doc == nil || len(list) > 0 {
		return nil, list
	}
	out, err := jcs.Append(nil, doc.appendJSON(nil))
	if err != nil {
		return nil, []Fault{{Keyword: "json", Expected: "a document that RFC 8785 can write", Got: clip(err.Error()), Line: 1, Column: 1}}
	}
	return out, nil
}
