package sign_test

import (
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/foldtest"
	"stigmergy/handlers/sign"
)

const checkpoint = `{"type":"board.checkpoint","effectkey":"KEY","data":{"origin":"o","size":3,"root":"cm9vdA==","note":"n"EXTRA}}`

func line(key, extra string) string {
	return strings.NewReplacer("KEY", key, "EXTRA", extra).Replace(checkpoint)
}

// TestOneEffectStandsForEver: it begins with the board, and each checkpoint
// ends it and begins the next.
func TestOneEffectStandsForEver(t *testing.T) {
	b := foldtest.New(t, sign.New())
	keys := func() string {
		var out []string
		for _, e := range b.M.Effects() {
			out = append(out, e.Key)
		}
		return strings.Join(out, " ")
	}
	b.Fact(journal.Entry{Kind: journal.Open, BoardID: b.Config.BoardID, Fold: 2})
	b.Fact(journal.Entry{Kind: journal.Config, SHA256: strings.Repeat("0", 64)})
	b.Fact(journal.Entry{Kind: journal.Open, BoardID: b.Config.BoardID, Fold: 2})
	if got := keys(); got != "checkpoint:0" {
		t.Fatalf("after two runs began: %q", got)
	}
	b.Append("workers/signer", line("checkpoint:0", ""))
	if got := keys(); got != "checkpoint:1" {
		t.Fatalf("after a checkpoint: %q", got)
	}
	b.Append("workers/signer", line("checkpoint:0", "")) // answered already: forged
	b.Append("ci", line("checkpoint:1", ""))             // not the signer's lane
	if got := keys(); got != "checkpoint:1" {
		t.Fatalf("after forged ones: %q", got)
	}
	b.Restart()
	b.Append("workers/signer", line("checkpoint:1", ""))
	if got := keys(); got != "checkpoint:2" {
		t.Fatalf("after a restart: %q", got)
	}
}

func TestANewKeyIsAudited(t *testing.T) {
	b := foldtest.New(t, audit.New(), sign.New())
	b.Fact(journal.Entry{Kind: journal.Open, BoardID: b.Config.BoardID, Fold: 2})
	b.Append("workers/signer", line("checkpoint:0", `,"rotation":{"key":"o+1+B","old_key":"o+0+A","note":"n","user":"kyle"}`))
	got := b.Bytes()
	for _, want := range []string{`"operation":"key.rotate"`, `"user":"kyle"`, `"old_key":"o+0+A"`, `"new_key":"o+1+B"`, `"position":"workers/signer@1:0"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
