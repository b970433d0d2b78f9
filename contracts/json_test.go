package contracts

import (
	"bytes"
	"encoding/json"
	"maps"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// jsonText draws a JSON value as encoding/json writes it, in a layout of its own.
func jsonText(t *rapid.T) []byte {
	b, err := json.Marshal(jsonValue(3).Draw(t, "value"))
	if err != nil {
		t.Fatal(err)
	}
	if rapid.Bool().Draw(t, "spaced") {
		var out bytes.Buffer
		if err := json.Indent(&out, b, "\r", rapid.SampledFrom([]string{" ", "\t", ""}).Draw(t, "indent")); err != nil {
			t.Fatal(err)
		}
		b = bytes.ReplaceAll(out.Bytes(), []byte("\n"), []byte(" "))
	}
	return b
}

func jsonValue(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just(any(nil)), rapid.Bool().AsAny(), rapid.String().AsAny(), rapid.Int64().AsAny(),
		rapid.Float64Range(-1e300, 1e300).AsAny(), rapid.StringMatching(`[\x00-\x7f"\\😀é]{0,40}`).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	sub := rapid.Deferred(func() *rapid.Generator[any] { return jsonValue(depth - 1) })
	return rapid.OneOf(append(scalars,
		rapid.SliceOfN(sub, 0, 4).AsAny(), rapid.MapOfN(rapid.StringN(0, 6, 30), sub, 0, 5).AsAny())...)
}

// TestScanAcceptsWhatIsWritten takes any value as data, in any layout.
func TestScanAcceptsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := jsonText(t)
		line := append(append([]byte(`{"type":"a", "data": `), data...), ' ', '}')
		var env Envelope
		if r := Scan(line, &env); r != nil {
			t.Fatalf("%s: %v", line, r)
		}
		if got := env.Data.Raw(line); !bytes.Equal(got, bytes.TrimSpace(data)) {
			t.Fatalf("data is %s, want %s", got, data)
		}
		if !Valid(data) {
			t.Fatalf("%s is not valid", data)
		}
	})
}

// TestScanAgreesOnDamage breaks a good line somewhere.
func TestScanAgreesOnDamage(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := append(append([]byte(`{"type":"a","data":`), jsonText(t)...), '}')
		for range rapid.IntRange(1, 3).Draw(t, "times") {
			at := rapid.IntRange(0, len(line)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				line = append(line[:at:at], line[at+1:]...)
			case 1:
				line[at] = rapid.Byte().Draw(t, "byte")
			default:
				line = append(line[:at:at], append([]byte{rapid.SampledFrom([]byte("{}[]\",:\\ 0-e\x80\xff\n")).Draw(t, "put")}, line[at:]...)...)
			}
			if len(line) == 0 {
				return
			}
		}
		mustAgree(t, line)
	})
}

func TestAppendString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`[\x00-\x1f"\\/\x7f]{0,9}`),
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		got := AppendString(nil, s)
		var back string
		if err := json.Unmarshal(got, &back); err != nil {
			t.Fatalf("%q is written %s: %v", s, got, err)
		}
		if want := string(bytes.ToValidUTF8([]byte(s), []byte("\ufffd"))); utf8.ValidString(s) && back != s || len([]rune(s)) != len([]rune(back)) {
			t.Fatalf("%q is written %s, which is %q, want %q", s, got, back, want)
		}
		if text := ValueOf(got).Text(); text != back {
			t.Fatalf("%s is read as %q, want %q", got, text, back)
		}
		if !bytes.Equal(got, AppendString(nil, []byte(s))) {
			t.Fatalf("%q is written otherwise as bytes", s)
		}
	})
}

func TestUnquoteAgainstStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(`"` + rapid.StringMatching(`([ -!#-\[\]-~é😀]|\\["\\/bfnrt]|\\u(00[0-9a-fA-F]{2}|[1-9a-cA-Ce][0-9a-f]{3})|\\ud83d\\ude00){0,20}`).Draw(t, "body") + `"`)
		var want string
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got := ValueOf(raw).Text(); got != want {
			t.Fatalf("%s is %q, want %q", raw, got, want)
		}
		end, esc := scanString(raw, 1)
		if end != len(raw) || esc != bytes.Contains(raw, []byte(`\`)) {
			t.Fatalf("%s: ends at %d, escapes %v", raw, end, esc)
		}
		span := Span{Off: 0, End: uint32(len(raw)), Esc: esc}
		if span.Text(raw) != want {
			t.Fatalf("%s: span's text is %q", raw, span.Text(raw))
		}
	})
}

func TestMembersAndElements(t *testing.T) {
	got := map[string]string{}
	Members([]byte(` { "a" : 1 , "b\u0063" : [ 1 , 2 ] , "" : { } } `)[1:], func(k []byte, v Value) bool {
		got[string(k)] = string(v.Raw)
		return true
	})
	if want := map[string]string{"a": "1", "bc": "[ 1 , 2 ]", "": "{ }"}; !maps.Equal(got, want) {
		t.Errorf("members: %q", got)
	}
	var els []string
	Elements([]byte(`[ 1 , "x,]" ,[ ], {"a":[]},null ]`), func(v Value) bool { els = append(els, string(v.Raw)); return true })
	if len(els) != 5 || els[1] != `"x,]"` || els[3] != `{"a":[]}` {
		t.Errorf("elements: %q", els)
	}
	for _, s := range []string{"", "1", `"x"`, "[]", "{}", "[ ]", "{ }"} {
		if !Elements([]byte(s), func(Value) bool { t.Errorf("%q has an element", s); return true }) ||
			!Members([]byte(s), func([]byte, Value) bool { t.Errorf("%q has a member", s); return true }) {
			t.Errorf("%q: stopped", s)
		}
	}
	if Elements([]byte("[1,2]"), func(Value) bool { return false }) || Members([]byte(`{"a":1}`), func([]byte, Value) bool { return false }) {
		t.Error("being stopped is not told")
	}
}

// TestReadersNeverPanic gives the readers of valid JSON what is none.
func TestReadersNeverPanic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringMatching(`[{\[][ -~]{0,20}|[{}\[\]",:a1\\ ]{0,20}`).Draw(t, "text"))
		Members(b, func(k []byte, v Value) bool { return v.Exists() })
		Elements(b, func(v Value) bool { return v.Exists() })
		Lookup(b, "a", "b")
		GetString(b, "a")
		GetInt(b, "a")
		GetBool(b, "a")
		AppendCompact(nil, b)
		if got := Valid(b); got != json.Valid(b) {
			t.Fatalf("%q: valid is %v", b, got)
		}
	})
}

func TestLookups(t *testing.T) {
	obj := []byte(`{"s":"text","n":-7,"f":1.5,"b":true,"o":{"x":{"y":"z"}},"s2":"a","s2":"b"}`)
	if GetString(obj, "s") != "text" || GetString(obj, "n") != "" || GetString(obj, "none") != "" || GetString(obj, "s2") != "b" {
		t.Error("strings")
	}
	if n, ok := GetInt(obj, "n"); !ok || n != -7 {
		t.Error("integers")
	}
	if _, ok := GetInt(obj, "f"); ok {
		t.Error("a fraction is an integer")
	}
	if !GetBool(obj, "b") || GetBool(obj, "s") || GetBool(obj, "none") {
		t.Error("booleans")
	}
	if Lookup(obj, "o", "x", "y").Text() != "z" || Lookup(obj, "o", "none", "y").Exists() || Lookup(obj, "s", "x").Exists() {
		t.Error("descending")
	}
}

func TestValidWithNewlines(t *testing.T) {
	for s, want := range map[string]bool{
		"{\n \"a\": [\n1\n]\n}\n": true, "1\n": true, "\n\"x\"": true, "{\"\":\n1}": true,
		"\"a\nb\"": false, "1\n2": false, "\n": false, "": false, "{\n": false, "\"\n": false, "tr\nue": false,
	} {
		if Valid([]byte(s)) != want {
			t.Errorf("%q: want %v", s, want)
		}
	}
	if Valid([]byte(nest("", 128, ""))) || !Valid([]byte(nest("", 127, ""))) {
		t.Error("the depth that fits into a line is not the limit")
	}
}

func TestAppendCompact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := jsonText(t)
		var spaced, want bytes.Buffer
		if json.Indent(&spaced, v, "", "\t") != nil || json.Compact(&want, v) != nil {
			t.Fatal("cannot lay out")
		}
		if got := AppendCompact(nil, spaced.Bytes()); !bytes.Equal(got, want.Bytes()) {
			t.Fatalf("%s became %s, want %s", v, got, want.Bytes())
		}
	})
}

func TestSetMember(t *testing.T) {
	for _, c := range [][4]string{
		{`{}`, "a", "1", `{"a":1}`}, {`{ }`, "a", "1", `{ "a":1}`}, {`{"a":0}`, "a", "1", `{"a":1}`}, {`{"a":0}`, "b", `"x"`, `{"a":0,"b":"x"}`},
		{`{"\u0061":{"x":1},"b":2}`, "a", "[]", `{"\u0061":[],"b":2}`}, {`{"a":0,"a":1}`, "a", "2", `{"a":0,"a":2}`}, {`{"a":"}"}`, `q"`, "1", `{"a":"}","q\"":1}`},
	} {
		if got := SetMember([]byte(c[0]), c[1], []byte(c[2])); string(got) != c[3] {
			t.Errorf("%s with %s = %s is %s, want %s", c[0], c[1], c[2], got, c[3])
		}
	}
}
