package truth

import (
	"context"
	"errors"
	"fmt"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/certify"
	"stigmergy/contracts/merkle"
)

// Board is where plans are read from.
type Board struct {
	Engine *query.Engine
	CAS    durable.CAS
}

// Plan is a plan as the board's lines have it.
type Plan struct {
	ID       string // as the plan's events write it
	Name     string
	Stages   []string // stage_ids, in order
	Attempts []*Attempt
	Result   query.Result // holes and damage met on the way
	shards   []shard
	index    map[key]int32
	sums     map[uint64]merkle.Hash // of descriptions, by cas_id
	chunks   []string               // not read yet
	manifest bool
	broken   error // why the plan's shards are not known
}

// Attempt is one certification of a plan.
type Attempt struct {
	Number  int
	Claimed merkle.Hash // hxo.aggregate.ready's
	Shards  int         // and its total_shards
	Ready   contracts.Position
	// Tree is what stood when the claim was made, in the order of the leaves.
	// Err says why it could not be made.
	Tree *Tree
	Err  error

	Samples   []*certify.Sample // hxo.aggregate.certify's
	SampleErr error
	Certify   contracts.Position

	End         contracts.Position // of finalized or failed; zero: neither yet
	Certificate *Certificate       // of finalized
	Reason      string             // of failed
	Line        []byte             // finalized's or failed's own
	Found       *Found             // what bisection found, if it did
}

// Certificate is what hxo.aggregate.finalized carries.
type Certificate struct {
	Certified  bool   `json:"certified"`
	ID         string `json:"certificate_id"`
	Timestamp  string `json:"timestamp"`
	MerkleRoot string `json:"merkle_root"`
	TreeSize   int    `json:"tree_size"`
	Checkpoint string `json:"checkpoint"`
}

// Found is what a bisection found: it stands in the line truth.verdict.
type Found struct {
	Bad         []certify.Bad `json:"bad"` // at most certify.MaxBad
	Total       int           `json:"bad_total"`
	Comparisons int           `json:"comparisons"`
	From        int           `json:"from"`
	To          int           `json:"to"`
	Position    string        `json:"-"`
}

// Last is the newest attempt; nil if there was none.
func (p *Plan) Last() *Attempt {
	if len(p.Attempts) == 0 {
		return nil
	}
	return p.Attempts[len(p.Attempts)-1]
}

// key is a shard within a plan.
type key struct {
	stage uint16
	cas   uint64
}

type shard struct {
	key
	attempt int32
	done    bool
	output  merkle.Hash
}

// ErrNoPlan says that the board has no such plan.
var ErrNoPlan = errors.New("the board has no plan of that plan_id")

// lanes of the lines that are believed.
const (
	hxoLane   = "hxo"
	planLane  = "workers/plan"
	truthLane = "workers/truth"
)

// Read reads a plan. Of every attempt it keeps the claim; the trees of those
// before the last are compared and let go.
func (b Board) Read(ctx context.Context, planID string) (*Plan, error) {
	where, err := query.ParseFilters([]string{"plan_id:eq:" + planID})
	if err != nil {
		return nil, err
	}
	p := newPlan()
	if p.Result, err = b.run(ctx, where, func(string) *Plan { return p }); err != nil {
		return nil, fmt.Errorf("reading the lines of plan %s: %w", planID, err)
	}
	p.forget()
	if p.ID == "" {
		return p, ErrNoPlan
	}
	return p, nil
}

// forget lets go of what only reading needs.
func (p *Plan) forget() { p.shards, p.index, p.sums = nil, nil, nil }

// All reads the plans with these ids in one go.
func (b Board) All(ctx context.Context, ids []string) ([]*Plan, error) {
	plans, out := map[string]*Plan{}, []*Plan(nil)
	for _, id := range ids {
		if plans[id] == nil {
			plans[id] = newPlan()
			out = append(out, plans[id])
		}
	}
	res, err := b.run(ctx, nil, func(id string) *Plan { return plans[id] })
	if err != nil {
		return nil, fmt.Errorf("reading the lines of %d plans: %w", len(ids), err)
	}
	for _, p := range out {
		p.Result = res
		p.forget()
	}
	return out, nil
}

// Listed is a plan that was certified, or was to be.
type Listed struct {
	ID     string
	Shards int
}

// List lists the plans that have a claim, in the order of their first one.
func (b Board) List(ctx context.Context) ([]Listed, error) {
	topics, err := contracts.ParsePatterns([]string{"hxo.aggregate.ready"})
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	var out []Listed
	_, err = b.Engine.Run(ctx, query.Request{Topics: topics, Lane: hxoLane, JournaledOnly: true}, func(h *query.Hit) error {
		data := h.Event().Data()
		id := contracts.GetString(data, "plan_id")
		if n, _ := contracts.GetInt(data, "total_shards"); !seen[id] {
			seen[id] = true
			out = append(out, Listed{id, int(n)})
		}
		return nil
	})
	return out, err
}

func newPlan() *Plan { return &Plan{index: map[key]int32{}, sums: map[uint64]merkle.Hash{}} }

// run feeds plans with the lines that are about them.
func (b Board) run(ctx context.Context, where []query.Filter, plan func(id string) *Plan) (query.Result, error) {
	topics, err := contracts.ParsePatterns([]string{"plan.resolved", "hxo.plan", "hxo.shard.*", "hxo.aggregate.*", "truth.verdict"})
	if err != nil {
		return query.Result{}, err
	}
	return b.Engine.Run(ctx, query.Request{Topics: topics, Where: where, JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		if p := plan(contracts.GetString(ev.Data(), "plan_id")); p != nil {
			b.line(p, ev)
		}
		return nil
	})
}
