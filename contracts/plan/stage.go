package plan

import (
	"fmt"
	"strings"
	"time"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
	"stigmergy/contracts/schema"
)

// stage reads one stage; nil where it is no object.
func (r *reader) stage(n *node, at string) *Draft {
	o := r.object(n, at, "a stage: stage_id, kind, spec, partition")
	if !o.ok {
		return nil
	}
	s := &Draft{n: n, at: at, Sound: true}
	var id *node
	s.ID, id = o.str("stage_id", "the stage's id", true)
	if id != nil && !stageID(s.ID) {
		r.add(id, at+"/stage_id", "pattern", fmt.Sprintf("1 to %d letters, digits, . _ -, a letter or digit first", maxID), quoted(s.ID), "it is a folder's name where outputs are fetched")
		s.ID = ""
	}
	kind := r.kind(o, s)
	r.spec(o, s, kind)
	s.Sound = r.partition(o, s)
	s.Needs = r.needs(o, s)
	s.TimeoutMS = r.timeout(o, kind)
	retries := int64(DefaultRetries)
	if kind != nil && kind.Idempotent != nil && !*kind.Idempotent {
		retries = 0 // what must not be done twice is not tried again unasked
	}
	s.Retries = int(o.integer("retries", retries, 0, MaxRetries))
	s.Concurrency = int(o.integer("concurrency", DefaultConcurrency, 1, MaxConcurrency))
	o.str("description", "text", false)
	o.done("a stage")
	return s
}

// stageID tells whether a stage may be called so: its id is part of paths and
// of keys.
func stageID(s string) bool {
	if s == "" || len(s) > maxID {
		return false
	}
	for i, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-') {
			return false
		}
	}
	return true
}

func (r *reader) kind(o *object, s *Draft) *Kind {
	name, at := o.str("kind", "a kind of job, such as exec", true)
	if at == nil {
		return nil
	}
	s.Kind = name
	if k := r.kinds[name]; k != nil {
		return k
	}
	names := make([]string, 0, len(r.kinds))
	for k := range r.kinds {
		names = append(names, k)
	}
	hint := didYouMean(name, sorted(names))
	if hint == "" {
		hint = "register it with a blueprint.events line {kind, command, spec_schema}"
	}
	o.add(at, o.at+"/kind", "kind", "a kind that is known: "+knownKinds(names), quoted(name), hint)
	return nil
}

func knownKinds(names []string) string {
	const most = 8
	names = sorted(names)
	if len(names) > most {
		return join(names[:most]) + fmt.Sprintf(" (and %d more)", len(names)-most)
	}
	return join(names)
}

// spec holds the stage's spec against the kind's schema and puts it into the
// kind's command.
func (r *reader) spec(o *object, s *Draft, k *Kind) {
	v := o.field("spec")
	if v == nil {
		v = &node{kind: contracts.Object, line: o.n.line, column: o.n.column}
	}
	at := o.at + "/spec"
	if v.kind != contracts.Object {
		r.add(v, at, "type", "an object", v.show(), "")
		return
	}
	r.exact(v, at)
	raw := v.appendJSON(nil)
	var err error
	if s.Spec, err = jcs.Append(nil, raw); err != nil {
		return // exact has said why
	}
	if k == nil {
		return
	}
	if len(k.SpecSchema) > 0 {
		sch, err := schema.CompileTrusted(k.SpecSchema)
		if err != nil {
			r.add(o.n.find("/kind"), o.at+"/kind", "schema", "a kind whose spec_schema can be read", clip(err.Error()), "register the kind again")
			return
		}
		wrong := sch.Check(raw)
		for _, e := range wrong {
			r.add(v.find(e.Pointer), at+e.Pointer, e.Keyword, e.Expected, clip(e.Got), specHint(v, e))
		}
		if len(wrong) > 0 {
			return
		}
	}
	r.job(s, k, v)
}

func specHint(spec *node, e schema.Error) string {
	name := strings.TrimPrefix(e.Pointer, "/")
	switch {
	case e.Keyword == "type" && name == "argv" && spec.get("argv") != nil && spec.get("argv").kind == contracts.String:
		return `a list of words: ["gzip", "-9c", "{input}"]; no shell takes them apart`
	case e.Keyword == "additionalProperties" && !strings.Contains(name, "/"):
		return didYouMean(name, []string{"argv", "stdin", "env"})
	}
	return ""
}

func (r *reader) needs(o *object, s *Draft) []string {
	var out []string
	v := o.field("needs")
	if v != nil && v.kind != contracts.Array {
		r.add(v, o.at+"/needs", "type", "a list of stage_ids", v.show(), "")
		v = nil
	}
	if v != nil {
		for i, item := range v.items {
			at := index(o.at+"/needs", i)
			switch {
			case item.kind != contracts.String:
				r.add(item, at, "type", "a stage_id", item.show(), "")
			case contains(out, item.text):
				r.add(item, at, "unique", "each stage once", quoted(item.text), "")
			default:
				out = append(out, item.text)
			}
		}
	}
	if of := s.Partition.Of; of != "" && !contains(out, of) {
		out = append(out, of)
	}
	return out
}

func (r *reader) timeout(o *object, k *Kind) int64 {
	def := DefaultTimeout.Milliseconds()
	if k != nil && k.TimeoutMS > 0 {
		def = k.TimeoutMS
	}
	v := o.field("timeout")
	if v == nil {
		return def
	}
	expected, hint := "a duration from 1ms to 720h, such as 15s", ""
	if v.kind == contracts.Number {
		hint = "with a unit: " + clip(v.text) + "s or " + clip(v.text) + "ms"
	}
	if v.kind == contracts.String {
		if d, err := parseDuration(v.text); err == nil && d >= time.Millisecond && d <= MaxTimeout {
			return d.Milliseconds()
		} else if err != nil {
			hint = "units are ms, s, m, h and d"
		}
	}
	r.add(v, o.at+"/timeout", "duration", expected, v.show(), hint)
	return def
}
