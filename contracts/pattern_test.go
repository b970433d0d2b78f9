package contracts

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPatternTable(t *testing.T) {
	for _, c := range []struct{ pattern, yes, no string }{
		{"hxo.plan", "hxo.plan", "hxo hxo.plan.submit hxo.plans hxo.pla xhxo.plan"},
		{"*", "hxo a 9_-", "hxo.plan a.b.c"},
		{"hxo.*", "hxo.plan hxo.x", "hxo hxo.plan.submit hxo2.plan"},
		{"*.plan", "hxo.plan x.plan", "plan hxo.a.plan hxo.plans"},
		{"hxo.*.failed", "hxo.shard.failed hxo.aggregate.failed", "hxo.failed hxo.a.b.failed hxo.shard.failed.x"},
		{"hxo.shard.*", "hxo.shard.done", "hxo.shard hxo.shard.done.x"},
		{"hxo.sh*", "hxo.shard hxo.sh hxo.shx", "hxo.s hxo.shard.done"},
		{"hxo.*ed", "hxo.ed hxo.failed hxo.eded", "hxo.failedx hxo.e hxo.fail.ed"},
		{"a*b*c", "abc axbxc aabbcc abcbc", "ab acb axbx a.bc"},
		{"a*b*.c*", "ab.c axbx.cc", "a.b.c ab abx axc.c"},
		{"*a*", "a xax aa", "b x.a"},
		{"**", "hxo hxo.plan a.b.c.d", ""},
		{">", "hxo hxo.plan a.b.c.d", ""},
		{"hxo.**", "hxo.plan hxo.plan.submit", "hxo hxo2.plan genesis.heal"},
		{"hxo.>", "hxo.plan hxo.plan.submit", "hxo hxo2.plan genesis.heal"},
		{"hxo.plan.**", "hxo.plan.submit hxo.plan.a.b", "hxo.plan hxo.plans.x"},
		{"hxo.*.**", "hxo.shard.done hxo.a.b.c", "hxo.shard hxo"},
		{"*.s*d.**", "hxo.shard.done x.sd.a.b", "hxo.shard hxo.shards.done shard.x"},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		for _, topic := range strings.Fields(c.yes) {
			if !p.Match(topic) || !p.MatchBytes([]byte(topic)) {
				t.Errorf("%s does not match %s", c.pattern, topic)
			}
		}
		for _, topic := range strings.Fields(c.no) {
			if p.Match(topic) || p.MatchBytes([]byte(topic)) {
				t.Errorf("%s matches %s", c.pattern, topic)
			}
		}
		if p.String() != c.pattern {
			t.Errorf("%s is written %s", c.pattern, p)
		}
	}
}

func TestPatternParts(t *testing.T) {
	for _, c := range []struct{ pattern, literal, prefix string }{
		{"hxo.plan", "hxo.plan", "hxo.plan"}, {"hxo.*", "", "hxo."}, {"hxo.sh*d", "", "hxo.sh"},
		{"hxo.plan.**", "", "hxo.plan."}, {"**", "", ""}, {"*", "", ""}, {"hxo.>", "", "hxo."}, {"a*.**", "", "a"},
	} {
		p, err := ParsePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		text, ok := p.Literal()
		if text != c.literal || ok != (c.literal != "") || p.Prefix() != c.prefix {
			t.Errorf("%s: literal %q %v, prefix %q", c.pattern, text, ok, p.Prefix())
		}
	}
}

func TestPatternRefuses(t *testing.T) {
	for _, s := range []string{
		"", ".", "a.", ".a", "a..b", "***", "a**", "**.a", "a.**.b", "a.>.b", "a>", "a.***", "> ", "**.**", "*.>.**", ">.>",
		"A", "Hxo.*", "a b", "a/b", "a\n", "é", "hxo.[a-z]", "hxo.?", `hxo.\*`, "a|b", "#", "@this", strings.Repeat("a", 257),
	} {
		if p, err := ParsePattern(s); err == nil {
			t.Errorf("%q was read as %+v", s, p)
		} else if len(err.Error()) > 300 {
			t.Errorf("%q: the error is long: %v", s, err)
		}
	}
}

func TestPatterns(t *testing.T) {
	ps, err := ParsePatterns([]string{"hxo.plan.**", "genesis.*", "blueprint.events"})
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]bool{"hxo.plan.submit": true, "genesis.heal": true, "blueprint.events": true, "hxo.plan": false, "swarm.followup": false} {
		if ps.Match(topic) != want || ps.MatchBytes([]byte(topic)) != want {
			t.Errorf("%s: want %v", topic, want)
		}
	}
	if !Patterns(nil).Match("anything") {
		t.Error("no patterns do not match everything")
	}
	if _, err := ParsePatterns([]string{"a", "b..c"}); err == nil {
		t.Error("a bad one among good ones is accepted")
	}
}

// naiveMatch follows the definition through package regexp.
func naiveMatch(pattern, topic string) bool {
	tokens := strings.Split(pattern, ".")
	var re []string
	for i, tok := range tokens {
		if i == len(tokens)-1 && (tok == "**" || tok == ">") {
			re = append(re, `[^.]*(?:\.[^.]*)*`)
			continue
		}
		re = append(re, strings.ReplaceAll(regexp.QuoteMeta(tok), `\*`, `[^.]*`))
	}
	return topic != "" && regexp.MustCompile(`^`+strings.Join(re, `\.`)+`$`).MatchString(topic)
}

func TestPatternAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`([ab*]{1,4}\.){0,3}([ab*]{1,4}|\*\*|>)`).Draw(t, "pattern")
		topic := rapid.StringMatching(`[ab]{1,5}(\.[ab]{1,5}){0,4}`).Draw(t, "topic")
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Skip(err)
		}
		if got, want := p.Match(topic), naiveMatch(pattern, topic); got != want || p.MatchBytes([]byte(topic)) != want {
			t.Fatalf("%s on %s: %v, want %v", pattern, topic, got, want)
		}
		if p.Match(topic) && !strings.HasPrefix(topic, p.Prefix()) {
			t.Fatalf("%s matches %s but has prefix %q", pattern, topic, p.Prefix())
		}
		if lit, ok := p.Literal(); ok && p.Match(topic) != (lit == topic) {
			t.Fatalf("%s is literal but not so on %s", pattern, topic)
		}
	})
}

func FuzzPattern(f *testing.F) {
	for _, s := range [][2]string{{"hxo.plan.**", "hxo.plan"}, {"a*b*c.*", "axbxc.d"}, {"**", "x"}, {">", "x.y"}, {"*.*", "a.b"}, {"a.**.b", "a.x.b"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		p, err := ParsePattern(pattern)
		if err != nil || !ValidTopic([]byte(topic)) {
			return
		}
		if got, want := p.Match(topic), naiveMatch(pattern, topic); got != want || p.MatchBytes([]byte(topic)) != want {
			t.Fatalf("%q on %q: %v, want %v", pattern, topic, got, want)
		}
	})
}

func TestPatternDoesNotAllocate(t *testing.T) {
	ps, err := ParsePatterns([]string{"hxo.*.failed", "hxo.plan.**", "genesis.heal"})
	if err != nil {
		t.Fatal(err)
	}
	topic := []byte("hxo.shard.done")
	if n := testing.AllocsPerRun(100, func() { ps.MatchBytes(topic); ps.Match("hxo.plan.submit") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPattern(b *testing.B) {
	topic := []byte("hxo.shard.created")
	for _, s := range []string{"hxo.shard.created", "hxo.shard.**", "hxo.*.created"} {
		p, err := ParsePattern(s)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.MatchBytes(topic) {
					b.Fatal("no match")
				}
			}
		})
	}
}

func TestValidTopic(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*(\.[a-z0-9_-]+)*$`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[a-z0-9_.A-]{0,8}|[a-c.]{125,131}|\PC{0,4}`).Draw(t, "topic")
		if got, want := ValidTopic([]byte(s)), form.MatchString(s) && len(s) <= MaxTopic; got != want {
			t.Fatalf("%q: %v, want %v", s, got, want)
		}
	})
	for s, want := range map[string]bool{
		"a": true, "hxo.shard.done": true, "0": true, "a._x": true, "a.-": true, "": false, "_a": false, "-a": false, ".a": false,
		"a.": false, "a..b": false, "A": false, "a b": false, "a\n": false, "é": false, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
	} {
		if ValidTopic([]byte(s)) != want {
			t.Errorf("%q: want %v", s, want)
		}
	}
}
