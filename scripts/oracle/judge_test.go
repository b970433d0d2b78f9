package oracle

import (
	"io"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	deep := strings.Repeat(`[`, 128) + strings.Repeat(`]`, 128)
	for _, tc := range []struct{ line, must string }{
		{`{"type":"a"}`, ""},
		{"\xef\xbb\xbf" + `{"type":"a"}` + "\r", ""},
		{`{"topic":"a.b_c-d"}`, ""},
		{`{"type":"a","topic":"a"}`, ""},
		{`{"type":"a","x":"\ud83d\ude00"}`, ""},
		{`{"type":"a","data":{"k":1,"k":2}}`, ""},
		{`{"type":"a","data":` + deep[1:255] + `}`, ""},
		{`{"type":"a","data":` + deep + `}`, "too_deep"},
		{`{"type":"a","topic":"b"}`, "bad_topic"},
		{`{}`, "bad_topic"},
		{`{"type":null}`, "bad_topic"},
		{`{"type":"A"}`, "bad_topic"},
		{`{"type":"a..b"}`, "bad_topic"},
		{`{"type":"` + strings.Repeat("a", 129) + `"}`, "bad_topic"},
		{`{"type":"a","type":"a"}`, "duplicate_key"},
		{`{"type":"a","x":1,"\u0078":2}`, "duplicate_key"},
		{`{"type":"a"}{"type":"a"}`, "not_json"},
		{`[]`, "not_json"},
		{`null`, "not_json"},
		{`{`, "not_json"},
		{"{\"type\":\"a\"\x00}", "not_json"},
		{"{\"type\":\"a\",\"x\":\"\xff\"}", "bad_utf8"},
		{`{"type":"a","x":"\ud83d"}`, "bad_utf8"},
		{`{"type":"a","x":"\ude00\ud83d"}`, "bad_utf8"},
		{`{"type":"a","x":"\\ud83d"}`, ""},
		{`{"type":"a","x":"` + strings.Repeat("y", 1<<20) + `"}`, "too_long"},
	} {
		v := judge(line{text: []byte(tc.line), length: int64(len(tc.line))}, 1<<20)
		if got := strings.Join(v.must, " "); got != tc.must {
			t.Errorf("%.60q: found %q, expected %q", tc.line, got, tc.must)
		}
	}
}

func TestBlank(t *testing.T) {
	for _, s := range []string{"", "\r", " \t", "\xef\xbb\xbf\r"} {
		if !judge(line{text: []byte(s), length: int64(len(s))}, 1<<20).blank {
			t.Errorf("%q is blank", s)
		}
	}
}

func TestLines(t *testing.T) {
	long := strings.Repeat("x", 600<<10)
	r := newLineReader(strings.NewReader("a\n\n"+long+"\ntail"), 16)
	var got []line
	for {
		l, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	if len(got) != 4 || got[1].length != 0 || got[2].length != int64(len(long)) || len(got[2].text) != 16 || got[3].whole || got[3].off != int64(4+len(long)) {
		t.Fatalf("cut wrongly: %d lines", len(got))
	}
}

func TestLaneNames(t *testing.T) {
	for rel, lane := range map[string]string{"a/b.jsonl": "a/b", "x y.jsonl": "x%20y", "\xff\n.jsonl": "%FF%0A", "100%.jsonl": "100%25"} {
		if got := laneName(rel); got != lane {
			t.Errorf("%q: lane %q, expected %q", rel, got, lane)
		}
		if got := lanePath(lane); got != rel {
			t.Errorf("%q: path %q, expected %q", lane, got, rel)
		}
	}
}
