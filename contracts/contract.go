package contracts

import (
	"fmt"
	"slices"

	"stigmergy/contracts/schema"
)

// Topic is one topic's contract and its row in the event matrix, both read from
// its schema. It is immutable.
type Topic struct {
	Name      string   // hxo.shard.done
	Title     string   // its purpose, in a few words
	Owner     string   // x-owner: the lane that alone may carry it; "" if any may
	Lane      string   // x-lane: where it usually stands, though others may carry it; "" if anywhere
	Direction string   // x-direction: publish or subscribe, as seen from the board's machines
	Producer  string   // x-producer: who writes it
	Consumers []string // x-consumers: who reads it
	Frequency string   // x-frequency: per shard
	Ordering  string   // x-ordering: what comes before and after it
	Version   string   // x-version: 1.9.6n for HXO's
	Index     []string // the data fields with x-index, which archives index; sorted
	Request   bool     // x-request: asks the board for something, and policy decides
	Builtin   bool     // it comes with the program
	Schema    []byte   // the contract's text; of a built-in one, the built-in text
	Board     []byte   // the board's own text, if there is one

	checks []*schema.Schema // the built-in's, then the board's
	agree  []string         // data fields with x-agrees-with: time
}

// newTopic reads a contract.
func newTopic(name string, text []byte, compile func([]byte) (*schema.Schema, error)) (*Topic, *ContractFault) {
	s, err := compile(text)
	if err != nil {
		return nil, textFault(name, err)
	}
	v := s.Text()
	if err := checkAnnotations(text, v); err != nil {
		return nil, textFault(name, err)
	}
	t := &Topic{
		Name: name, Title: v.Str("title"), Schema: text, checks: []*schema.Schema{s},
		Owner: v.Str("x-owner"), Lane: v.Str("x-lane"), Direction: v.Str("x-direction"),
		Producer: v.Str("x-producer"), Consumers: v.Strings("x-consumers"), Request: v.True("x-request"),
		Frequency: v.Str("x-frequency"), Ordering: v.Str("x-ordering"), Version: v.Str("x-version"),
	}
	if properties := v.Get("properties"); properties != nil {
		for _, m := range properties.Members {
			if m.Value.True("x-index") {
				t.Index = append(t.Index, m.Name)
			}
			if m.Value.Str("x-agrees-with") != "" {
				t.agree = append(t.agree, m.Name)
			}
		}
	}
	slices.Sort(t.Index)
	return t, nil
}

// narrowed is a built-in topic with a board's contract asked as well.
func (t *Topic) narrowed(board *Topic) (*Topic, *ContractFault) {
	text := board.checks[0].Text()
	for _, k := range []struct {
		name string
		same bool
	}{{"x-owner", board.Owner == t.Owner}, {"x-request", board.Request == t.Request}} {
		if v := text.Get(k.name); v != nil && !k.same {
			err := schema.At(board.Schema, v, fmt.Sprintf("%s of the built-in topic %s cannot be changed: leave it out", k.name, t.Name))
			return nil, textFault(t.Name, err)
		}
	}
	out := *t
	out.checks = []*schema.Schema{t.checks[0], board.checks[0]}
	out.Index = union(t.Index, board.Index)
	out.agree = union(t.agree, board.agree)
	return &out, nil
}

func union(a, b []string) []string {
	out := append(slices.Clone(a), b...)
	slices.Sort(out)
	return slices.Compact(out)
}

// checkAnnotations looks at the keywords of our own: the schema's check passes
// over them, and a wrong one would be silently ignored.
func checkAnnotations(text []byte, v *schema.Value) error {
	for _, m := range v.Members {
		if want := annotationFault(m.Name, m.Value); want != "" {
			return schema.At(text, m.Value, m.Name+" is "+want)
		}
	}
	properties := v.Get("properties")
	if properties == nil {
		return nil
	}
	for _, p := range properties.Members {
		for _, m := range p.Value.Members {
			if want := annotationFault(m.Name, m.Value); want != "" {
				return schema.At(text, m.Value, m.Name+" is "+want)
			}
		}
	}
	return nil
}

// annotationFault says what the keyword should be, or "".
func annotationFault(name string, v *schema.Value) string {
	switch name {
	case "x-owner", "x-lane":
		if v.Kind != schema.String || !canonicalLane(v.Text) {
			return "a lane's name"
		}
	case "x-version", "x-direction", "x-producer", "x-frequency", "x-ordering":
		if v.Kind != schema.String {
			return "a string"
		}
	case "x-consumers":
		for _, item := range v.Items {
			if item.Kind != schema.String {
				return "an array of strings"
			}
		}
		if v.Kind != schema.Array {
			return "an array of strings"
		}
	case "x-request", "x-index":
		if v.Kind != schema.Bool {
			return "true or false"
		}
	case "x-agrees-with":
		if v.Kind != schema.String || v.Text != "time" {
			return `"time", the one attribute a field can agree with`
		}
	}
	return ""
}
