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
	}
	Now func() time.Time
}

// Kinds are those of the effects that it does.
func (w *Worker) Kinds() []string { return []string{plan.EffectResolve} }

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
	var ask plan.Resolve
	if err := json.Unmarshal(e.Payload, &ask); err != nil {
		return plan.Resolved{}, fmt.Errorf("reading the effect %s: %w", e.Key, err)
	}
	r := Resolver{Root: w.Root(), Board: w.Board, Put: w.CAS.Put}
	res, err := r.Resolve(ctx, ask)
	if err != nil {
		return plan.Resolved{}, err
	}
	return res.Resolved(ask.PlanID), nil
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
