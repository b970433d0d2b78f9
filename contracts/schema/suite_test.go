package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// vectors finds ../shared/vectors/NAME above the package, or skips.
func vectors(t *testing.T, name string) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; filepath.Dir(dir) != dir; dir = filepath.Dir(dir) {
		p := filepath.Join(dir, "shared", "vectors", name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	t.Skipf("no shared/vectors/%s above the working directory", name)
	return ""
}

type suiteCase struct {
	Description string
	Schema      json.RawMessage
	Tests       []struct {
		Description string
		Data        json.RawMessage
		Valid       bool
	}
}

func suite(t *testing.T, pattern string) map[string][]suiteCase {
	files, err := filepath.Glob(filepath.Join(vectors(t, "json-schema-test-suite"), "tests", "draft2020-12", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no tests: %v", err)
	}
	out := map[string][]suiteCase{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var cases []suiteCase
		if err := json.Unmarshal(text, &cases); err != nil {
			t.Fatal(err)
		}
		out[strings.TrimSuffix(filepath.Base(f), ".json")] = cases
	}
	return out
}

// remotes answers for the suite's server from its folder.
func remotes(t *testing.T) func(url string) (any, error) {
	dir := filepath.Join(vectors(t, "json-schema-test-suite"), "remotes")
	return func(url string) (any, error) {
		rel, ok := strings.CutPrefix(url, "http://localhost:1234/")
		if !ok {
			return nil, fmt.Errorf("%s is not the suite's", url)
		}
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(rel)))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return jsonschema.UnmarshalJSON(f)
	}
}

func TestOfficialSuiteRequired(t *testing.T) {
	tests, compiled := 0, 0
	for name, cases := range suite(t, "*.json") {
		for _, c := range cases {
			s, err := compile(c.Schema, options{gate: true, load: remotes(t)})
			if err != nil {
				t.Errorf("%s: %s: %v", name, c.Description, err)
				continue
			}
			for _, test := range c.Tests {
				tests++
				if s.Compiled() {
					compiled++
				}
				if got := s.Check(test.Data); (got == nil) != test.Valid {
					t.Errorf("%s: %s: %s: %v, want valid %v", name, c.Description, test.Description, got, test.Valid)
				}
			}
		}
	}
	t.Logf("%d tests, %d of them by the compiled checker", tests, compiled)
	if tests < 1299 || compiled < tests/2 {
		t.Errorf("only %d tests, %d compiled", tests, compiled)
	}
}

// Formats that are asserted, and the optional tests that say something about the
// compiled checker's keywords.
func TestOfficialSuiteOptional(t *testing.T) {
	for _, pattern := range []string{"optional/format/date-time.json", "optional/format/date.json",
		"optional/format/time.json", "optional/format/uuid.json", "optional/bignum.json",
		"optional/float-overflow.json", "optional/non-bmp-regex.json"} {
		for name, cases := range suite(t, pattern) {
			for _, c := range cases {
				s, err := Compile(c.Schema)
				if err != nil {
					t.Errorf("%s: %s: %v", name, c.Description, err)
					continue
				}
				for _, test := range c.Tests {
					if got := s.Check(test.Data); (got == nil) != test.Valid {
						t.Errorf("%s: %s: %s: %v, want valid %v", name, c.Description, test.Description, got, test.Valid)
					}
				}
			}
		}
	}
}

// Whatever the suite holds, compiled and fallback say the same.
func TestSuiteBothCheckersAgree(t *testing.T) {
	for name, cases := range suite(t, "*.json") {
		for _, c := range cases {
			s, err := CompileTrusted(c.Schema)
			if err != nil || !s.Compiled() {
				continue
			}
			oracle, err := compile(c.Schema, options{assertFormats: true, noCompiled: true})
			if err != nil {
				t.Errorf("%s: %s: %v", name, c.Description, err)
				continue
			}
			for _, test := range c.Tests {
				agree(t, s, oracle, test.Data)
			}
		}
	}
}

// agree holds the fast checker, the collecting one and the library to one answer.
func agree(t interface{ Errorf(string, ...any) }, s, oracle *Schema, data []byte) {
	want := oracle.Check(data) == nil
	f := fast{b: data, steps: steps(data)}
	_, v := f.check(s.root, skipSpace(data, 0))
	if errs := s.collect(data); (errs == nil) != want {
		t.Errorf("collector says %v, library %v\nschema %s\ndata %s", errs, oracle.Check(data), s.text.AppendJSON(nil), data)
	}
	if v != unsure && (v == yes) != want {
		t.Errorf("fast says %v, library %v\nschema %s\ndata %s", v, oracle.Check(data), s.text.AppendJSON(nil), data)
	}
	if (s.Check(data) == nil) != want {
		t.Errorf("Check disagrees\nschema %s\ndata %s", s.text.AppendJSON(nil), data)
	}
	if !bytes.Equal(s.text.AppendJSON(nil), oracle.text.AppendJSON(nil)) {
		t.Errorf("not the same schema")
	}
}
