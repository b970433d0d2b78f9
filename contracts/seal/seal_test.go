package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"pgregory.net/rapid"

	"stigmergy/contracts"
	"stigmergy/contracts/merkle"
)

// seed makes keys that are the same in every run.
type seed byte

func (s seed) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(s) + byte(i)
	}
	return len(b), nil
}

func signer(t testing.TB, name string, s seed) (*Signer, *Verifier) {
	t.Helper()
	k, err := NewSigner(s, name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ParseVerifier(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, v
}

func leaves(n int) (text [][]byte, hashes []merkle.Hash) {
	for i := range n {
		text = append(text, []byte(fmt.Sprintf("leaf %d", i)))
		hashes = append(hashes, merkle.LeafHash(text[i]))
	}
	return text, hashes
}

func TestCheckpointIsANoteThatOthersRead(t *testing.T) {
	k, v := signer(t, "stigmergy/x", 1)
	_, hs := leaves(5)
	want := Checkpoint{"stigmergy/x", 5, merkle.RootOf(hs)}
	signed, err := want.Sign(k)
	if err != nil {
		t.Fatal(err)
	}
	other, err := note.NewVerifier(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	n, err := note.Open(signed, note.VerifierList(other))
	if err != nil || n.Text != want.Text() {
		t.Fatalf("x/mod reads %v: %v", n, err)
	}
	got, o, err := OpenCheckpoint(signed, v, v)
	if err != nil || got != want || !o.By(v) || o.Unknown != 0 {
		t.Fatalf("%v %v %v", got, o, err)
	}
	if again, err := ParseSigner(k.Secret()); err != nil || again.Public() != k.Public() {
		t.Errorf("the secret comes back as %v: %v", again, err)
	}
	if strings.Contains(fmt.Sprint(k), k.Secret()) {
		t.Error("a key prints itself")
	}
}

func TestOriginIsTheKeysName(t *testing.T) {
	k, v := signer(t, "stigmergy/x", 1)
	for origin, ok := range map[string]bool{"stigmergy/x": true, "stigmergy/x/plan/1": true, "stigmergy/xy": false, "stigmergy": false, "other": false} {
		c := Checkpoint{Origin: origin, Root: merkle.Empty()}
		if _, err := c.Sign(k); (err == nil) != ok {
			t.Errorf("signing %s: %v", origin, err)
		}
		signed, err := Sign(c.Text(), k)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenCheckpoint(signed, v); (err == nil) != ok {
			t.Errorf("opening %s: %v", origin, err)
		}
	}
}

func TestWrongKeysAndDamageAreToldApart(t *testing.T) {
	k, v := signer(t, "stigmergy/x", 1)
	_, w := signer(t, "stigmergy/x", 2)
	c := Checkpoint{"stigmergy/x", 1, merkle.LeafHash(nil)}
	signed, _ := c.Sign(k)
	if _, _, err := OpenCheckpoint(signed, w); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, _, err := OpenCheckpoint(signed); !errors.Is(err, ErrSignature) {
		t.Errorf("no key: %v", err)
	}
	for i := range signed {
		for bit := range 8 {
			bad := bytes.Clone(signed)
			bad[i] ^= 1 << bit
			if got, _, err := OpenCheckpoint(bad, v); err == nil {
				t.Fatalf("byte %d, bit %d flipped: opens as %v", i, bit, got)
			}
		}
	}
	for i := range signed {
		if _, _, err := OpenCheckpoint(signed[:i], v); err == nil {
			t.Fatalf("cut at %d: opens", i)
		}
	}
}

func TestTwoKeysSignOneSize(t *testing.T) {
	a, va := signer(t, "stigmergy/x", 1)
	b, vb := signer(t, "stigmergy/x", 2)
	c := Checkpoint{"stigmergy/x", 0, merkle.Empty()}
	signed, err := c.Sign(a, b)
	if err != nil {
		t.Fatal(err)
	}
	for _, keys := range [][]*Verifier{{va}, {vb}, {va, vb}} {
		_, o, err := OpenCheckpoint(signed, keys...)
		if err != nil || len(o.Signed) != len(keys) || o.Unknown != 2-len(keys) {
			t.Errorf("%v: %v %v", keys, o, err)
		}
	}
}

func TestStrictCheckpointTexts(t *testing.T) {
	good := Checkpoint{"o", 10, merkle.Empty()}.Text()
	if _, err := ParseCheckpoint(good); err != nil {
		t.Fatal(err)
	}
	root := strings.Split(good, "\n")[2]
	for _, bad := range []string{
		"", "o\n", "o\n10\n" + root, "\n10\n" + root + "\n", "o\n010\n" + root + "\n", "o\n+10\n" + root + "\n", "o\n-1\n" + root + "\n",
		"o\n10\n" + root + "\nmore\n", "o\n10\n" + root + "\n\n", "o\n10\nAAAA\n", "o\n10\n" + strings.TrimRight(root, "=") + "\n", "o\n9223372036854775808\n" + root + "\n",
		"o\n10\n" + merkle.Empty().String() + "\n", "o\n1e1\n" + root + "\n",
	} {
		if c, err := ParseCheckpoint(bad); err == nil {
			t.Errorf("%q reads as %v", bad, c)
		}
	}
}

func TestWitness(t *testing.T) {
	k, v := signer(t, "stigmergy/x", 1)
	w, err := NewCosigner("witness.example/w1", bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	wv, err := ParseVerifier(w.Public())
	if err != nil || !wv.Witness() || v.Witness() {
		t.Fatalf("%v %v", wv, err)
	}
	c := Checkpoint{"stigmergy/x", 3, merkle.LeafHash([]byte("x"))}
	signed, _ := c.Sign(k)
	both := append(bytes.Clone(signed), w.Cosign(c.Text(), 1700000000)...)
	got, o, err := OpenCheckpoint(both, v, wv)
	if err != nil || got != c || !o.By(wv) {
		t.Fatalf("%v %v %v", got, o, err)
	}
	if at, ok := CosignedAt(o.Sigs[1]); !ok || at != 1700000000 {
		t.Errorf("time %d %v", at, ok)
	}
	if _, _, err := OpenCheckpoint(both, wv); err == nil {
		t.Error("a witness's word alone passes for the log's")
	}
	wrong := append(bytes.Clone(signed), w.Cosign("other\n", 1)...)
	if _, _, err := OpenCheckpoint(wrong, v, wv); !errors.Is(err, ErrSignature) {
		t.Errorf("a cosignature of something else: %v", err)
	}
	for _, bad := range []string{"", "a+b", "a b+00000000+BAAA", w.Public() + "A", strings.Replace(w.Public(), "w1", "w2", 1), "x+00000000+" + strings.Split(k.Public(), "+")[2]} {
		if _, err := ParseVerifier(bad); err == nil {
			t.Errorf("%q reads as a key", bad)
		}
	}
	if _, err := NewCosigner("w", nil); err == nil {
		t.Error("a witness without a key")
	}
}

func TestProofs(t *testing.T) {
	k, v := signer(t, "stigmergy/x", 1)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 70).Draw(t, "n")
		i := rapid.IntRange(0, n-1).Draw(t, "i")
		text, hs := leaves(n)
		tree := merkle.LevelsOf(hs)
		signed, _ := Checkpoint{"stigmergy/x", uint64(n), tree.Root()}.Sign(k)
		path, err := merkle.ProveInclusion(uint64(i), uint64(n), tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		p := &Proof{Extra: rapid.SliceOf(rapid.Byte()).Draw(t, "extra"), Index: uint64(i), Path: path, Checkpoint: signed}
		if len(p.Extra) == 0 {
			p.Extra = nil
		}
		back, err := ParseProof(p.Text())
		if err != nil || !bytes.Equal(back.Text(), p.Text()) || !bytes.Equal(back.Extra, p.Extra) {
			t.Fatalf("%v: %s", err, p.Text())
		}
		if _, err := back.Check(merkle.LeafHash(text[i]), v); err != nil {
			t.Fatal(err)
		}
		if n > 1 {
			if _, err := back.Check(merkle.LeafHash(text[(i+1)%n]), v); !errors.Is(err, merkle.ErrProof) {
				t.Fatalf("another leaf: %v", err)
			}
		}
	})
}

func lineProof(t testing.TB) (*Proof, *Verifier, *LineProof) {
	k, v := signer(t, "stigmergy/x", 1)
	lines, hs := leaves(3)
	batch := merkle.LevelsOf(hs)
	entry := []byte(fmt.Sprintf(`{"seq":1,"time":"2026-01-29T02:31:13.000000000Z","elapsed_ms":0,"lane":"ci","segment":1,"from":0,"to":21,"lines":3,"root":"%s"}`, batch.Root()))
	path, _ := merkle.ProveInclusion(1, 3, batch.Node)
	lp := NewLineProof(contracts.Position{Lane: "ci", Segment: 1, Offset: 7}, entry, lines[1], 1, 3, path)
	log := merkle.LevelsOf([]merkle.Hash{merkle.LeafHash([]byte("open")), merkle.LeafHash(entry)})
	up, _ := merkle.ProveInclusion(1, 2, log.Node)
	signed, _ := Checkpoint{"stigmergy/x", 2, log.Root()}.Sign(k)
	return &Proof{Extra: lp.JSON(), Index: 1, Path: up, Checkpoint: signed}, v, lp
}

// checkLine is the two steps of a line's proof.
func checkLine(text []byte, v *Verifier) error {
	p, err := ParseProof(text)
	if err != nil {
		return err
	}
	lp, err := ParseLineProof(p.Extra)
	if err != nil {
		return err
	}
	if _, err := p.Check(lp.EntryLeaf(), v); err != nil {
		return err
	}
	return lp.Check(p.Index, nil)
}

func TestLineProof(t *testing.T) {
	p, v, lp := lineProof(t)
	if err := checkLine(p.Text(), v); err != nil {
		t.Fatal(err)
	}
	if b, ok := lp.Bytes(); !ok || string(b) != "leaf 1" {
		t.Errorf("the line is %q", b)
	}
	for what, change := range map[string]func(*LineProof){
		"another line":     func(l *LineProof) { s := "leaf 2"; l.Line = &s },
		"another index":    func(l *LineProof) { l.Index = 2 },
		"another lane":     func(l *LineProof) { l.Position = "cj@1:7" },
		"another segment":  func(l *LineProof) { l.Position = "ci@2:7" },
		"beyond the range": func(l *LineProof) { l.Position = "ci@1:21" },
		"fewer lines":      func(l *LineProof) { l.Lines = 2 },
		"upper case":       func(l *LineProof) { l.Path[0] = strings.ToUpper(l.Path[0]) },
		"a trailing hash":  func(l *LineProof) { l.Path = append(l.Path, l.Leaf) },
		"another entry":    func(l *LineProof) { l.Entry = strings.Replace(l.Entry, `"to":21`, `"to":22`, 1) },
		"another offset":   func(l *LineProof) { l.Position = "ci@1:8" },
		"no line":          func(l *LineProof) { l.Line = nil },
		"a node as a leaf": func(l *LineProof) { l.Leaf, l.Path = l.Path[0], l.Path[1:] },
	} {
		_, _, l := lineProof(t)
		change(l)
		q := *p
		q.Extra = l.JSON()
		if err := checkLine(q.Text(), v); err == nil {
			t.Errorf("%s: holds", what)
		}
	}
	raw := NewLineProof(contracts.Position{Lane: "ci", Segment: 1}, nil, []byte{0xff, '\r'}, 0, 1, nil)
	if b, ok := raw.Bytes(); !ok || string(b) != "\xff\r" || raw.Line != nil {
		t.Errorf("bytes that are no text come back as %q", b)
	}
	long := NewLineProof(contracts.Position{Lane: "ci", Segment: 1}, nil, make([]byte, maxLine+1), 0, 1, nil)
	if _, ok := long.Bytes(); ok {
		t.Error("a line beyond the limit stands in its proof")
	}
}

// TestEveryFlippedBitOfAProof: whatever is changed, it no longer holds.
func TestEveryFlippedBitOfAProof(t *testing.T) {
	p, v, _ := lineProof(t)
	text := p.Text()
	for i := range text {
		for bit := range 8 {
			bad := bytes.Clone(text)
			bad[i] ^= 1 << bit
			if err := checkLine(bad, v); err == nil {
				t.Fatalf("byte %d, bit %d flipped: holds: %s", i, bit, bad)
			}
		}
	}
}

// TestRoomForALine: an offset at which the lines before and behind would not
// fit is refused, whatever its sum says.
func TestRoomForALine(t *testing.T) {
	hs := []merkle.Hash{merkle.LeafHash(nil), merkle.LeafHash([]byte("ab")), merkle.LeafHash([]byte("c"))}
	tree := merkle.LevelsOf(hs)
	entry := []byte(fmt.Sprintf(`{"seq":1,"lane":"ci","segment":1,"from":5,"to":11,"lines":3,"root":"%s"}`, tree.Root()))
	for _, c := range []struct {
		index, at int64
		line      string
		ok        bool
	}{
		{0, 5, "", true}, {0, 6, "", false},
		{1, 5, "ab", false}, {1, 6, "ab", true}, {1, 7, "ab", true}, {1, 8, "ab", false},
		{2, 8, "c", false}, {2, 9, "c", true}, {2, 10, "c", false},
	} {
		path, err := merkle.ProveInclusion(uint64(c.index), 3, tree.Node)
		if err != nil {
			t.Fatal(err)
		}
		lp := NewLineProof(contracts.Position{Lane: "ci", Segment: 1, Offset: c.at}, entry, []byte(c.line), uint64(c.index), 3, path)
		if err := lp.Check(1, nil); (err == nil) != c.ok {
			t.Errorf("line %d at %d: %v", c.index, c.at, err)
		}
	}
}

func FuzzParseProof(f *testing.F) {
	p, v, _ := lineProof(f)
	f.Add(p.Text())
	f.Add([]byte("c2sp.org/tlog-proof@v1\nindex 0\n\no\n1\n"))
	f.Add([]byte("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := ParseProof(text)
		if err != nil {
			return
		}
		if back, err := ParseProof(q.Text()); err != nil || !bytes.Equal(back.Text(), q.Text()) {
			t.Fatalf("%q does not come back: %v", text, err)
		}
		if lp, err := ParseLineProof(q.Extra); err == nil {
			_ = lp.Check(q.Index, nil)
			_, _ = q.Check(lp.EntryLeaf(), v)
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	k, v := signer(f, "stigmergy/x", 1)
	signed, _ := Checkpoint{"stigmergy/x", 1, merkle.Empty()}.Sign(k)
	f.Add(signed)
	f.Add([]byte("stigmergy/x\n1\n\n\n— a b\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, _, err := OpenCheckpoint(text, v); err == nil && c.Text() != (Checkpoint{"stigmergy/x", 1, merkle.Empty()}).Text() {
			t.Fatalf("%q opens as %v, which nobody signed", text, c)
		}
		_, _ = PeekCheckpoint(text)
		_, _ = ParseVerifier(string(text))
		_, _ = ParseSigner(string(text))
	})
}
