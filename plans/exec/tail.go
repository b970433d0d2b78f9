package exec

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tailBytes is how much of a failed process's standard error is told.
const tailBytes = 2 << 10

// tail keeps the end of what is written to it.
type tail struct {
	buf  []byte
	more bool
}

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	n := len(b)
	if len(b) > tailBytes {
		b, t.more = b[len(b)-tailBytes:], true
	}
	if over := len(t.buf) + len(b) - tailBytes; over > 0 {
		t.buf, t.more = append(t.buf[:0], t.buf[over:]...), true
	}
	t.buf = append(t.buf, b...)
	return n, nil
}

// String is the end as text that is safe anywhere: what no terminal should be
// given stands escaped.
func (t *tail) String() string {
	s := string(t.buf)
	if t.more { // begin with a whole character, better with a whole line
		if i := strings.IndexByte(s, '\n'); i >= 0 && i < len(s)/2 {
			s = s[i+1:]
		}
		for s != "" && !utf8.RuneStart(s[0]) {
			s = s[1:]
		}
		s = "…" + s
	}
	var b strings.Builder
	for i, r := range strings.TrimSpace(s) {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(strings.TrimSpace(s)[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, strings.TrimSpace(s)[i])
		case r == '\n' || r == '\t' || unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
