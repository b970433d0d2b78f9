package plan

import (
	"encoding/hex"
	"encoding/json"
	"sort"
	"strings"

	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// described is how much a claimed event may say of what is to be run: it is a
// line that everybody reads. A shard with more inputs than fit is run by
// executors that read its chunk (chunk_sha256) from the store.
const described = 128 << 10

// describe adds what an executor outside needs to run a shard: the finished
// argv for one that has nothing but a shell, and where its description stands.
func (c *call) describe(data *handlers.Object, p *planRec, stage int, pl place, l *lease) {
	m := c.manifest(p)
	st := &m.Stages[stage]
	data.OptStr("claim", l.Claim).Str("kind", st.Kind).Int("timeout_ms", int64(c.stage(p.N, stage).TimeoutMS)).
		Str("manifest_sha256", p.Manifest).Str("chunk_sha256", pl.chunk)
	shard, err := pl.c.shard(pl.i)
	if err != nil {
		return
	}
	outputs := c.outputs(p, stage, pl)
	if len(outputs) > 0 {
		addBounded(data, "outputs", outputs)
	}
	run, whole := runOf(m, st, shard, outputs)
	run.PlanID = p.ID
	addBounded(data, "inputs", run.Inputs)
	if argv, err := run.Fill(st.Job.Argv); err == nil && (whole || !spec.WantsInputs(st.Job.Argv)) {
		addBounded(data, "argv", argv)
	}
	if st.Job.Stdin {
		data.Bool("stdin", true)
	}
	if len(st.Job.Env) > 0 {
		addBounded(data, "env", st.Job.Env)
	}
}

// addBounded adds a value that is not too long.
func addBounded(data *handlers.Object, key string, value any) {
	text, err := json.Marshal(value)
	if err == nil && len(text) <= described {
		data.Raw(key, text)
	}
}

// runOf is a shard as its command sees it; whole is false where an input is a
// part of a file, which an executor has to cut out first.
func runOf(m *spec.Manifest, st *spec.Stage, shard *spec.Shard, outputs []spec.Output) (run spec.Run, whole bool) {
	run = spec.Run{StageID: st.StageID, CASID: shard.CASID, Index: shard.Index, Inputs: []string{}}
	whole = true
	for i := range shard.Inputs {
		in := &shard.Inputs[i]
		switch {
		case in.Item != nil:
			run.Items = append(run.Items, spec.ItemText(*in.Item))
			run.Inputs = append(run.Inputs, spec.ItemText(*in.Item))
		case in.Shard != "":
			for _, o := range outputs {
				if o.Shard != in.Shard {
					continue
				}
				for _, digest := range o.Digests {
					run.Inputs = append(run.Inputs, strings.TrimSuffix(m.Board, "/")+"/.stigmergy/cas/"+digest[:2]+"/"+digest[2:])
				}
				break
			}
		default:
			whole = whole && in.From == nil && in.To == nil
			run.Inputs = append(run.Inputs, strings.TrimSuffix(m.Root, "/")+"/"+in.Name)
		}
	}
	return run, whole
}

// outputs are what stands for the shards among a shard's inputs.
func (c *call) outputs(p *planRec, stage int, pl place) []spec.Output {
	shard, err := pl.c.shard(pl.i)
	if err != nil {
		return nil
	}
	var out []spec.Output
	for i := range shard.Inputs {
		if sha := shard.Inputs[i].Shard; sha != "" {
			out = append(out, spec.Output{Shard: sha, Digests: c.standsFor(p, stage, sha)})
		}
	}
	return out
}

// standsFor are the digests of a shard's output, or of its parts' outputs in
// their order, of one of the stages that a stage needs.
func (c *call) standsFor(p *planRec, stage int, sha string) []string {
	for _, need := range c.manifest(p).Stages[stage].Needs {
		at := c.stageNamed(p, need)
		if at < 0 {
			continue
		}
		if n, ok := c.lookup(p, at, sha[:spec.CASIDLen]); ok && c.at(p, at, n).sha() == sha {
			return c.standing(p, at, n, nil)
		}
	}
	return []string{}
}

// standing gathers the outputs that stand for a shard.
func (c *call) standing(p *planRec, stage, shard int, list []string) []string {
	o := c.outcome(p.N, stage, shard)
	if o.state != shardReplaced {
		return append(list, hex.EncodeToString(o.digest[:]))
	}
	for _, part := range c.parts(p, stage, c.at(p, stage, shard).cas()) {
		list = c.standing(p, stage, part, list)
	}
	return list
}

// parts are the shards that replaced one, in their order.
func (c *call) parts(p *planRec, stage int, casID string) (list []int) {
	index := map[int]int{}
	c.tx.Range("k/"+stageKey(p.N, stage)+"/", func(key, value string) bool {
		sha, _, _ := strings.Cut(value, " ")
		first, ch := numbers(key, 1)[0], c.chunk(sha)
		for i := range ch.ids {
			if s, err := ch.shard(i); err == nil && s.Parent == casID {
				list = append(list, first+i)
				index[first+i] = s.Index
			}
		}
		return true
	})
	sort.SliceStable(list, func(i, j int) bool { return index[list[i]] < index[list[j]] })
	return list
}
