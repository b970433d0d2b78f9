package crash

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"stigmergy/scripts/oracle"
)

var update = flag.Bool("update", false, "make fixtures/boards/first anew")

const boards = "../../fixtures/boards"

// TestKeptBoards: boards that earlier builds wrote stay readable: the oracle
// finds nothing, every query gives what it gave, archives are whole, and the
// board goes on. A replay is exact, or says which build it needs.
func TestKeptBoards(t *testing.T) {
	t.Parallel()
	if *update {
		makeFirst(t)
	}
	all, err := filepath.Glob(boards + "/*/board")
	if err != nil || len(all) == 0 {
		t.Fatalf("no board in %s (%v)", boards, err)
	}
	for _, dir := range all {
		t.Run(filepath.Base(filepath.Dir(dir)), func(t *testing.T) {
			t.Parallel()
			b := &board{t: t, dir: filepath.Join(t.TempDir(), "board"), truth: t.TempDir()}
			b.opt = oracle.Options{Quiet: true, Handlers: []string{"board", "audit", "plan", "exemplar", "sign"}}
			b.must(os.CopyFS(b.dir, os.DirFS(dir)))
			b.check("as it was kept")
			want, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "ids"))
			b.must(err)
			if got := b.ok("query", "**", "-o", "id", "-C", b.dir).out; got != string(want) {
				t.Errorf("query gives other events than it did:\n%s", got)
			}
			b.ok("archive", "check", "-C", b.dir)
			r := b.run(nil, "replay", "-C", b.dir)
			if r.code != 0 && !(r.code == 2 && strings.Contains(r.err, "version")) {
				t.Errorf("replay: %v", r)
			}
			if r.code == 0 {
				appendFile(t, b.lane("ci"), notes("late", 1, 1, 10)[0]+"\n")
				b.judge("going on")
			}
		})
	}
}

// makeFirst makes a board with something of everything.
func makeFirst(t *testing.T) {
	b := newBoard(t, t.TempDir(), "4KiB")
	b.must(os.MkdirAll(filepath.Join(b.dir, "contracts"), 0o755))
	b.must(os.WriteFile(filepath.Join(b.dir, "contracts/build.done.schema.json"),
		[]byte(`{"$schema":"https://json-schema.org/draft/2020-12/schema","title":"A build ended","type":"object","required":["ok"],"properties":{"ok":{"type":"boolean"}}}`+"\n"), 0o644))
	b.write("good", "ci", "\xef\xbb\xbf"+`{"type":"build.done","data":{"ok":true}}`, `{"topic":"build.done","data":{"ok":false}}`+"\r", "", `{"type":"un.known","time":"2026-01-29T02:31:13+01:00"}`)
	b.write("bad", "ci", `{"type":"build.done","data":{"ok":1}}`, `{"type":"hxo.audit","data":{}}`, "{\"type\":\"a\",\"x\":\"\xff\"}", `{"type":"a","type":"a"}`, `{"type":"a","time":"soon"}`, `{"type":"No"}`, `{"type":"torn","da{"type":"a.b"}`, `{}`)
	abort := `{"type":"hxo.plan.abort","id":"1","data":{"plan_id":"0f8fad5b-d9cb-469f-a165-70867728950e"}}`
	b.write("good", "odd name", abort, abort, abort)
	b.ok("up", "--once", "-C", b.dir)
	b.write("good", "agents/7", notes("w", 1, 40, 100)...)
	b.ok("up", "--once", "-C", b.dir)
	b.write("good", "agents/7", notes("w", 41, 2, 100)...)
	appendFile(t, b.lane("ci"), `{"type":"unfinished`)
	b.judge("the board to be kept")
	to := filepath.Join(boards, "first")
	b.must(os.RemoveAll(to))
	b.must(os.CopyFS(filepath.Join(to, "board"), os.DirFS(b.dir)))
	for _, passing := range []string{".gitignore", ".stigmergy/lock", ".stigmergy/log", ".stigmergy/keys"} {
		b.must(os.RemoveAll(filepath.Join(to, "board", passing)))
	}
	b.must(os.WriteFile(filepath.Join(to, "ids"), []byte(b.ok("query", "**", "-o", "id", "-C", b.dir).out), 0o644))
}
