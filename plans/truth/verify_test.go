package truth_test

import (
	"bytes"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"stigmergy/blackboard"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/seal"
	"stigmergy/plans/truth"
)

func (b *board) verifier() *seal.Verifier {
	b.t.Helper()
	v, err := seal.ParseVerifier(b.key.Public())
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *board) check() *truth.Checked {
	b.t.Helper()
	c, err := b.read().Check(b.t.Context(), b.cas, []*seal.Verifier{b.verifier()})
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// Every flipped bit of every output is told, with the shard and the file; and
// every one of the lines that carry the claim, the samples and the certificate,
// where it changes what they say.
func TestEveryFlippedBitIsTold(t *testing.T) {
	b := newBoard(t, "", nil)
	b.submit(5)
	b.wait("hxo.aggregate.finalized", 1)
	b.stop()
	if c := b.check(); c.Verdict != blackboard.VerdictOK || c.Outputs != 5 || !c.Certified || len(c.Signers) != 1 {
		t.Fatalf("%+v", c)
	}
	tree := b.read().Last().Tree
	for i := range 5 {
		leaf := tree.Leaf(i)
		path := b.layout.Blob(leaf.Output)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for bit := 0; bit < 8*len(whole); bit += 7 {
			bad := bytes.Clone(whole)
			bad[bit/8] ^= 1 << (bit % 8)
			b.damage(leaf.Output, string(bad))
			c := b.check()
			if c.Verdict != blackboard.VerdictTampered || len(c.Findings) != 1 || !strings.Contains(c.Findings[0].Detail, leaf.Shard().String()) || !strings.HasSuffix(c.Findings[0].Path, leaf.Output[2:]) {
				t.Fatalf("bit %d of output %d: %+v", bit, i, c)
			}
		}
		b.damage(leaf.Output, string(whole))
	}
	if c := b.check(); c.Verdict != blackboard.VerdictOK {
		t.Fatalf("%+v", c)
	}
	b.damage(tree.Leaf(3).Output, "")
	if c := b.check(); c.Verdict != blackboard.VerdictTampered || !strings.Contains(c.Findings[0].Detail, "nothing in the store") {
		t.Fatalf("%+v", c)
	}
}

// Every character of what an event of the aggregate says counts.
func TestEveryChangedCertificateIsTold(t *testing.T) {
	b := newBoard(t, "", nil)
	b.submit(5)
	b.wait("hxo.aggregate.finalized", 1)
	b.stop()
	lane := b.layout.Lane("hxo")
	whole, err := os.ReadFile(lane)
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{"hxo.aggregate.ready", "hxo.aggregate.certify", "hxo.aggregate.finalized"} {
		at := bytes.Index(whole, []byte(`"type":"`+topic))
		from := at + bytes.Index(whole[at:], []byte(`"data":`)) + 8
		to := at + bytes.IndexByte(whole[at:], '\n')
		silent := 0
		for i := from; i < to; i += 1 + (to-from)/150 {
			changed := bytes.Clone(whole)
			changed[i] ^= 1
			if err := os.WriteFile(lane, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			p, err := truth.Board{Engine: b.engine, CAS: b.cas}.Read(t.Context(), planID)
			if err != nil {
				t.Fatal(err)
			}
			c, err := p.Check(t.Context(), b.cas, []*seal.Verifier{b.verifier()})
			if err != nil {
				t.Fatal(err)
			}
			if c.Verdict == blackboard.VerdictOK {
				silent++ // times, the keys' names of what is optional
			}
		}
		// What a certificate means does not hang on its timestamps; the
		// journal's root over the line does, which verify checks.
		if most := map[string]int{"hxo.aggregate.ready": 12, "hxo.aggregate.certify": 2, "hxo.aggregate.finalized": 40}[topic]; silent > most {
			t.Errorf("%s: %d changes were not told", topic, silent)
		}
		if err := os.WriteFile(lane, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A certificate that another key signed is no certificate, nor one of another
// plan, nor none.
func TestWhoseCertificate(t *testing.T) {
	b := newBoard(t, "", nil)
	b.submit(2)
	b.wait("hxo.aggregate.finalized", 1)
	other, err := seal.NewSigner(rand.Reader, "stigmergy/test")
	if err != nil {
		t.Fatal(err)
	}
	strange, err := seal.ParseVerifier(other.Public())
	if err != nil {
		t.Fatal(err)
	}
	p := b.read()
	if c, err := p.Check(t.Context(), b.cas, []*seal.Verifier{strange}); err != nil || c.Verdict != blackboard.VerdictTampered {
		t.Fatalf("%+v %v", c, err)
	}
	a := p.Last()
	if _, err := truth.CheckNote(a.Certificate.Checkpoint, strings.Replace(planID, "0f", "1f", 1), 2, a.Claimed, []*seal.Verifier{b.verifier()}); err == nil {
		t.Fatal("another plan's certificate was taken")
	}
	a.Certificate.Checkpoint = ""
	if c, err := p.Check(t.Context(), b.cas, []*seal.Verifier{b.verifier()}); err != nil || c.Verdict != blackboard.VerdictUnsigned {
		t.Fatalf("%+v %v", c, err)
	}
	a.Certificate = nil
	if c, err := p.Check(t.Context(), b.cas, nil); err != nil || c.Verdict != blackboard.VerdictUnsigned {
		t.Fatalf("%+v %v", c, err)
	}
}

// The daemon ends in the middle of every step of certification: there is one
// end for each attempt, and the right one.
func TestDaemonEndsInBetween(t *testing.T) {
	var mu sync.Mutex
	stops := map[string]bool{}
	ended := make(chan struct{}, 10)
	b := newBoard(t, "", func(b *board, e blackboard.Effect) {
		mu.Lock()
		first := !stops[e.Kind]
		stops[e.Kind] = true
		mu.Unlock()
		if e.Kind == certify.EffectCertify && first {
			b.damage(b.read().Last().Tree.Leaf(0).Output, "something else")
		}
		if first {
			ended <- struct{}{}
		}
	})
	b.submit(9)
	for range 2 { // in Truth's first look, and in the bisection
		<-ended
		b.stop()
		b.start()
	}
	b.wait("hxo.aggregate.finalized", 1)
	if b.count("hxo.aggregate.ready") != 2 || b.count("hxo.aggregate.failed") != 1 || b.count("hxo.aggregate.finalized") != 1 || b.count("hxo.shard.done") != 10 {
		t.Fatal("other events than expected")
	}
	if c := b.check(); c.Verdict != blackboard.VerdictOK {
		t.Fatalf("%+v", c)
	}
}

// A stranger's verifier of shard proofs, in another language, takes every good
// proof and refuses every bad one.
func TestStrangersVerifier(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	b := newBoard(t, "", nil)
	b.submit(5)
	b.wait("hxo.aggregate.finalized", 1)
	p := b.read()
	dir := t.TempDir()
	var args, bad []string
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for i := range 5 {
		leaf := p.Last().Tree.Leaf(i)
		proof, _, err := p.Prove(leaf.StageID, leaf.CASID)
		if err != nil {
			t.Fatal(err)
		}
		text := proof.Text()
		args = append(args, write(leaf.CASID, text))
		for at := 40; at < len(text); at += 61 {
			changed := bytes.Clone(text)
			if changed[at] ^= 1; changed[at] == '\n' || text[at] == '\n' {
				continue
			}
			if q, err := seal.ParseProof(changed); err == nil && bytes.Equal(q.Text(), text) {
				continue
			}
			bad = append(bad, write(leaf.CASID+"-"+string(rune('a'+at%26))+string(rune('a'+at/26%26)), changed))
		}
	}
	program, err := filepath.Abs("testdata/verify.py")
	if err != nil {
		t.Fatal(err)
	}
	key := b.verifier().String()
	run := func(files []string) string {
		out, err := exec.Command(python, append([]string{program, key}, files...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	if out := run(args); strings.Count(out, "ok ") != 5 {
		t.Fatalf("good proofs:\n%s", out)
	}
	out := run(bad)
	if strings.Count(out, "ok ") != 0 || strings.Count(out, "bad ") != len(bad) {
		t.Fatalf("%d bad proofs:\n%s", len(bad), out)
	}
	// Ours refuses the same ones.
	for _, path := range bad {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if q, err := seal.ParseProof(text); err == nil {
			if sp, err := certify.ParseShardProof(q.Extra); err == nil {
				if cp, err := seal.PeekCheckpoint(q.Checkpoint); err == nil {
					if leaf, err := sp.Of(cp.Origin); err == nil {
						if _, err := q.Check(leaf.Hash(), b.verifier()); err == nil {
							t.Errorf("%s was taken", path)
						}
					}
				}
			}
		}
	}
}
