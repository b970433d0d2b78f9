package query

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestRequiredLiterals(t *testing.T) {
	for pattern, want := range map[string]string{
		`panic: index out of range \[[0-9]+\]`: "panic: index out of range [",
		`foo|barbaz`:                           "foo|barbaz",
		`(abc)+x*`:                             "abc",
		`a{3,}b`:                               "a",
		`x*`:                                   "",
		`(foo|)bar`:                            "bar",
		`[0-9]{4}-done`:                        "-done",
		`(?i)Timeout`:                          "timeout",
		`(?i)mask`:                             "ma",
		`.*`:                                   "",
		`^{"type":"hxo\.`:                      `{"type":"hxo.`,
		`a(b|cd)e`:                             "a",
		`日本`:                                   "日本",
	} {
		g, err := NewGrep(pattern, false, false, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range g.lits {
			got = append(got, string(n.text))
		}
		if strings.Join(got, "|") != want {
			t.Errorf("%s: %q, want %q", pattern, got, want)
		}
	}
}

func TestGrepFlags(t *testing.T) {
	line := []byte(`{"error":"Panic: K [x]"}`)
	for _, c := range []struct {
		pattern             string
		fixed, fold, invert bool
		want                bool
	}{
		{"panic", false, false, false, false}, {"panic", false, true, false, true}, {"[x]", true, false, false, true},
		{"[X]", true, true, false, true}, {"panic", false, false, true, true}, {"Panic", true, false, true, false}, {"", true, false, false, true},
		{"\u212a", false, true, false, true}, {"k \\[", false, true, false, true},
	} {
		g, err := NewGrep(c.pattern, c.fixed, c.fold, c.invert)
		if err != nil || g.Match(line) != c.want {
			t.Errorf("%+v: %v %v", c, g.Match(line), err)
		}
	}
	if _, err := NewGrep("(", false, false, false); err == nil {
		t.Error("a broken pattern was taken")
	}
	g, _ := NewGrep("a+", false, false, false)
	h, _ := NewGrep("aa", true, false, false)
	if got := g.Find([]byte("baacaad")); len(got) != 2 || got[1][0] != 4 {
		t.Error(got)
	}
	if got := h.Find([]byte("baacaaad")); len(got) != 2 || got[1][0] != 4 {
		t.Error(got)
	}
}

// needle finds what bytes.Index finds, wherever it stands.
func TestNeedlesFindWhatIndexFinds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		text := make([]byte, r.IntN(200))
		for i := range text {
			text[i] = "abAB01"[r.IntN(6)]
		}
		n := make([]byte, 1+r.IntN(14))
		for i := range n {
			n[i] = "abAB01"[r.IntN(6)]
		}
		if r.IntN(2) == 0 && len(text) > len(n) {
			copy(text[r.IntN(len(text)-len(n)):], n)
		}
		if got, want := newNeedle(n, false).index(text), bytes.Index(text, n); got != want {
			t.Fatalf("%q in %q: %d, want %d", n, text, got, want)
		}
		for rare := range n {
			if got, want := newNeedle(n, false).indexBy(text, rare), bytes.Index(text, n); got != want {
				t.Fatalf("%q in %q by byte %d: %d, want %d", n, text, rare, got, want)
			}
		}
		if got, want := newNeedle(n, true).index(text), bytes.Index(bytes.ToLower(text), bytes.ToLower(n)); got != want {
			t.Fatalf("fold %q in %q: %d, want %d", n, text, got, want)
		}
	}
}

// The prefilter never loses a line that the pattern matches.
func FuzzGrepLiterals(f *testing.F) {
	f.Add(`panic: index out of range \[[0-9]+\]`, "x panic: index out of range [7]\nno\n", false)
	f.Add(`foo|ba(r|z)+`, "xbazr\nfoo\n", true)
	f.Add(`(?i)straße|ſ`, "STRASSE\nS\n", false)
	f.Add(`k+s`, "\u212a\u017f\nKs\n", true)
	f.Add(`(?:a{2,5}|b?)c`, "c\naac\n", false)
	f.Add(`\bword\b(?s:.)x$`, "a word x\n", true)
	f.Fuzz(func(t *testing.T, pattern, text string, fold bool) {
		if len(pattern) > 200 || len(text) > 4000 {
			return
		}
		g, err := NewGrep(pattern, false, fold, false)
		if err != nil {
			return
		}
		src := pattern
		if fold {
			src = "(?i)" + pattern
		}
		re := regexp.MustCompile(src)
		if !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		m := newMatcher(&Request{Grep: g})
		var got []string
		m.candidates(newScratch(m), []byte(text), false, func(off, end int) bool {
			if g.Match([]byte(text[off:end])) {
				got = append(got, text[off:end])
			}
			return true
		})
		var want []string
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); re.MatchString(line) {
				want = append(want, line)
			}
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") || len(got) != len(want) {
			t.Fatalf("%q found %q, want %q", src, got, want)
		}
	})
}

func BenchmarkNeedle(b *testing.B) {
	line := `{"specversion":"1.0","id":"01KFVFTPG000000000000000000","source":"hxo/executor/07","type":"hxo.shard.done","time":"2026-01-26T00:00:00.123456Z","data":{"plan_id":"7c9e6679-7425-40de-944b-e07fc1f90ae7","stage_id":"pack_backend","cas_id":"0123456789abcdef","output_digest":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","bytes":12345}}` + "\n"
	text := []byte(strings.Repeat(line, 3000))
	for name, n := range map[string]string{"uuid": "7c9e6679-7425-40de-944b-e07fc1f90aex", "topic": `"hxo.plan"`, "text": "panic: index out of range ["} {
		for kind, find := range map[string]func([]byte) int{"skip": newNeedle([]byte(n), false).index, "fold": newNeedle([]byte(n), true).index,
			"bytes.Index": func(t []byte) int { return bytes.Index(t, []byte(n)) }} {
			b.Run(name+"/"+kind, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					if find(text) >= 0 {
						b.Fatal("found")
					}
				}
			})
		}
	}
}
