package contracts

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// reference decides on a line as slowly and plainly as can be: encoding/json for
// the grammar, unicode/utf8, a token walk for depth and duplicate keys, a regular
// expression over the escapes for surrogates. ok says what Scan must say.
func reference(line []byte) (ok bool) {
	line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(line, '\n') >= 0 || !utf8.Valid(line) || loneSurrogate(line) || !json.Valid(line) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	keys, texts := map[string]bool{}, map[string]any{}
	for depth, wantKey, key := 1, true, ""; ; {
		t, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false
		}
		d, isDelim := t.(json.Delim)
		switch {
		case isDelim && (d == '{' || d == '['):
			if depth++; depth > MaxDepth {
				return false
			}
		case isDelim:
			if depth--; depth == 1 {
				wantKey = true
			}
		case depth == 1 && wantKey:
			key = t.(string)
			if keys[key] {
				return false
			}
			keys[key], wantKey = true, false
		case depth == 1:
			texts[key], wantKey = t, true
		}
	}
	a, b := texts["type"], texts["topic"]
	if !keys["type"] || !keys["topic"] || a == nil && isNullMember(line, "type") || b == nil && isNullMember(line, "topic") {
		return true
	}
	return rawMember(line, "type") == rawMember(line, "topic") || a != nil && a == b
}

func isNullMember(line []byte, key string) bool { return rawMember(line, key) == "null" }

// rawMember is a member's raw text, with strings decoded and quoted anew.
func rawMember(line []byte, key string) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(line, &m) != nil {
		return ""
	}
	var s string
	if json.Unmarshal(m[key], &s) == nil && m[key][0] == '"' {
		return strconv.Quote(s)
	}
	return string(m[key])
}

var (
	escapes = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	pairs   = regexp.MustCompile(`^\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)
	halves  = regexp.MustCompile(`^\\u[dD][89a-fA-F]`)
)

// loneSurrogate finds half a surrogate pair among the escapes of a text.
func loneSurrogate(line []byte) bool {
	for at := 0; ; {
		m := escapes.FindIndex(line[at:])
		if m == nil {
			return false
		}
		at += m[0]
		switch {
		case pairs.Match(line[at:]):
			at += 12
		case halves.Match(line[at:]):
			return true
		default:
			at += m[1] - m[0]
		}
	}
}

// mustAgree holds Scan, the grammar and the reference to one answer.
func mustAgree(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, line []byte) {
	t.Helper()
	var env Envelope
	r, want := Scan(line, &env), reference(line)
	if (r == nil) != want {
		t.Fatalf("%q: Scan says %v, the reference %v", line, r, want)
	}
	var g grammar
	at, v := g.read(line, bomLen(line))
	whole := v == fine && g.state == afterObject
	if r == nil && !whole {
		t.Fatalf("%q: accepted, but the grammar stops at %d in state %d", line, at, g.state)
	}
	if r != nil && whole && r.Reason != ReasonDuplicateKey && r.Reason != ReasonBadTopic {
		t.Fatalf("%q: refused as %s, but the grammar is content", line, r.Reason)
	}
	if r != nil && r.Reason == ReasonNotJSON && json.Valid(bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))) &&
		line[bytes.IndexAny(line, "{[\"tfn-0123456789")] == '{' && bytes.IndexByte(line, '\n') < 0 {
		t.Fatalf("%q: refused as not_json, but it is an object", line)
	}
}
