package gitops_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts/seal"
	"stigmergy/gitops"
)

// fixtureRepo is the repository that the fixtures' runs were made in.
func fixtureRepo(t *testing.T) gitops.VerifyOptions {
	t.Helper()
	r := newTree(t)
	dir := filepath.Join(t.TempDir(), "clone")
	bundle, err := filepath.Abs("../fixtures/gitops/repo.bundle")
	must(t, err)
	cmd := exec.Command("git", "clone", "-q", bundle, dir)
	cmd.Env = r.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	text, err := os.ReadFile("../fixtures/gitops/vkey")
	must(t, err)
	key, err := seal.ParseVerifier(string(text))
	must(t, err)
	return gitops.VerifyOptions{Repo: dir, Environ: r.env, Signature: func(_ string, signed, sig []byte) error { return key.VerifyBytes(signed, sig) }}
}

// TestFixtures replays bundles of every shape, made by earlier builds: what a
// bundle is does not drift.
func TestFixtures(t *testing.T) {
	opt := fixtureRepo(t)
	for name, want := range map[string]string{
		"ok":      "contract:ok finished:ok layout:ok checksums:ok files:ok exemplar:ok attestation:ok commits:ok rails:ok plan:ok",
		"partial": "contract:ok finished:ok layout:ok checksums:ok files:ok exemplar:ok attestation:ok commits:ok rails:ok plan:ok",
		"pushed":  "contract:ok finished:ok layout:ok checksums:ok files:ok exemplar:ok attestation:ok commits:ok rails:ok plan:ok",
		"dry-run": "contract:ok finished:ok layout:ok checksums:ok files:ok exemplar:ok attestation:ok commits:ok rails:ok plan:unchecked",
		"error":   "contract:ok finished:ok layout:ok checksums:ok files:ok exemplar:ok attestation:ok commits:ok rails:ok plan:unchecked",
		"origin":  "contract:ok finished:ok layout:ok checksums:unchecked files:unchecked exemplar:unchecked attestation:unchecked commits:ok rails:ok plan:unchecked",
		"damaged": "contract:ok finished:ok layout:ok checksums:failed files:failed exemplar:ok attestation:ok commits:ok rails:ok plan:ok",
	} {
		list, err := gitops.Bundles(filepath.Join("../fixtures/gitops", name))
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("%s: %d bundles", name, len(list))
		}
		v, err := gitops.Replay(t.Context(), list[0], opt)
		must(t, err)
		var got []string
		for _, f := range v.Findings {
			got = append(got, f.Check+":"+f.Result)
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s\ngot  %s\nwant %s\n%+v", name, s, want, v.Findings)
		}
		if v.OK != (name != "damaged") {
			t.Errorf("%s: ok is %v", name, v.OK)
		}
	}
}

// TestEveryFileCounts: a byte flipped anywhere in a bundle is found, a file
// too many and one too few too.
func TestEveryFileCounts(t *testing.T) {
	opt := fixtureRepo(t)
	list, err := gitops.Bundles("../fixtures/gitops/ok")
	must(t, err)
	dir := filepath.Join(t.TempDir(), filepath.Base(list[0]))
	must(t, os.CopyFS(dir, os.DirFS(list[0])))
	good := func() bool {
		v, err := gitops.Verify(dir, opt)
		return err == nil && v.OK
	}
	if !good() {
		t.Fatal("the copy does not verify")
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		must(t, err, os.Chmod(path, 0o644))
		step := max(1, len(text)/9)
		for at := 0; at < len(text); at += step {
			bad := append([]byte{}, text...)
			bad[at] ^= 1
			must(t, os.WriteFile(path, bad, 0o644))
			if good() {
				t.Errorf("%s: byte %d flipped, and it verifies", e.Name(), at)
			}
		}
		must(t, os.Remove(path))
		if good() {
			t.Errorf("%s is missing, and it verifies", e.Name())
		}
		must(t, os.WriteFile(path, text, 0o644))
	}
	must(t, os.WriteFile(filepath.Join(dir, "more"), nil, 0o644))
	if good() {
		t.Error("a file too many, and it verifies")
	}
	for _, f := range []string{"more"} {
		must(t, os.Remove(filepath.Join(dir, f)))
	}
	opt.Signature = func(string, []byte, []byte) error { return os.ErrInvalid }
	if good() {
		t.Error("a wrong signature, and it verifies")
	}
}

// TestBadInput: what cannot be read is told with line and pointer.
func TestBadInput(t *testing.T) {
	for text, want := range map[string]string{
		"":                               ":1:1: expected JSON, found the end of the file",
		"{\n \"batches\": [\n  {]\n":     ":3:",
		`{"batches":[{"batch_id":"a"}]}`: ":1:13: /batches/0",
		"{\"batches\":\n[{\"batch_id\":\"a\",\"paths\":[1]}]}":                            ":2:27: /batches/0/paths/0: expected a string",
		`{"batches":[{"batch_id":"a","paths":["x"],"type":"new"}]}`:                       "/batches/0/type: expected",
		`{"batches":[],"batches":[]}`:                                                     "/batches: expected each name once",
		`{"batches":[{"batch_id":"a","paths":["x"]},{"batch_id":"a","paths":["y"]}]}`:     "/batches/1: expected a batch_id of its own",
		`{"batches":[{"batch_id":"a","paths":["x"]},{"batch_id":"b","paths":["y","x"]}]}`: "/batches/1/paths/1: expected a path that one batch takes",
		`{"batches":[{"batch_id":"a","paths":["x"]},{"batch_id":"b","paths":["x/y"]}]}`:   "/batches/1/paths/0",
		`{"batches":[],"gates":[{"gate_id":"g","argv":["x"],"timeout":"5 minutes"}]}`:     "/gates/0/timeout",
		`{"batches":[],"gates":[{"gate_id":"g","argv":["x"],"timeout":"0s"}]}`:            "/gates/0/timeout: expected a duration",
		`{"batches":[],"gates":[{"gate_id":"secrets","argv":["x"]}]}`:                     "/gates/0/gate_id: expected an id of its own",
		`{"batches":[],"scope":"../x"}`:                                                   "/scope",
		`{"batches":[],"gates":[{"gate_id":"g","argv":[]}]}`:                              "/gates/0/argv",
		`{"batches":[]} x`: ": expected nothing after the value",
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100): "at most 64 levels",
	} {
		_, _, err := gitops.ReadConfig("b.json", []byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nsays %v\nwant %s", text, err, want)
		}
	}
	if _, _, err := gitops.ReadReceipt("r", []byte("{\n\"contract\":\"gitops_receipt.v1\"}")); err == nil || !strings.Contains(err.Error(), "r:1:1: /") {
		t.Errorf("a receipt: %v", err)
	}
	if _, _, err := gitops.ReadReceipt("r", []byte(`{"x":1}`)); err == nil || !strings.Contains(err.Error(), "/run_id") {
		t.Errorf("no receipt: %v", err)
	}
}

// FuzzConfig: any bytes are read or refused with a place, never a panic.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"version":1,"batches":[{"id":"a","type":"untracked","paths":["x/**","[a-z]?\\*"],"allow":["x"]}]}`))
	f.Add([]byte(`{"batches":[{"batch_id":"-x","paths":["../y"]}],"gates":[{"gate_id":"g","argv":["a"],"timeout":"1s"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, refusal, err := gitops.ReadConfig("f", text)
		if (c == nil) != (err != nil) {
			t.Fatalf("config %v, error %v", c, err)
		}
		if err != nil && err.Error() == "" || refusal != nil && refusal.Pointer == "" {
			t.Fatal("a fault without a place")
		}
		_, _, _ = gitops.ReadReceipt("f", text)
	})
}
