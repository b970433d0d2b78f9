package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// testApp writes to a file; read gives what was written so far.
func testApp(t testing.TB, format string, tty bool) (a *app, read func() string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "out")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	ctx, cancel := context.WithCancelCause(context.Background())
	t.Cleanup(func() { cancel(nil) })
	a = &app{ctx: ctx, cancel: cancel, out: newOutput(f), err: f, line: &commandLine{Output: format, Color: "never"}}
	a.out.tty = tty
	return a, func() string {
		if err := a.out.flush(); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
}

func printed(t testing.TB, format string, tty bool, rows ...record) string {
	t.Helper()
	a, read := testApp(t, format, tty)
	p := a.printer()
	for _, r := range rows {
		if err := p.add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	return read()
}

func TestFormats(t *testing.T) {
	rows := []record{
		{text("name", "a,b"), number("n", 7), flag("ok", true), cell{"none", nil}},
		{text("name", "tab\there"), number("n", 123), flag("ok", false), value("none", []string{"x"})},
	}
	for format, want := range map[string]string{
		"jsonl": "{\"name\":\"a,b\",\"n\":7,\"ok\":true,\"none\":null}\n{\"name\":\"tab\\there\",\"n\":123,\"ok\":false,\"none\":[\"x\"]}\n",
		"json":  "[{\"name\":\"a,b\",\"n\":7,\"ok\":true,\"none\":null},\n{\"name\":\"tab\\there\",\"n\":123,\"ok\":false,\"none\":[\"x\"]}]\n",
		"csv":   "name,n,ok,none\n\"a,b\",7,true,\ntab\there,123,false,\"[\"\"x\"\"]\"\n",
		"tsv":   "name\tn\tok\tnone\na,b\t7\ttrue\t\ntab\\there\t123\tfalse\t[\"x\"]\n",
		"raw":   "a,b\t7\ttrue\t\ntab\there\t123\tfalse\t[\"x\"]\n",
		"id":    "a,b\ntab\there\n",
		"table": "name       n    ok     none\na,b          7  true   \ntab\\there  123  false  [\"x\"]\n",
	} {
		if got := printed(t, format, false, rows...); got != want {
			t.Errorf("%s:\n%q\nwant\n%q", format, got, want)
		}
	}
}

func TestNothingIsStillJSON(t *testing.T) {
	if got := printed(t, "json", false); got != "[]\n" {
		t.Errorf("%q", got)
	}
	if got := printed(t, "jsonl", false) + printed(t, "table", false) + printed(t, "csv", false); got != "" {
		t.Errorf("%q", got)
	}
}

func TestTerminalsAreSafePipesAreExact(t *testing.T) {
	evil := "\x1b]0;owned\x07\u202e"
	for _, format := range []string{"text", "table", "jsonl", "json", "csv", "tsv", "raw", "id"} {
		if got := printed(t, format, true, record{text("x", evil)}); strings.ContainsFunc(strings.ReplaceAll(got, "\n", ""), unsafeRune) {
			t.Errorf("%s on a terminal: %q", format, got)
		}
	}
	if got := printed(t, "raw", false, record{text("x", evil)}); got != evil+"\n" {
		t.Errorf("in a pipe: %q", got)
	}
}

// A table holds back a bounded number of rows, and a thousand more come out.
func TestLongTables(t *testing.T) {
	a, read := testApp(t, "table", false)
	p := a.printer()
	for i := range 3 * alignRows {
		if err := p.add(record{number("n", i)}); err != nil {
			t.Fatal(err)
		}
		if len(p.rows) > alignRows {
			t.Fatalf("%d rows are held back", len(p.rows))
		}
	}
	if err := p.close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(read(), "\n"); n != 3*alignRows+1 {
		t.Errorf("%d lines", n)
	}
}

// Whatever stands in a cell, every format gives it back.
func TestFormatsReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var rows []record
		var want [][]string
		for range rapid.IntRange(1, 4).Draw(rt, "rows") {
			a, b := rapid.String().Draw(rt, "a"), rapid.String().Draw(rt, "b")
			rows = append(rows, record{text("a", a), text("b", b)})
			want = append(want, []string{strings.ToValidUTF8(a, "\ufffd"), strings.ToValidUTF8(b, "\ufffd")})
		}
		var objects []map[string]string
		if err := json.Unmarshal([]byte(printed(t, "json", false, rows...)), &objects); err != nil {
			rt.Fatal(err)
		}
		for i, o := range objects {
			if o["a"] != want[i][0] || o["b"] != want[i][1] {
				rt.Fatalf("json: %q, want %q", o, want[i])
			}
		}
		tsv := strings.Split(strings.TrimSuffix(printed(t, "tsv", false, rows...), "\n"), "\n")[1:]
		unescape := strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r")
		for i, line := range tsv {
			cells := strings.Split(line, "\t")
			if len(cells) != 2 || unescape.Replace(cells[0]) != want[i][0] || unescape.Replace(cells[1]) != want[i][1] {
				rt.Fatalf("tsv: %q, want %q", line, want[i])
			}
		}
		// encoding/csv reads \r\n as \n: the only thing it changes.
		r := csv.NewReader(bytes.NewBufferString(printed(t, "csv", false, rows...)))
		got, err := r.ReadAll()
		if err != nil {
			rt.Fatal(err)
		}
		for i := range want {
			for k := range want[i] {
				want[i][k] = strings.ReplaceAll(want[i][k], "\r\n", "\n")
			}
		}
		if !reflect.DeepEqual(got[1:], want) {
			rt.Fatalf("csv: %q, want %q", got[1:], want)
		}
	})
}
