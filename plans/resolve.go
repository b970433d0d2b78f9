package plans

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

// Resolver resolves plans against the files below one root.
type Resolver struct {
	Root  string // absolute
	Board string // the board's folder, which wildcards do not look into
	// Put stores an object and gives its SHA-256; nil: nothing is stored, as in
	// a dry run.
	Put func([]byte) (string, error)
	Run Runs // nil: partitions by a command are refused
}

// Result is what came of a plan: a manifest, or faults.
type Result struct {
	Manifest *plan.Manifest // nil with faults
	SHA256   string         // of the manifest's object
	Faults   []plan.Fault   // all of them, in the order of the document
}

// Resolved is the result as the data of plan.resolved.
func (r *Result) Resolved(planID string) plan.Resolved {
	out := plan.Resolved{PlanID: planID, Faults: plan.CapFaults(r.Faults)}
	if out.Faults == nil {
		out.Faults = []plan.Fault{}
	}
	if m := r.Manifest; m != nil {
		out.PlanSHA256, out.ManifestSHA256, out.Shards = m.PlanSHA256, r.SHA256, m.Shards
	}
	return out
}

// Text is the document in the payload of an effect or the data of a
// hxo.plan.submit: an object as it stands, or the text of a string.
func Text(document []byte) []byte {
	if v := contracts.ValueOf(document); v.Kind == contracts.String {
		return v.TextBytes()
	}
	return document
}

// Resolve reads, checks, expands and hashes a plan and stores its manifest.
func (r *Resolver) Resolve(ctx context.Context, ask plan.Resolve) (*Result, error) {
	p, faults, err := parse(ctx, ask)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return &Result{Faults: faults}, nil
	}
	w, err := openWorld(r.Root, r.Board)
	if err != nil { // nothing that trying again would mend
		return &Result{Faults: append(faults, plan.Fault{Keyword: "root", Expected: "a root that can be opened", Got: clip(err.Error()), Hint: "the setting root names it: stigmergy status"})}, nil
	}
	defer w.close()
	run := &resolution{Resolver: r, world: w, faults: faults, made: map[string]*shards{}}
	if err := run.stages(ctx, p); err != nil {
		return nil, err
	}
	if len(run.faults) > 0 {
		return &Result{Faults: plan.SortFaults(run.faults)}, nil
	}
	return run.write(ctx, ask.PlanID, p)
}

// parse lets go of a document that takes too long when nobody wants it any
// more: the YAML parser knows no context.
func parse(ctx context.Context, ask plan.Resolve) (p *plan.Plan, faults []plan.Fault, err error) {
	done := make(chan struct{})
	var got *plan.Plan
	var list []plan.Fault
	go func() {
		defer close(done)
		defer func() { // a document must not end the process: it would be tried again at every start
			if r := recover(); r != nil {
				got, list = nil, []plan.Fault{{Keyword: "internal", Expected: "a plan that can be read", Got: clip(fmt.Sprint(r)), Hint: "this is a fault of the program: please report the plan"}}
			}
		}()
		got, list = plan.Parse(Text(ask.Plan), ask.Kinds)
	}()
	select {
	case <-done:
		return got, list, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// resolution is one plan's.
type resolution struct {
	*Resolver
	world  *world
	faults []plan.Fault
	made   map[string]*shards // by stage_id
	total  int                // shards so far
	inputs int                // and theirs
}

// stages makes the shards of all stages that can be made, those whose outputs
// another one takes before it.
func (r *resolution) stages(ctx context.Context, p *plan.Plan) error {
	byID := map[string]*plan.Draft{}
	for _, s := range p.Stages {
		byID[s.ID] = s
	}
	for _, s := range p.Stages {
		if err := r.stage(ctx, s, byID); err != nil {
			return err
		}
	}
	return nil
}

func (r *resolution) stage(ctx context.Context, s *plan.Draft, byID map[string]*plan.Draft) error {
	if _, done := r.made[s.ID]; done || !s.Sound || s.ID == "" {
		return nil
	}
	if of := byID[s.Partition.Of]; of != nil && s.Partition.Of != "" {
		if err := r.stage(ctx, of, byID); err != nil {
			return err
		}
	}
	r.made[s.ID] = nil // with faults
	made, err := r.partition(ctx, s)
	if made == nil || err != nil {
		return err
	}
	if r.total += made.n; r.total > plan.MaxShards {
		r.faults = append(r.faults, s.TooMany(int64(r.total)))
		return nil
	}
	if r.inputs += made.total; r.inputs > plan.MaxInputs {
		r.fault(s, "/partition", "shards", fmt.Sprintf("a plan of at most %d inputs", plan.MaxInputs), fmt.Sprintf("%d up to this stage", r.inputs), "several plans")
		return nil
	}
	if len(s.Spec) == 0 {
		return nil // a fault that is told already
	}
	err = made.describe(ctx, s.Kind, s.Spec)
	var twins *clash
	if errors.As(err, &twins) {
		r.fault(s, "/partition", "clash", "shards whose descriptions differ in their SHA-256's first 16 digits", clip(twins.Error()), "change anything in the stage's spec")
		return nil
	}
	r.made[s.ID] = made
	return err
}

func (r *resolution) fault(s *plan.Draft, field, keyword, expected, got, hint string) {
	r.faults = append(r.faults, s.Fault(field, keyword, expected, got, hint))
}

// troubled makes faults of files that cannot be read; any other error is ours.
func (r *resolution) troubled(s *plan.Draft, field string, err error) error {
	var t *trouble
	if !errors.As(err, &t) {
		return err
	}
	got := t.got
	if t.path != "" {
		got = fmt.Sprintf("%s: %s", quote(t.path), t.got)
	}
	r.fault(s, field, "input", t.expected, got, t.hint)
	return nil
}

// partition makes a stage's shards; nil with a fault.
func (r *resolution) partition(ctx context.Context, s *plan.Draft) (*shards, error) {
	p := &s.Partition
	switch p.By {
	case plan.ByRange:
		return ofRange(p), nil
	case plan.ByItems:
		return ofItems(p.Items, p.PerShard), nil
	case plan.ByFiles:
		return r.files(ctx, s)
	case plan.ByOne:
		if len(p.Globs) > 0 {
			return r.files(ctx, s)
		}
		return &shards{n: 1, inputs: func(int) []plan.Input { return nil }}, nil
	case plan.ByLines:
		return r.cut(ctx, s, cutLines(ctx, p.PerShard))
	case plan.ByBytes:
		return r.cut(ctx, s, cutBytes(ctx, p.PerShard))
	case plan.ByOutputs:
		if of := r.made[p.Of]; of != nil {
			return ofOutputs(of, p.PerShard), nil
		}
		return nil, nil // that stage has told its fault
	}
	return r.command(ctx, s)
}

// files are the partitions files and one.
func (r *resolution) files(ctx context.Context, s *plan.Draft) (*shards, error) {
	names, err := r.world.expand(s.Partition.Globs)
	if err != nil {
		return nil, r.troubled(s, "/partition/glob", err)
	}
	if len(names) == 0 {
		r.nothing(s)
		return nil, nil
	}
	sums, ok, err := r.hashed(ctx, s, "/partition/glob", names)
	if !ok || err != nil {
		return nil, err
	}
	if s.Partition.By == plan.ByOne {
		if len(names) > 1 {
			r.onlyOne(s, len(names))
		}
		return ofFiles(names, sums, int64(len(names))), nil
	}
	return ofFiles(names, sums, s.Partition.PerShard), nil
}

func (r *resolution) nothing(s *plan.Draft) {
	r.fault(s, "/partition/glob", "shards", "at least one file", "none below "+r.Root, "try it: ls -d "+s.Partition.Globs[0])
}

// hashed are the digests of files; not ok where one of them is a fault.
func (r *resolution) hashed(ctx context.Context, s *plan.Draft, field string, names []string) (sums [][sha256.Size]byte, ok bool, err error) {
	sums, errs := r.world.sums(ctx, names)
	ok = true
	for _, err := range errs {
		if err == nil {
			continue
		}
		if ok = false; ctx.Err() != nil {
			return nil, false, ctx.Err()
		}
		if err := r.troubled(s, field, err); err != nil {
			return nil, false, err
		}
	}
	return sums, ok, nil
}

// onlyOne tells of {input} in a shard that has several.
func (r *resolution) onlyOne(s *plan.Draft, n int) {
	if f, bad := s.Ambiguous(n); bad {
		r.faults = append(r.faults, f)
	}
}

// cut are the partitions lines and bytes.
func (r *resolution) cut(ctx context.Context, s *plan.Draft, cut cutter) (*shards, error) {
	name := s.Partition.Input
	parts, err := r.world.parts(ctx, name, cut)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, r.troubled(s, "/partition/input", err)
	case len(parts) == 0:
		r.fault(s, "/partition/input", "shards", "a file that is not empty", quote(name)+" of 0 bytes", "a stage without shards does nothing")
		return nil, nil
	}
	return ofParts(name, parts), nil
}
