package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What people are told, keyword by keyword.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		schema, data string
		want         []string // pointer keyword: expected, got
	}{
		{`{"type":"string"}`, `5`, []string{` type: a string, got 5`}},
		{`{"type":["string","null"]}`, `{"a":1}`, []string{` type: a null or string, got an object of 1 member`}},
		{`{"type":"integer"}`, `1.5`, []string{` type: an integer, got 1.5`}},
		{`{"type":"null"}`, `[1,2]`, []string{` type: null, got an array of 2 items`}},
		{`{"const":"pending"}`, `"done"`, []string{` const: "pending", got "done"`}},
		{`{"enum":["a",1,{"b":[]}]}`, `"c"`, []string{` enum: one of "a", 1, {"b":[]}, got "c"`}},
		{`{"required":["a","b/c~d"],"properties":{"a":{"type":"string","format":"uuid"}}}`, `{}`,
			[]string{`/a required: a UUID, got nothing`, `/b~1c~0d required: any value, got nothing`}},
		{`{"properties":{"a":{"pattern":"^[0-9a-f]{16}$","type":"string"}}}`, `{"a":"def456"}`, []string{`/a pattern: 16 lower-case hex digits, got "def456"`}},
		{`{"pattern":"^x"}`, `"y"`, []string{` pattern: a string that matches ^x or null or boolean or number or array or object, got "y"`}},
		{`{"type":"string","format":"date-time"}`, `"today"`, []string{` format: an RFC 3339 time such as 2026-01-29T02:31:13Z, got "today"`}},
		{`{"type":"string","format":"date"}`, `"today"`, []string{` format: an RFC 3339 date such as 2026-01-29, got "today"`}},
		{`{"type":"string","format":"time"}`, `"now"`, []string{` format: an RFC 3339 time of day such as 02:31:13Z, got "now"`}},
		{`{"minLength":2,"maxLength":1}`, `"é"`, []string{` minLength: at least 2 characters, got "é"`}},
		{`{"maxLength":1}`, `"ab"`, []string{` maxLength: at most 1 character, got "ab"`}},
		{`{"minimum":2,"multipleOf":3}`, `1`, []string{` minimum: at least 2, got 1`, ` multipleOf: a multiple of 3, got 1`}},
		{`{"exclusiveMaximum":1}`, `1`, []string{` exclusiveMaximum: less than 1, got 1`}},
		{`{"exclusiveMinimum":1,"maximum":0}`, `1`, []string{` exclusiveMinimum: more than 1, got 1`, ` maximum: at most 0, got 1`}},
		{`{"minItems":1}`, `[]`, []string{` minItems: at least 1 item, got an array of 0 items`}},
		{`{"maxItems":1,"items":{"type":"null"}}`, `[null,1]`, []string{` maxItems: at most 1 item, got an array of 2 items`, `/1 type: null, got 1`}},
		{`{"minProperties":2}`, `{"a":1,"a":2}`, []string{` minProperties: at least 2 members, got an object of 2 members`}},
		{`{"maxProperties":0}`, `{"a":1}`, []string{` maxProperties: at most 0 members, got an object of 1 member`}},
		{`{"additionalProperties":false,"properties":{"a":true}}`, `{"b":1,"a":2}`, []string{`/b additionalProperties: no member "b", got 1`}},
		{`{"additionalProperties":{"type":"null"}}`, `{"b":1}`, []string{`/b type: null, got 1`}},
		{`{"anyOf":[{"type":"string"},{"required":["a","b"]}]}`, `{}`, []string{` anyOf: one of: a string; an object with a, b, got an object of 0 members`}},
		{`{"oneOf":[{"type":"string"},{"type":"null"}]}`, `1`, []string{` oneOf: one of: a string; null, got 1`}},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, `1`, []string{` oneOf: only one of: an integer; a number; 2 hold, got 1`}},
		{`{"not":{"type":"string"}}`, `"a"`, []string{` not: anything but a string, got "a"`}},
		{`{"if":{"type":"string"},"then":{"minLength":3},"else":{"type":"null"}}`, `"a"`, []string{` minLength: at least 3 characters, got "a"`}},
		{`{"if":{"type":"string"},"else":{"type":"null"}}`, `1`, []string{` type: null, got 1`}},
		{`{"$defs":{"a":{"type":"null"}},"$ref":"#/$defs/a"}`, `1`, []string{` type: null, got 1`}},
		{`{"allOf":[{"type":"null"},{"minimum":2}]}`, `1`, []string{` type: null, got 1`, ` minimum: at least 2, got 1`}},
		{`false`, `1`, []string{` false: nothing here, got 1`}},
		{`{"properties":{"a":false}}`, `{"a":"` + strings.Repeat("é", 100) + `"}`,
			[]string{`/a false: nothing here, got "` + strings.Repeat("é", 39) + `… (202 bytes)`}},
		{`{"type":"null"}`, ` "\u0041" `, []string{` type: null, got "\u0041"`}},
	} {
		s, err := Compile([]byte(c.schema))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Compiled() {
			t.Errorf("%s is left to the library", c.schema)
		}
		var got []string
		for _, e := range s.Check([]byte(c.data)) {
			got = append(got, fmt.Sprintf("%s %s: %s, got %s", e.Pointer, e.Keyword, e.Expected, e.Got))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s of %s:\n got %q\nwant %q", c.schema, c.data, got, c.want)
		}
	}
}

// The fallback answers in the same terms: pointer, keyword, what stands there.
func TestFallbackErrors(t *testing.T) {
	s, err := Compile([]byte(`{"uniqueItems":true,"items":{"required":["b","a"],"propertyNames":{"maxLength":1}}}`))
	if err != nil || s.Compiled() {
		t.Fatal(err)
	}
	var first []Error
	for range 10 {
		errs := s.Check([]byte(`[{"a":1},{"a":1},{"xx":2}]`))
		if first == nil {
			first = errs
		}
		if !slices.Equal(errs, first) {
			t.Fatal("another order")
		}
	}
	var got []string
	for _, e := range first {
		got = append(got, e.Pointer+" "+e.Keyword+" "+e.Got)
	}
	if !slices.Equal(got, []string{" uniqueItems an array of 3 items", "/0/b required nothing", "/1/b required nothing",
		"/2 propertyNames an object of 1 member", "/2/a required nothing", "/2/b required nothing"}) {
		t.Errorf("%q", got)
	}
}

func TestErrorsAreCapped(t *testing.T) {
	data := []byte("[" + strings.Repeat("1,", 999) + "1]")
	for _, text := range []string{`{"items":{"type":"null"}}`, `{"items":{"type":"null"},"uniqueItems":false}`} {
		s, err := Compile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Check(data); len(got) != MaxErrors {
			t.Errorf("%s: %d errors", text, len(got))
		}
	}
}

func TestNotJSON(t *testing.T) {
	for _, text := range []string{`{"type":"object","properties":{"a":true}}`, `{"type":"object","unevaluatedItems":true}`} {
		s, err := Compile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for _, bad := range []string{"", "{", "[1,]", "{}}", "nul", "\"a", "{]"} {
			if errs := s.Check([]byte(bad)); errs == nil {
				t.Errorf("%s takes %q", text, bad)
			}
		}
	}
}

func TestValueRoundTrip(t *testing.T) {
	text := `{"b":[1,2.50,-1e+3,null,true,false,"é\n\u2028<"],"a":{},"":[]}`
	v, err := ParseText([]byte("\xef\xbb\xbf " + text))
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if json.Unmarshal([]byte(text), &a) != nil || json.Unmarshal(v.AppendJSON(nil), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("%s", v.AppendJSON(nil))
	}
	if v.Members[0].Name != "b" || v.At("/b/1").Text != "2.50" || v.At("/b/9") != nil || v.At("/b/x") != nil || v.At("/c/d") != nil {
		t.Error("order or pointers are lost")
	}
	if v.At("/b/0").Offset != 3+1+6 {
		t.Errorf("offset %d", v.At("/b/0").Offset)
	}
}

func TestPointersAreEscaped(t *testing.T) {
	v, err := ParseText([]byte(`{"a/b":{"c~d":[{"~1":5}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	at := appendToken(appendIndex(appendToken(appendToken("", "a/b"), "c~d"), 0), "~1")
	if at != "/a~1b/c~0d/0/~01" || v.At(at) == nil || v.At(at).Text != "5" {
		t.Errorf("%s leads to %+v", at, v.At(at))
	}
}

func TestNamesThatStandTwice(t *testing.T) {
	for _, n := range []int{1, 2, 31, 32, 33, 34, 100} {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "\"x-%d\":%d,", i, i)
		}
		if _, err := Compile([]byte("{" + b.String() + `"title":""}`)); err != nil {
			t.Errorf("%d members: %v", n, err)
		}
		for _, again := range []int{0, n / 2, n - 1} {
			if _, err := Compile(fmt.Appendf(nil, "{%s\n\"x-%d\":0}", b.String(), again)); err == nil || !strings.Contains(err.Error(), "line 2, column 1: ") {
				t.Errorf("%d members, x-%d again: %v", n, again, err)
			}
		}
	}
}
