package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// pair compiles a schema both ways.
func pair(t interface{ Fatalf(string, ...any) }, text []byte) (compiled, oracle *Schema) {
	compiled, err := CompileTrusted(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	oracle, err = compile(text, options{assertFormats: true, noCompiled: true})
	if err != nil {
		t.Fatalf("library: %s: %v", text, err)
	}
	return compiled, oracle
}

func agreeOnRandom(t *rapid.T) {
	defs := `"$defs":{"x":` + drawSchema(t, 0) + `,"y":` + drawSchema(t, 1) + `}`
	body := drawSchema(t, 3)
	text := `{"allOf":[` + body + `],` + defs + `}`
	if _, err := Compile([]byte(text)); err != nil {
		if !strings.Contains(err.Error(), "without end") && !strings.Contains(err.Error(), "stands twice") && !strings.Contains(err.Error(), "not a schema") {
			t.Fatalf("%s: %v", text, err)
		}
		t.Skip("no schema")
	}
	s, oracle := pair(t, []byte(text))
	if !s.Compiled() {
		t.Skip("left to the library")
	}
	for range 4 {
		agree(t, s, oracle, []byte(drawSpace(t)+drawValue(t, 3)+drawSpace(t)))
	}
}

func TestCompiledAgreesWithLibrary(t *testing.T) { rapid.Check(t, agreeOnRandom) }

// FuzzRandomSchema lets coverage guide the same property.
func FuzzRandomSchema(f *testing.F) { f.Fuzz(rapid.MakeFuzz(agreeOnRandom)) }

// contractFiles are the schemas that matter most: the built-in contracts.
func contractFiles(t testing.TB) [][]byte {
	files, err := filepath.Glob("../schemas/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no contracts: %v", err)
	}
	var out [][]byte
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
	}
	return out
}

// fixtureData are the data of the contracts' fixtures, good and bad.
func fixtureData(t testing.TB) (out [][]byte) {
	files, err := filepath.Glob("../../fixtures/contracts/*/*valid/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var e struct{ Data json.RawMessage }
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		out = append(out, e.Data)
	}
	return out
}

func TestContractsAgreeOnAllFixtures(t *testing.T) {
	data := fixtureData(t)
	for _, text := range contractFiles(t) {
		s, oracle := pair(t, text)
		for _, d := range data {
			agree(t, s, oracle, d)
		}
	}
}

// FuzzSchema holds the built-in contracts' compiled checkers to the library's
// answers on any valid JSON.
func FuzzSchema(f *testing.F) {
	texts := contractFiles(f)
	type both struct{ s, oracle *Schema }
	var all []both
	for i, text := range texts {
		s, oracle := pair(f, text)
		all = append(all, both{s, oracle})
		for j, d := range fixtureData(f) {
			if (i+j)%7 == 0 {
				f.Add(byte(i), d)
			}
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		if !json.Valid(data) || !utf8.Valid(data) || strings.Contains(string(data), `\u`) && !surrogatesPaired(data) || len(data) > 1<<16 {
			return
		}
		p := all[int(which)%len(all)]
		agree(t, p.s, p.oracle, data)
	})
}

// surrogatesPaired is what the scan before any check guarantees.
func surrogatesPaired(data []byte) bool {
	var v any
	return json.Unmarshal(data, &v) == nil && !strings.Contains(strings.ToLower(string(data)), `\ud`)
}

// FuzzAnything: bytes that are no JSON at all neither panic nor hang nor pass.
func FuzzAnything(f *testing.F) {
	var all []*Schema
	for _, text := range contractFiles(f) {
		s, err := CompileTrusted(text)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, s)
	}
	for _, d := range []string{"", " ", "{", `{"`, `{"plan_id`, `{"plan_id"`, `{"plan_id":`, `{"plan_id":"`, `{"a":[`, `{"a":[1`, "[", `"`, `"\`, "-", "x", "{]", "}", `{"a" 1}`} {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range all {
			if errs := s.Check(data); len(errs) > MaxErrors {
				t.Errorf("%d errors", len(errs))
			}
		}
	})
}

// FuzzCompile takes any text for a schema: it is told what is wrong with it, or it
// is compiled, and then says what the library says.
func FuzzCompile(f *testing.F) {
	for i, text := range contractFiles(f) {
		f.Add(text, fixtureData(f)[i])
	}
	for _, text := range []string{`true`, `{"$ref":"#"}`, `{"$ref":"#/$defs/a","$defs":{"a":{"not":{"$ref":"#"}}}}`, `{"pattern":"^[a-c]{2}$","maxLength":2}`,
		`{"enum":[1,1.0,[{}]],"uniqueItems":true}`, `{"$id":"a","$anchor":"b","$ref":"#b"}`, `{"prefixItems":[false],"items":true}`,
		`{"if":{"minimum":1},"then":{"multipleOf":0.5},"else":false}`, `{"$dynamicAnchor":"x","items":{"$dynamicRef":"#x"}}`, `{"properties":{"\u0061":{"const":"\u0000"}}}`} {
		f.Add([]byte(text), []byte(`[1,{"a":"ab"}]`))
	}
	f.Fuzz(func(t *testing.T, text, data []byte) {
		s, err := Compile(text)
		if err != nil {
			var at *TextError
			if !errors.As(err, &at) || at.Line < 1 || at.Column < 1 {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		if !json.Valid(data) || !utf8.Valid(data) || !surrogatesPaired(data) || !surrogatesPaired(text) || bytes.ContainsAny(data, "eE") {
			s.Check(data)
			return
		}
		if s.Compiled() {
			compiled, oracle := pair(t, text)
			agree(t, compiled, oracle, data)
		}
	})
}

func TestDecimalsAgreeWithRationals(t *testing.T) {
	number := rapid.Custom(func(t *rapid.T) string {
		s := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + rapid.StringMatching(`(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?`).Draw(t, "digits")
		if rapid.Bool().Draw(t, "e") {
			s += rapid.StringMatching(`[eE][+-]?[0-9]{1,2}`).Draw(t, "exp")
		}
		return s
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		ra, ok1 := new(big.Rat).SetString(a)
		rb, ok2 := new(big.Rat).SetString(b)
		if !ok1 || !ok2 {
			t.Fatal("no rational")
		}
		da, db := newDecimal([]byte(a)), newDecimal([]byte(b))
		if da.compare(db) != ra.Cmp(rb) {
			t.Fatalf("%s against %s: %d", a, b, da.compare(db))
		}
		if da.integer() != ra.IsInt() {
			t.Fatalf("%s whole: %v", a, da.integer())
		}
		if d, ok := newDivisor(b); ok {
			if q := new(big.Rat).Quo(ra, rb); d.divides(da) != q.IsInt() {
				t.Fatalf("%s divides %s: %v", b, a, d.divides(da))
			}
		}
	})
}

func TestHugeNumbersAreExactAndQuick(t *testing.T) {
	zeros := strings.Repeat("0", 1<<20)
	for _, c := range []struct {
		schema, data string
		ok           bool
	}{
		{`{"type":"integer"}`, "1e1000000000", true},
		{`{"type":"integer"}`, "1e-1000000000", false},
		{`{"type":"integer"}`, "0e-1000000000", true},
		{`{"type":"integer"}`, "1e99999999999999999999999999", true},
		{`{"type":"integer"}`, "1." + zeros, true},
		{`{"type":"integer"}`, "1." + zeros + "1", false},
		{`{"type":"integer"}`, "1" + zeros + "e-1048576", true},
		{`{"maximum":1e10}`, "1e1000000000", false},
		{`{"maximum":1e10}`, "-1e1000000000", true},
		{`{"maximum":0}`, "1e-1000000000", false},
		{`{"exclusiveMinimum":0}`, "1e-1000000000", true},
		{`{"minimum":9007199254740993}`, "9007199254740992", false},
		{`{"minimum":9007199254740993}`, "9007199254740993.0", true},
		{`{"const":1}`, "1." + zeros, true},
		{`{"const":1}`, "1." + zeros + "1", false},
		{`{"multipleOf":7}`, "7e1000000000", true},
		{`{"multipleOf":7}`, "1e1000000000", false},
		{`{"multipleOf":0.01}`, "1e-3", false},
		{`{"multipleOf":0.1}`, "0.3", true},
	} {
		for _, text := range []string{c.schema, strings.Replace(c.schema, "{", `{"unevaluatedItems":true,`, 1)} {
			s, err := Compile([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if !s.Compiled() && strings.Contains(text, "multipleOf\":7") {
				continue // the one thing that is not exact: see squash
			}
			if got := s.Check([]byte(c.data)); (got == nil) != c.ok {
				t.Errorf("%s of %s: %v", text, shorten(c.data), got)
			}
		}
	}
}
