package feed_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/daemon"
	"stigmergy/exemplars"
	"stigmergy/exemplars/feed"
	"stigmergy/handlers/all"
)

// Each check runs some daemons; -rapid.checks asks for more.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "6"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const sum = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// packet is that of run n; source, if not nil, is a file and its right hash or
// a wrong one.
func packet(t testing.TB, n int, source *exemplars.SourceHash) []byte {
	t.Helper()
	p := exemplars.Packet{
		TS: fmt.Sprintf("2026-01-%02dT02:31:13Z", 1+n%28), Scope: fmt.Sprint("gitops_run__", n%3), RunID: fmt.Sprint("run-", n), Outcome: "ok",
		PreflightReceiptID: "a", PostflightReceiptID: "b", PromptSHA256: sum, AnswerSHA256: sum,
		Artifacts: exemplars.Artifacts{ExemplarPath: "x"}, Answer: strings.Repeat("word ", n*20),
	}
	if source != nil {
		p.SourceHashes = append(p.SourceHashes, *source)
	}
	packet, _, err := p.Build()
	if err != nil {
		t.Fatal(err)
	}
	return packet
}

func newBoard(t testing.TB) layout.Layout {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err == nil {
		err = os.WriteFile(l.Settings(), []byte("segment: {max_bytes: 4KiB, min_bytes: 0B}\nseal: {quiet: 0s}\n"), 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(filepath.Dir(l.Dir), "run.log"), []byte("hello\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func newFeed(l layout.Layout) *feed.Feed {
	return feed.New(feed.Config{Layout: l, Root: func() string { return filepath.Dir(l.Dir) }})
}

// once takes in and handles what stands on the board.
func once(t testing.TB, l layout.Layout) {
	t.Helper()
	fold, err := all.New()
	if err != nil {
		t.Fatal(err)
	}
	d, err := daemon.New(daemon.Config{Layout: l, Fold: fold, Stderr: io.Discard, Once: true, Workers: func(*daemon.World) ([]blackboard.Worker, error) {
		return []blackboard.Worker{newFeed(l)}, nil
	}})
	if err == nil {
		err = d.Once(context.Background())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// post appends an event and gives its offset.
func post(t testing.TB, l layout.Layout, lane, id string, packet []byte) int64 {
	t.Helper()
	f, err := os.OpenFile(l.Lane(lane), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err == nil {
		_, err = fmt.Fprintf(f, `{"type":"hfo.exemplar",%s"data":%s}`+"\n", id, packet)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

func rows(t testing.TB, l layout.Layout) []exemplars.Exemplar {
	t.Helper()
	s, err := exemplars.OpenRead(feed.Path(l))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	found, err := s.Search(context.Background(), exemplars.Query{})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestRebuild: whatever came in, in whatever way, across rotations, archives
// and lost stores: the rows are those that were to be taken, and the board
// gives the same rows again.
func TestRebuild(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newBoard(t)
		ctx := context.Background()
		right := &exemplars.SourceHash{Path: "run.log", SHA256: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03", Bytes: 6}
		wrong := &exemplars.SourceHash{Path: "run.log", SHA256: sum, Bytes: 6}
		want := map[string]bool{}
		for i := range rapid.IntRange(1, 12).Draw(rt, "steps") {
			n := rapid.IntRange(0, 9).Draw(rt, "packet")
			switch rapid.IntRange(0, 6).Draw(rt, "step") {
			case 0, 1:
				post(t, l, rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "lane"), "", packet(t, n, right))
				want[fmt.Sprint("run-", n)] = true
			case 2:
				post(t, l, "a", "", packet(t, 100+n, wrong))
			case 3: // a command that finds no daemon does it by itself
				lane := fmt.Sprint("direct", i)
				at := post(t, l, lane, "", packet(t, n, nil))
				pos := fmt.Sprintf("%s@1:%d", lane, at)
				if _, err := newFeed(l).Ingest(ctx, exemplars.Event{Position: pos, Source: lane, ID: pos, Packet: packet(t, n, nil)}); err != nil {
					rt.Fatal(err)
				}
				want[fmt.Sprint("run-", n)] = true
			case 4, 5:
				once(t, l)
			case 6:
				_ = os.Remove(feed.Path(l))
			}
		}
		once(t, l)
		f := newFeed(l)
		if _, err := f.Has(ctx, sum); err != nil { // it catches up where the store was lost last
			rt.Fatal(err)
		}
		first := byName(rows(t, l))
		if _, err := f.Rebuild(ctx); err != nil {
			rt.Fatal(err)
		}
		before := rows(t, l)
		if again := byName(before); !reflect.DeepEqual(again, first) {
			rt.Fatalf("rebuilt: %s\nwant %s", show(again), show(first))
		}
		got := map[string]bool{}
		for _, e := range before {
			got[e.RunID] = true
		}
		if !reflect.DeepEqual(got, want) {
			rt.Fatalf("rows %v, want %v", got, want)
		}
		once(t, l)
		for _, lost := range []bool{false, true} {
			if lost {
				if err := os.Remove(feed.Path(l)); err != nil {
					rt.Fatal(err)
				}
			}
			if _, err := newFeed(l).Rebuild(ctx); err != nil {
				rt.Fatal(err)
			}
			if again := rows(t, l); !reflect.DeepEqual(again, before) {
				rt.Fatalf("lost %v: %s\nwant %s", lost, show(again), show(before))
			}
		}
	})
}

func byName(rows []exemplars.Exemplar) map[string]exemplars.Exemplar {
	out := map[string]exemplars.Exemplar{}
	for _, e := range rows {
		out[e.ExemplarID] = e
	}
	return out
}

func show(v any) string { b, _ := json.MarshalIndent(v, "", " "); return string(b) }

// TestWorker: an effect that is done again tells the same, and a refusal names
// what is wrong.
func TestWorker(t *testing.T) {
	l := newBoard(t)
	f := newFeed(l)
	do := func(n int, source *exemplars.SourceHash, position string) map[string]any {
		t.Helper()
		p := packet(t, n, source)
		payload := fmt.Sprintf(`{"position":"%s","source":"s","id":"%s","packet":%s}`, position, position, p)
		var said []byte
		err := f.Do(context.Background(), blackboard.Effect{Key: "exemplar:x", Kind: f.Kinds()[0], Payload: []byte(payload)}, func(lane string, line []byte) error {
			if lane != "workers/exemplars" || said != nil {
				t.Errorf("said more than one thing, or elsewhere: %s %s", lane, line)
			}
			said = append([]byte{}, line...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		var ev struct {
			Type      string
			EffectKey string
			Data      map[string]any
		}
		if err := json.Unmarshal(said, &ev); err != nil || ev.EffectKey != "exemplar:x" {
			t.Fatalf("%s: %v", said, err)
		}
		ev.Data["type"] = ev.Type
		return ev.Data
	}
	first := do(1, nil, "a@1:0")
	if again := do(1, nil, "a@1:0"); !reflect.DeepEqual(first, again) || first["new"] != true || first["type"] != "exemplar.ingested" {
		t.Errorf("%v, then %v", first, again)
	}
	if other := do(1, nil, "b@1:0"); other["new"] != false || other["position"] != "a@1:0" || other["receipt_path"] != first["receipt_path"] {
		t.Errorf("%v", other)
	}
	no := do(2, &exemplars.SourceHash{Path: "gone", SHA256: sum}, "c@1:0")
	if no["type"] != "exemplar.refused" || no["reason"] != "bad_parameter" || !strings.Contains(fmt.Sprint(no["errors"]), "gone") {
		t.Errorf("%v", no)
	}
	// What the daemon derived itself is kept where it says; nobody else's is.
	do(3, nil, "swarm@1:0")
	kept, err := os.ReadFile(filepath.Join(filepath.Dir(l.Dir), "x"))
	if err != nil || string(kept) != string(packet(t, 3, nil))+"\n" {
		t.Errorf("%s %v", kept, err)
	}
}

// TestRebuildBesideDaemon: a row whose receipt and event are still to come
// outlives a rebuild; one whose packet the board does not have does not.
func TestRebuildBesideDaemon(t *testing.T) {
	l := newBoard(t)
	f := newFeed(l)
	for n, pos := range map[int]string{1: "a@1:0", 2: "gone@1:0"} {
		if n == 1 {
			post(t, l, "a", "", packet(t, n, nil))
		}
		if _, err := f.Ingest(context.Background(), exemplars.Event{Position: pos, Source: "a", ID: pos, Packet: packet(t, n, nil)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(filepath.Dir(l.Dir), exemplars.ReceiptDir)); err != nil {
		t.Fatal(err)
	}
	before := byName(rows(t, l))
	if n, err := f.Rebuild(context.Background()); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
	for id, e := range byName(rows(t, l)) {
		if e.RunID != "run-1" || !reflect.DeepEqual(e, before[id]) {
			t.Errorf("%s, was %s", show(e), show(before[id]))
		}
	}
}

// TestNoRoot: a root that is not there is told with its name, and nothing is
// made.
func TestNoRoot(t *testing.T) {
	l := newBoard(t)
	f := feed.New(feed.Config{Layout: l, Root: func() string { return filepath.Join(l.Dir, "none") }})
	_, err := f.Ingest(context.Background(), exemplars.Event{Packet: packet(t, 1, nil)})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(l.Dir, "none")) {
		t.Errorf("%v", err)
	}
}
