package plans

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"stigmergy/blackboard"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

// Worker does the effects of plans: what each finds out about the world is one
// line plan.resolved on workers/plan.
type Worker struct {
	Root  func() string // the setting root, resolved
	Board string
	CAS   interface {
		Put([]byte) (string, error)
		Get(name string) ([]byte, error)
		Has(name string) bool
	}
	Run Runs // of partitions by a command
	Now func() time.Time
}

// Kinds are those of the effects that it does.
func (w *Worker) Kinds() []string {
	return []string{plan.EffectResolve, plan.EffectCached, plan.EffectSplit, plan.EffectRepartition}
}

// Do does one effect.
func (w *Worker) Do(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	res, err := w.do(ctx, e)
	if err != nil {
		return err
	}
	data, err := json.Marshal(res)
	if err != nil {
		return fmt.Errorf("reporting %s: %w", e.Key, err)
	}
	line, err := w.line(e.Key, res.PlanID, data)
	if err != nil {
		return err
	}
	return report(plan.LanePlan, line)
}

func (w *Worker) do(ctx context.Context, e blackboard.Effect) (plan.Resolved, error) {
	r := Resolver{Root: w.Root(), Board: w.Board, Put: w.CAS.Put, Run: w.Run}
	switch e.Kind {
	case plan.EffectCached:
		return answer(e, func(ask plan.Cached) (plan.Resolved, error) { return w.cached(ask), nil })
	case plan.EffectSplit:
		return answer(e, func(ask plan.Split) (plan.Resolved, error) { return r.Split(ctx, w.CAS.Get, ask) })
	case plan.EffectRepartition:
		return answer(e, func(ask plan.Repartition) (plan.Resolved, error) { return r.Repartition(ctx, w.CAS.Get, ask) })
	}
	return answer(e, func(ask plan.Resolve) (plan.Resolved, error) {
		res, err := r.Resolve(ctx, ask)
		if err != nil {
			return plan.Resolved{}, err
		}
		return res.Resolved(ask.PlanID), nil
	})
}

func answer[T any](e blackboard.Effect, do func(ask T) (plan.Resolved, error)) (plan.Resolved, error) {
	var ask T
	if err := json.Unmarshal(e.Payload, &ask); err != nil {
		return plan.Resolved{}, fmt.Errorf("reading the effect %s: %w", e.Key, err)
	}
	return do(ask)
}

// cached tells which outputs still stand. Their bytes are verified by whoever
// reads them.
func (w *Worker) cached(ask plan.Cached) plan.Resolved {
	out := plan.Resolved{PlanID: ask.PlanID, PlanSHA256: ask.Plan, ManifestSHA256: ask.Shape, Faults: []plan.Fault{}, Cached: []int{}}
	for i, digest := range ask.Digests {
		if w.CAS.Has(digest) {
			out.Cached = append(out.Cached, i)
		}
	}
	return out
}

func (w *Worker) line(key, planID string, data []byte) ([]byte, error) {
	now := w.Now().UTC()
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return nil, fmt.Errorf("reporting %s: %w", key, err)
	}
	return contracts.Build{
		ID: contracts.UUIDv7(now.UnixMilli(), rnd), Source: plan.LanePlan, Type: "plan.resolved", Subject: planID,
		Time: now.Format(time.RFC3339Nano), Ext: []contracts.Attr{{Name: "effectkey", Value: key}}, Data: data,
	}.Append(nil), nil
}
