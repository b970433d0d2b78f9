package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// The stanza is put in once, wherever it stood, and all else stays.
func TestStanzaKeepsOtherText(t *testing.T) {
	ours := stanza("board")
	rapid.Check(t, func(rt *rapid.T) {
		before := rapid.StringMatching(`(#? ?[A-Za-z ]{0,12}\n?){0,4}`).Draw(rt, "before")
		once := withStanza([]byte(before), ours)
		if !bytes.Contains(once, ours) || !bytes.HasPrefix(once, []byte(strings.TrimRight(before, "\n"))) {
			rt.Fatalf("%q became %q", before, once)
		}
		if again := withStanza(once, ours); !bytes.Equal(again, once) {
			rt.Fatalf("the second time changed it:\n%q\n%q", once, again)
		}
		after := rapid.StringMatching(`\n[A-Za-z \n]{0,20}`).Draw(rt, "after")
		moved := withStanza(append(bytes.Clone(once), after...), stanza("elsewhere"))
		if bytes.Count(moved, []byte(stanzaBegin)) != 1 || !bytes.Contains(moved, []byte("elsewhere/")) || !bytes.HasSuffix(moved, []byte(after)) {
			rt.Fatalf("with other text behind it: %q", moved)
		}
	})
}

func TestStanzaWithoutItsEndIsLeftAlone(t *testing.T) {
	text := []byte("a\n" + stanzaBegin + "\nsomebody cut the rest")
	got := withStanza(text, stanza("board"))
	if !bytes.HasPrefix(got, text) || !bytes.HasSuffix(got, stanza("board")) {
		t.Errorf("%q", got)
	}
}

func TestInitThroughALinkAndModes(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "CLAUDE.md")
	must(t, os.WriteFile(real, []byte("ours\n"), 0o600))
	must(t, os.Symlink("CLAUDE.md", filepath.Join(dir, "AGENTS.md")))
	a, _ := testApp(t, "json", false)
	l, made, err := makeBoard(a, filepath.Join(dir, "board"))
	if err != nil || !made {
		t.Fatalf("made %v, %v", made, err)
	}
	if fi, err := os.Lstat(filepath.Join(dir, "AGENTS.md")); err != nil || fi.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if fi, err := os.Stat(real); err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("the mode changed: %v %v", fi.Mode(), err)
	}
	if fi, err := os.Stat(l.Private("keys")); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("keys are open to others: %v %v", fi.Mode(), err)
	}
}

func TestInitKeepsSettings(t *testing.T) {
	b := onBoard(t)
	must(t, os.WriteFile(b.l.Settings(), []byte("lease: 5s\n"), 0o644))
	var out map[string]any
	must(t, json.Unmarshal([]byte(b.run("init", "-o", "json")), &out))
	if out["made"] != false || out["board"] != b.l.Dir {
		t.Errorf("%v", out)
	}
	if raw, err := os.ReadFile(b.l.Settings()); err != nil || string(raw) != "lease: 5s\n" {
		t.Errorf("settings were written over: %q %v", raw, err)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"": "''", "plain/path.jsonl": "plain/path.jsonl", "two words": "'two words'", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'", "-rf": "-rf",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("%q is %s, want %s", in, got, want)
		}
	}
}
