package contracts

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// refused are lines that are no events, each with its reason and a word that its
// hint must hold.
var refused = []struct {
	name, line string
	reason     Reason
	hint       string
}{
	{"empty", ``, ReasonNotJSON, "an event is an object"},
	{"text", `hello world`, ReasonNotJSON, "an event is an object"},
	{"number", `17`, ReasonNotJSON, "an event is an object"},
	{"array", `[{"type":"a"}]`, ReasonNotJSON, "an event is an object"},
	{"string", `"a"`, ReasonNotJSON, "an event is an object"},
	{"null", `null`, ReasonNotJSON, "an event is an object"},

	{"trailing comma in object", `{"type":"a",}`, ReasonNotJSON, "trailing comma"},
	{"trailing comma in nested object", `{"type":"a","data":{"x":1, }}`, ReasonNotJSON, "trailing comma"},
	{"trailing comma in array", `{"type":"a","data":[1,2,]}`, ReasonNotJSON, "trailing comma"},
	{"single quotes", `{'type':'a'}`, ReasonNotJSON, "single quotes"},
	{"single-quoted value", `{"type":'a'}`, ReasonNotJSON, "single quotes"},
	{"typographic quotes", `{“type”:"a"}`, ReasonNotJSON, "typographic"},
	{"NaN", `{"type":"a","data":{"x":NaN}}`, ReasonNotJSON, "NaN"},
	{"nan", `{"type":"a","data":{"x":nan}}`, ReasonNotJSON, "NaN"},
	{"Infinity", `{"type":"a","data":[Infinity]}`, ReasonNotJSON, "NaN"},
	{"-Infinity", `{"type":"a","data":{"x":-Infinity}}`, ReasonNotJSON, "NaN"},
	{"True", `{"type":"a","data":{"ok":True}}`, ReasonNotJSON, "Python"},
	{"None", `{"type":"a","data":None}`, ReasonNotJSON, "Python"},
	{"undefined", `{"type":"a","data":undefined}`, ReasonNotJSON, "undefined"},
	{"comment", `{"type":"a"} // done`, ReasonNotJSON, "one object a line"},
	{"comment inside", `{/* x */"type":"a"}`, ReasonNotJSON, "comments"},
	{"bare key", `{type:"a"}`, ReasonNotJSON, "double quotes"},
	{"bare value", `{"type":build.done}`, ReasonNotJSON, "double quotes"},
	{"missing comma", `{"type":"a" "data":{}}`, ReasonNotJSON, "comma is missing"},
	{"equals sign", `{"type"="a"}`, ReasonNotJSON, "colon"},
	{"missing value", `{"type":"a","data":}`, ReasonNotJSON, "value is missing"},
	{"double comma", `{"type":"a",,"data":1}`, ReasonNotJSON, "comma too many"},
	{"wrong bracket", `{"type":"a","data":[1}}`, ReasonNotJSON, "brackets"},
	{"one bracket too many", `{"type":"a"}}`, ReasonNotJSON, "one object a line"},
	{"leading zero", `{"type":"a","data":01}`, ReasonNotJSON, "leading zero"},
	{"plus", `{"type":"a","data":+1}`, ReasonNotJSON, "no +"},
	{"point first", `{"type":"a","data":.5}`, ReasonNotJSON, "both sides"},
	{"point last", `{"type":"a","data":1.}`, ReasonNotJSON, "both sides"},
	{"hexadecimal", `{"type":"a","data":0x1F}`, ReasonNotJSON, "hexadecimal"},
	{"bare minus", `{"type":"a","data":-}`, ReasonNotJSON, "numbers"},
	{"bad exponent", `{"type":"a","data":1e}`, ReasonNotJSON, "numbers"},
	{"tab in string", "{\"type\":\"a\",\"data\":\"x\ty\"}", ReasonNotJSON, "escape"},
	{"newline within", "{\"type\":\n\"a\"}", ReasonNotJSON, "one object a line"},
	{"bad escape", `{"type":"a","data":"C:\dir"}`, ReasonNotJSON, `\\`},
	{"bad unicode escape", `{"type":"a","data":"\u12G4"}`, ReasonNotJSON, `\\`},
	{"NUL run", strings.Repeat("\x00", 512), ReasonNotJSON, "NUL"},
	{"NUL run behind", `{"type":"a"` + strings.Repeat("\x00", 64), ReasonNotJSON, "NUL"},
	{"UTF-16 without mark", "{\x00\"\x00t\x00\"\x00", ReasonNotJSON, "UTF-16"},

	{"two records", `{"type":"a"}{"type":"b"}`, ReasonNotJSON, "one object a line"},
	{"two records, space", `{"type":"a"} {"type":"b"}`, ReasonNotJSON, "one object a line"},
	{"two records, comma", `{"type":"a"},{"type":"b"}`, ReasonNotJSON, "one object a line"},
	{"torn and glued", `{"type":"a","data":{"x":1{"type":"b"}`, ReasonNotJSON, "one object a line"},
	{"torn after a key", `{"type":"a","data"{"type":"b"}`, ReasonNotJSON, "one object a line"},
	{"torn", `{"type":"a","data":{"x":1`, ReasonNotJSON, "one object a line"},
	{"torn in string", `{"type":"a","data":"abc`, ReasonNotJSON, "one object a line"},
	{"pretty open", `{`, ReasonNotJSON, "one object a line"},
	{"pretty close", `}`, ReasonNotJSON, "one object a line"},
	{"pretty close comma", `  },`, ReasonNotJSON, "one object a line"},
	{"pretty close array", `    ]`, ReasonNotJSON, "one object a line"},
	{"pretty member", `  "a": 1,`, ReasonNotJSON, "one object a line"},
	{"pretty last member", `  "a": 1`, ReasonNotJSON, "one object a line"},
	{"pretty member opening", `  "data": {`, ReasonNotJSON, "one object a line"},
	{"pretty element", `    17,`, ReasonNotJSON, "one object a line"},
	{"pretty string element", `    "x",`, ReasonNotJSON, "one object a line"},
	{"pretty last string element", `    "x"`, ReasonNotJSON, "one object a line"},
	{"pretty first line", `{ "type": "a",`, ReasonNotJSON, "one object a line"},

	{"bad UTF-8", "{\"type\":\"a\",\"data\":\"\xff\"}", ReasonBadUTF8, "Latin-1"},
	{"bad UTF-8 in key", "{\"type\":\"a\",\"\x80\":1}", ReasonBadUTF8, "Latin-1"},
	{"Latin-1", "{\"type\":\"a\",\"data\":\"caf\xe9\"}", ReasonBadUTF8, "Latin-1"},
	{"overlong", "{\"type\":\"a\",\"data\":\"\xc0\xaf\"}", ReasonBadUTF8, ""},
	{"overlong of three", "{\"type\":\"a\",\"data\":\"\xe0\x80\xaf\"}", ReasonBadUTF8, ""},
	{"surrogate in UTF-8", "{\"type\":\"a\",\"data\":\"\xed\xa0\x80\"}", ReasonBadUTF8, ""},
	{"above U+10FFFF", "{\"type\":\"a\",\"data\":\"\xf4\x90\x80\x80\"}", ReasonBadUTF8, ""},
	{"cut character", "{\"type\":\"a\",\"data\":\"\xe2\x82\"}", ReasonBadUTF8, "cut"},
	{"bad byte outside of strings", "{\"type\":\"a\",\xff}", ReasonBadUTF8, ""},
	{"UTF-16 mark", "\xff\xfe{\x00", ReasonBadUTF8, "UTF-16"},
	{"lone high surrogate", `{"type":"a","data":"\ud800"}`, ReasonBadUTF8, `\ud83d\ude00`},
	{"lone low surrogate", `{"type":"a","data":"\udc00"}`, ReasonBadUTF8, `\ud83d\ude00`},
	{"high then text", `{"type":"a","data":"\ud800x"}`, ReasonBadUTF8, ""},
	{"high then newline", `{"type":"a","data":"\ud800\n"}`, ReasonBadUTF8, ""},
	{"high then high", `{"type":"a","data":"\ud800\ud800"}`, ReasonBadUTF8, ""},
	{"high then letter", `{"type":"a","data":"\ud800\u0041"}`, ReasonBadUTF8, ""},
	{"lone surrogate in key", `{"type":"a","\uDFFF":1}`, ReasonBadUTF8, ""},

	{"type twice", `{"type":"a","type":"a"}`, ReasonDuplicateKey, ""},
	{"type twice, escaped", `{"type":"a","\u0074ype":"b"}`, ReasonDuplicateKey, ""},
	{"escaped, then plain", `{"\u0074ype":"b","type":"a"}`, ReasonDuplicateKey, ""},
	{"extension twice", `{"type":"a","x":1,"y":2,"x":3}`, ReasonDuplicateKey, ""},
	{"extension twice, escaped", `{"type":"a","x/y":1,"x\/y":2}`, ReasonDuplicateKey, ""},
	{"empty key twice", `{"type":"a","":1,"":2}`, ReasonDuplicateKey, ""},
	{"topic twice", `{"topic":"a","topic":"a"}`, ReasonDuplicateKey, ""},
	{"data null and again", `{"type":"a","data":null,"data":1}`, ReasonDuplicateKey, ""},
	{"duplicate and syntax error", `{"type":"a","type":"a",}`, ReasonNotJSON, "trailing comma"},

	{"too deep", nest(`{"type":"a","data":`, 128, `}`), ReasonTooDeep, ""},
	{"too deep, never closed", `{"type":"a","data":` + strings.Repeat("[", 1e6), ReasonTooDeep, ""},
	{"type and topic differ", `{"type":"a","topic":"b"}`, ReasonBadTopic, "another name"},
}

// nest puts n arrays between two texts.
func nest(before string, n int, after string) string {
	return before + strings.Repeat("[", n) + strings.Repeat("]", n) + after
}

func TestScanRefuses(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			env := Envelope{Keys: 7}
			r := Scan([]byte(c.line), &env)
			if r == nil {
				t.Fatalf("accepted %.100q", c.line)
			}
			if r.Reason != c.reason || len(r.Errors) != 1 {
				t.Fatalf("%.100q refused as %s, want %s: %+v", c.line, r.Reason, c.reason, r.Errors)
			}
			if env != (Envelope{}) {
				t.Errorf("spans of a refused line are kept: %+v", env)
			}
			e := r.Errors[0]
			if !strings.Contains(e.Hint, c.hint) {
				t.Errorf("%.60q: hint is %q, want %q (%v)", c.line, e.Hint, c.hint, r)
			}
			if e.Expected == "" || e.Got == "" || e.Keyword == "" {
				t.Errorf("%.60q: the error says too little: %+v", c.line, e)
			}
			if c.reason == ReasonNotJSON && c.line != "" && !strings.Contains(e.Got, "at byte ") {
				t.Errorf("%.60q: got names no offset: %q", c.line, e.Got)
			}
			if strings.ContainsFunc(e.Got, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("%.60q: got shows raw control or non-ASCII bytes: %q", c.line, e.Got)
			}
		})
	}
}

var accepted = []struct{ name, line string }{
	{"smallest", `{}`},
	{"type", `{"type":"build.done"}`},
	{"alias", `{"topic":"build.done","data":{"ok":true}}`},
	{"both", `{"type":"a","topic":"a"}`},
	{"both, one escaped", `{"type":"a","topic":"\u0061"}`},
	{"null type and topic", `{"type":null,"topic":"a"}`},
	{"CRLF", "{\"type\":\"a\"}\r"},
	{"mark", "\xef\xbb\xbf{\"type\":\"a\"}"},
	{"mark and CRLF", "\xef\xbb\xbf{\"type\":\"a\"}\r"},
	{"white space", "\t {\t\"type\" :\r \"a\" , \"data\" : [ 1 , { \"x\" : null } , [ ] , { } ] } \t"},
	{"all escapes", `{"type":"a","data":"\"\\\/\b\f\n\r\t\u0000\u001F\uFFFF"}`},
	{"surrogate pair", `{"type":"a","data":"\ud83d\uDE00\uDBFF\uDFFF"}`},
	{"UTF-8", "{\"type\":\"a\",\"data\":\"\u0080\u07ff\u0800\u20ac\ud7ff\ue000\ufffd\uffff\U00010000\U0001f600\U00100000\U0010ffff\"}"},
	{"DEL", "{\"type\":\"a\",\"data\":\"\x7f\"}"},
	{"U+2028", "{\"type\":\"a\",\"data\":\"\u2028\u2029\"}"},
	{"numbers", `{"type":"a","data":[0,-0,1,-1,0.5,10.25,1e5,1E+5,1e-5,0e0,-0.0e-0,1234567890]}`},
	{"huge number", `{"type":"a","data":` + strings.Repeat("9", 4000) + `e99999}`},
	{"literals", `{"type":"a","data":[true,false,null]}`},
	{"as deep as can be", nest(`{"type":"a","data":`, 127, `}`)},
	{"nested duplicates", `{"type":"a","data":{"x":1,"x":2}}`},
	{"keys that only look alike", `{"type":"a","Type":1,"typ":2,"type ":3,"typ\u00e9":4}`},
	{"wide", wide(500)},
	{"object as attribute", `{"type":"a","ext":{"x":[{}]}}`},
}

// wide is a line with n members that Envelope does not know.
func wide(n int) string {
	var b strings.Builder
	b.WriteString(`{"type":"a"`)
	for i := range n {
		b.WriteString(`,"` + strings.Repeat("k", i%7) + strconv.Itoa(i) + `":0`)
	}
	return b.String() + `}`
}

func TestScanAccepts(t *testing.T) {
	for _, c := range accepted {
		t.Run(c.name, func(t *testing.T) {
			var env Envelope
			if r := Scan([]byte(c.line), &env); r != nil {
				t.Fatalf("refused %.100q: %v", c.line, r)
			}
			mustAgree(t, []byte(c.line))
		})
	}
}

func TestScanSpans(t *testing.T) {
	line := []byte("\xef\xbb\xbf { \"specversion\":\"1.0\", \"id\" : \"i\\u0031\",\"source\":\"s\",\"topic\":\"t\",\"subject\":null," +
		`"time":"T","datacontenttype":"dc","dataschema":"ds","data":{"a":[1, "}"]} ,"data_base64":"AA==",` +
		`"linedigest":"ld","effectkey":"ek","cause":"c","retryof":"r","traceparent":"tp","tracestate":"ts","ext":-1.5e3 }` + "\r")
	var env Envelope
	if r := Scan(line, &env); r != nil {
		t.Fatal(r)
	}
	want := map[string]string{
		"specversion": `"1.0"`, "id": `"i\u0031"`, "source": `"s"`, "type": `"t"`, "topic": `"t"`, "subject": `null`,
		"time": `"T"`, "datacontenttype": `"dc"`, "dataschema": `"ds"`, "data": `{"a":[1, "}"]}`, "data_base64": `"AA=="`,
		"linedigest": `"ld"`, "effectkey": `"ek"`, "cause": `"c"`, "retryof": `"r"`, "traceparent": `"tp"`, "tracestate": `"ts"`,
	}
	for name, raw := range want {
		s, known := env.Attr(name)
		if !known || !s.Present() || string(s.Raw(line)) != raw {
			t.Errorf("%s is %q (known %v), want %q", name, s.Raw(line), known, raw)
		}
		if s.Esc != strings.Contains(raw, `\`) {
			t.Errorf("%s: Esc is %v", name, s.Esc)
		}
	}
	if env.ID.Text(line) != "i1" || env.Subject.Text(line) != "null" || env.Data.Text(line) != `{"a":[1, "}"]}` {
		t.Errorf("texts: %q %q %q", env.ID.Text(line), env.Subject.Text(line), env.Data.Text(line))
	}
	if env.Keys != 17 || !env.extensions() {
		t.Errorf("counted %d keys, extensions %v", env.Keys, env.extensions())
	}
	if _, known := env.Attr("ext"); known {
		t.Error("ext is known")
	}
	if _, known := env.Attr(strings.Repeat("x", 40)); known {
		t.Error("a long name is known")
	}
}

// TestScanLookalikes: keys that begin or end like an attribute's are not it.
func TestScanLookalikes(t *testing.T) {
	for _, name := range []string{"specversion", "id", "source", "type", "subject", "time", "data", "data_base64", "linedigest", "cause", "topic"} {
		for i := range len(name) + 1 {
			for _, key := range []string{name[:i], name[:i] + "x" + name[min(i+1, len(name)):], name + name[i:] + "x", strings.ToUpper(name), name[:i] + " " + name[i:]} {
				_, same := new(Envelope).Attr(key)
				line := []byte(`{"` + key + `":"v", "padding":"0123456789"}`)
				var env Envelope
				if r := Scan(line, &env); r != nil {
					t.Fatalf("%s: %v", line, r)
				}
				if got := env != (Envelope{Keys: 2}); got != same {
					t.Errorf("%s: known %v, want %v", line, got, same)
				}
			}
		}
	}
}

// TestScanKeysBeyondTheArray has a duplicate among more keys than are compared
// one with another.
func TestScanKeysBeyondTheArray(t *testing.T) {
	for _, n := range []int{11, 12, 13, 14, 100, 5000} {
		line := wide(n)
		var env Envelope
		if r := Scan([]byte(line), &env); r != nil {
			t.Fatalf("%d keys: %v", n, r)
		}
		if env.Keys != n+1 {
			t.Errorf("%d keys counted as %d", n+1, env.Keys)
		}
		first := line[strings.Index(line, `,"0`):strings.Index(line, `:0`)]
		r := Scan([]byte(line[:len(line)-1]+first+`:1}`), &env)
		if r == nil || r.Reason != ReasonDuplicateKey || !strings.Contains(r.Errors[0].Got, "again at byte ") {
			t.Fatalf("%d keys, the first one again: %v", n, r)
		}
	}
}

func TestScanDoesNotAllocate(t *testing.T) {
	for _, c := range accepted {
		if c.name == "wide" || strings.Contains(c.name, "escaped") || strings.Contains(c.name, "alike") {
			continue
		}
		line := []byte(c.line)
		var env Envelope
		if n := testing.AllocsPerRun(10, func() { Scan(line, &env) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

// TestScanEveryCut refuses every beginning of a line, and at no other place than
// its end.
func TestScanEveryCut(t *testing.T) {
	for _, c := range accepted {
		line := strings.TrimRight(c.line, " \t\r")
		for n := bomLen([]byte(line)); n < min(len(line), 600); n++ {
			var env Envelope
			r := Scan([]byte(line[:n]), &env)
			if r == nil || r.Reason != ReasonNotJSON {
				t.Fatalf("%s cut at %d: %v", c.name, n, r)
			}
			if got := r.Errors[0].Got; n > bomLen([]byte(line)) && !strings.HasPrefix(got, "the end of the line") {
				t.Fatalf("%s cut at %d: got %s", c.name, n, got)
			}
		}
	}
}

// TestScanEveryByte puts each of the 256 bytes at each place of a line: fast
// pass and grammar must agree on every one.
func TestScanEveryByte(t *testing.T) {
	line := []byte("{\"type\":\"a\\n\\u00e9\\ud83d\\ude00\u20acx\",\"data\":{\"a\":[-10.5e+3,true,null,{}]},\"x\":0}")
	for i := range line {
		was := line[i]
		for c := range 256 {
			line[i] = byte(c)
			mustAgree(t, line)
		}
		line[i] = was
	}
}

func TestBlank(t *testing.T) {
	for _, s := range []string{"", "\r", " ", " \t \r", "\xef\xbb\xbf", "\xef\xbb\xbf\r"} {
		if !Blank([]byte(s)) {
			t.Errorf("%q is not blank", s)
		}
	}
	for _, s := range []string{"{}", " x", "\x00", "\xef\xbb", "\xc2\xa0", "\v"} {
		if Blank([]byte(s)) {
			t.Errorf("%q is blank", s)
		}
	}
}

func TestTrimLine(t *testing.T) {
	got := trimLine([]byte("\xef\xbb\xbf\xef\xbb\xbfx\r\r"))
	if want := []byte("\xef\xbb\xbfx\r"); !bytes.Equal(got, want) {
		t.Errorf("trimmed to %q, want %q", got, want)
	}
}
