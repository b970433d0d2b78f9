package oracle

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTruth(t *testing.T) {
	all := []string{event(1), event(2), event(3), event(4), `{"type":"a.b"}`}
	bad := []string{`{"type":"build.done",}`}
	for _, tc := range []struct {
		name      string
		good, bad []string
		rule      string
	}{
		{"as it is", all, bad, ""},
		{"one lost", append(all[:5:5], event(5)), bad, "I1"},
		{"one lost of two equal ones", append(all[:5:5], event(4)), bad, "I1"},
		{"one that nobody wrote", all[1:], bad, "I3"},
		{"a bad one lost", all, append(bad, `{"type":`), "I1"},
		{"a good one refused", append(all[:5:5], bad...), nil, "I4"},
		{"a bad one taken", all[:4], append(bad, `{"type":"a.b"}`), "I4"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := good(t)
			found, _, err := Check(m.dir, options(truthDir(t, tc.good, tc.bad)))
			if err != nil {
				t.Fatal(err)
			}
			if tc.rule == "" && len(found) > 0 || tc.rule != "" && (len(found) == 0 || found[0].Rule != tc.rule) {
				t.Fatalf("expected %q, found %v", tc.rule, found)
			}
		})
	}
}

func TestTruthTwice(t *testing.T) {
	m := newMini(t)
	m.input("a", 1, event(1), event(1), event(2))
	m.done()
	found, _, err := Check(m.dir, options(truthDir(t, []string{event(1), event(2)}, nil)))
	if err != nil || len(found) != 1 || found[0].Rule != "I2" {
		t.Fatalf("expected I2, found %v, %v", found, err)
	}
}

// TestTorn: a writer died inside a line, and the next one's line stands glued
// to what it left.
func TestTorn(t *testing.T) {
	m := newMini(t)
	torn := event(1)[:20] + event(2)
	seq := m.input("a", 1, torn, event(3))
	m.refuse("a", 1, 0, seq, torn, "not_json")
	m.done()
	truth := truthDir(t, []string{event(2), event(3)}, nil)
	check := func() []Finding {
		found, _, err := Check(m.dir, options(truth))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := check(); len(found) == 0 {
		t.Fatal("a line that nobody wrote was not found")
	}
	if err := os.MkdirAll(filepath.Join(truth, "tried"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(truth, "tried", "w2.jsonl"), []byte(event(1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if found := check(); len(found) > 0 {
		t.Fatal(found)
	}
}

// TestTornToNULs: power left a file's size and took the end of its last line.
func TestTornToNULs(t *testing.T) {
	m := newMini(t)
	torn := event(1)[:20] + "\x00\x00\x00"
	seq := m.input("a", 1, torn, event(3))
	m.refuse("a", 1, 0, seq, torn, "not_json")
	m.done()
	truth := truthDir(t, []string{event(3)}, nil)
	for _, tried := range []bool{false, true} {
		if tried {
			if err := os.MkdirAll(filepath.Join(truth, "tried"), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(truth, "tried", "w2.jsonl"), []byte(event(1)), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		found, _, err := Check(m.dir, options(truth))
		if err != nil || (len(found) == 0) != tried {
			t.Fatalf("the line was tried: %v; found %v, %v", tried, found, err)
		}
	}
}

func TestNoTruth(t *testing.T) {
	if _, _, err := Check(good(t).dir, options(t.TempDir())); err == nil || !strings.Contains(err.Error(), "holds no line") {
		t.Fatalf("an empty truth proves nothing, and was taken: %v", err)
	}
}

func TestNoBoard(t *testing.T) {
	if _, _, err := Check(t.TempDir(), Options{}); err == nil {
		t.Fatal("a folder that is no board was judged")
	}
}

func TestHash(t *testing.T) {
	m := good(t)
	hash := func() string {
		sum, err := Hash(m.dir)
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	before := hash()
	m.file(".stigmergy/lock", "1234")
	m.file(".stigmergy/log/daemon.log", "ready")
	if hash() != before {
		t.Fatal("the lock and the daemon's diary were counted")
	}
	m.file("empty.jsonl", "")
	if hash() == before {
		t.Fatal("a new file was not seen")
	}
}

func TestDerived(t *testing.T) {
	lines, err := Derived(good(t).dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 4 {
		t.Fatalf("expected 4 derived lines, found %q", lines)
	}
	for _, l := range lines {
		for _, word := range []string{"@1:", "2026-01-29", `"id"`} {
			if strings.Contains(l, word) {
				t.Errorf("%s holds %s, which depends on the run", l, word)
			}
		}
	}
}
