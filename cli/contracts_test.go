package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/contracts"
)

func TestTopicsIsTheRegistry(t *testing.T) {
	b := onBoard(t)
	var rows []map[string]any
	must(t, json.Unmarshal([]byte(b.run("topics", "-o", "json")), &rows))
	topics := contracts.Builtin().Topics()
	if len(rows) != len(topics) {
		t.Fatalf("%d rows of %d topics", len(rows), len(topics))
	}
	for i, topic := range topics {
		r := rows[i]
		if r["topic"] != topic.Name || r["producer"] != topic.Producer || r["owner"] != topic.Owner || r["builtin"] != true || len(r["consumers"].([]any)) != len(topic.Consumers) {
			t.Errorf("%v is not %+v", r, topic)
		}
	}
	if out := b.run("topics", "-o", "table"); !strings.Contains(out, "hxo (only)") {
		t.Errorf("owners are marked: %s", out)
	}
	for args, code := range map[string]int{"nobody.knows": 1, "hxo.*": 0, "a..b": 2} {
		if _, errs, got := b.try("", "topics", args); got != code {
			t.Errorf("topics %s: exit %d: %s", args, got, errs)
		}
	}
}

func TestTopicsNeedNoBoard(t *testing.T) {
	b := onBoard(t)
	b.l.Dir = filepath.Join(t.TempDir(), "nothing")
	if _, _, code := b.try("", "topics"); code != 2 {
		t.Errorf("a board that was named must be there: exit %d", code)
	}
	t.Chdir(t.TempDir())
	a, read := testApp(t, "", false)
	if err := a.run([]string{"topics", "hxo.plan"}); err != nil || !strings.Contains(read(), `"topic":"hxo.plan"`) {
		t.Errorf("%v: %s", err, read())
	}
}

func TestBoardsOwnContracts(t *testing.T) {
	b := onBoard(t)
	dir := t.TempDir()
	good, loose, odd := dir+"/my.topic.schema.json", dir+"/genesis.heal.schema.json", dir+"/my.Topic.schema.json"
	writeFile(t, good, `{"title":"Mine","type":"object","required":["n"],"properties":{"n":{"type":"integer","x-index":true}}}`)
	writeFile(t, loose, `{"type":"object"}`)
	writeFile(t, odd, `{}`)
	b.run("contracts", "import", good)
	var rows []map[string]any
	must(t, json.Unmarshal([]byte(b.run("contracts", "ls", "my.topic", "-o", "json")), &rows))
	if len(rows) != 1 || rows[0]["origin"] != "board" || rows[0]["purpose"] != "Mine" {
		t.Errorf("%v", rows)
	}
	for data, want := range map[string]int{`{"n":1}`: 0, `{"n":"1"}`: 65, `{}`: 65} {
		if _, errs, code := b.try("", "post", "my.topic", data); code != want {
			t.Errorf("%s: exit %d: %s", data, code, errs)
		}
	}
	for _, path := range []string{odd, dir + "/missing.schema.json", dir + "/no-schema.txt"} {
		if _, errs, code := b.try("", "contracts", "import", path); code != 2 {
			t.Errorf("%s: exit %d: %s", path, code, errs)
		}
	}
	// A board's own contract beside a built-in one tightens it at most.
	b.try("", "contracts", "import", loose)
	if _, _, code := b.try("", "post", "genesis.heal", `{}`); code != 65 {
		t.Errorf("a built-in contract was loosened: exit %d", code)
	}
}

func TestContractsCheck(t *testing.T) {
	b := onBoard(t)
	dir := t.TempDir()
	writeFile(t, dir+"/a.b.schema.json", `{"type":"object","required":["n"]}`)
	writeFile(t, dir+"/broken.x.schema.json", `{"type":`)
	writeFile(t, dir+"/events", `{"type":"a.b","data":{"n":1}}`+"\n\n"+`{"type":"a.b","data":{}}`+"\n"+`{"type":"a.b","data":{"n":2}}`)
	out, errs, code := b.try("", "contracts", "check", dir+"/a.b.schema.json", dir+"/events", "-o", "jsonl")
	if code != 65 || !strings.Contains(out, `"line":3,"reason":"contract","topic":"a.b"`) || !strings.Contains(errs, "4 lines: 2 events, 1 blank, 1 refused") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	_, errs, code = b.try("", "contracts", "check", dir+"/broken.x.schema.json")
	if code != 2 || !strings.Contains(errs, "broken.x.schema.json: 1:8") {
		t.Errorf("exit %d: %s", code, errs)
	}
	if out, _, code := b.try(`{"type":"x"}`, "contracts", "check", "-"); code != 0 || out != "" {
		t.Errorf("standard input: exit %d: %s", code, out)
	}
	b.run("post", "a.b", `{"n":1}`, "--id", "good")
	b.run("post", "a.b", `{}`, "--id", "bad")
	out, errs, code = b.try("", "contracts", "check", dir+"/a.b.schema.json", "--against", "1h")
	if code != 65 || strings.Count(out, "\n") != 1 || !strings.Contains(errs, "2 lines: 1 events, 0 blank, 1 refused") {
		t.Errorf("--against: exit %d: %s%s", code, out, errs)
	}
}

func TestContractsExportReadsBack(t *testing.T) {
	b := onBoard(t)
	dir := t.TempDir()
	b.run("contracts", "export", "--to", dir)
	for _, topic := range contracts.Builtin().Topics() {
		raw, err := os.ReadFile(filepath.Join(dir, topic.Name+schemaExt))
		if err != nil || string(raw) != string(topic.Schema) {
			t.Errorf("%s: %v", topic.Name, err)
		}
		if out, errs, code := b.try("", "contracts", "diff", filepath.Join(dir, topic.Name+schemaExt)); code != 0 || out != "" {
			t.Errorf("%s differs from itself: exit %d: %s%s", topic.Name, code, out, errs)
		}
	}
	if got := strings.Count(b.run("contracts", "export"), "\n"); got != len(contracts.Builtin().Topics()) {
		t.Errorf("%d lines", got)
	}
	file := filepath.Join(dir, "board.ts")
	b.run("contracts", "export", "--format", "typescript", "--to", file)
	if raw, err := os.ReadFile(file); err != nil || !strings.Contains(string(raw), "HxoShardDone") {
		t.Errorf("%v", err)
	}
	if out := b.run("contracts", "export", "hxo.plan", "--format", "asyncapi"); !json.Valid([]byte(out)) {
		t.Errorf("%s", out)
	}
}
