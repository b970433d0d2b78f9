package batch_test

import (
	"fmt"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/handlers/batch"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

func told(run, id, outcome string) string {
	return fmt.Sprintf(`{"type":"gitops.batch","data":{"run_id":%q,"batch_id":%q,"outcome":%q,"commit_sha":null,"proof_dir":"p","gates":[]}}`, run, id, outcome)
}

func ended(run string, skipped int, more string) string {
	return fmt.Sprintf(`{"type":"gitops.run","data":{"run_id":%q,"scope":"s","outcome":"ok","counts":{"skipped":%d,"planned":0,"committed":0,"error":0},"proof_dir":"p","exemplar_path":"e","pushed":false%s}}`, run, skipped, more)
}

// TestRequest: a request starts one effect, which ends with the run that names
// the request, but not with one that was interrupted.
func TestRequest(t *testing.T) {
	b := foldtest.New(t, board.New(), batch.New())
	b.Append("agents/7", `{"type":"gitops.run.request","data":{"config":"x/batches.json","dry_run":true}}`)
	if len(b.Started) != 1 || b.Started[0].Kind != batch.Kind || b.Started[0].Key != "gitops:agents/7@1:0" {
		t.Fatalf("started %+v", b.Started)
	}
	if got := string(b.Started[0].Payload); got != `{"request":"agents/7@1:0","config":"x/batches.json","dry_run":true}` {
		t.Errorf("payload %s", got)
	}
	b.Restart()
	if s := b.Append("gitops", ended("r1", 0, `,"request":"agents/7@1:0","interrupted":true`)); len(s.Done) != 0 {
		t.Errorf("an interrupted run ended the effect: %v", s.Done)
	}
	s := b.Append("gitops", ended("r2", 0, `,"request":"agents/7@1:0"`))
	if len(s.Done) != 1 || s.Done[0] != "gitops:agents/7@1:0" {
		t.Errorf("done %v", s.Done)
	}
	if s := b.Append("gitops", ended("r3", 0, `,"request":"agents/7@1:0"`)); len(s.Done) != 0 {
		t.Errorf("it ended twice: %v", s.Done)
	}
}

// TestRefused: what runs commands is not taken from other users' lanes, nor
// from off the machine, and a path stays below the root.
func TestRefused(t *testing.T) {
	b := foldtest.New(t, board.New(), batch.New())
	b.Fact(journal.Entry{Kind: journal.Owner, Lane: "theirs", UID: 4242})
	b.Append("theirs", `{"type":"gitops.run.request"}`)
	b.Append("http/token", `{"type":"gitops.run.request"}`)
	b.Append("agents/7", `{"type":"gitops.run.request","data":{"config":"/etc/batches.json"}}`, `{"type":"gitops.run.request","data":{"config":"a/../../b"}}`)
	if len(b.Started) != 0 {
		t.Fatalf("started %+v", b.Started)
	}
	var reasons []string
	for _, l := range b.Lane("board") {
		_, rest, _ := strings.Cut(l, `"reason":"`)
		reason, _, _ := strings.Cut(rest, `"`)
		reasons = append(reasons, reason)
	}
	if got := strings.Join(reasons, " "); got != "policy policy bad_parameter bad_parameter" {
		t.Errorf("reasons %s\n%s", got, b.Bytes())
	}
}

// TestCounted: N batches and a run are well; other numbers, and silence, are
// alerted once.
func TestCounted(t *testing.T) {
	b := foldtest.New(t, board.New(), batch.New())
	b.Append("gitops", told("r1", "a", "skipped"), told("r1", "b", "skipped"), ended("r1", 2, `,"clean":true`))
	b.Advance(4_000_000)
	if lines := b.Lane("board"); len(lines) != 0 {
		t.Fatalf("alerts over a whole run: %s", lines)
	}
	if !strings.Contains(b.State(), `"h/batch/clean" "r1 `) {
		t.Errorf("the clean run is not kept:\n%s", b.State())
	}
	b.Append("gitops", told("r2", "a", "skipped"), ended("r2", 2, ""))
	b.Append("gitops", told("r3", "a", "skipped"))
	b.Advance(3_599_000)
	if lines := b.Lane("board"); len(lines) != 1 || !strings.Contains(lines[0], "run r2 ended with 2 batches, and 1 gitops.batch") {
		t.Fatalf("alerts %s", lines)
	}
	b.Restart()
	b.Advance(2_000)
	b.Advance(8_000_000)
	if lines := b.Lane("board"); len(lines) != 2 || !strings.Contains(lines[1], "run r3 is unfinished") {
		t.Fatalf("alerts %s", lines)
	}
	if strings.Contains(b.State(), `"h/batch/run/`) {
		t.Errorf("a run is kept that is over:\n%s", b.State())
	}
}

// TestBounded: runs that somebody makes up cost no more than so many keys.
func TestBounded(t *testing.T) {
	b := foldtest.New(t, board.New(), batch.New())
	var lines []string
	for i := range 1200 {
		lines = append(lines, told(fmt.Sprintf("r%05d", i), "a", "skipped"))
	}
	b.Append("gitops", lines...)
	if n := strings.Count(b.State(), `"h/batch/run/`); n != 1000 {
		t.Errorf("%d runs are kept, want 1000", n)
	}
	if strings.Contains(b.State(), `h/batch/run/r00000`) || !strings.Contains(b.State(), `h/batch/run/r01199`) {
		t.Error("the oldest should have gone")
	}
}
