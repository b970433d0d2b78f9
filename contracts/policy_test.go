package contracts

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The board of the settings' own example.
var exampleRoles = Roles{
	"admiral":  {Lanes: []string{"admiral"}, Users: []string{"deploy"}, May: []string{"hxo.plan.**", "genesis.**", "blueprint.events"}},
	"captain":  {Lanes: []string{"captains/*"}},
	"executor": {Lanes: []string{"executors/*"}, May: []string{"federation.**"}},
}

func testUsers(uid uint32) string {
	return map[uint32]string{0: "root", 1000: "deploy", 1001: "kyle"}[uid]
}

func mustPolicy(t testing.TB, roles Roles, foreign string) *Policy {
	p, err := NewPolicy(roles, foreign, 500, testUsers)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWithoutRolesEveryLaneMayEverything(t *testing.T) {
	p := mustPolicy(t, nil, "")
	ok, rule, user, role := p.May("hxo.plan.submit", "agents/7", 1001, "napoleon", "emperor")
	if !ok || rule != "" || user != "napoleon" || role != "emperor" {
		t.Errorf("claims are recorded as they stand: %v %q %q %q", ok, rule, user, role)
	}
	if _, _, user, _ = p.May("hxo.plan.submit", "agents/7", 1001, "", ""); user != "kyle" {
		t.Errorf("user %q, want the file owner's name", user)
	}
	if _, _, user, _ = p.May("hxo.plan.submit", "agents/7", 77, "", ""); user != "agents/7" {
		t.Errorf("user %q, want the lane where the owner has no name", user)
	}
}

func TestMay(t *testing.T) {
	for _, c := range []struct {
		topic, lane string
		uid         uint32
		user, role  string
		want        string // role it is recorded as, or a piece of the rule after !
	}{
		{"hxo.plan.submit", "admiral", 1001, "", "", "admiral"},
		{"hxo.plan.abort", "admiral", 1001, "kyle", "admiral", "admiral"},
		{"genesis.heal", "admiral", 1001, "admiral", "", "admiral"},
		{"blueprint.events", "agents/3", 1000, "", "", "admiral"}, // by its owner
		{"federation.claim", "executors/9", 1001, "9", "", "executor"},
		{"federation.claim", "executors/9/x", 1001, "", "", "!has no role"},
		{"federation.claim", "admiral", 1001, "", "", "!no role of lane admiral"},
		{"hxo.plan.submit", "captains/1", 1001, "", "", "!its roles: captain"},
		{"hxo.plan.submit", "captains/1", 1001, "", "admiral", "!does not have the role admiral"},
		{"hxo.plan.submit", "captains/1", 1000, "", "captain", "captain"}, // roles add up
		{"hxo.plan.submit", "agents/7", 1001, "", "", "!it has no role"},
		{"hxo.plan.submit", "agents/7", 1001, "deploy", "admiral", "!not the user deploy"},
		{"hxo.plan.submit", "admiral", 1001, "deploy", "", "!not the user deploy"},
		{"hxo.plan.submit", "admiral", 77, "deploy", "", "!not the user deploy"}, // a role names deploy
		{"hxo.plan.submit", "admiral", 77, "somebody", "", "admiral"},            // nobody can tell
		{"hxo.plan.submit", "http/deploy", 1000, "", "", "!it has no role"},      // the daemon wrote it
		{"federation.result", "workers/exec", 500, "", "", ""},
		{"genesis.heal", "genesis", 500, "", "", ""},
	} {
		ok, rule, _, role := mustPolicy(t, exampleRoles, "").May(c.topic, c.lane, c.uid, c.user, c.role)
		piece, refused := strings.CutPrefix(c.want, "!")
		switch {
		case ok == refused:
			t.Errorf("%+v: %v %s", c, ok, rule)
		case refused && !strings.Contains(rule, piece):
			t.Errorf("%+v: rule %q", c, rule)
		case !refused && (role != c.want || rule != ""):
			t.Errorf("%+v: role %q, rule %q", c, role, rule)
		}
	}
}

func TestUsersMayBeNumbers(t *testing.T) {
	p, err := NewPolicy(Roles{"r": {Users: []string{"1234"}, May: []string{"**"}}}, "", 500, nil)
	if err != nil {
		t.Fatal(err)
	}
	if ok, rule, _, _ := p.May("hxo.plan.submit", "a", 1234, "", ""); !ok {
		t.Error(rule)
	}
	if ok, _, _, _ := p.May("hxo.plan.submit", "a", 1235, "", ""); ok {
		t.Error("another uid passes")
	}
}

func TestForgedAndForeign(t *testing.T) {
	plan, open := Builtin().Topic([]byte("hxo.plan")), Builtin().Topic([]byte("hxo.plan.submit"))
	refuse, record := mustPolicy(t, nil, "refuse"), mustPolicy(t, nil, "record")
	if !refuse.Forged(plan, "agents/7") || refuse.Forged(plan, "hxo") || refuse.Forged(open, "agents/7") || refuse.Forged(nil, "x") {
		t.Error("refuse: an owned topic on another lane, and only that, is forged")
	}
	if record.Forged(plan, "agents/7") || !record.Foreign(plan, "agents/7") || record.Foreign(plan, "hxo") {
		t.Error("record: kept, and known as foreign")
	}
}

func TestMayRun(t *testing.T) {
	roles := Roles{
		"runner": {Lanes: []string{"federation/gpu*"}, May: []string{"hxo.plan.submit"}},
		"deploy": {Lanes: []string{"captains/1"}, May: []string{"hxo.**"}},
		"all":    {Lanes: []string{"**"}, May: []string{"**"}},
		"stars":  {Lanes: []string{"ht**"}, May: []string{"hxo.**"}},
		"broad":  {Lanes: []string{"captains/2"}, May: []string{"**"}},
	}
	for _, c := range []struct {
		lane string
		uid  uint32
		want bool
	}{
		{"agents/7", 500, true}, {"agents/7", 0, true}, {"agents/7", 1001, false},
		{"http/token", 500, false}, {"http/token", 0, false}, {"remote/x", 500, false},
		{"federation/gpu1", 500, true}, {"federation/cpu1", 500, false},
		{"captains/1", 1001, true}, {"captains/2", 1001, false},
		{"workers/plan", 1001, true},
	} {
		ok, rule := mustPolicy(t, roles, "").MayRun("hxo.plan.submit", c.lane, c.uid)
		if ok != c.want || ok != (rule == "") {
			t.Errorf("%+v: %v %q", c, ok, rule)
		}
	}
	if ok, _ := mustPolicy(t, nil, "").MayRun("hxo.plan.submit", "agents/7", 1001); ok {
		t.Error("without roles nobody is named")
	}
}

func TestNewPolicyRefuses(t *testing.T) {
	for name, roles := range map[string]Roles{
		"empty lane":   {"r": {Lanes: []string{""}}},
		"rooted lane":  {"r": {Lanes: []string{"/etc/*"}}},
		"leaving lane": {"r": {Lanes: []string{"../x"}}},
		"file name":    {"r": {Lanes: []string{"agents/7.jsonl"}}},
		"long lane":    {"r": {Lanes: []string{strings.Repeat("a", 600)}}},
		"topic":        {"r": {May: []string{"HXO PLAN"}}},
	} {
		if _, err := NewPolicy(roles, "", 0, nil); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := NewPolicy(nil, "maybe", 0, nil); err == nil {
		t.Error("foreign_owned: maybe was taken")
	}
}

func TestLanePatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, lane string
		want          bool
	}{
		{"admiral", "admiral", true}, {"admiral", "admiral2", false}, {"admiral", "x/admiral", false},
		{"captains/*", "captains/1", true}, {"captains/*", "captains/1/notes", false}, {"captains/*", "captains", false},
		{"captains/**", "captains/1/notes", true}, {"captains/*/notes", "captains/1/notes", true},
		{"*", "a", true}, {"*", "a/b", false}, {"**", "a/b/c", true}, {"a*c", "abc", true}, {"a*c", "ac", true},
		{"a*c", "ab/c", false}, {"a**c", "ab/c", true}, {"*a*a*", "banana", true}, {"*7", "agents/7", false},
		{"agents/é", "agents/%C3%A9", true}, {"agents/%C3%A9", "agents/%C3%A9", true}, {"a b", "a%20b", true},
		{"100%", "100%25", true}, {"***", "a/b", true},
	} {
		p, err := parseLanePattern(c.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.match(c.lane); got != c.want {
			t.Errorf("%s ~ %s: %v", c.pattern, c.lane, got)
		}
	}
}

// slowMatch says the same by trying everything.
func slowMatch(p []lanePart, s string) bool {
	switch {
	case len(p) == 0:
		return s == ""
	case p[0].star == 0:
		return s != "" && s[0] == p[0].byte && slowMatch(p[1:], s[1:])
	}
	for i := 0; ; i++ {
		if slowMatch(p[1:], s[i:]) {
			return true
		}
		if i == len(s) || p[0].star == 1 && s[i] == '/' {
			return false
		}
	}
}

func TestLanePatternsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, err := parseLanePattern(rapid.StringMatching(`[ab*][ab/*]{0,6}b`).Draw(t, "pattern"))
		if err != nil {
			t.Skip()
		}
		lane := rapid.StringMatching(`[ab/]{0,8}`).Draw(t, "lane")
		if p.match(lane) != slowMatch(p.parts, lane) {
			t.Fatalf("%s ~ %s: %v", p.text, lane, p.match(lane))
		}
	})
}

func TestNoLanePatternIsSlow(t *testing.T) {
	p, err := parseLanePattern(strings.Repeat("*a", 250))
	if err != nil {
		t.Fatal(err)
	}
	if p.match(strings.Repeat("a", 249) + "b") {
		t.Error("it matches")
	}
}
