package exemplars_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"stigmergy/contracts/exemplar"
	"stigmergy/exemplars"
)

// TestBuild: a packet is canonical, named by its hash, and keeps its name when
// it is spelt otherwise.
func TestBuild(t *testing.T) {
	packet, id, err := run(0, nil).Build()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(packet), "\n") || !strings.Contains(string(packet), `"exemplar_id":"`+id+`"`) || !strings.HasPrefix(string(packet), `{"answer_sha256"`) {
		t.Errorf("%s", packet)
	}
	respelt := "{\n \"exemplar_id\":\"" + id + "\", " + strings.ReplaceAll(strings.Replace(string(packet[1:]), `,"exemplar_id":"`+id+`"`, "", 1), "gitops", "\\u0067itops")
	again, _, err := exemplar.ID([]byte(respelt))
	if err != nil || again != id {
		t.Errorf("%s (%v), want %s: %s", again, err, id, respelt)
	}
	sealed, _, err := exemplar.Seal([]byte(respelt))
	if err != nil || string(sealed) != string(packet) {
		t.Errorf("%s (%v)", sealed, err)
	}
	if _, _, err := exemplar.Seal([]byte(strings.Replace(string(packet), `"ok"`, `"error"`, 1))); err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("a changed packet kept its name: %v", err)
	}
}

// TestShell: the pipelines of the package comments.
func TestShell(t *testing.T) {
	packet, id, err := run(0, nil).Build()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exec.LookPath("jq"); err == nil {
		cmd := exec.Command("sh", "-c", "jq -cSj 'del(.exemplar_id)' | sha256sum | cut -c1-64")
		cmd.Stdin = strings.NewReader(string(packet))
		if out, err := cmd.Output(); err != nil || strings.TrimSpace(string(out)) != id {
			t.Errorf("%s (%v), want %s", out, err, id)
		}
	}
	want := sha256.Sum256([]byte(`{"allowlist":["tools/a.sh"],"argv":["gitops","run"],"config":null}`))
	got, err := exemplars.PromptHash([]string{"gitops", "run"}, nil, []string{"tools/a.sh"})
	if err != nil || got != hex.EncodeToString(want[:]) {
		t.Errorf("%s (%v)", got, err)
	}
	if _, err := exemplars.PromptHash(nil, []byte("{'a':1}"), nil); err == nil {
		t.Error("a configuration that is no JSON was hashed")
	}
}

// TestBadPackets: what is wrong is told with its pointer.
func TestBadPackets(t *testing.T) {
	for pointer, change := range map[string]func(*exemplars.Packet){
		"/data/ts":                      func(p *exemplars.Packet) { p.TS = "yesterday" },
		"/data/scope":                   func(p *exemplars.Packet) { p.Scope = "" },
		"/data/outcome":                 func(p *exemplars.Packet) { p.Outcome = "committed" },
		"/data/prompt_sha256":           func(p *exemplars.Packet) { p.PromptSHA256 = "abc" },
		"/data/artifacts/exemplar_path": func(p *exemplars.Packet) { p.Artifacts.ExemplarPath = "" },
		"/data/source_hashes/0/sha256":  func(p *exemplars.Packet) { p.SourceHashes = []exemplars.SourceHash{{Path: "a", SHA256: "x"}} },
	} {
		_, _, err := run(0, change).Build()
		var r *exemplars.Refusal
		if !errors.As(err, &r) || len(r.Errors) != 1 || r.Errors[0].Pointer != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	for name, text := range map[string]string{
		"no object": `[]`, "no JSON": `{'a':1}`, "a key twice": `{"a":{"b":1,"b":2}}`, "the id twice": `{"exemplar_id":"","exemplar_id":""}`, "beyond doubles": `{"a":1e999}`,
	} {
		if _, _, err := exemplar.ID([]byte(text)); err == nil {
			t.Errorf("%s: named", name)
		}
	}
}
