package contracts

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/contracts/schema"
)

func TestBuildLine(t *testing.T) {
	b := Build{
		ID: "0197-1", Source: "agents/7", Type: "hxo.plan", Subject: "p\"1", Time: "2026-01-26T00:00:00Z",
		Ext: []Attr{{"cause", "hxo@1:0"}, {"effectkey", ""}, {"traceparent", "00-x"}}, Data: []byte(`{"a": 1}`),
	}
	want := `{"specversion":"1.0","id":"0197-1","source":"agents/7","type":"hxo.plan","subject":"p\"1","time":"2026-01-26T00:00:00Z",` +
		`"cause":"hxo@1:0","traceparent":"00-x","data":{"a": 1}}`
	if got := b.Append([]byte("x")); string(got) != "x"+want {
		t.Errorf("built %s", got)
	}
	if got := (Build{ID: "i", Source: "s", Type: "t"}).Append(nil); string(got) != `{"specversion":"1.0","id":"i","source":"s","type":"t"}` {
		t.Errorf("built %s", got)
	}
	if got := (Build{ID: "i", Source: "s", Type: "t", Data: []byte("{\n  \"a\": [\n    \"b \\n c\"\n  ]\n}\n")}).Append(nil); !bytes.HasSuffix(got, []byte(`,"data":{"a":["b \n c"]}}`)) {
		t.Errorf("built %s", got)
	}
}

// TestDigestPipeline computes linedigest with the shell, as Build's comment says.
func TestDigestPipeline(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("no sha256sum here")
	}
	line := Build{ID: "i", Source: "s", Type: "t", Data: []byte(`{"x":"é"}`), Digest: true}.Append(nil)
	cmd := exec.Command("sh", "-c", `sed -n 's/,"linedigest":"[0-9a-f]*"}$//p' | tr -d '\n' | sha256sum`)
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	sum := strings.Fields(string(out))[0]
	if !bytes.HasSuffix(line, []byte(`,"linedigest":"`+sum+`"}`)) {
		t.Errorf("%s: the shell says %s", line, sum)
	}
}

// drawBuild draws a line to build, with awkward text everywhere.
func drawBuild(t *rapid.T) Build {
	text := rapid.OneOf(rapid.StringMatching(`[ -~]{1,12}`), rapid.StringN(1, 8, 40))
	b := Build{
		ID: text.Draw(t, "id"), Source: text.Draw(t, "source"), Type: rapid.StringMatching(`[a-z0-9][a-z0-9_-]{0,5}(\.[a-z0-9_-]{1,5}){0,3}`).Draw(t, "type"),
		Subject: rapid.String().Draw(t, "subject"), Digest: rapid.Bool().Draw(t, "digest"),
	}
	if rapid.Bool().Draw(t, "timed") {
		b.Time = FormatTime(rapid.Int64().Draw(t, "ns"))
	}
	if rapid.Bool().Draw(t, "extended") {
		b.Ext = append(b.Ext, Attr{rapid.StringMatching(`x[a-z0-9]{1,5}`).Draw(t, "ext"), text.Draw(t, "value")})
	}
	if rapid.Bool().Draw(t, "with data") {
		b.Data = jsonText(t)
	}
	return b
}

func TestBuildRoundTrip(t *testing.T) {
	c := Checker{}
	rapid.Check(t, func(t *rapid.T) {
		b := drawBuild(t)
		line := b.Append(nil)
		var ev Event
		if r := c.Check(line, &ev); r != nil {
			t.Fatalf("%s: %v", line, r)
		}
		if ev.ID() != b.ID || ev.TopicName != b.Type || ev.Subject() != b.Subject {
			t.Fatalf("%s: id %q type %q subject %q", line, ev.ID(), ev.TopicName, ev.Subject())
		}
		if _, err := url.Parse(ev.Source()); err != nil {
			t.Fatalf("%q became the source %q: %v", b.Source, ev.Source(), err)
		}
		if has, ok := CheckDigest(ev.Line, &ev.Env); has != b.Digest || ok != b.Digest {
			t.Fatalf("%s: digest %v %v", line, has, ok)
		}
		if !bytes.Equal(Build.Append(b, nil), line) {
			t.Fatal("not the same twice")
		}
	})
}

// TestBuildIsCloudEvents holds what is built to the CloudEvents JSON Schema.
func TestBuildIsCloudEvents(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(shared(t, "vectors/cloudevents"), "cloudevents.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := schema.Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	if errs := s.Check([]byte(`{"specversion":"1.0","id":"","source":"a b","type":"t"}`)); len(errs) == 0 {
		t.Fatal("the schema accepts anything")
	}
	rapid.Check(t, func(t *rapid.T) {
		line := drawBuild(t).Append(nil)
		if errs := s.Check(line); len(errs) > 0 {
			t.Fatalf("%s: %+v", line, errs)
		}
	})
}

// TestBuildAttributeNames: what is built has CloudEvents' names only.
func TestBuildAttributeNames(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]+$`)
	rapid.Check(t, func(t *rapid.T) {
		var m map[string]any
		if err := json.Unmarshal(drawBuild(t).Append(nil), &m); err != nil {
			t.Fatal(err)
		}
		for k := range m {
			if !form.MatchString(k) {
				t.Fatalf("attribute %q", k)
			}
		}
	})
}

func TestURIReference(t *testing.T) {
	for s, want := range map[string]string{
		"agents/7": "agents/7", "a%20b": "a%20b", "my agent": "my%20agent", "100%": "100%25", "%zz": "%25zz", "é": "%C3%A9", "a#b#c": "a#b%23c",
		"https://github.com/cloudevents": "https://github.com/cloudevents", "mailto:a@b.org": "mailto:a@b.org", "1-555:2": "1-555%3A2",
		"a b:c": "a%20b%3Ac", "x/a:b": "x/a:b", "a_b:c": "a_b%3Ac", "http://a:port/x": "http%3A%2F%2Fa%3Aport%2Fx", "//a:b": "%2F%2Fa%3Ab", "a+b-c.d:e": "a+b-c.d:e", ":a": "%3Aa", "urn:uuid:6e8b": "urn:uuid:6e8b", "[x]": "%5Bx%5D", "a\n\x00\"": "a%0A%00%22", "\xff": "%FF", "": "",
	} {
		if got := uriReference(s); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		once := uriReference(string(rapid.SliceOf(rapid.Byte()).Draw(t, "text")))
		if twice := uriReference(once); twice != once {
			t.Fatalf("%q became %q", once, twice)
		}
	})
}

func TestCheckDigest(t *testing.T) {
	good := string(Build{ID: "i", Source: "s", Type: "t", Data: []byte(`{"x":1}`), Digest: true}.Append(nil))
	at := strings.Index(good, `,"linedigest"`)
	for name, c := range map[string]struct {
		line    string
		has, ok bool
	}{
		"good":            {good, true, true},
		"white space end": {good + " \r", true, true},
		"none":            {good[:at] + "}", false, false},
		"data altered":    {strings.Replace(good, `"x":1`, `"x":2`, 1), true, false},
		"digest altered":  {good[:len(good)-3] + `x"}`, true, false},
		"upper case":      {good[:at] + strings.Replace(strings.ToUpper(good[at:]), "LINEDIGEST", "linedigest", 1), true, false},
		"not last":        {good[:len(good)-1] + `,"more":1}`, true, false},
		"spaced":          {strings.Replace(good, `,"linedigest":`, `, "linedigest":`, 1), true, false},
		"short":           {good[:len(good)-4] + `"}`, true, false},
		"number":          {good[:at] + `,"linedigest":1}`, true, false},
		"null":            {good[:at] + `,"linedigest":null}`, true, false},
		"first":           {`{"linedigest":"` + strings.Repeat("0", 64) + `"}`, true, false},
		"escaped":         {strings.Replace(good, `,"linedigest":"`, `,"linedigest":"\u0030`, 1), true, false},
	} {
		var env Envelope
		if r := Scan([]byte(c.line), &env); r != nil {
			t.Fatalf("%s: %v", name, r)
		}
		if has, ok := CheckDigest([]byte(c.line), &env); has != c.has || ok != c.ok {
			t.Errorf("%s: %v %v, want %v %v", name, has, ok, c.has, c.ok)
		}
	}
}

// TestDigestFindsEveryFlip flips each bit of a line; the flipped line is refused
// or its digest is wrong, or has gone.
func TestDigestFindsEveryFlip(t *testing.T) {
	line := Build{ID: "i", Source: "s", Type: "t", Data: []byte(`{"x":[1,"é"]}`), Digest: true}.Append(nil)
	for i := range line {
		for bit := range 8 {
			line[i] ^= 1 << bit
			var env Envelope
			if Scan(line, &env) == nil {
				if _, ok := CheckDigest(line, &env); ok {
					t.Errorf("bit %d of byte %d: %s", bit, i, line)
				}
			}
			line[i] ^= 1 << bit
		}
	}
}

func TestValidAttr(t *testing.T) {
	for name, want := range map[string]bool{
		"cause": true, "x1": true, "1": true, "": false, "a-b": false, "a_b": false, "A": false, "é": false, "id": false, "type": false, "topic": false,
		"linedigest": false, "data": false, strings.Repeat("a", 33): false,
	} {
		if ValidAttr(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

func TestUUIDv7(t *testing.T) {
	got := UUIDv7(0x017F22E279B0, [10]byte{0xCC, 0xC3, 0x18, 0xC4, 0xDC, 0x0C, 0x0C, 0x07, 0x39, 0x8F}) // RFC 9562, A.6
	if want := "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	rapid.Check(t, func(t *rapid.T) {
		ms := rapid.Int64Range(0, 1<<48-2).Draw(t, "ms")
		var rnd [10]byte
		copy(rnd[:], rapid.SliceOfN(rapid.Byte(), 10, 10).Draw(t, "random"))
		a, b := UUIDv7(ms, rnd), UUIDv7(ms+1, [10]byte{})
		if !form.MatchString(a) || a >= b {
			t.Fatalf("%s then %s", a, b)
		}
	})
}
