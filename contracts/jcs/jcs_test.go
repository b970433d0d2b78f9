package jcs_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/contracts/jcs"
)

// numbers are RFC 8785, appendix B.
var numbers = []struct {
	bits uint64
	want string
}{
	{0x0000000000000000, "0"},
	{0x8000000000000000, "0"},
	{0x0000000000000001, "5e-324"},
	{0x8000000000000001, "-5e-324"},
	{0x7fefffffffffffff, "1.7976931348623157e+308"},
	{0xffefffffffffffff, "-1.7976931348623157e+308"},
	{0x4340000000000000, "9007199254740992"},
	{0xc340000000000000, "-9007199254740992"},
	{0x4430000000000000, "295147905179352830000"},
	{0x44b52d02c7e14af5, "9.999999999999997e+22"},
	{0x44b52d02c7e14af6, "1e+23"},
	{0x44b52d02c7e14af7, "1.0000000000000001e+23"},
	{0x444b1ae4d6e2ef4e, "999999999999999700000"},
	{0x444b1ae4d6e2ef4f, "999999999999999900000"},
	{0x444b1ae4d6e2ef50, "1e+21"},
	{0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
	{0x3eb0c6f7a0b5ed8d, "0.000001"},
	{0x41b3de4355555553, "333333333.3333332"},
	{0x41b3de4355555554, "333333333.33333325"},
	{0x41b3de4355555555, "333333333.3333333"},
	{0x41b3de4355555556, "333333333.3333334"},
	{0x41b3de4355555557, "333333333.33333343"},
	{0xbecbf647612f3696, "-0.0000033333333333333333"},
	{0x43143ff3c1cb0959, "1424953923781206.2"},
}

func TestNumbers(t *testing.T) {
	for _, c := range numbers {
		f := math.Float64frombits(c.bits)
		if got := string(jcs.AppendNumber(nil, f)); got != c.want {
			t.Errorf("%016x: %s, want %s", c.bits, got, c.want)
		}
	}
}

// TestForms: RFC 8785's own examples, and what is not one's first thought.
func TestForms(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"{\n  \"numbers\": [333333333.33333329, 1E30, 4.50,\n              2e-3, 0.000000000000000000000000001],\n  \"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\",\n  \"literals\": [null, true, false]\n}",
			`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`},
		{`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
			"{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}"},
		{`{"a\ud83d\ude00":1,"a\uffff":2,"a":3}`, "{\"a\":3,\"a😀\":1,\"a\uffff\":2}"},
		{` [ ] `, `[]`},
		{`{ "b" : { } , "" : [ [ ] ] }`, `{"":[[]],"b":{}}`},
		{`"\u007f\u2028\/\b\f\u0001"`, "\"\u007f\u2028/\\b\\f\\u0001\""},
		{`[-0, -0.0, 1e-7, 1.0, 100, 1e2, 9007199254740993, 1e-400]`, `[0,0,1e-7,1,100,100,9007199254740992,0]`},
		{`null`, `null`},
	} {
		got, err := jcs.Append([]byte("x"), []byte(c.in))
		if err != nil || string(got) != "x"+c.want {
			t.Errorf("%s:\n got %s (%v)\nwant x%s", c.in, got, err, c.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1,"\u0061":2}`:       "stands twice",
		`{"a":[{"b":1,"b":1}]}`:    "stands twice",
		`[1e400]`:                  "beyond the doubles",
		`"\ud800"`:                 "not one JSON value",
		"\"\xff\"":                 "not one JSON value",
		``:                         "not one JSON value",
		`{} {}`:                    "not one JSON value",
		`{'a':1}`:                  "not one JSON value",
		`[NaN]`:                    "not one JSON value",
		strings.Repeat("[", 10000): "not one JSON value",
	} {
		if got, err := jcs.Append(nil, []byte(in)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %s, %v; want %q", in, got, err, want)
		}
	}
}

// TestShell: what the package comment promises of jq.
func TestShell(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		t.Skip("no jq here")
	}
	cmd := exec.Command("sh", "-c", "jq -cSj . | sha256sum | cut -c1-64")
	const packet = `{"scope": "x", "tags": ["ü", "b"], "artifacts": {"z": 1, "a": "\u0061"}}`
	cmd.Stdin = strings.NewReader(packet)
	out, err := cmd.Output()
	sum, serr := jcs.Sum([]byte(packet))
	if err != nil || serr != nil || strings.TrimSpace(string(out)) != sum {
		t.Errorf("%s (%v), want %s (%v)", out, err, sum, serr)
	}
}

// TestMeaning: the canonical form means what the value means, and is the same
// for every spelling of it.
func TestMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := value(t, 4)
		plain, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		pretty, err := json.MarshalIndent(v, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		a, err := jcs.Append(nil, plain)
		if err != nil {
			t.Fatal(err)
		}
		b, err := jcs.Append(nil, pretty)
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s\n%s (%v)", a, b, err)
		}
		var back any
		if err := json.Unmarshal(a, &back); err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("%s: %#v, want %#v (%v)", a, back, v, err)
		}
	})
}

func value(t *rapid.T, depth int) any {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return nil
	case 1:
		return rapid.Bool().Draw(t, "bool")
	case 2:
		return rapid.String().Draw(t, "string")
	case 3:
		f := rapid.Float64().Draw(t, "number")
		if math.IsInf(f, 0) || math.IsNaN(f) || f == 0 {
			return 1.0
		}
		return f
	case 4:
		out := []any{}
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			out = append(out, value(t, depth-1))
		}
		return out
	}
	out := map[string]any{}
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		out[rapid.String().Draw(t, "key")] = value(t, depth-1)
	}
	return out
}

// FuzzAppend: never a panic; what comes out is valid, compact and its own
// canonical form, and means the same to encoding/json.
func FuzzAppend(f *testing.F) {
	for _, s := range []string{
		`{"b":4.50,"a":"\u0061"}`, `[1e30,-0,5e-324,1e-7]`, `{"\ud83d\ude00":1,"\ufb33":[{}],"":null}`,
		"{\n\"a\" : \"\\n\\u001f\\/\"\r\n}", `{"a":1,"a":2}`, `"`, `[1e999]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := jcs.Append(nil, in)
		if err != nil {
			return
		}
		if !json.Valid(out) || !contracts.Valid(out) || bytes.ContainsAny(out, "\n\r\t") {
			t.Fatalf("%q: %q", in, out)
		}
		again, err := jcs.Append(nil, out)
		if err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%q: %q, again %q (%v)", in, out, again, err)
		}
		var a, b any
		if err := json.Unmarshal(in, &a); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		if err := json.Unmarshal(out, &b); err != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%q: %#v, %q: %#v (%v)", in, a, out, b, err)
		}
	})
}

// FuzzNumber: every double comes back, at most as long as Go's own.
func FuzzNumber(f *testing.F) {
	for _, c := range numbers {
		f.Add(c.bits)
	}
	f.Fuzz(func(t *testing.T, bits uint64) {
		v := math.Float64frombits(bits)
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return
		}
		s := string(jcs.AppendNumber(nil, v))
		back, err := strconv.ParseFloat(s, 64)
		if err != nil || back != v || !json.Valid([]byte(s)) {
			t.Fatalf("%016x: %s gives %v (%v)", bits, s, back, err)
		}
	})
}
