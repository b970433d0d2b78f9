package followup_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
	"stigmergy/handlers/followup"
)

const sha = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"

func told(batch, outcome, gate string) string {
	commit := "null"
	if outcome == "committed" {
		commit = `"` + sha + `"`
	}
	return fmt.Sprintf(`{"type":"gitops.batch","data":{"run_id":"r1","scope":"s","batch_id":%q,"outcome":%q,"commit_sha":%s,"proof_dir":"p","gates":[{"gate_id":"x","outcome":"passed","duration_ms":1},{"gate_id":"p5","outcome":%q,"duration_ms":1}]}}`,
		batch, outcome, commit, gate)
}

// kinds are the follow-ups on lane swarm, as KIND:REF.
func kinds(t *testing.T, b *foldtest.Board) string {
	t.Helper()
	var out []string
	for _, l := range b.Lane("swarm") {
		var ev struct {
			Data struct{ Kind, Because, Ref string }
		}
		if err := json.Unmarshal([]byte(l), &ev); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(ev.Data.Because, "gitops@1:") {
			t.Errorf("because %q", ev.Data.Because)
		}
		out = append(out, ev.Data.Kind+":"+ev.Data.Ref)
	}
	return strings.Join(out, " ")
}

// TestDefaults: a commit is audited; a gate failure is run again once, then
// escalated; a commit of the batch begins anew, one of another does not.
func TestDefaults(t *testing.T) {
	b := foldtest.New(t, board.New(), followup.New())
	b.Append("gitops", told("docs", "committed", "passed"), told("docs", "skipped", "passed"), told("docs", "planned", "passed"))
	b.Append("gitops", told("code", "error", "failed"))
	b.Restart()
	b.Append("gitops", told("code", "error", "error"), told("docs", "committed", "passed"), told("code", "error", "failed"), told("code", "committed", "passed"), told("code", "error", "failed"))
	want := "audit:" + sha + " rerun:code escalate:code audit:" + sha + " escalate:code audit:" + sha + " rerun:code"
	if got := kinds(t, b); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestRules: a board's own rules take the place of the defaults; those that
// cannot be used, which only an older program recorded, are alerted and the
// others count.
func TestRules(t *testing.T) {
	b := foldtest.New(t, board.New(), followup.New())
	b.Config.Settings.Raw["followup"] = []byte(`[{"on":"gitops.batch","where":{"outcome":"error","batch_id":["code","docs"]},"do":"escalate"},
		{"on":"build.done","do":"audit"},{"on":"gitops.batch","do":"shout"},{"on":"gitops.run","where":{"pushed":true},"do":"audit"}]`)
	b.Fact(journal.Entry{Kind: journal.Config})
	b.Append("gitops", told("docs", "committed", "passed"), told("code", "error", "passed"), told("x", "error", "failed"),
		`{"type":"gitops.run","data":{"run_id":"r1","scope":"s","outcome":"ok","counts":{"skipped":0,"planned":0,"committed":0,"error":0},"proof_dir":"p","exemplar_path":"e","pushed":true}}`)
	if got, want := kinds(t, b), "escalate:code audit:r1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	alerts := b.Lane("board")
	if len(alerts) != 2 || !strings.Contains(alerts[0], "followup[1]: on: expected one of") || !strings.Contains(alerts[1], `followup[2]: do: expected audit`) {
		t.Errorf("alerts %s", alerts)
	}
}

// TestForged: what is no number, no list, no text where one belongs does not
// stop the fold, and made-up subjects are bounded.
func TestForged(t *testing.T) {
	b := foldtest.New(t, board.New(), followup.New())
	var lines []string
	for i := range 300 {
		lines = append(lines, told(fmt.Sprintf("b%d", i), "error", "failed"))
	}
	b.Append("x", lines...)
	b.Append("x", `{"type":"hxo.alert","data":{}}`, `{"type":"gitops.batch","data":{"run_id":"r","batch_id":"`+strings.Repeat("b", 4000)+`","outcome":"error","commit_sha":null,"proof_dir":"p","gates":[{"gate_id":"g","outcome":"failed","duration_ms":0}]}}`)
	if len(b.Skips) != 0 {
		t.Errorf("skips %v", b.Skips)
	}
	if n := strings.Count(b.State(), `"h/followup/n/`); n != 301 {
		t.Errorf("%d counters, want 301", n)
	}
}
