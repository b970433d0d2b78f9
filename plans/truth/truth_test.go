package truth_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/plan"
	"stigmergy/contracts/seal"
	"stigmergy/daemon"
	"stigmergy/handlers/all"
	"stigmergy/plans"
	"stigmergy/plans/truth"
)

const planID = "0f8fad5b-d9cb-469f-a165-70867728950e"

// board is one with a daemon whose executor makes outputs without processes.
type board struct {
	t        *testing.T
	layout   layout.Layout
	cas      durable.CAS
	key      *seal.Signer
	engine   *query.Engine
	before   func(e blackboard.Effect) // called before Truth is
	stop     context.CancelFunc
	ended    chan error
	stderr   bytes.Buffer
	patience time.Duration // of wait; 0: two minutes
}

func newBoard(t *testing.T, yaml string, before func(b *board, e blackboard.Effect)) *board {
	t.Helper()
	l, _, err := layout.Create(filepath.Join(t.TempDir(), "board"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(l.Settings(), []byte("hxo: {max_rate: 0, batch_size: 500}\n"+yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	b := &board{t: t, layout: l, ended: make(chan error, 1)}
	b.before = func(e blackboard.Effect) {
		if before != nil {
			before(b, e)
		}
	}
	if b.key, err = seal.NewSigner(rand.Reader, "stigmergy/test"); err != nil {
		t.Fatal(err)
	}
	if b.engine, err = query.Open(l, query.Options{Daemon: func() bool { return true }}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.engine.Close() })
	b.start()
	return b
}

func (b *board) start() {
	b.t.Helper()
	fold, err := all.New()
	if err != nil {
		b.t.Fatal(err)
	}
	d, err := daemon.New(daemon.Config{Layout: b.layout, Fold: fold, Stderr: &b.stderr, Version: "test", Workers: func(w *daemon.World) ([]blackboard.Worker, error) {
		b.cas = w.CAS()
		own := truth.New(truth.Config{Layout: w.Layout, Disk: w.Disk, Key: func() (*seal.Signer, error) { return b.key, nil }})
		return []blackboard.Worker{
			&plans.Worker{Root: func() string { return b.layout.Dir }, Board: b.layout.Dir, CAS: w.CAS(), Now: time.Now},
			worker{[]string{plan.EffectRun}, b.run},
			worker{own.Kinds(), func(ctx context.Context, e blackboard.Effect, report func(string, []byte) error) error {
				b.before(e)
				return own.Do(ctx, e, report)
			}},
		}, nil
	}})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-b.ended; err != nil {
			b.t.Error(err)
		}
	})
	go func() { b.ended <- d.Run(ctx) }()
	b.t.Cleanup(b.stop)
}

type worker struct {
	kinds []string
	do    func(ctx context.Context, e blackboard.Effect, report func(string, []byte) error) error
}

func (w worker) Kinds() []string { return w.kinds }

func (w worker) Do(ctx context.Context, e blackboard.Effect, report func(string, []byte) error) error {
	return w.do(ctx, e, report)
}

// run makes a shard's output of its name.
func (b *board) run(_ context.Context, e blackboard.Effect, report func(string, []byte) error) error {
	var r plan.ExecRun
	if err := json.Unmarshal(e.Payload, &r); err != nil {
		return err
	}
	digest, err := b.cas.Put([]byte("the output of " + r.CASID + "\n"))
	if err != nil {
		return err
	}
	return report(plan.LaneExec, fmt.Appendf(nil, `{"type":"federation.result","effectkey":%q,"data":{"plan_id":%q,"stage_id":%q,"cas_id":%q,"attempt":%d,"executor":"builtin","ok":true,"output_digest":%q}}`,
		e.Key, r.PlanID, r.StageID, r.CASID, r.Attempt, digest))
}

// post appends a line to a lane.
func (b *board) post(lane, topic, data string) {
	b.t.Helper()
	f, err := os.OpenFile(b.layout.Lane(lane), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintf(f, "{\"type\":%q,\"data\":%s}\n", topic, data)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// submit submits a plan of that many shards.
func (b *board) submit(shards int) {
	b.post("admiral", "hxo.plan.submit", fmt.Sprintf(`{"plan_id":%q,"submitted_by":"kyle","plan":{"plan_name":"p","stages":[{"stage_id":"pack","kind":"exec","spec":{"argv":["true","{item}"]},"partition":{"by":"range","from":0,"to":%d,"step":1}}]}}`, planID, shards))
}

// wait waits for the n-th event of a topic, and gives its data.
func (b *board) wait(topic string, n int) (data []byte) {
	b.t.Helper()
	p, err := contracts.ParsePatterns([]string{topic})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), max(b.patience, 2*time.Minute))
	defer cancel()
	enough := errors.New("enough")
	_, err = b.engine.Follow(ctx, query.Request{Topics: p}, func(h *query.Hit) error {
		if n--; n > 0 {
			return nil
		}
		data = bytes.Clone(h.Event().Data())
		return enough
	})
	if !errors.Is(err, enough) {
		b.t.Fatalf("waiting for %s: %v\n%s", topic, err, &b.stderr)
	}
	return data
}

func (b *board) count(topic string) int64 {
	b.t.Helper()
	p, err := contracts.ParsePatterns([]string{topic})
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := b.engine.Count(b.t.Context(), query.Request{Topics: p})
	if err != nil {
		b.t.Fatal(err)
	}
	return res.Matched
}

func (b *board) read() *truth.Plan {
	b.t.Helper()
	p, err := truth.Board{Engine: b.engine, CAS: b.cas}.Read(b.t.Context(), planID)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

// damage puts other bytes under the name of an output.
func (b *board) damage(digest, bytes string) {
	b.t.Helper()
	path := b.layout.Blob(digest)
	if err := os.Remove(path); err != nil {
		b.t.Fatal(err)
	}
	if bytes != "" {
		if err := os.WriteFile(path, []byte(bytes), 0o444); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *board) certificate(final []byte) (c truth.Certificate) {
	b.t.Helper()
	if err := json.Unmarshal(contracts.Lookup(final, "certificate").Raw, &c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// The sizes that have bitten others.
func TestCertificateIsSignedAndRecomputed(t *testing.T) {
	for _, n := range []int{1, 2, 3, 17, 255, 257} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			b := newBoard(t, "", nil)
			b.submit(n)
			c := b.certificate(b.wait("hxo.aggregate.finalized", 1))
			a := b.read().Last()
			if a.Err != nil || a.Tree.Root != a.Claimed || a.Tree.Size != n || a.Shards != n || a.SampleErr != nil || c.MerkleRoot != a.Claimed.String() || c.TreeSize != n || a.Certificate == nil || *a.Certificate != c {
				t.Fatalf("%+v %+v", a, c)
			}
			key, err := seal.ParseVerifier(b.key.Public())
			if err != nil {
				t.Fatal(err)
			}
			note, _, err := seal.OpenCheckpoint([]byte(c.Checkpoint), key)
			if want := (seal.Checkpoint{Origin: "stigmergy/test/plan/" + planID, Size: uint64(n), Root: a.Claimed}); err != nil || note != want {
				t.Fatalf("%v %+v, want %+v", err, note, want)
			}
			if seen, err := a.Tree.Outputs(t.Context(), b.cas, nil); err != nil || len(seen.Bad) > 0 || seen.Leaves != n {
				t.Fatalf("%+v %v", seen, err)
			}
		})
	}
}

// A wrong output in the store before certification: failed, bisected, exactly
// that shard replayed, finalized with the root of an untouched run.
func TestWrongOutputOfAThousand(t *testing.T) {
	untouched := newBoard(t, "", nil)
	untouched.submit(1000)
	root := untouched.certificate(untouched.wait("hxo.aggregate.finalized", 1)).MerkleRoot
	leaf := untouched.read().Last().Tree.Leaf(617)

	var once sync.Once
	b := newBoard(t, "", func(b *board, e blackboard.Effect) {
		if e.Kind == certify.EffectCertify {
			once.Do(func() { b.damage(leaf.Output, "something else\n") })
		}
	})
	b.submit(1000)
	final := b.wait("hxo.aggregate.finalized", 1)
	if c := b.certificate(final); c.MerkleRoot != root {
		t.Fatalf("root %s, of the untouched run %s", c.MerkleRoot, root)
	}
	if n, _ := contracts.GetInt(final, "attempt"); n != 2 {
		t.Fatalf("certified in attempt %d", n)
	}
	p := b.read()
	f := p.Attempts[0].Found
	if f == nil || len(f.Bad) != 1 || f.Bad[0].Index != 617 || f.Bad[0].Shard != leaf.Shard() || f.From != 617 || f.To != 618 || f.Comparisons > 45 {
		t.Fatalf("found %+v", f)
	}
	t.Logf("%d comparisons; %s", f.Comparisons, p.Attempts[0].Reason)
	if done, created := b.count("hxo.shard.done"), b.count("hxo.shard.created"); done != 1001 || created != 1001 {
		t.Fatalf("%d done, %d created", done, created)
	}
	if b.count("hxo.aggregate.failed") != 1 || b.count("hxo.aggregate.ready") != 2 || b.count("hxo.alert") != 0 {
		t.Fatal("other events than expected")
	}
	kept, err := os.ReadDir(b.layout.Private("evicted"))
	if err != nil || len(kept) != 1 || !strings.HasPrefix(kept[0].Name(), leaf.Output) {
		t.Fatalf("evicted: %v %v", kept, err)
	}
	b.stop()
	if strings.Contains(b.stderr.String(), "truth") {
		t.Fatal(b.stderr.String())
	}
}

// An output that is gone, and a store that is not mended: three attempts.
func TestStoreThatStaysBad(t *testing.T) {
	b := newBoard(t, "", func(b *board, e blackboard.Effect) {
		if e.Kind == certify.EffectCertify {
			p := b.read()
			b.damage(p.Last().Tree.Leaf(1).Output, "")
		}
	})
	b.submit(3)
	alert := b.wait("hxo.alert", 1)
	if contracts.GetString(alert, "alert_type") != "certification_failed" || !strings.Contains(contracts.GetString(alert, "message"), "leaf 1, shard pack/") {
		t.Fatalf("%s", alert)
	}
	if b.count("hxo.aggregate.failed") != 3 || b.count("hxo.aggregate.finalized") != 0 || b.count("hxo.shard.done") != 5 {
		t.Fatal("other events than expected")
	}
}

// More bad leaves than a verdict names: all of them run again all the same.
func TestWholeStoreGone(t *testing.T) {
	var once sync.Once
	b := newBoard(t, "", func(b *board, e blackboard.Effect) {
		if e.Kind == certify.EffectCertify {
			once.Do(func() {
				tree := b.read().Last().Tree
				for i := range tree.Size {
					b.damage(tree.Leaf(i).Output, "")
				}
			})
		}
	})
	const n = certify.MaxBad + 50
	b.submit(n)
	final := b.wait("hxo.aggregate.finalized", 1)
	if attempt, _ := contracts.GetInt(final, "attempt"); attempt != 2 || b.count("hxo.shard.done") != 2*n {
		t.Fatalf("attempt %d, %d done", attempt, b.count("hxo.shard.done"))
	}
	if f := b.read().Attempts[0].Found; f.Total != n || len(f.Bad) != certify.MaxBad || f.From != 0 || f.To != n {
		t.Fatalf("%d bad, %d named, %d to %d", f.Total, len(f.Bad), f.From, f.To)
	}
}

// An outside Truth decides, the board signs.
func TestOutsideTruthIsCountersigned(t *testing.T) {
	b := newBoard(t, "truth: outside\n", nil)
	b.submit(4)
	ask := b.wait("hxo.aggregate.certify", 1)
	root := contracts.GetString(ask, "merkle_root")
	b.post("truth", "truth.verdict", fmt.Sprintf(`{"plan_id":%q,"merkle_root":%q,"attempt":1,"certified":true}`, planID, root))
	c := b.certificate(b.wait("hxo.aggregate.finalized", 1))
	key, err := seal.ParseVerifier(b.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := seal.OpenCheckpoint([]byte(c.Checkpoint), key); err != nil {
		t.Fatal(err)
	}
}
