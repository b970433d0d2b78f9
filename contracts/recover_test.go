package contracts

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRecoverTable(t *testing.T) {
	c := &Checker{Registry: ours(t)}
	whole := `{"type":"build.done","data":{"ok":true}}`
	proved := string(Build{ID: "i", Source: "s", Type: "x", Data: []byte(`{"a":[{"b":"}{"}]}`), Digest: true}.Append(nil))
	for _, x := range []struct {
		name, before, record, after string
		ok                          bool
	}{
		{"after a value in an object", `{"type":"x","data":{"n":1`, whole, "", true},
		{"after a key", `{"type":"x","data"`, whole, "", true},
		{"after a brace", `{`, whole, "", true},
		{"after a comma in an object", `{"type":"x",`, whole, "", true},
		{"in a literal", `{"type":"x","data":tru`, whole, "", true},
		{"in a number", `{"type":"x","data":-1.`, whole, "", true},
		{"in an escape", `{"type":"x","data":"a\`, whole, "", true},
		{"in a hexadecimal escape", `{"type":"x","data":"a\u00`, whole, "", true},
		{"in a character", "{\"type\":\"x\",\"data\":\"a\xe2\x82", whole, "", true},
		{"after a whole record", whole, whole, "", true},
		{"with white space", `{"type":"x","data":{"n":1  `, whole, "", true},
		{"with CR and space behind", `{"type":"x","data":{"n":1`, whole, " \r", true},
		{"with a mark", "\xef\xbb\xbf{\"type\":\"x\",", whole, "", true},
		{"two torn ones before", `{"type":"x",{"type":"y","data":{"a"`, whole, "", true},
		{"proved anywhere", `{"type":"x","data":"abc`, proved, "", true},
		{"proved behind garbage", "\x00\x00garbage", proved, "", true},
		{"proved where a value may stand", `{"type":"x","data":`, proved, "", true},

		{"in a string", `{"type":"x","data":"abc`, whole, "", false},
		{"where a value may stand", `{"type":"x","data":`, whole, "", false},
		{"in an array", `{"type":"x","data":[1,`, whole, "", false},
		{"at the start of an array", `{"type":"x","data":[`, whole, "", false},
		{"behind garbage", `garbage`, whole, "", false},
		{"behind NUL bytes", "\x00\x00", whole, "", false},
		{"behind the rest of another", `"n":1}}`, whole, "", false},
		{"in the second of two torn ones", `{"type":"x",{"type":"y","data":`, whole, "", false},
		{"after single quotes", `{'type':'x','data':`, whole, "", false},
		{"something behind", `{"type":"x","data":{"n":1`, whole, "x", false},
		{"a bracket too many", `{"type":"x","data":{"n":1`, whole, "}", false},
		{"no event", `{"type":"x","data":{"n":1`, `{"a":1}`, "", false},
		{"breaks its contract", `{"type":"x","data":{"n":1`, `{"type":"build.done","data":{"ok":1}}`, "", false},
		{"duplicate key", `{"type":"x","data":{"n":1`, `{"type":"x","type":"x"}`, "", false},
		{"deeper than may be", `{"type":"x","data":` + strings.Repeat("[", 127), whole, "", false},
		{"nothing before", ``, whole, "", false},
		{"white space before", ` `, whole, "", false},
		{"only a mark before", "\xef\xbb\xbf", whole, "", false},
		{"empty", "", "", "", false},
		{"digest altered", `{"type":"x","data":"abc`, strings.Replace(proved, `"i"`, `"j"`, 1), "", false},
	} {
		line := x.before + x.record + x.after
		off, ok := Recover([]byte(line), c)
		var ev Event
		if r := c.Check([]byte(line), &ev); ok && (r == nil || !r.Mangled()) {
			t.Errorf("%s: a record is found in what is refused as %v", x.name, r)
		}
		if ok != x.ok || ok && off != len(x.before) {
			t.Errorf("%s: %v at %d, want %v at %d: %s", x.name, ok, off, x.ok, len(x.before), line)
		}
	}
}

// drawRecord draws a whole record, as others write them or as post does.
func drawRecord(t *rapid.T, name string, digest bool) []byte {
	return Build{
		ID: "1", Source: "s", Type: rapid.SampledFrom([]string{"x", "hxo.y", "z-1"}).Draw(t, name+" type"),
		Data: jsonText(t), Digest: digest,
	}.Append(nil)
}

// TestRecoverNeverFindsTwoInOne: one record, cut short anywhere, never yields
// another, though events stand within it.
func TestRecoverNeverFindsTwoInOne(t *testing.T) {
	c := &Checker{}
	rapid.Check(t, func(t *rapid.T) {
		inner := drawRecord(t, "inner", false)
		b := Build{ID: "2", Source: "s", Type: "wrap", Data: append(append([]byte(`{"a":[0,{"list":[`), inner...), ']', '}')}
		switch rapid.IntRange(0, 3).Draw(t, "how") {
		case 0:
			b.Data = append(append([]byte(`{"first":1,"event":`), inner...), '}')
		case 1:
			b.Data = inner
		case 2:
			b.Data = append(append([]byte(`[1,`), inner...), ']')
		default:
			b.Data = AppendString(nil, inner)
		}
		line := b.Append(nil)
		n := rapid.IntRange(0, len(line)-1).Draw(t, "cut")
		if at := bytes.Index(line, inner); at >= 0 && rapid.Bool().Draw(t, "right behind the inner one") {
			n = at + len(inner)
		}
		if off, ok := Recover(line[:n], c); ok {
			t.Fatalf("%s yields %s", line[:n], line[off:n])
		}
	})
}

// TestRecoverFindsWhatIsGlued: whatever part of a record stands before it, a whole
// one is found exactly when no { may stand there, and always when it is proved.
func TestRecoverFindsWhatIsGlued(t *testing.T) {
	c := &Checker{}
	rapid.Check(t, func(t *rapid.T) {
		first := drawRecord(t, "first", false)
		n := rapid.IntRange(1, len(first)).Draw(t, "cut")
		digest := rapid.Bool().Draw(t, "digest")
		record := drawRecord(t, "second", digest)
		line := append(first[:n:n], record...)
		var g grammar
		g.read(line[:n], 0)
		want := digest || g.step('{') == notJSON || g.state == inUTF8 || g.state == lowSlash || g.state == lowU
		off, ok := Recover(line, c)
		if ok != want || ok && off != n {
			t.Fatalf("%v at %d, want %v at %d: %s", ok, off, want, n, line)
		}
	})
}

// TestLastObject holds the reading from behind to trying every place.
func TestLastObject(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := []byte(rapid.StringMatching(`([{}\[\]",:\\1 ]|\{"a":|"\}|\{\}|\\"){0,30}`).Draw(t, "line"))
		checkLastObject(t, line)
	})
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

func checkLastObject(t fataler, line []byte) {
	t.Helper()
	want := -1
	for i, c := range line {
		if c != '{' {
			continue
		}
		if end := scanNested(line, i); end >= 0 && atEnd(line, end) {
			if want >= 0 {
				t.Fatalf("%q: objects at %d and %d reach the end", line, want, i)
			}
			want = i
		}
	}
	if got := lastObject(line); want >= 0 && got != want {
		t.Fatalf("%q: object at %d, want %d", line, got, want)
	}
}

// TestRecoverIsLinear: lines made to be slow are not.
func TestRecoverIsLinear(t *testing.T) {
	c := &Checker{}
	for _, line := range [][]byte{
		bytes.Repeat([]byte(`{`), 1<<20), bytes.Repeat([]byte(`{"a":`), 1<<18), bytes.Repeat([]byte(`}`), 1<<20), bytes.Repeat([]byte(`"`), 1<<20),
		append(bytes.Repeat([]byte(`\`), 1<<20), `"}`...), append(bytes.Repeat([]byte(`\"`), 1<<19), '}'), bytes.Repeat([]byte(`{}`), 1<<19),
		bytes.Repeat([]byte(`{"type":"x",`), 1<<16), append(bytes.Repeat([]byte(`{"`), 1<<19), `{"type":"x"}`...),
	} {
		if _, ok := Recover(line, c); ok && !bytes.HasSuffix(line, []byte(`{"type":"x"}`)) {
			t.Errorf("%.20s…: recovered", line)
		}
	}
}

func FuzzRecover(f *testing.F) {
	for _, s := range []string{
		`{"type":"x","data":{"n":1{"type":"y"}`, `{"type":"x","data":{"type":"y"}`, `{"type":"x","data":"{"type":"y"}`, "{\"type\":\"x\",\"data\":\"\xe2{\"type\":\"y\"}",
		`{"a"{"b"{"type":"x"}`, `{"type":"x"}{"type":"y"} ` + "\r", `{"type":"x","data":"` + string(Build{ID: "i", Source: "s", Type: "t", Digest: true}.Append(nil)),
	} {
		f.Add([]byte(s))
	}
	c := &Checker{}
	f.Fuzz(func(t *testing.T, line []byte) {
		checkLastObject(t, line)
		off, ok := Recover(line, c)
		var whole, ev Event
		if !ok || c.Check(line, &whole) == nil {
			return
		}
		if r := c.Check(line[off:], &ev); r != nil || off == 0 {
			t.Fatalf("%q: at %d stands no event: %v", line, off, r)
		}
		if _, proved := CheckDigest(ev.Line, &ev.Env); proved {
			return
		}
		var env Envelope
		if r := Scan(line[:off], &env); r == nil {
			return // two records
		}
		// Nothing that begins like this, with a { behind it, may be completed.
		for _, tail := range []string{`}`, `}}`, `}]}`, `":1}`, `"}`, `}"}`} {
			if reference(append(append(bytes.Clone(line[:off]), '{'), tail...)) {
				t.Fatalf("%q: before %d stands what allows a {", line, off)
			}
		}
	})
}
