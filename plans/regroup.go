package plans

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"stigmergy/contracts/plan"
)

// regroup makes other shards of the inputs of some that stand: of a split, or
// of a stage that is partitioned anew.
type regroup struct {
	get      func(name string) ([]byte, error) // from the store
	world    *world
	manifest plan.Manifest
	stage    *plan.Stage
	describe *plan.Describer
	old      []plan.Shard
	made     []plan.Shard
	kept     []plan.Fault
	names    map[string]bool // cas_ids of old and made
	count    map[string]int  // parts of a parent so far
}

// regroup reads what an effect is about.
func (r *Resolver) regroup(get func(string) ([]byte, error), manifest, stage string, shards []plan.InChunk) (*regroup, error) {
	g := &regroup{get: get, names: map[string]bool{}, count: map[string]int{}}
	text, err := get(manifest)
	if err == nil {
		err = json.Unmarshal(text, &g.manifest)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the manifest: %w", err)
	}
	at := slices.IndexFunc(g.manifest.Stages, func(s plan.Stage) bool { return s.StageID == stage })
	if at < 0 {
		return nil, fmt.Errorf("reading the manifest %s: it has no stage %s", manifest, stage)
	}
	g.stage = &g.manifest.Stages[at]
	if g.describe, err = plan.NewDescriber(g.stage.Kind, g.stage.Spec); err != nil {
		return nil, err
	}
	for _, in := range shards {
		if err := g.read(in); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(g.old, func(a, b plan.Shard) int { return cmp.Compare(a.Index, b.Index) })
	g.world, err = openWorld(g.manifest.Root, r.Board)
	return g, err
}

// read finds shards in their chunk.
func (g *regroup) read(in plan.InChunk) error {
	text, err := g.get(in.Chunk)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, id := range in.CASIDs {
		wanted[id] = !g.names[id]
	}
	for line := range bytes.Lines(text) {
		var s plan.Shard
		if err := json.Unmarshal(line, &s); err != nil {
			return fmt.Errorf("reading the chunk %s: %w", in.Chunk, err)
		}
		if wanted[s.CASID] {
			g.old, wanted[s.CASID], g.names[s.CASID] = append(g.old, s), false, true
		}
	}
	for id, missing := range wanted {
		if missing {
			return fmt.Errorf("reading the chunk %s: it has no shard %s", in.Chunk, id)
		}
	}
	return nil
}

func (g *regroup) keep(s *plan.Shard, keyword, expected, got, hint string) {
	g.kept = append(g.kept, plan.Fault{Pointer: s.CASID, Keyword: keyword, Expected: expected, Got: got, Hint: hint})
}

// split cuts every shard into at most factor parts, or keeps it whole.
func (g *regroup) split(ctx context.Context, factor int) error {
	for i := range g.old {
		s := &g.old[i]
		lists, err := g.divide(ctx, s, factor)
		var t *trouble
		switch {
		case errors.As(err, &t):
			g.keep(s, "input", t.expected, t.got, t.hint)
		case err != nil:
			return err
		case len(lists) < 2:
			g.keep(s, "split", "a shard of several inputs, or of several lines of a file", describeInputs(s.Inputs), "a stage whose per_shard is larger can be split")
		default:
			if err := g.replace(s, lists); err != nil {
				return err
			}
		}
	}
	return nil
}

func describeInputs(in []plan.Input) string {
	switch {
	case len(in) == 0:
		return "one without inputs"
	case in[0].Item != nil:
		return "one item"
	case in[0].Shard != "":
		return "the output of one shard"
	case in[0].From != nil:
		return "one line of a file"
	}
	return "one whole file"
}

// divide gives the inputs of a shard's parts, in their order.
func (g *regroup) divide(ctx context.Context, s *plan.Shard, factor int) (lists [][]plan.Input, err error) {
	if n := len(s.Inputs); n > 1 {
		for i := range min(factor, n) {
			m := min(factor, n)
			lists = append(lists, s.Inputs[i*n/m:(i+1)*n/m])
		}
		return lists, nil
	}
	if len(s.Inputs) == 0 || s.Inputs[0].From == nil || s.Inputs[0].To == nil {
		return nil, nil
	}
	inputs, err := g.recut(ctx, s.Inputs, cutEven(factor))
	for _, in := range inputs {
		lists = append(lists, []plan.Input{in})
	}
	return lists, err
}

// recut verifies stretches of one file that follow each other and cuts them
// anew.
func (g *regroup) recut(ctx context.Context, stretch []plan.Input, cut cutter) (out []plan.Input, err error) {
	name := stretch[0].Name
	err = g.world.steady(name, func(f *os.File, size int64) error {
		from, to := int64(0), size
		buf := make([]byte, block)
		for i := range stretch {
			p := part{to: size}
			if in := &stretch[i]; in.From != nil && in.To != nil {
				p.from, p.to = *in.From, *in.To
			}
			if i == 0 {
				from = p.from
			}
			to = p.to
			if err := p.hash(ctx, f, buf); err != nil {
				return err
			}
			if hex.EncodeToString(p.sum[:]) != stretch[i].SHA256 {
				return &trouble{name, "the file as it was when the plan was made", "other bytes", "submit the plan again"}
			}
		}
		parts, err := cutUp(ctx, f, from, to, cut)
		out = nil
		for i := range parts {
			out = append(out, parts[i].input(name))
		}
		return err
	})
	return out, err
}

func (p *part) input(name string) plan.Input {
	return plan.Input{Name: name, SHA256: hex.EncodeToString(p.sum[:]), From: &p.from, To: &p.to}
}

// replace makes the parts of a parent, unless one of them is there already:
// then the parent stays, for a shard belongs to one parent.
func (g *regroup) replace(parent *plan.Shard, lists [][]plan.Input) error {
	parts := make([]plan.Shard, 0, len(lists))
	own := map[string]bool{}
	for _, inputs := range lists {
		sum, err := g.describe.Sum(inputs)
		if err != nil {
			return err
		}
		at, ok := plan.PartIndex(parent.Index, g.count[parent.CASID]+len(parts))
		s := plan.Shard{SHA256: hex.EncodeToString(sum[:]), Index: at, Inputs: inputs, Parent: parent.CASID}
		s.CASID = plan.CASID(s.SHA256)
		if !ok {
			g.keep(parent, "split", "a shard that was not split this often", "a part of parts", "")
			return nil
		}
		if g.names[s.CASID] || own[s.CASID] {
			g.keep(parent, "split", "parts that are not there already", "the shard "+s.CASID+" twice", "equal inputs make equal shards")
			return nil
		}
		own[s.CASID] = true
		parts = append(parts, s)
	}
	for _, s := range parts {
		g.names[s.CASID] = true
	}
	g.count[parent.CASID] += len(parts)
	g.made = append(g.made, parts...)
	return nil
}

// regrouped stores the new shards and gives the answer.
func (r *Resolver) regrouped(ctx context.Context, g *regroup, faults []plan.Fault) (plan.Resolved, error) {
	out := plan.Resolved{Faults: plan.CapFaults(faults), Kept: plan.CapFaults(g.kept)}
	if out.Faults == nil {
		out.Faults = []plan.Fault{}
	}
	if len(faults) > 0 {
		return out, nil
	}
	slices.SortFunc(g.made, func(a, b plan.Shard) int { return strings.Compare(a.CASID, b.CASID) })
	st := newStore(r.Put)
	out.Shards = len(g.made)
	out.Parts = st.chunks(ctx, len(g.made), func(i int) plan.Shard { return g.made[i] })
	return out, st.end(ctx.Err())
}

// Split does the effect plan.split.
func (r *Resolver) Split(ctx context.Context, get func(string) ([]byte, error), ask plan.Split) (plan.Resolved, error) {
	g, err := r.regroup(get, ask.Shape, ask.StageID, ask.Shards)
	if err != nil {
		return plan.Resolved{}, err
	}
	defer g.world.close()
	if err := g.split(ctx, max(ask.Factor, 2)); err != nil {
		return plan.Resolved{}, err
	}
	out, err := r.regrouped(ctx, g, nil)
	out.PlanID, out.PlanSHA256, out.ManifestSHA256 = ask.PlanID, ask.Plan, ask.Shape
	return out, err
}
