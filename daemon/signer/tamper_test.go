package signer_test

import (
	"bytes"
	"context"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/blackboard"
	"stigmergy/blackboard/history"
	"stigmergy/blackboard/journal"
)

var full = flag.Bool("full", false, "flip every bit, cut at every byte")

// stride leaves most of a long job out, unless told otherwise; a prime one meets
// every bit of a byte in turn.
func stride(n int) int {
	if *full {
		return 1
	}
	return n
}

// small is a board with something of everything that verify reads.
func small(t *testing.T) *board {
	b := newBoard(t, nil)
	b.append("ci", event(1), "oops", event(2))
	b.settle()
	b.append("ci", event(3))
	b.append("agents/7", event(4), "", event(5))
	b.settle()
	b.rotate("ci")
	b.append("ci", event(6), event(7))
	b.settle()
	b.close()
	b.expect(blackboard.VerdictOK)
	return b
}

// spans are the journal's entries that carry lines.
func (b *board) spans() (out []journal.Entry) {
	b.Helper()
	_, err := journal.Scan(b.l, journal.Cursor{}, func(e *journal.Entry, _ []byte, _ journal.Cursor) error {
		if e.Kind == journal.Input || e.Kind == journal.Derived {
			out = append(out, *e)
		}
		return nil
	})
	b.must(err)
	return out
}

// targets are the files whose every bit is watched over, below the board.
func (b *board) targets() (out []string) {
	b.Helper()
	err := filepath.WalkDir(b.l.Dir, func(path string, e fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(b.l.Dir, path)
		switch {
		case err != nil || e.IsDir():
		case rel == ".stigmergy/checkpoint", rel == ".stigmergy/head", strings.HasPrefix(rel, ".stigmergy/journal/"), strings.HasPrefix(rel, ".stigmergy/tiles/"):
			out = append(out, rel)
		case !strings.HasPrefix(rel, ".") && (strings.HasSuffix(rel, ".jsonl") || strings.HasSuffix(rel, ".zst")):
			out = append(out, rel)
		}
		return err
	})
	b.must(err)
	return out
}

// flipped says whether a finding names the right place.
func (b *board) flipped(rel string, off int, orig []byte, spans []journal.Entry, f *blackboard.Finding) string {
	switch {
	case rel == ".stigmergy/checkpoint" || rel == ".stigmergy/head" || strings.HasPrefix(rel, ".stigmergy/tiles/"):
		if f.Path != rel {
			return "another file"
		}
	case strings.HasPrefix(rel, ".stigmergy/journal/"):
		seq := uint64(bytes.Count(orig[:off], []byte("\n")))
		if f.Entry == nil || *f.Entry > seq+1 || f.EntryTo == nil && *f.Entry+1 < seq || f.EntryTo != nil && *f.EntryTo < seq {
			return "another entry"
		}
	case strings.HasSuffix(rel, ".zst"):
		if f.Path != rel || f.Lane == "" || f.Segment == 0 {
			return "another archive"
		}
	default:
		lane := strings.TrimSuffix(rel, ".jsonl")
		for i := range spans {
			e := &spans[i]
			if e.Lane == lane && e.Segment == f.Segment && int64(off) >= e.From && int64(off) < e.To {
				if f.Lane == lane && f.Entry != nil && *f.Entry == e.Seq && f.Line > 0 {
					return ""
				}
			}
		}
		return "another line"
	}
	return ""
}

// TestEveryFlippedBit: a bit that is changed anywhere is found, with the right
// verdict and place.
func TestEveryFlippedBit(t *testing.T) {
	b := small(t)
	spans := b.spans()
	n := 0
	for _, rel := range b.targets() {
		path := filepath.Join(b.l.Dir, rel)
		orig, err := os.ReadFile(path)
		b.must(err)
		step := stride(53)
		for bit := 0; bit < 8*len(orig); bit += step {
			bad := bytes.Clone(orig)
			bad[bit/8] ^= 1 << (bit % 8)
			b.must(os.Chmod(path, 0o644))
			b.must(os.WriteFile(path, bad, 0o644))
			v := b.verify(blackboard.VerifyOptions{})
			n++
			f := v.First()
			if v.Verdict != blackboard.VerdictTampered {
				t.Errorf("%s, byte %d, bit %d: verdict %s (%+v)", rel, bit/8, bit%8, v.Verdict, f)
			} else if what := b.flipped(rel, bit/8, orig, spans, f); what != "" {
				t.Errorf("%s, byte %d, bit %d: %s is named: %+v", rel, bit/8, bit%8, what, f)
			}
			if t.Failed() && n > 50 {
				b.must(os.WriteFile(path, orig, 0o644))
				t.FailNow()
			}
		}
		b.must(os.WriteFile(path, orig, 0o644))
	}
	b.expect(blackboard.VerdictOK)
	t.Logf("%d bits flipped", n)
}

// TestEveryTruncation: whatever is cut off at the end of a file is told as that.
func TestEveryTruncation(t *testing.T) {
	b := small(t)
	n := 0
	for _, rel := range b.targets() {
		path := filepath.Join(b.l.Dir, rel)
		orig, err := os.ReadFile(path)
		b.must(err)
		for size := 0; size < len(orig); size += stride(7) {
			b.must(os.WriteFile(path, orig[:size], 0o644))
			n++
			if v := b.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictTruncated {
				t.Errorf("%s, cut to %d of %d bytes: verdict %s (%+v)", rel, size, len(orig), v.Verdict, v.First())
			}
		}
		b.must(os.Remove(path))
		v := b.verify(blackboard.VerifyOptions{})
		if v.Verdict == blackboard.VerdictOK && !strings.HasSuffix(rel, "/head") && !strings.Contains(rel, "/tiles/") {
			t.Errorf("%s deleted: ok", rel)
		}
		b.must(os.WriteFile(path, orig, 0o644))
		if t.Failed() {
			t.FailNow()
		}
	}
	b.expect(blackboard.VerdictOK)
	t.Logf("%d cuts", n)
}

// TestBytesBehindAnArchive: nothing is missing where something was added.
func TestBytesBehindAnArchive(t *testing.T) {
	b := small(t)
	path := b.l.Archive("ci", 1)
	orig, err := os.ReadFile(path)
	b.must(err)
	for _, more := range []string{"x", "\n", "(\xb5/\xfd", strings.Repeat("x", 100)} {
		b.must(os.WriteFile(path, append(bytes.Clone(orig), more...), 0o644))
		if v := b.expect(blackboard.VerdictTampered); v.First().Path != "archive/ci/00000001.jsonl.zst" {
			t.Fatalf("%q: %+v", more, v.First())
		}
	}
}

// TestTilesAreWatchedOver: a board of more than 256 entries has tiles.
func TestTilesAreWatchedOver(t *testing.T) {
	b := newBoard(t, nil)
	for i := range 300 {
		b.append("ci", event(i))
		b.settle()
	}
	b.restart()
	b.settle()
	b.close()
	v := b.expect(blackboard.VerdictOK)
	if v.Tiles == 0 {
		t.Fatal("no tile")
	}
	for _, rel := range b.targets() {
		if !strings.Contains(rel, "/tiles/") {
			continue
		}
		path := filepath.Join(b.l.Dir, rel)
		orig, err := os.ReadFile(path)
		b.must(err)
		for bit := 0; bit < 8*len(orig); bit += stride(5) {
			bad := bytes.Clone(orig)
			bad[bit/8] ^= 1 << (bit % 8)
			b.must(os.WriteFile(path, bad, 0o644))
			if v := b.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictTampered || v.First().Path != rel {
				t.Fatalf("%s, bit %d: %s %+v", rel, bit, v.Verdict, v.First())
			}
		}
		for size := range orig {
			b.must(os.WriteFile(path, orig[:size], 0o644))
			if v := b.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictTruncated {
				t.Fatalf("%s, cut to %d: %s", rel, size, v.Verdict)
			}
		}
		b.must(os.WriteFile(path, orig, 0o644))
	}
	// A changed entry is found within its 256 by the tiles.
	path := b.l.JournalSegment(1)
	orig, err := os.ReadFile(path)
	b.must(err)
	at := bytes.Index(orig, []byte(`{"seq":100,"time":"`)) + len(`{"seq":100,"time":"2026-01-01T00:00:00.0000000`)
	bad := bytes.Clone(orig)
	bad[at] ^= 1
	b.must(os.WriteFile(path, bad, 0o644))
	v = b.verify(blackboard.VerifyOptions{})
	if f := v.First(); v.Verdict != blackboard.VerdictTampered || f.Entry == nil || *f.Entry > 100 || f.EntryTo != nil && *f.EntryTo > 255 {
		t.Fatalf("%s %+v", v.Verdict, f)
	}
}

// TestTwoSignaturesAreWatchedOver: the checkpoint that two keys signed, where one
// signature alone would do.
func TestTwoSignaturesAreWatchedOver(t *testing.T) {
	b := newBoard(t, nil)
	b.append("ci", event(1))
	b.settle()
	b.signer.Ask("me")
	b.close()
	b.expect(blackboard.VerdictOK)
	lines, err := os.ReadFile(b.l.Lane(history.SignerLane))
	b.must(err)
	var orig []byte
	for line := range bytes.Lines(lines) {
		if note, _, ok := history.NoteOf(line); ok && bytes.Count(note, []byte("\n")) == 6 {
			orig = note
		}
	}
	b.must(os.WriteFile(b.l.Checkpoint(), orig, 0o644)) // the audit of the rotation was signed after it
	b.expect(blackboard.VerdictRolledBack)
	for bit := 0; bit < 8*len(orig); bit += stride(3) {
		bad := bytes.Clone(orig)
		bad[bit/8] ^= 1 << (bit % 8)
		b.must(os.WriteFile(b.l.Checkpoint(), bad, 0o644))
		if v := b.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictTampered || v.First().Path != ".stigmergy/checkpoint" {
			t.Fatalf("byte %d, bit %d: %s %+v", bit/8, bit%8, v.Verdict, v.First())
		}
	}
	for size := range orig {
		b.must(os.WriteFile(b.l.Checkpoint(), orig[:size], 0o644))
		if v := b.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictTruncated {
			t.Fatalf("cut to %d: %s %+v", size, v.Verdict, v.First())
		}
	}
}

// TestTilesOfALostEnd: tiles that were written over entries which are no more,
// or are others now, go with the next start.
func TestTilesOfALostEnd(t *testing.T) {
	b := newBoard(t, nil)
	for i := range 300 {
		b.append("ci", event(i))
		b.settle()
	}
	b.close()
	b.expect(blackboard.VerdictOK)
	for _, rel := range []string{"1/000.p/9", "1/001", "2/000.p/1"} {
		path := filepath.Join(b.l.Tiles(), rel)
		b.must(os.MkdirAll(filepath.Dir(path), 0o755))
		width, ok := history.ParseTile(rel)
		if !ok {
			t.Fatal(rel)
		}
		b.must(os.WriteFile(path, make([]byte, 32*width.Width), 0o644))
	}
	b.expect(blackboard.VerdictTruncated)
	b.open()
	b.settle()
	b.close()
	if v := b.expect(blackboard.VerdictOK); v.Tiles == 0 {
		t.Fatal("its own tiles are gone too")
	}
}

func TestVerdicts(t *testing.T) {
	b := newBoard(t, nil)
	b.expect(blackboard.VerdictOK) // empty
	b.append("ci", event(1))
	b.settle()
	if v := b.verify(blackboard.VerifyOptions{Running: true}); v.Verdict != blackboard.VerdictOK && v.Verdict != blackboard.VerdictUnanchored {
		t.Fatalf("while it runs: %s %+v", v.Verdict, v.First())
	}
	b.restart()
	b.settle()
	old := filepath.Join(t.TempDir(), "old")
	b.must(os.CopyFS(old, os.DirFS(b.l.Dir)))
	first, _ := b.checkpoint()
	b.append("ci", event(2))
	b.settle()
	b.close()
	second, _ := b.checkpoint()
	for _, note := range [][]byte{first, second} {
		if v := b.verify(blackboard.VerifyOptions{Since: note}); v.Verdict != blackboard.VerdictOK {
			t.Fatalf("since: %s %+v", v.Verdict, v.First())
		}
	}
	b.must(os.Rename(b.l.Checkpoint(), b.l.Checkpoint()+".away"))
	b.expect(blackboard.VerdictUnsigned)
	b.must(os.WriteFile(b.l.Checkpoint(), first, 0o644)) // an older one
	b.expect(blackboard.VerdictRolledBack)
	b.must(os.WriteFile(b.l.Checkpoint(), second, 0o644))
	b.expect(blackboard.VerdictOK)

	restored := *b
	restored.l.Dir = old
	if v := restored.verify(blackboard.VerifyOptions{Since: second}); v.Verdict != blackboard.VerdictRolledBack {
		t.Fatalf("an older board: %s %+v", v.Verdict, v.First())
	}
	b.must(os.WriteFile(restored.l.Checkpoint(), second, 0o644)) // and the newer checkpoint stayed
	if v := restored.verify(blackboard.VerifyOptions{}); v.Verdict != blackboard.VerdictRolledBack {
		t.Fatalf("an older board beside a newer checkpoint: %s %+v", v.Verdict, v.First())
	}

	other := newBoard(t, nil)
	other.append("ci", event(1))
	other.settle()
	other.close()
	note, _ := other.checkpoint()
	if _, err := blackboard.Verify(context.Background(), blackboard.VerifyOptions{Layout: b.l, Since: note}); err == nil {
		t.Fatal("another board's checkpoint is compared with")
	}
	b.must(os.WriteFile(b.l.Checkpoint(), note, 0o644))
	b.expect(blackboard.VerdictTampered)
}

// TestSealsAreComparedWhenAsked: the flat hashes of sealed segments too.
func TestSealsAreComparedWhenAsked(t *testing.T) {
	b := small(t)
	v := b.verify(blackboard.VerifyOptions{SHA256: true})
	if v.Verdict != blackboard.VerdictOK || v.Seals != 1 {
		t.Fatalf("%s, %d seals: %+v", v.Verdict, v.Seals, v.First())
	}
}
