package contracts

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPositionText(t *testing.T) {
	for text, want := range map[string]Position{
		"agents/7@3:10482": {"agents/7", 3, 10482},
		"ci@1:0":           {"ci", 1, 0},
		"a%20b%0A%FF@18446744073709551615:9223372036854775807": {"a%20b%0A%FF", 1<<64 - 1, 1<<63 - 1},
		"-rf@1:0":            {"-rf", 1, 0},
		"quarantine/..x@1:5": {"quarantine/..x", 1, 5},
		"a%40b@2:1":          {"a%40b", 2, 1},
	} {
		got, err := ParsePosition(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%s came back as %s", text, got)
		}
	}
	if s := (Position{}).String(); s != "" {
		t.Errorf("no position is %q", s)
	}
}

func TestPositionRefuses(t *testing.T) {
	for _, text := range []string{
		"", "a", "a@", "a@1", "a@1:", "@1:0", "a:1@0", "a@0:0", "a@01:0", "a@1:00", "a@1:01", "a@+1:0", "a@1:+1", "a@1:-1",
		"a@ 1:0", "a@1: 0", " a@1:0", "a@1:0 ", "a@1:0\n", "a@1:0:0", "a@1@1:0", "a b@1:0", "a\n@1:0", "é@1:0", "a%@1:0", "a%2@1:0",
		"a%2f@1:0", "a%2F@1:0", "a%61@1:0", "a%c3@1:0", "a%gg@1:0", "a@18446744073709551616:0", "a@1:9223372036854775808",
		"a@0x1:0", "a@1:1e3", "a@1:1_0", "/a@1:0", "a/@1:0", "a//b@1:0", "./a@1:0", "a/../b@1:0", "..@1:0",
	} {
		if p, err := ParsePosition(text); err == nil {
			t.Errorf("%q was read as %+v", text, p)
		} else if !strings.HasPrefix(err.Error(), "parsing position ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPositionErrorIsShort(t *testing.T) {
	if _, err := ParsePosition(strings.Repeat("x\x1b", 1e6)); err == nil || len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("the error is long or raw: %.200v", err)
	}
}

func TestPositionRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		elems := rapid.SliceOfN(rapid.StringMatching(`[^/]{1,8}`).Filter(func(s string) bool { return s != "." && s != ".." }), 1, 4).Draw(t, "elems")
		p := Position{
			Lane:    EscapeLane(strings.Join(elems, "/")),
			Segment: rapid.Uint64Min(1).Draw(t, "segment"),
			Offset:  rapid.Int64Min(0).Draw(t, "offset"),
		}
		got, err := ParsePosition(p.String())
		if err != nil || got != p {
			t.Fatalf("%+v: %s came back as %+v, %v", p, p, got, err)
		}
	})
}

var escaped = regexp.MustCompile(`^([A-Za-z0-9._/-]|%[0-9A-F]{2})*$`)

func TestLaneRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := string(rapid.SliceOf(rapid.Byte()).Draw(t, "raw"))
		name := EscapeLane(raw)
		if !escaped.MatchString(name) {
			t.Fatalf("%q escaped to %q", raw, name)
		}
		back, err := UnescapeLane(name)
		if err != nil || back != raw {
			t.Fatalf("%q escaped to %q, which is %q, %v", raw, name, back, err)
		}
	})
}

// TestLaneHasOneSpelling takes what UnescapeLane accepts and escapes it again.
func TestLaneHasOneSpelling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`([A-Za-z0-9._/-]|%[0-9A-Fa-f]{2}|%|[ -~]){0,6}`).Draw(t, "name")
		raw, err := UnescapeLane(name)
		if err == nil && EscapeLane(raw) != name {
			t.Fatalf("%q is taken for %q, which is written %q", name, raw, EscapeLane(raw))
		}
	})
}

func TestEscapeLaneExamples(t *testing.T) {
	for raw, want := range map[string]string{
		"agents/7": "agents/7", "a b": "a%20b", "-rf": "-rf", "a\nb": "a%0Ab", "\xff": "%FF", "é": "%C3%A9", "100%": "100%25", `"`: "%22", "a@b": "a%40b",
	} {
		if got := EscapeLane(raw); got != want {
			t.Errorf("%q is written %q, want %q", raw, got, want)
		}
	}
}

func TestPositionOrder(t *testing.T) {
	ps := []Position{{"a", 1, 0}, {"a", 1, 5}, {"a", 2, 0}, {"a", 10, 0}, {"a/b", 1, 0}, {"b", 1, 0}}
	for i := range ps {
		for j := range ps {
			if got, want := ps[i].Compare(ps[j]), slices.Index([]int{i, j}, max(i, j)); i != j && (got > 0) != (want == 0) || i == j && got != 0 {
				t.Errorf("%s compared with %s is %d", ps[i], ps[j], got)
			}
		}
	}
}

func FuzzPosition(f *testing.F) {
	for _, s := range []string{"agents/7@3:10482", "a%0A@1:0", "a@0:0", "a@1:00", "%41@1:0", "a@1:9223372036854775808", "x/../y@1:1"} {
		f.Add(s)
	}
	form := regexp.MustCompile(`^((?:[A-Za-z0-9._/-]|%[0-9A-F]{2})+)@([1-9][0-9]*):(0|[1-9][0-9]*)$`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePosition(s)
		if err != nil {
			return
		}
		if p.String() != s || !form.MatchString(s) {
			t.Fatalf("%q was read as %+v, which is written %q", s, p, p)
		}
		raw, err := UnescapeLane(p.Lane)
		if err != nil || EscapeLane(raw) != p.Lane {
			t.Fatalf("%q: lane %q is %q, %v", s, p.Lane, raw, err)
		}
	})
}
