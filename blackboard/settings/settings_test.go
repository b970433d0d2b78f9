package settings_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stigmergy/blackboard/settings"
)

// load fails the test on any fault.
func load(t *testing.T, yaml string, environ []string, flags map[string]string) *settings.Settings {
	t.Helper()
	s, faults := settings.Load([]byte(yaml), environ, flags)
	for _, f := range faults {
		t.Errorf("unexpected fault: %v", f)
	}
	return s
}

// The design's list, word for word.
func TestDefaultsAreTheDesigns(t *testing.T) {
	want := map[string]string{
		"durability": "process", "sync_interval": "100ms", "max_line": "1MiB", "unknown_topics": "accept",
		"handler.deadline": "10s", "segment.max_bytes": "64MiB", "segment.min_bytes": "1MiB", "segment.max_age": "24h",
		"seal.quiet": "60s", "seal.keep": "24h", "archive.frame_bytes": "1MiB", "archive.level": "better",
		"index.ids": "false", "retention": "none", "executor.enabled": "true", "executor.jobs": strconv.Itoa(runtime.NumCPU()),
		"lease": "60s", "hxo.batch_size": "100", "hxo.max_rate": "1000", "hxo.queue_max": "2000000",
		"autotune.sample_rate": "0.1", "autotune.hotspot": "8s", "autotune.window": "256 results or 5m, at least 20",
		"autotune.queue_depth": "16", "autonomy": "builtin", "stage_slo": "120s", "truth": "builtin",
		"truth.timeout": "30s", "truth.outputs": "all", "policy.foreign_owned": "refuse", "gitops.hooks": "off",
		"gitops.on_gate_failure": "continue", "root": "..", "http": "127.0.0.1:7077", "origin": "stigmergy/BOARD_ID",
	}
	settings.Default().Each(func(name, value, origin string) {
		if want[name] != value || origin != "default" {
			t.Errorf("%s = %q from %s, want %q from default", name, value, origin, want[name])
		}
		delete(want, name)
	})
	for name := range want {
		t.Errorf("no setting %s", name)
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	yaml := "max_line: 2MiB\nsegment:\n  max_bytes: 256KiB\n  min_bytes: 4096\nlease: 30s\n"
	env := []string{"STIGMERGY_MAX_LINE=3MiB", "STIGMERGY_SEGMENT_MAX_BYTES=512KiB", "PATH=/bin"}
	s := load(t, yaml, env, map[string]string{"max_line": "4MiB"})
	for _, c := range []struct{ name, value, origin string }{
		{"max_line", "4MiB", "flag"},
		{"segment.max_bytes", "512KiB", "STIGMERGY_SEGMENT_MAX_BYTES"},
		{"segment.min_bytes", "4KiB", "stigmergy.yaml:4"},
		{"lease", "30s", "stigmergy.yaml:5"},
		{"durability", "process", "default"},
	} {
		if v, o, ok := s.Get(c.name); !ok || v != c.value || o != c.origin {
			t.Errorf("%s = %q from %q, want %q from %q", c.name, v, o, c.value, c.origin)
		}
	}
	if s.MaxLine != 4<<20 || s.SegmentMaxBytes != 512<<10 || s.Beat() != 7500*time.Millisecond {
		t.Errorf("typed values differ: %+v", s)
	}
}

func TestSeedsEnvironment(t *testing.T) {
	env := []string{"HXO_EVENT_BATCH_SIZE=50", "HXO_EVENT_MAX_RATE=200", "HXO_AUTOTUNE_SAMPLE_RATE=0.5"}
	s := load(t, "", env, nil)
	if s.HXOBatchSize != 50 || s.HXOMaxRate != 200 || s.AutotuneSampleRate != 0.5 {
		t.Errorf("got %d %d %g", s.HXOBatchSize, s.HXOMaxRate, s.AutotuneSampleRate)
	}
	s = load(t, "", append(env, "STIGMERGY_HXO_BATCH_SIZE=60"), nil)
	if _, origin, _ := s.Get("hxo.batch_size"); s.HXOBatchSize != 60 || origin != "STIGMERGY_HXO_BATCH_SIZE" {
		t.Errorf("our own name must win: %d from %s", s.HXOBatchSize, origin)
	}
}

func TestFaultsNamePlaceExpectedAndFound(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"segment:\n  max_byte: 1MiB\n", `stigmergy.yaml:2:3: segment.max_byte: expected the name of a setting, found "segment.max_byte"; did you mean segment.max_bytes?`},
		{"durability: fast\n", `stigmergy.yaml:1:1: durability: expected process or disk, found "fast"`},
		{"max_line: 1MB\n", `stigmergy.yaml:1:1: max_line: expected a size from 1KiB to 64MiB, in bytes or with KiB, MiB, GiB, found "1MB"`},
		{"\nlease: -5s\n", `stigmergy.yaml:2:1: lease: expected a duration from 1s to 24h, as 100ms, 60s, 24h, 7d, found "-5s"`},
		{"segment: 5\n", `stigmergy.yaml:1:1: segment: expected the name of a setting, found "segment"`},
		{"lease: 10s\nlease: 20s\n", `stigmergy.yaml:2:1: expected YAML, found mapping key "lease" already defined at [1:1]`},
		{"truth: outside\ntruth.timeout: 1s\ntruth: {}\n", `stigmergy.yaml:3:1: expected YAML, found mapping key "truth" already defined at [1:1]`},
		{"lease:\n", `stigmergy.yaml:1:1: lease: expected a duration from 1s to 24h, as 100ms, 60s, 24h, 7d, found nothing`},
		{"lease: [1]\n", `stigmergy.yaml:1:1: lease: expected a duration from 1s to 24h, as 100ms, 60s, 24h, 7d, found a list`},
		{"lease: &x 10s\n", `stigmergy.yaml:1:1: lease: expected a plain value, found an anchor, alias, tag or merge`},
		{"- a\n", `stigmergy.yaml:1:1: expected settings, as name: value, found a list`},
		{"roles: {admiral: {lanes: admiral}}\n", `stigmergy.yaml:1:9: roles.admiral: expected a list of names under lanes, found something else`},
		{"roles: {admiral: {lane: [admiral]}}\n", `stigmergy.yaml:1:9: roles.admiral: expected lanes, users or may, found "lane"`},
	} {
		_, faults := settings.Load([]byte(c.yaml), nil, nil)
		if len(faults) == 0 || faults[0].Error() != c.want {
			t.Errorf("%q\n got %v\nwant %s", c.yaml, faults, c.want)
		}
	}
	_, faults := settings.Load(nil, []string{"STIGMERGY_LEASE=soon"}, map[string]string{"leese": "1s"})
	if len(faults) != 2 || faults[0].Where() != "STIGMERGY_LEASE" || faults[1].Try != "did you mean lease?" {
		t.Errorf("got %v", faults)
	}
}

func TestDottedKeysNextToAScalarOfThatName(t *testing.T) {
	s := load(t, "truth: outside\ntruth.timeout: 5s\ntruth.outputs: sample\n", nil, nil)
	if s.Truth != "outside" || s.TruthTimeout != 5*time.Second || s.TruthOutputs != "sample" {
		t.Errorf("got %s %v %s", s.Truth, s.TruthTimeout, s.TruthOutputs)
	}
}

func TestReloadKeepsWhatWasValid(t *testing.T) {
	old := load(t, "lease: 10s\nmax_line: 2MiB\nroles: {a: {lanes: [x]}}\n", nil, nil)
	s, faults := settings.Reload(old, []byte("lease: never\nmax_line: 3MiB\nroles: 7\n"), nil, nil)
	if len(faults) != 2 || s.Lease != 10*time.Second || s.MaxLine != 3<<20 || len(s.Roles) != 1 {
		t.Errorf("faults %v lease %v max_line %d roles %v", faults, s.Lease, s.MaxLine, s.Roles)
	}
	if s, faults = settings.Reload(old, []byte("lease: [\n"), nil, nil); len(faults) == 0 || s != old {
		t.Errorf("a file that is no YAML must change nothing: %v", faults)
	}
}

func TestRolesAndSections(t *testing.T) {
	s := load(t, `roles:
  admiral:  {lanes: ["admiral"], users: [deploy, 1000], may: ["hxo.plan.**", "genesis.**"]}
  captain:  {lanes: ["captains/*"], may: []}
followup:
  - {on: gitops.batch, do: audit}
federation: {nats: {url: "nats://localhost", stream: shards}}
`, nil, nil)
	a := s.Roles["admiral"]
	if !slices.Equal(a.Lanes, []string{"admiral"}) || !slices.Equal(a.Users, []string{"deploy", "1000"}) || len(a.May) != 2 {
		t.Errorf("admiral %+v", a)
	}
	if got := string(s.Raw["followup"]); got != `[{"do":"audit","on":"gitops.batch"}]` {
		t.Errorf("followup %s", got)
	}
	if got := string(s.Raw["federation"]); got != `{"nats":{"stream":"shards","url":"nats://localhost"}}` {
		t.Errorf("federation %s", got)
	}
	if c := string(s.Canonical()); !strings.Contains(c, `"followup":[{"do":"audit"`) || strings.Contains(c, "nats") {
		t.Errorf("canonical %s", c)
	}
}

func TestCanonicalReadsBack(t *testing.T) {
	names := []string{"max_line", "lease", "hxo.batch_size", "autotune.sample_rate", "truth"}
	values := [][]string{{"1KiB", "65536", "3MiB"}, {"1s", "90s", "7h"}, {"1", "999"}, {"0", "0.25", "1"}, {"builtin", "outside"}}
	rapid.Check(t, func(t *rapid.T) {
		flags := map[string]string{}
		for i, n := range names {
			if rapid.Bool().Draw(t, "set "+n) {
				flags[n] = rapid.SampledFrom(values[i]).Draw(t, n)
			}
		}
		s, faults := settings.Load([]byte("roles: {a: {lanes: [x, \"y/*\"], may: [\"hxo.**\"]}}"), nil, flags)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		back, err := settings.FromCanonical(s.Canonical())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(back.Canonical(), s.Canonical()) {
			t.Fatalf("%s\n%s", back.Canonical(), s.Canonical())
		}
	})
}

func TestCanonicalIgnoresWhatTheFoldCannotSee(t *testing.T) {
	a := load(t, "", nil, nil).Canonical()
	b := load(t, "", nil, map[string]string{"durability": "disk", "http": "off", "archive.level": "best"}).Canonical()
	if !bytes.Equal(a, b) {
		t.Errorf("%s\n%s", a, b)
	}
	var m map[string]any
	if err := json.Unmarshal(a, &m); err != nil || m["max_line"] != "1MiB" {
		t.Errorf("%s: %v", a, err)
	}
	if _, err := settings.FromCanonical([]byte(`{"max_line":"1MiB","warp":"9"}`)); err == nil {
		t.Error("an unknown recorded setting must be refused")
	}
}

// What init writes says nothing, and says the defaults once its # are gone.
func TestTextIsTheTable(t *testing.T) {
	text := string(settings.Text())
	load(t, text, nil, nil).Each(func(name, value, origin string) {
		if origin != "default" {
			t.Errorf("%s is set by the commented text", name)
		}
	})
	head, _, _ := strings.Cut(text, "\n# Who may")
	var lines []string
	for _, l := range strings.Split(head, "\n") {
		if !strings.HasPrefix(l, "# ") {
			lines = append(lines, strings.TrimPrefix(l, "#"))
		}
	}
	got := load(t, strings.Join(lines, "\n"), nil, nil)
	settings.Default().Each(func(name, value, _ string) {
		if v, o, _ := got.Get(name); v != value || !strings.HasPrefix(o, "stigmergy.yaml:") {
			t.Errorf("%s = %q from %s, want %q", name, v, o, value)
		}
	})
	if !bytes.Equal(got.Canonical(), settings.Default().Canonical()) {
		t.Error("the text's values differ from the defaults")
	}
}

func TestSizesAndDurationsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(0, 1<<50).Draw(t, "bytes")
		if got, err := settings.ParseSize(settings.FormatSize(n)); err != nil || got != n {
			t.Fatalf("size %d came back as %d, %v", n, got, err)
		}
		d := time.Duration(rapid.Int64Range(0, int64(150*365*24*time.Hour)).Draw(t, "ns"))
		if rapid.Bool().Draw(t, "whole hours") {
			d = d.Truncate(time.Hour)
		}
		if got, err := settings.ParseDuration(settings.FormatDuration(d)); err != nil || got != d {
			t.Fatalf("duration %v came back as %v, %v", d, got, err)
		}
	})
	for in, want := range map[string]time.Duration{"7d": 168 * time.Hour, "1d12h": 36 * time.Hour, "1w": 168 * time.Hour, "1w1d": 192 * time.Hour} {
		if got, err := settings.ParseDuration(in); err != nil || got != want {
			t.Errorf("%s = %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "d", "-1d", "1x", "99999999999d", "1d-1h"} {
		if got, err := settings.ParseDuration(bad); err == nil {
			t.Errorf("%q read as %v", bad, got)
		}
	}
	for _, bad := range []string{"", "MiB", "-1", "1MB", "1e400GiB", "NaNKiB", "0.3", "1 2", "99999999999GiB"} {
		if got, err := settings.ParseSize(bad); err == nil {
			t.Errorf("%q read as %v", bad, got)
		}
	}
}

func TestRootAndOrigin(t *testing.T) {
	s := settings.Default()
	if got := s.Root("/srv/repo/board"); got != "/srv/repo" {
		t.Error(got)
	}
	if got := s.Origin("abc"); got != "stigmergy/abc" {
		t.Error(got)
	}
	if got := load(t, "root: /data\n", nil, nil).Root("/srv/board"); got != "/data" {
		t.Error(got)
	}
}

func TestStrange(t *testing.T) {
	got := settings.Strange([]string{"STIGMERGY_DURABILTY=disk", "STIGMERGY_BOARD=/x", "STIGMERGY_LANE=a", "STIGMERGY_LEASE=1s", "HOME=/"})
	if len(got) != 1 || got["STIGMERGY_DURABILTY"] != "STIGMERGY_DURABILITY" {
		t.Errorf("got %v", got)
	}
}

// Bytes that nobody sane wrote: no panic, no hang, and every fault has a place.
func FuzzYAML(f *testing.F) {
	f.Add([]byte("segment: {max_bytes: 64MiB}\nroles: {a: {lanes: [x]}}\n"))
	f.Add([]byte("a: &a [*a]\n<<: *a\n? k\n: v\n"))
	f.Add([]byte("- - - - -\n--- !!binary |\n x\n...\n"))
	f.Add(settings.Text())
	f.Fuzz(func(t *testing.T, text []byte) {
		s, faults := settings.Load(text, nil, nil)
		for _, fault := range faults {
			if fault.Line < 1 || fault.Error() == "" {
				t.Errorf("fault without a place: %+v", fault)
			}
		}
		if back, err := settings.FromCanonical(s.Canonical()); err != nil || !bytes.Equal(back.Canonical(), s.Canonical()) {
			t.Errorf("canonical does not read back: %v", err)
		}
	})
}

// Whoever may write to the board may write the settings: no text may hold a
// daemon up.
func TestLargeTextsAreRefusedSoon(t *testing.T) {
	var keys strings.Builder
	for i := 0; keys.Len() < 60<<10; i++ {
		keys.WriteString("key" + strconv.Itoa(i) + ": value\n")
	}
	for name, text := range map[string]string{
		"too large": strings.Repeat("#\n", 64<<10),
		"many keys": keys.String(),
		"a list":    strings.Repeat("- a\n", 15<<10),
		"a flow":    "a: [" + strings.Repeat("b,", 30<<10) + "]",
		"brackets":  strings.Repeat("[", 60<<10),
		"dashes":    strings.Repeat("- ", 30<<10),
	} {
		begun := time.Now()
		_, faults := settings.Load([]byte(text), nil, nil)
		if len(faults) == 0 || len(faults) > 101 {
			t.Errorf("%s: %d faults", name, len(faults))
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// TestRulesOfFollowup: a rule that cannot be used is told with its line; what a
// journal recorded is taken as it is; a running daemon keeps the rules it has.
func TestRulesOfFollowup(t *testing.T) {
	good := "followup:\n  - {on: gitops.batch, where: {outcome: committed}, do: audit}\n"
	old := load(t, good, nil, nil)
	for _, c := range []struct{ yaml, want string }{
		{"followup: audit\n", "stigmergy.yaml:1:1: followup: expected a list of rules"},
		{"followup: {on: gitops.batch}\n", "stigmergy.yaml:1:1: followup: expected a list of rules"},
		{good + "  - {on: build.done, do: audit}\n", "stigmergy.yaml:3:6: followup.1.on: expected one of [gitops.batch"},
		{good + "  - on: gitops.batch\n    do: shout\n", `stigmergy.yaml:4:5: followup.1.do: expected audit, rerun or escalate, found "shout"`},
		{good + "  - {on: gitops.batch, do: audit, when: now}\n", `stigmergy.yaml:3:35: followup.1.when: expected on, where, do, times or then, found "when"`},
		{good + "  - {on: gitops.batch, do: rerun, times: 1}\n", `followup.1.then: expected audit, rerun or escalate, found ""`},
		{good + "  - {on: 5, do: rerun}\n", "stigmergy.yaml:3:5: followup.1: expected a rule, as {on: "},
		{good + "  - {on: gitops.batch, where: [a], do: rerun}\n", "stigmergy.yaml:3:24: followup.1.where: expected fields"},
	} {
		s, faults := settings.Reload(old, []byte(c.yaml), nil, nil)
		if len(faults) != 1 || !strings.Contains(faults[0].Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.yaml, faults, c.want)
		}
		if !bytes.Equal(s.Raw["followup"], old.Raw["followup"]) {
			t.Errorf("%q: %s is in force", c.yaml, s.Raw["followup"])
		}
	}
	recorded := []byte(`{"followup":[{"on":"build.done","do":"shout"}]}`)
	if s, err := settings.FromCanonical(recorded); err != nil || !strings.Contains(string(s.Raw["followup"]), "shout") {
		t.Errorf("recorded rules: %v", err)
	}
}
