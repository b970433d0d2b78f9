package truth

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/seal"
)

// Config is what a Worker works with.
type Config struct {
	Layout layout.Layout
	Disk   *durable.Disk
	Now    func() time.Time // nil: the machine's
	// Key is the board's key, with which certificates are signed.
	Key func() (*seal.Signer, error)
}

// Worker is the board's own Truth. It is a blackboard.Worker.
type Worker struct{ cfg Config }

// New makes it.
func New(cfg Config) *Worker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Worker{cfg}
}

// Kinds are the effects that it does.
func (*Worker) Kinds() []string {
	return []string{certify.EffectCertify, certify.EffectSign, certify.EffectBisect}
}

// Do answers one question about a plan.
func (w *Worker) Do(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	var ask certify.Ask
	if err := json.Unmarshal(e.Payload, &ask); err != nil {
		return fmt.Errorf("reading what %s asks: %w", e.Key, err)
	}
	engine, err := query.Open(w.cfg.Layout, query.Options{Daemon: func() bool { return true }, Now: w.cfg.Now})
	if err != nil {
		return err
	}
	defer engine.Close()
	cas := durable.CAS{Layout: w.cfg.Layout, Disk: w.cfg.Disk}
	b := Board{engine, cas}
	v := &certify.Verdict{PlanID: ask.PlanID, MerkleRoot: ask.Root, Attempt: ask.Attempt}
	switch e.Kind {
	case certify.EffectCertify:
		err = w.certify(ctx, b, &ask, v)
	case certify.EffectSign:
		err = w.countersign(ctx, b, &ask, v)
	case certify.EffectBisect:
		err = w.bisect(ctx, b, &ask, v)
	}
	if err != nil {
		return err
	}
	return w.announce(e.Key, v, report)
}

// claim finds the attempt that is asked about; why says what is wrong with it.
func claim(ctx context.Context, b Board, ask *certify.Ask) (a *Attempt, why string, err error) {
	p, err := b.Read(ctx, ask.PlanID)
	if err != nil {
		return nil, "", err
	}
	a = p.Last()
	switch {
	case a == nil || a.Number != ask.Attempt:
		return nil, "", fmt.Errorf("the board's lines have no attempt %d of plan %s yet", ask.Attempt, ask.PlanID)
	case a.Err != nil:
		return a, "its tree cannot be computed: " + a.Err.Error(), nil
	case a.Tree.Root.String() != ask.Root || a.Tree.Size != ask.Shards || a.Claimed.String() != ask.Root || a.Shards != ask.Shards:
		return a, fmt.Sprintf("the root over the %d shards that stand is %s, claimed was %s over %d", a.Tree.Size, a.Tree.Root, ask.Root, ask.Shards), nil
	}
	return a, "", nil
}

// failed is the seed's reason, and ours.
const failed = "proof verification failed"

// certify checks everything: the tree, the samples, the outputs.
func (w *Worker) certify(ctx context.Context, b Board, ask *certify.Ask, v *certify.Verdict) error {
	a, why, err := claim(ctx, b, ask)
	if err != nil {
		return err
	}
	if why == "" && a.SampleErr != nil {
		why = a.SampleErr.Error()
	}
	if why != "" {
		v.Reason = failed + ": " + why
		return nil
	}
	var only []uint64
	if ask.Outputs == "sample" {
		only = certify.Samples(a.Tree.Root, uint64(a.Tree.Size))
	}
	seen, err := a.Tree.Outputs(ctx, b.CAS, only)
	if err != nil {
		return err
	}
	if n := len(seen.Bad); n > 0 {
		v.Reason = fmt.Sprintf("%s: %d of %d outputs are not what was reported: %s", failed, n, seen.Leaves, seen.Bad[0])
		v.Bad, v.BadTotal = seen.Bad[:min(n, 100)], n
		return nil
	}
	v.Note, err = w.sign(a, ask)
	v.Certified = err == nil
	return err
}

// countersign signs what an outside Truth has accepted, if it is what the
// board's own lines say: nothing else is ever signed.
func (w *Worker) countersign(ctx context.Context, b Board, ask *certify.Ask, v *certify.Verdict) error {
	a, why, err := claim(ctx, b, ask)
	if err != nil {
		return err
	}
	if why != "" {
		v.Reason = failed + ": " + why
		return nil
	}
	if v.Note, err = w.sign(a, ask); err != nil {
		return err
	}
	v.Certified = true
	// The outside Truth's own signatures, over the same text, follow the board's.
	if text, sigs, ok := bytes.Cut([]byte(ask.Note), []byte("\n\n")); ok && bytes.HasPrefix([]byte(v.Note), append(text, "\n\n"...)) {
		v.Note += string(sigs)
	}
	return nil
}

// sign signs the plan's checkpoint with the board's key.
func (w *Worker) sign(a *Attempt, ask *certify.Ask) (string, error) {
	key, err := w.cfg.Key()
	if err != nil {
		return "", fmt.Errorf("signing the certificate of plan %s: %w", ask.PlanID, err)
	}
	c := seal.Checkpoint{Origin: certify.Origin(key.Name(), ask.PlanID), Size: uint64(a.Tree.Size), Root: a.Tree.Root}
	note, err := c.Sign(key)
	return string(note), err
}

// bisect finds the leaves that do not hold, moves their outputs out of the
// store, and names them.
func (w *Worker) bisect(ctx context.Context, b Board, ask *certify.Ask, v *certify.Verdict) error {
	v.Comparisons = new(int)
	a, why, err := claim(ctx, b, ask)
	if err != nil {
		return err
	}
	if why != "" {
		v.Reason = why
		return nil
	}
	seen, err := a.Tree.Outputs(ctx, b.CAS, nil)
	if err != nil {
		return err
	}
	bad := a.Tree.join(seen.Bad, ask.Suspect)
	d, err := a.Tree.bisect(bad)
	if err != nil {
		return err
	}
	*v.Comparisons = d.Comparisons
	v.Reason = fmt.Sprintf("%d of %d outputs are not what was reported", len(bad), a.Tree.Size)
	if len(bad) == 0 {
		v.Reason = "every output that stands in the store is what was reported"
		return nil
	}
	v.From, v.To, v.Subtree, v.Recomputed = d.From, d.To, d.A.String(), d.B.String()
	for _, i := range bad {
		if ask.Last {
			break
		}
		if err := w.evict(ctx, i); err != nil {
			return err
		}
	}
	return name(b.CAS, bad, v)
}

// name puts bad leaves into a verdict, and where they are many, all of them
// into the store.
func name(cas durable.CAS, bad []certify.Bad, v *certify.Verdict) error {
	v.Bad, v.BadTotal = bad[:min(len(bad), certify.MaxBad)], len(bad)
	if len(bad) <= certify.MaxBad {
		return nil
	}
	var all bytes.Buffer
	enc := json.NewEncoder(&all)
	for _, b := range bad {
		if err := enc.Encode(b); err != nil {
			return err
		}
	}
	var err error
	v.BadSHA256, err = cas.Put(all.Bytes())
	return err
}

func (w *Worker) announce(effect string, v *certify.Verdict, report func(lane string, line []byte) error) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("reporting a verdict: %w", err)
	}
	now := w.cfg.Now().UTC()
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return fmt.Errorf("reporting a verdict: %w", err)
	}
	return report(certify.LaneTruth, contracts.Build{
		ID: contracts.UUIDv7(now.UnixMilli(), rnd), Source: certify.LaneTruth, Type: "truth.verdict", Subject: v.PlanID,
		Time: now.Format(time.RFC3339Nano), Ext: []contracts.Attr{{Name: "effectkey", Value: effect}}, Data: body,
	}.Append(nil))
}
