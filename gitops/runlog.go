package gitops

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// runLog is run.log: the recipe, and what was seen. A command stands as a
// line that begins with "$ " and can be pasted into sh, what it printed on
// lines that begin with "| ", what it said on standard error with "! ", its
// end with "= ".
type runLog struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
	top string // paths below it are shown so
}

// The most that is kept of one command's output, and of a log.
const (
	maxShown = 4 << 10
	maxLog   = 8 << 20
)

func (l *runLog) note(format string, args ...any) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines("# ", []byte(fmt.Sprintf(format, args...)))
}

// command notes one git.
func (l *runLog) command(c call, out, said []byte, err error, took time.Duration) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > maxLog {
		return
	}
	text := "git " + shellWords(c.args)
	if c.index != "" {
		text = "GIT_INDEX_FILE=" + shellWord(strings.TrimPrefix(c.index, l.top+"/")) + " " + text
	}
	if len(c.said) > 0 {
		text = "printf '%s\\0' " + shellWords(c.said) + " | " + text
	} else if len(c.in) > 0 {
		text = fmt.Sprintf("%s # %d bytes on standard input", text, len(c.in))
	}
	l.lines("$ ", []byte(text))
	if c.quiet && err == nil {
		return
	}
	l.lines("| ", out)
	l.lines("! ", said)
	end := "0"
	if err != nil {
		end = err.Error()
		if ge, ok := err.(*GitError); ok {
			end = fmt.Sprint(ge.Code)
		}
	}
	l.lines("= ", []byte(fmt.Sprintf("%s in %d ms", end, took.Milliseconds())))
}

// program notes a gate.
func (l *runLog) program(argv []string, out []byte, end string, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len() > maxLog {
		return
	}
	l.lines("$ ", []byte(shellWords(argv)))
	l.lines("| ", out)
	l.lines("= ", []byte(fmt.Sprintf("%s in %d ms", end, took.Milliseconds())))
}

// lines writes text under a mark: printable, bounded, one mark a line.
func (l *runLog) lines(mark string, text []byte) {
	cut := 0
	if len(text) > maxShown && mark != "$ " {
		cut = len(text) - maxShown
		text = text[:maxShown]
	}
	text = bytes.TrimSuffix(bytes.ReplaceAll(text, []byte{0}, []byte{'\n'}), []byte{'\n'})
	if len(text) == 0 {
		return
	}
	for _, line := range bytes.Split(text, []byte{'\n'}) {
		l.buf.WriteString(mark)
		l.buf.WriteString(printable(string(line)))
		l.buf.WriteByte('\n')
	}
	if cut > 0 {
		fmt.Fprintf(&l.buf, "%s… %d bytes more\n", mark, cut)
	}
}

func (l *runLog) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.buf.Bytes())
}

// printable is s with every control character, and every byte that is no
// UTF-8, as an escape: a log is read on terminals.
func printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\t':
			b.WriteByte('\t')
		case r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

func shellWords(argv []string) string {
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = shellWord(a)
	}
	return strings.Join(words, " ")
}

// shellWord is s as one word for a POSIX shell.
func shellWord(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-^"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
