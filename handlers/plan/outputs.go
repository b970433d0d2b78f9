package plan

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	spec "stigmergy/contracts/plan"
)

// run is what an executor needs to know of an attempt.
func (c *call) runOf(p *planRec, stage int, pl place, attempt int) (spec.ExecRun, *spec.Shard) {
	shard, err := pl.c.shard(pl.i)
	if err != nil {
		panic(fmt.Sprintf("reading shard %d of chunk %s: %v", pl.i, pl.chunk, err))
	}
	return spec.ExecRun{
		PlanID: p.ID, StageID: c.manifest(p).Stages[stage].StageID, CASID: pl.cas(), Attempt: attempt,
		Manifest: p.Manifest, Chunk: pl.chunk, TimeoutMS: int64(c.stage(p.N, stage).TimeoutMS), Outputs: c.outputs(p, shard),
	}, shard
}

// outputs are what stands for the shards among a shard's inputs.
func (c *call) outputs(p *planRec, shard *spec.Shard) (list []spec.Output) {
	for _, in := range shard.Inputs {
		if in.Shard == "" {
			continue
		}
		var sum [32]byte
		if n, err := hex.Decode(sum[:], []byte(in.Shard)); err != nil || n != len(sum) {
			continue
		}
		if digests := c.outputOf(p, sum); len(digests) > 0 {
			list = append(list, spec.Output{Shard: in.Shard, Digests: digests})
		}
	}
	return list
}

// outputOf is the output of one of a plan's shards, or those of its parts.
func (c *call) outputOf(p *planRec, sum [32]byte) []string {
	if at, ok := c.memo(sum); ok && at[0] == p.N { // saves looking for it
		if o := c.outcome(at[0], at[1], at[2]); o.done() {
			return []string{hex.EncodeToString(o.digest[:])}
		}
	}
	for i := range c.manifest(p).Stages {
		if shard, ok := c.lookup(p, i, hex.EncodeToString(sum[:8])); ok {
			return c.stands(p, i, shard)
		}
	}
	return nil
}

// stands is a shard's output, or those of its parts, in their order.
func (c *call) stands(p *planRec, stage, shard int) (list []string) {
	o := c.outcome(p.N, stage, shard)
	if o.state != shardReplaced {
		if !o.done() {
			return nil
		}
		return []string{hex.EncodeToString(o.digest[:])}
	}
	v, _ := c.tx.Get(partsKey(p.N, stage, shard))
	for _, w := range strings.Fields(v) {
		n, _ := strconv.Atoi(w)
		list = append(list, c.stands(p, stage, n)...)
	}
	return list
}

// partsKey is where the numbers of a split shard's parts are kept, in their
// order.
func partsKey(plan, stage, shard int) string { return "h/" + shardKey(plan, stage, shard) }

func jsonText(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
