package handlers_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/blackboard/journal"
	"stigmergy/handlers"
	"stigmergy/handlers/audit"
	"stigmergy/handlers/board"
	"stigmergy/handlers/foldtest"
)

var update = flag.Bool("update", false, "write what the golden history comes to")

// TestGolden folds a fixed history. What it derives is fixed for ever under
// one fold version.
func TestGolden(t *testing.T) {
	b := foldtest.NewWith(t, []byte(`roles: {admiral: {lanes: ["admiral"], may: ["**"]}}`), nil, board.New(), audit.New())
	goldenHistory(t, b)
	path := filepath.Join("testdata", "golden", fmt.Sprintf("%d.jsonl", handlers.FoldVersion))
	got := b.Bytes() + "== state\n" + b.State()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("fold version %d has no golden history: %v", handlers.FoldVersion, err)
	}
	if got != string(want) {
		t.Fatalf("the fold derives other bytes than version %d did. Boards in use are checked byte for byte: "+
			"raise handlers.FoldVersion and run go test ./handlers -run TestGolden -update.\n%s", handlers.FoldVersion, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\nnow    %s\nbefore %s", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("%d lines now, %d before", len(g), len(w))
}

func goldenHistory(t *testing.T, b *foldtest.Board) {
	t.Helper()
	abort := `{"type":"hxo.plan.abort","id":"1","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e","user":"kyle","role":"captain"}}`
	b.Fact(journal.Entry{Kind: journal.Open, BoardID: b.Config.BoardID, Fold: 1})
	b.Fact(journal.Entry{Kind: journal.Owner, Lane: "admiral", UID: 1000})
	b.Append("ci", `{"type":"build.done","data":{"ok":true}}`, "", "oops", "\xff", `{"type":"a","type":"a"}`, `{"type":"No"}`, "{\"type\":\"a\",\"time\":\"x\"}\r")
	b.Append("ci", `{"type":"hxo.plan","data":{}}`, `{"type":"hxo.alert","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e","alert_type":"slo","severity":"info","message":"m"}}`)
	b.Append("ci", `{"type":"ci.torn","da{"type":"ci.fine"}`)
	b.Append("admiral", abort, abort)
	b.Append("agents/7", abort)
	b.Append("workers/archive", `{"type":"board.lane.rotated","effectkey":"rotated:ci@1","data":{"lane":"ci","segment":1,"bytes":1,"reason":"size"}}`)
	b.Advance(1000)
	b.Fact(journal.Entry{Kind: journal.Rotate, Lane: "ci", Segment: 1, Next: 2, To: 300, Reason: "command"})
	b.Append("workers/archive", `{"type":"board.lane.rotated","effectkey":"rotated:ci@1","data":{"lane":"ci","segment":1,"bytes":300,"reason":"command"}}`)
	b.Fact(journal.Entry{Kind: journal.Rotate, Lane: "board", Segment: 1, Next: 2, To: 300, Reason: "size"})
	b.Fact(journal.Entry{Kind: journal.Note, Note: "foreign", Lane: "hxo", Segment: 1, From: 400, To: 410, SHA256: b.Keep([]byte("one\n\xfe\n"))})
	for _, kind := range []string{"lost", "destroyed", "replaced", "renamed", "deleted", "truncated", "rewritten", "unfinished", "not_a_lane", "unreadable", "overflow", "bad_contract", "bad_setting", "disk", "fork"} {
		b.Fact(journal.Entry{Kind: journal.Note, Note: kind, Lane: "agents/" + kind, Segment: 1, From: 10, To: 20, Path: "p", Errno: "EIO"})
	}
	b.Fact(journal.Entry{Kind: journal.Note, Note: "skip", Handler: "board", Position: "ci@1:0", Reason: "why"})
}
