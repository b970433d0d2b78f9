package contracts

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/schema"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		old, now string
		want     []string
	}{
		{`{"type":"object"}`, `{"type":"object","title":"x"}`, nil},
		{`{"required":["a"]}`, `{"required":["a","b"]}`, []string{`writers /required required: "b" was added`}},
		{`{"required":["a","b"]}`, `{"required":["b"]}`, []string{`readers /required required: "a" was removed`}},
		{`{}`, `{"required":["b"]}`, []string{`writers /required required: "b" was added`}},
		{`{"properties":{"a":{"type":["string","null"]}}}`, `{"properties":{"a":{"type":"string"}}}`,
			[]string{`writers /properties/a/type type was narrowed from ["string","null"] to "string"`}},
		{`{"properties":{"a":{"type":"integer"}}}`, `{"properties":{"a":{"type":"number"}}}`,
			[]string{`readers /properties/a/type type was widened from "integer" to "number"`}},
		{`{"properties":{"a":{"type":"string"}}}`, `{"properties":{"a":{"type":"integer"}}}`,
			[]string{`writers and readers /properties/a/type type was "string" and is "integer"`}},
		{`{"properties":{"a":true,"x/y":true}}`, `{"properties":{"a":true,"b":true}}`,
			[]string{`readers /properties/x~1y property x/y was removed`, ` /properties/b property b was added`}},
		{`{"enum":["a","b"]}`, `{"enum":["b","c"]}`,
			[]string{`writers /enum allowed values: "a" was removed`, `readers /enum allowed values: "c" was added`}},
		{`{}`, `{"enum":["b"]}`, []string{`writers /enum enum was added: ["b"]`}},
		{`{"minimum":1}`, `{"minimum":1.0e0}`, nil},
		{`{"minimum":1}`, `{"minimum":2}`, []string{`writers /minimum minimum was 1 and is 2`}},
		{`{"maxLength":9}`, `{"maxLength":10}`, []string{`readers /maxLength maxLength was 9 and is 10`}},
		{`{"pattern":"a"}`, `{"pattern":"b"}`, []string{`writers and readers /pattern pattern was "a" and is "b"`}},
		{`{"format":"uuid"}`, `{}`, []string{`readers /format format was removed: "uuid"`}},
		{`{"items":{"required":["a"]}}`, `{"items":{"required":["a","b"]}}`, []string{`writers /items/required required: "b" was added`}},
		{`{"additionalProperties":true}`, `{"additionalProperties":false}`, []string{`writers /additionalProperties additionalProperties was added: false`}},
		{`{"$defs":{"a":{"type":"string"}},"$ref":"#/$defs/a"}`, `{"type":"string"}`, nil},
		{`{"$defs":{"a":{"type":"string"}},"properties":{"p":{"$ref":"#/$defs/a"}}}`, `{"$defs":{"a":{"type":"null"}},"properties":{"p":{"$ref":"#/$defs/a"}}}`,
			[]string{`writers and readers /properties/p/type type was "string" and is "null"`}},
		{`{"$defs":{"a":{"minimum":1}},"$ref":"#/$defs/a","type":"number"}`, `{"$defs":{"a":{"minimum":2}},"$ref":"#/$defs/a","type":"number"}`,
			[]string{`writers /$ref/minimum minimum was 1 and is 2`}},
		{`{"$ref":"#/$defs/a","$defs":{"a":{"minimum":1}},"type":"number"}`, `{"minimum":1,"type":"number"}`,
			[]string{`readers /$ref $ref was removed: "#/$defs/a"`, `writers /minimum minimum was added: 1`}},
		{`{"x-owner":"hxo"}`, `{"x-owner":"swarm"}`, []string{`writers /x-owner x-owner was "hxo" and is "swarm"`}},
		{`{"x-version":"1"}`, `{"x-version":"2"}`, []string{` /x-version x-version was "1" and is "2"`}},
		{`{"anyOf":[true]}`, `{"anyOf":[{}]}`, []string{`writers and readers /anyOf anyOf was [true] and is [{}]`}},
		{`true`, `false`, []string{`writers and readers  the schema was true and is false`}},
	} {
		changes, err := Compare([]byte(c.old), []byte(c.now))
		if err != nil {
			t.Errorf("%s, %s: %v", c.old, c.now, err)
			continue
		}
		var got []string
		for _, ch := range changes {
			got = append(got, fmt.Sprintf("%s %s %s", ch.Breaks, ch.Pointer, ch.Message))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s, %s:\n got %q\nwant %q", c.old, c.now, got, c.want)
		}
	}
}

func TestCompareRefusesWhatIsNoSchema(t *testing.T) {
	for _, c := range [][2]string{{`{"type":5}`, `{}`}, {`{}`, `{`}} {
		if _, err := Compare([]byte(c[0]), []byte(c[1])); err == nil {
			t.Errorf("%v was taken", c)
		}
	}
}

func TestCompareStopsAtSelfReference(t *testing.T) {
	a := `{"properties":{"a":{"$ref":"#"},"x":{"type":"string"}}}`
	b := `{"properties":{"a":{"$ref":"#"},"x":{"type":"number"}}}`
	changes, err := Compare([]byte(a), []byte(b))
	if err != nil || len(changes) == 0 || len(changes) > 100 {
		t.Errorf("%d changes, %v", len(changes), err)
	}
}

func TestBuiltinContractsEqualThemselves(t *testing.T) {
	for _, topic := range Builtin().Topics() {
		if changes, err := Compare(topic.Schema, topic.Schema); err != nil || changes != nil {
			t.Errorf("%s: %v %v", topic.Name, changes, err)
		}
	}
}

// drawContract draws one of the contracts that differ in the ways people change
// them; always with the same property names.
func drawContract(t *rapid.T) string {
	property := func(name string) string {
		return `"` + name + `":` + rapid.SampledFrom([]string{`{"type":"string"}`, `{"type":["string","null"]}`, `{"type":"integer","minimum":1}`,
			`{"type":"number"}`, `{"enum":["a","b"]}`, `{"enum":["b"]}`, `{"type":"integer","minimum":2,"maximum":9}`, `true`,
			`{"type":"array","items":{"type":"integer"}}`, `{"type":"array","items":{"enum":[1]}}`, `{"$ref":"#/$defs/d"}`}).Draw(t, name)
	}
	return `{"$defs":{"d":` + rapid.SampledFrom([]string{`{"minLength":1}`, `{"minLength":2,"maxLength":3}`}).Draw(t, "d") +
		`},"required":` + rapid.SampledFrom([]string{`[]`, `["a"]`, `["a","b"]`}).Draw(t, "required") +
		`,"properties":{` + property("a") + `,` + property("b") + `}` +
		rapid.SampledFrom([]string{``, `,"additionalProperties":false`, `,"maxProperties":2`, `,"additionalProperties":{"type":"null"}`}).Draw(t, "extra") + `}`
}

// What Compare says breaks no writer refuses nothing that was taken before, and
// what breaks no reader takes nothing that was refused before.
func TestCompareIsSound(t *testing.T) {
	values := []string{`"a"`, `"b"`, `""`, `"abcd"`, `null`, `1`, `2`, `10`, `1.5`, `[]`, `[1]`, `[2]`, `["x"]`}
	rapid.Check(t, func(t *rapid.T) {
		old, now := drawContract(t), drawContract(t)
		changes, err := Compare([]byte(old), []byte(now))
		if err != nil {
			t.Fatal(err)
		}
		writers, readers := false, false
		for _, c := range changes {
			writers = writers || c.Breaks == BreaksWriters || c.Breaks == BreaksBoth
			readers = readers || c.Breaks == BreaksReaders || c.Breaks == BreaksBoth
		}
		a, err1 := schema.Compile([]byte(old))
		b, err2 := schema.Compile([]byte(now))
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		v := rapid.SampledFrom(values)
		for range 8 {
			data := []byte(fmt.Sprintf(rapid.SampledFrom([]string{`{"a":%s,"b":%s,"c":%s}`, `{"a":%s,"b":%s}%.0s`, `{"a":%s}%.0s%.0s`, `{"b":%s,"c":%s}%.0s`}).Draw(t, "shape"),
				v.Draw(t, "a"), v.Draw(t, "b"), v.Draw(t, "c")))
			before, after := a.Check(data) == nil, b.Check(data) == nil
			if before && !after && !writers || after && !before && !readers {
				t.Fatalf("%s\n%s\nof %s: %v, then %v, and only %v", old, now, data, before, after, changes)
			}
		}
	})
}
