package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWhatATerminalIsShown(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":              "plain text",
		"größer ✓ 日本":             "größer ✓ 日本",
		"\x1b[2J\x1b]0;title\x07": `\u001b[2J\u001b]0;title\u0007`,
		"a\nb\tc\r":               `a\nb\tc\r`,
		"\u009b31m":               `\u009b31m`,
		"user\u202egnp.exe":       `user\u202egnp.exe`,
		"\u2066x\u2069":           `\u2066x\u2069`,
		"\xff\xfe\x80":            `\xff\xfe\x80`,
		"\ufeffBOM":               `\ufeffBOM`,
		"tag\U000e0041":           `tag\udb40\udc41`,
		"line\u2028two":           `line\u2028two`,
		"soft\u00adhyphen":        `soft\u00adhyphen`,
		"👩\u200d💻":                "👩\u200d💻",
		"del\x7f":                 `del\u007f`,
		"\ufffd":                  "\ufffd",
	} {
		if got := string(appendVisible(nil, in)); got != want {
			t.Errorf("%q is shown as %s, want %s", in, got, want)
		}
	}
}

func TestMessagesKeepTheirNewlines(t *testing.T) {
	if got := visible("one\ntwo \x1b[1m"); got != "one\n"+`two \u001b[1m` {
		t.Errorf("%q", got)
	}
}

// Nothing but what can be seen comes out, and JSON stays the same JSON.
func FuzzEscape(f *testing.F) {
	f.Add([]byte("\x1b[31mred\x1b[0m"))
	f.Add([]byte("{\"a\":\"\u202e\u009b\"}"))
	f.Add([]byte{0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80})
	f.Add([]byte("\U000e0001\U0010ffff\ufdd0"))
	f.Fuzz(func(t *testing.T, in []byte) {
		out := appendVisible(nil, in)
		if !utf8.Valid(out) {
			t.Errorf("%q became %q, which is no UTF-8", in, out)
		}
		if strings.ContainsFunc(string(out), unsafeRune) {
			t.Errorf("%q became %q, which a terminal would obey", in, out)
		}
		if again := appendVisible(nil, out); !bytes.Equal(again, out) {
			t.Errorf("%q is not stable: %q, then %q", in, out, again)
		}
		var was, is any
		if json.Valid(in) && utf8.Valid(in) && !bytes.ContainsAny(in, "\n\r\t") && json.Unmarshal(in, &was) == nil {
			if err := json.Unmarshal(out, &is); err != nil {
				t.Errorf("%q became %q, which is no JSON: %v", in, out, err)
			}
			a, _ := json.Marshal(was)
			b, _ := json.Marshal(is)
			if !bytes.Equal(a, b) {
				t.Errorf("%q became %q, another JSON value", in, out)
			}
		}
	})
}
