package cli

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"stigmergy/contracts/merkle"
	"stigmergy/contracts/seal"
)

// witness is a small C2SP tlog-witness: it remembers the last checkpoint and
// cosigns only what continues it.
type witness struct {
	mu   sync.Mutex
	key  *seal.Cosigner
	log  *seal.Verifier
	last seal.Checkpoint
}

func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	head, note, _ := strings.Cut(string(body), "\n\n")
	lines := strings.Split(head, "\n")
	c, o, err := seal.OpenCheckpoint([]byte(note), w.log)
	if err != nil {
		http.Error(out, err.Error(), http.StatusForbidden)
		return
	}
	if lines[0] != fmt.Sprintf("old %d", w.last.Size) {
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", w.last.Size)
		return
	}
	var proof []merkle.Hash
	for _, l := range lines[1:] {
		b, _ := base64.StdEncoding.DecodeString(l)
		proof = append(proof, merkle.Hash(b))
	}
	old := w.last.Root
	if w.last.Size == 0 {
		old = merkle.Empty()
	}
	if merkle.CheckConsistency(w.last.Size, c.Size, proof, old, c.Root) != nil {
		http.Error(out, "no continuation", http.StatusUnprocessableEntity)
		return
	}
	w.last = c
	_, _ = io.WriteString(out, w.key.Cosign(o.Text, 1700000000))
}

func TestCosign(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	key, err := seal.NewCosigner("witness.example/w1", bytes.Repeat([]byte{7}, 32))
	must(t, err)
	log, err := seal.ParseVerifier(b.run("certify", "key"))
	must(t, err)
	w := &witness{key: key, log: log}
	srv := httptest.NewServer(w)
	defer srv.Close()
	vkey, err := seal.ParseVerifier(key.Public())
	must(t, err)
	for range 2 { // the second one with a proof of consistency, after 409
		note := b.run("certify", "cosign", srv.URL, "--witness", key.Public())
		_, o, err := seal.OpenCheckpoint([]byte(note), log, vkey)
		if err != nil || !o.By(vkey) {
			t.Fatalf("%v: %s", err, note)
		}
		b.append("ci", `{"type":"a.b"}`+"\n")
		b.run("up", "--once")
	}
	if w.last.Size == 0 {
		t.Fatal("the witness saw nothing")
	}
	// What is under a cosigned checkpoint is proved under that.
	proof, err := seal.ParseProof([]byte(b.run("prove", "ci@1:0")))
	must(t, err)
	if c, o, err := seal.OpenCheckpoint(proof.Checkpoint, log, vkey); err != nil || !o.By(vkey) || c.Size != w.last.Size {
		t.Fatalf("the proof carries no witness's word: %v: %s", err, proof.Checkpoint)
	}
	proof, err = seal.ParseProof([]byte(b.run("prove", "ci@1:30")))
	must(t, err)
	if c, o, err := seal.OpenCheckpoint(proof.Checkpoint, log, vkey); err != nil || o.By(vkey) || c.Size <= w.last.Size {
		t.Fatalf("a line that no witness saw: %v: %s", err, proof.Checkpoint)
	}
}

// TestCosignedByTwo: each witness's word is kept once, beside the others', and an
// older board is told by it.
func TestCosignedByTwo(t *testing.T) {
	b := onBoard(t)
	b.append("ci", `{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	log, err := seal.ParseVerifier(b.run("certify", "key"))
	must(t, err)
	old := t.TempDir() + "/old"
	must(t, os.CopyFS(old, os.DirFS(b.l.Dir)))
	b.append("ci", `{"type":"a.b"}`+"\n")
	b.run("up", "--once")
	var note string
	for _, i := range []byte{1, 2, 1} {
		key, err := seal.NewCosigner(fmt.Sprintf("witness.example/w%d", i), bytes.Repeat([]byte{i}, 32))
		must(t, err)
		srv := httptest.NewServer(&witness{key: key, log: log})
		note = b.run("certify", "cosign", srv.URL, "--witness", key.Public())
		srv.Close()
	}
	if n := strings.Count(note, "\n— "); n != 3 || strings.Count(note, "/w1 ") != 1 {
		t.Fatalf("%d signatures: %s", n, note)
	}
	must(t, os.CopyFS(old+"/.stigmergy/cosigned", os.DirFS(b.l.Dir+"/.stigmergy/cosigned")))
	older := *b
	older.l.Dir = old
	if out, errs, code := older.try("", "verify", "-o", "text"); code != 1 || !strings.HasPrefix(out, "rolled_back: ") {
		t.Fatal(code, out, errs)
	}
}
