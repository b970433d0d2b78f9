package plans

import (
	"context"
	"errors"
	"slices"
	"strings"

	"stigmergy/contracts/plan"
)

// anew puts the inputs of all the old shards into new ones, as the partition
// says. An old shard that comes out as it was stays.
func (g *regroup) anew(ctx context.Context, p plan.Partition) ([]plan.Fault, error) {
	var inputs []plan.Input
	var owners []*plan.Shard // whose input it was
	for i := range g.old {
		for range g.old[i].Inputs {
			owners = append(owners, &g.old[i])
		}
		inputs = append(inputs, g.old[i].Inputs...)
	}
	lists, firsts, err := g.lists(ctx, p, inputs)
	var t *trouble
	if errors.As(err, &t) {
		return []plan.Fault{{Pointer: "/partition", Keyword: "input", Expected: t.expected, Got: quote(t.path) + ": " + t.got, Hint: t.hint}}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(lists) == 0 {
		return []plan.Fault{{Pointer: "/partition/by", Keyword: "enum", Expected: "a partition of what these shards have: " + describeInputs(inputs[:min(1, len(inputs))]), Got: quote(p.By), Hint: "files, items, range and outputs are grouped anew by per_shard, files and their parts cut anew by lines or bytes"}}, nil
	}
	if slices.ContainsFunc(lists, func(l []plan.Input) bool { return len(l) > 1 }) && slices.ContainsFunc(g.stage.Job.Argv, single) {
		return []plan.Fault{{Pointer: "/partition/per_shard", Keyword: "placeholder", Expected: "1: the stage's command has {input} or {item}", Got: "shards with several inputs", Hint: "such a stage is submitted anew with {inputs}"}}, nil
	}
	return nil, g.renew(lists, firsts, owners)
}

func single(arg string) bool {
	return strings.Contains(arg, "{input}") || strings.Contains(arg, "{item}")
}

// lists groups inputs, and tells which input each list begins with; none where
// the partition is not one of such inputs.
func (g *regroup) lists(ctx context.Context, p plan.Partition, inputs []plan.Input) (lists [][]plan.Input, firsts []int, err error) {
	if len(inputs) == 0 {
		return nil, nil, nil
	}
	in, per := &inputs[0], len(inputs)
	switch {
	case in.Name != "" && p.By == plan.ByLines:
		return g.cutAnew(ctx, inputs, cutLines(ctx, p.PerShard))
	case in.Name != "" && p.By == plan.ByBytes:
		return g.cutAnew(ctx, inputs, cutBytes(ctx, p.PerShard))
	case in.Name != "" && in.From == nil && p.By == plan.ByFiles, in.Item != nil && (p.By == plan.ByItems || p.By == plan.ByRange), in.Shard != "" && p.By == plan.ByOutputs:
		per = int(min(p.PerShard, int64(per)))
	case p.By != plan.ByOne:
		return nil, nil, nil
	}
	for l := range slices.Chunk(inputs, per) {
		firsts = append(firsts, len(lists)*per)
		lists = append(lists, l)
	}
	return lists, firsts, nil
}

// cutAnew cuts files, or stretches of them that follow each other, anew.
func (g *regroup) cutAnew(ctx context.Context, inputs []plan.Input, cut cutter) (lists [][]plan.Input, firsts []int, err error) {
	for from := 0; from < len(inputs); {
		to := from + 1
		for to < len(inputs) && follows(&inputs[to-1], &inputs[to]) {
			to++
		}
		parts, err := g.recut(ctx, inputs[from:to], cut)
		if err != nil {
			return nil, nil, err
		}
		for _, in := range parts {
			for from+1 < to && *inputs[from+1].From <= *in.From {
				from++
			}
			firsts = append(firsts, from)
			lists = append(lists, []plan.Input{in})
		}
		from = to
	}
	return lists, firsts, nil
}

func follows(a, b *plan.Input) bool {
	return a.Name == b.Name && a.To != nil && b.From != nil && *a.To == *b.From
}

// renew makes the new shards. Those that were there stay.
func (g *regroup) renew(lists [][]plan.Input, firsts []int, owners []*plan.Shard) error {
	same := map[string]*plan.Shard{}
	for i := range g.old {
		same[g.old[i].SHA256] = &g.old[i]
	}
	for i, inputs := range lists {
		sum, err := g.describe.Sum(inputs)
		if err != nil {
			return err
		}
		if old := same[sumText(sum)]; old != nil {
			g.keep(old, "partition", "another shard than before", "the same", "")
			continue
		}
		if g.names[plan.CASID(sumText(sum))] {
			continue // twins are one shard
		}
		if err := g.replace(owners[firsts[i]], [][]plan.Input{inputs}); err != nil {
			return err
		}
	}
	return nil
}

// Repartition does the effect plan.repartition. Of the partition by and
// per_shard count: what it is about is what the shards have.
func (r *Resolver) Repartition(ctx context.Context, get func(string) ([]byte, error), ask plan.Repartition) (plan.Resolved, error) {
	p, faults := plan.ParseRegroup(ask.Partition)
	var g *regroup
	var err error
	if len(faults) == 0 {
		if g, err = r.regroup(get, ask.Shape, ask.StageID, ask.Shards); err != nil {
			return plan.Resolved{}, err
		}
		defer g.world.close()
		if faults, err = g.anew(ctx, p); err != nil {
			return plan.Resolved{}, err
		}
	} else {
		g = &regroup{}
	}
	for i, f := range faults { // as the request has it
		faults[i].Pointer = "/data/parameters/partition" + strings.TrimPrefix(f.Pointer, "/partition")
	}
	out, err := r.regrouped(ctx, g, faults)
	out.PlanID = ask.PlanID
	if len(faults) == 0 {
		out.PlanSHA256, out.ManifestSHA256 = ask.Plan, ask.Shape
	}
	return out, err
}
