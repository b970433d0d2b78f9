package exemplars_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"stigmergy/exemplars"
)

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// noon is when the tests happen.
var noon = time.Date(2026, 1, 29, 12, 0, 0, 0, time.UTC)

// place is a root and a store below it.
type place struct {
	t    testing.TB
	dir  string
	root *os.Root
	s    *exemplars.Store
}

func newPlace(t testing.TB) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	var err error
	if p.root, err = os.OpenRoot(p.dir); err != nil {
		t.Fatal(err)
	}
	p.open()
	t.Cleanup(func() { p.s.Close(); p.root.Close() })
	return p
}

func (p *place) open() {
	p.t.Helper()
	var err error
	if p.s, err = exemplars.Open(p.path(), "board-1"); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) path() string { return filepath.Join(p.dir, "board", ".stigmergy", "exemplars.db") }

// run is a packet of a GitOps run.
func run(n int, change func(*exemplars.Packet)) exemplars.Packet {
	clean := true
	p := exemplars.Packet{
		TS: noon.Add(time.Duration(n) * time.Minute).Format(time.RFC3339), Scope: "gitops_run__gen88-v4", RunID: fmt.Sprintf("gitops_%d", n),
		PreflightReceiptID: "r.pre", PostflightReceiptID: "r.post", Outcome: "ok", PromptSHA256: sum, AnswerSHA256: sum,
		Tags: []string{"gitops"}, Artifacts: exemplars.Artifacts{ExemplarPath: "artifacts/x/exemplar.json"},
		Summary: &exemplars.Summary{Clean: &clean},
	}
	if change != nil {
		change(&p)
	}
	return p
}

func build(t testing.TB, p exemplars.Packet) []byte {
	t.Helper()
	packet, _, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func (p *place) ingest(at int, packet []byte) (exemplars.Result, error) {
	pos := fmt.Sprintf("gitops@1:%d", at)
	return p.s.Ingest(context.Background(), p.root, exemplars.Event{Position: pos, Source: "gitops", ID: pos, Packet: packet}, noon)
}

func (p *place) must(at int, packet []byte) exemplars.Result {
	p.t.Helper()
	res, err := p.ingest(at, packet)
	if err != nil {
		p.t.Fatal(err)
	}
	return res
}

func (p *place) search(q exemplars.Query) (ids []string) {
	p.t.Helper()
	found, err := p.s.Search(context.Background(), q)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, e := range found {
		ids = append(ids, e.RunID)
	}
	return ids
}

func (p *place) receipts() []string {
	names, _ := filepath.Glob(filepath.Join(p.dir, exemplars.ReceiptDir, "*"))
	return names
}

// TestOnce: the same packet a hundred times, by many at a time and across
// restarts, is one row and one receipt, and only the event that brought it is
// told that it did.
func TestOnce(t *testing.T) {
	p := newPlace(t)
	packet := build(t, run(0, nil))
	var wg sync.WaitGroup
	news := make([]bool, 100)
	for i := range 50 {
		wg.Go(func() {
			res, err := p.ingest(i, packet)
			if err != nil {
				t.Error(err)
			}
			news[i] = res.New
		})
	}
	wg.Wait()
	p.s.Close()
	p.open()
	for i := 50; i < 100; i++ {
		news[i] = p.must(i, packet).New
	}
	first := 0
	for i, n := range news {
		if n {
			first = i
			if again := p.must(i, packet); !again.New {
				t.Error("the event that brought it was told that it was there already")
			}
		}
	}
	if n := strings.Count(fmt.Sprint(news), "true"); n != 1 {
		t.Errorf("%d events brought it", n)
	}
	if got := p.search(exemplars.Query{}); len(got) != 1 {
		t.Errorf("rows %v", got)
	}
	names := p.receipts()
	if len(names) != 1 || filepath.Base(names[0]) != "p6_exemplar_ingest_20260129T120000Z.receipt.json" {
		t.Fatalf("receipts %v", names)
	}
	text, err := os.ReadFile(names[0])
	if err != nil || !strings.Contains(string(text), fmt.Sprintf(`"position": "gitops@1:%d"`, first)) {
		t.Errorf("%s %v", text, err)
	}
}

// TestReceiptMended: whatever a kill leaves of a receipt is completed; what is
// somebody else's is left alone.
func TestReceiptMended(t *testing.T) {
	p := newPlace(t)
	packet := build(t, run(0, nil))
	p.must(0, packet)
	name := p.receipts()[0]
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range []string{"", string(whole[:100]), string(whole[:100]) + strings.Repeat("\x00", 50), string(whole)} {
		if err := os.WriteFile(name, []byte(left), 0o644); err != nil {
			t.Fatal(err)
		}
		p.must(0, packet)
		if got, _ := os.ReadFile(name); string(got) != string(whole) {
			t.Errorf("from %q: %q", left, got)
		}
	}
	if err := os.WriteFile(name, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	p.must(0, packet)
	if got, _ := os.ReadFile(name); string(got) != "mine" {
		t.Errorf("somebody's file was overwritten: %q", got)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	p.must(0, packet)
	other := p.must(1, build(t, run(1, nil)))
	if n := p.receipts(); len(n) != 2 || !strings.HasSuffix(other.ReceiptPath, "_"+other.ExemplarID[:12]+".receipt.json") {
		t.Errorf("receipts %v, second %s", n, other.ReceiptPath)
	}
}

// TestDuplicateID: (source, id) brings one packet; another one is refused, and
// told so.
func TestDuplicateID(t *testing.T) {
	p := newPlace(t)
	ev := exemplars.Event{Position: "a@1:0", Source: "a", ID: "1", Packet: build(t, run(0, nil))}
	if _, err := p.s.Ingest(context.Background(), p.root, ev, noon); err != nil {
		t.Fatal(err)
	}
	ev.Position, ev.Packet = "a@1:9", build(t, run(1, nil))
	_, err := p.s.Ingest(context.Background(), p.root, ev, noon)
	var r *exemplars.Refusal
	if !errors.As(err, &r) || r.Reason != "duplicate" || r.Errors[0].Pointer != "/id" {
		t.Errorf("%v", err)
	}
}

// TestSources: a packet holds only if its sources are what it says.
func TestSources(t *testing.T) {
	p := newPlace(t)
	outside := filepath.Join(t.TempDir(), "outside")
	for name, text := range map[string]string{"ok.txt": "good", "other.txt": "evil", "long.txt": "longer", outside: "good"} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(p.dir, name)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(outside, filepath.Join(p.dir, "link")), syscall.Mkfifo(filepath.Join(p.dir, "pipe"), 0o600)); err != nil {
		t.Fatal(err)
	}
	good := sha256.Sum256([]byte("good"))
	at := 0
	try := func(path string) error {
		at++
		_, err := p.ingest(at, build(t, run(at, func(p *exemplars.Packet) {
			p.SourceHashes = []exemplars.SourceHash{{Path: path, SHA256: hex.EncodeToString(good[:]), Bytes: 4}}
		})))
		return err
	}
	if err := try("ok.txt"); err != nil {
		t.Error(err)
	}
	for path, want := range map[string]string{
		"other.txt": "another content", "long.txt": "6 bytes", "gone.txt": "no such file", "link": "escapes", "../x": "escapes",
		outside: "escapes", "pipe": "not a regular file", ".": "not a regular file",
	} {
		err := try(path)
		var r *exemplars.Refusal
		if !errors.As(err, &r) || r.Errors[0].Pointer != "/data/source_hashes/0" || !strings.Contains(r.Errors[0].Expected, path) || !strings.Contains(r.Errors[0].Got, want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if got := p.search(exemplars.Query{}); len(got) != 1 {
		t.Errorf("rows %v", got)
	}
	hashes, err := exemplars.HashSources(context.Background(), p.root, []string{"ok.txt"})
	if err != nil || hashes[0] != (exemplars.SourceHash{Path: "ok.txt", SHA256: hex.EncodeToString(good[:]), Bytes: 4}) {
		t.Errorf("%v %v", hashes, err)
	}
	if _, err := exemplars.HashSources(context.Background(), p.root, []string{"ok.txt", "link"}); err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("%v", err)
	}
}

// TestSearch: words are words, the newest comes first among equals, names
// before texts, whole words before beginnings.
func TestSearch(t *testing.T) {
	p := newPlace(t)
	for i, change := range []func(*exemplars.Packet){
		func(q *exemplars.Packet) {},
		func(q *exemplars.Packet) { q.Keywords = []string{"naïve", "migration"} },
		func(q *exemplars.Packet) {
			q.Scope, q.Answer, q.Outcome = "deploy__prod", "after gitops_run came migration", "error"
		},
		func(q *exemplars.Packet) { q.Commands = [][]string{{"git", "commit", "-m", `say "hi" AND NOT bye*`}} },
		func(q *exemplars.Packet) {
			q.Batches = []exemplars.Batch{{BatchID: "docs", Outcome: "committed", CommitSHA: "3fa9c1d2e4"}}
			q.Summary.Pushed = true
		},
		func(q *exemplars.Packet) { q.Answer = strings.Repeat("many words about nothing ", 500) },
		func(q *exemplars.Packet) { q.TS, q.Scope = "2020-01-01T00:00:00Z", "gitops_run__old" },
	} {
		p.must(i, build(t, run(i, change)))
	}
	for _, c := range []struct {
		q    exemplars.Query
		want string
	}{
		{exemplars.Query{Words: "gitops_run"}, "5 4 3 1 0 6 2"},
		{exemplars.Query{Words: "gitops_run", Limit: 1}, "5"},
		{exemplars.Query{Words: "GitOps_Run", Window: exemplars.Window{Scope: "gitops_run__*"}, Limit: 2}, "5 4"},
		{exemplars.Query{Words: "migration"}, "1 2"},
		{exemplars.Query{Words: "migr"}, "2 1"},
		{exemplars.Query{Words: "naive"}, "1"},
		{exemplars.Query{Words: "migration gitops_run"}, "1 2"},
		{exemplars.Query{Words: "migration", Outcome: "error"}, "2"},
		{exemplars.Query{Words: "3fa9c1"}, "4"},
		{exemplars.Query{Words: `hi" AND NOT bye*`}, "3"},
		{exemplars.Query{Words: `"hi"`}, "3"},
		{exemplars.Query{Words: "bye OR migration"}, ""},
		{exemplars.Query{Words: "heading:gitops"}, ""},
		{exemplars.Query{Words: "gitops NEAR(x)"}, ""},
		{exemplars.Query{Words: "* ( ^ - \" '"}, ""},
		{exemplars.Query{Words: "nothing-like-it"}, ""},
		{exemplars.Query{Pushed: true}, "4"},
		{exemplars.Query{Window: exemplars.Window{Scope: "gitops_run*"}, Outcome: "ok", Limit: 2}, "5 4"},
		{exemplars.Query{Window: exemplars.Window{Scope: "gitops_run__?ld"}}, "6"},
		{exemplars.Query{Window: exemplars.Window{Scope: "[g]itops_run__old"}}, ""},
	} {
		got := strings.ReplaceAll(strings.Join(p.search(c.q), " "), "gitops_", "")
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
}

func TestRollups(t *testing.T) {
	p := newPlace(t)
	gate := func(id, outcome string) exemplars.Gate {
		return exemplars.Gate{GateID: id, Outcome: outcome, DurationMS: 10}
	}
	dirty := false
	for i, change := range []func(*exemplars.Packet){
		func(q *exemplars.Packet) {
			q.Gates = []exemplars.Gate{gate("p5", "passed"), gate("mermaid", "failed")}
			q.Batches = []exemplars.Batch{{BatchID: "docs", Outcome: "committed", Insertions: 3, Deletions: 1}}
		},
		func(q *exemplars.Packet) {
			q.Gates = []exemplars.Gate{gate("p5", "failed"), gate("mermaid", "skipped"), gate("quiet", "skipped")}
			q.Batches = []exemplars.Batch{{BatchID: "docs", Outcome: "error"}, {BatchID: "src", Outcome: "committed", Insertions: 100}}
			q.Outcome = "partial"
		},
		func(q *exemplars.Packet) { q.Summary.Clean = &dirty },
		func(q *exemplars.Packet) { q.Scope = "gitops_run__main" },
		func(q *exemplars.Packet) { q.TS = "2026-01-30T12:00:00Z" },
	} {
		p.must(i, build(t, run(i, change)))
	}
	show := func(v any, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	ctx := context.Background()
	for name, c := range map[string]struct{ got, want string }{
		"gates": {show(p.s.GateFailures(ctx, exemplars.Window{})), `[{"gate_id":"mermaid","failure_rate":1,"failed":1,"passed":0,"skipped":1,"error":0,"duration_ms":20},` +
			`{"gate_id":"p5","failure_rate":0.5,"failed":1,"passed":1,"skipped":0,"error":0,"duration_ms":20},` +
			`{"gate_id":"quiet","failure_rate":null,"failed":0,"passed":0,"skipped":1,"error":0,"duration_ms":10}]`},
		"churn": {show(p.s.Churn(ctx, exemplars.Window{})), `[{"batch_id":"src","churn":100,"insertions":100,"deletions":0,"commits":1,"runs":1},` +
			`{"batch_id":"docs","churn":4,"insertions":3,"deletions":1,"commits":1,"runs":2}]`},
		"outcomes": {show(p.s.Outcomes(ctx, exemplars.Window{Scope: "gitops_run__gen*"}, "day")),
			`[{"ok":2,"partial":1,"error":0,"total":3},{"ok":1,"partial":0,"error":0,"total":1}]`},
		"since": {show(p.s.Outcomes(ctx, exemplars.Window{Since: "2026-01-30"}, "scope")), `[{"ok":1,"partial":0,"error":0,"total":1}]`},
		"mtbc": {show(p.s.MTBC(ctx, exemplars.Window{})),
			`[{"scope":"gitops_run__gen88-v4","mtbc_seconds":86400,"clean":2,"first":"2026-01-29T12:00:00Z","last":"2026-01-30T12:00:00Z"},` +
				`{"scope":"gitops_run__main","mtbc_seconds":null,"clean":1,"first":"2026-01-29T12:03:00Z","last":"2026-01-29T12:03:00Z"}]`},
		"mtbc until": {show(p.s.MTBC(ctx, exemplars.Window{Until: "2026-01-29", Scope: "*gen*"})),
			`[{"scope":"gitops_run__gen88-v4","mtbc_seconds":null,"clean":1,"first":"2026-01-29T12:00:00Z","last":"2026-01-29T12:00:00Z"}]`},
	} {
		if c.got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, c.got, c.want)
		}
	}
}

// TestStrangers: another board's store, another version's and a damaged one
// are no store of this board.
func TestStrangers(t *testing.T) {
	p := newPlace(t)
	p.must(0, build(t, run(0, nil)))
	p.s.Close()
	s, err := exemplars.Open(p.path(), "board-2")
	if err != nil {
		t.Fatal(err)
	}
	p.s = s
	if got := p.search(exemplars.Query{}); len(got) != 0 {
		t.Errorf("another board's rows: %v", got)
	}
	s.Close()
	if err := os.WriteFile(p.path(), []byte(strings.Repeat("no database at all ", 1000)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := exemplars.Open(p.path(), "board-2"); !errors.Is(err, exemplars.ErrDamaged) || !strings.Contains(err.Error(), p.path()) {
		t.Errorf("%v", err)
	}
	if _, err := exemplars.OpenRead(p.path()); !errors.Is(err, exemplars.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := exemplars.OpenRead(filepath.Join(p.dir, "none")); !errors.Is(err, exemplars.ErrNoStore) {
		t.Errorf("%v", err)
	}
}
