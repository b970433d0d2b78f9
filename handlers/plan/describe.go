package plan

import (
	"encoding/json"
	"strings"

	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// described is how much a claimed event may say of what is to be run: it is a
// line that everybody reads. A shard with more inputs than fit is run by
// executors that read its chunk (chunk_sha256) from the store.
const (
	described  = 64 << 10
	maxOutputs = 600 << 10
)

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
	outputs := c.outputs(p, shard)
	if len(outputs) > 0 {
		addBounded(data, "outputs", maxOutputs, outputs)
	}
	run, whole := runOf(m, st, shard, outputs)
	run.PlanID = p.ID
	addBounded(data, "inputs", described, run.Inputs)
	if argv, err := run.Fill(st.Job.Argv); err == nil && (whole || !spec.WantsInputs(st.Job.Argv)) {
		addBounded(data, "argv", described, argv)
	}
	if st.Job.Stdin {
		data.Bool("stdin", true)
	}
	if len(st.Job.Env) > 0 {
		addBounded(data, "env", described, st.Job.Env)
	}
}

// addBounded adds a value that is not too long.
func addBounded(data *handlers.Object, key string, most int, value any) {
	text, err := json.Marshal(value)
	if err == nil && len(text) <= most {
		data.Raw(key, text)
	}
}

// runOf is a shard as its command sees it; whole is false where an input is a
// part of a file, which an executor has to cut out first, or several outputs.
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
				whole = whole && len(o.Digests) == 1 // of a shard that was split an executor puts them together
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
