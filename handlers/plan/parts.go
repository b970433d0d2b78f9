package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// family is a shard and the parts that are to stand for it.
type family struct {
	shard, was int
	parts      []partOf
}

type partOf struct{ index, shard int }

// regrouped puts parts in the place of shards: those of a split, or of a new
// partition.
func (c *call) regrouped(a ask, data *spec.Resolved, faults, kept []byte) {
	p := c.plan(a.Plan)
	if p == nil {
		return
	}
	s := c.stage(p.N, a.Stage)
	families := make([]family, len(a.Of))
	byCAS := map[string]*family{}
	for i, shard := range a.Of {
		families[i] = family{shard: shard, was: a.Was[i]}
		byCAS[c.at(p, s.N, shard).cas()] = &families[i]
	}
	whole := a.Kind == spec.EffectRepartition // all go, or none
	switch {
	case len(data.Faults) > 0:
	case whole && slices.ContainsFunc(data.Kept, func(f spec.Fault) bool { return f.Keyword == "more" }):
		faults = oneFault("/data/parameters/partition", "partition", "a partition that changes more of the shards", "many stay as they are", "")
	case len(data.Parts) == 0 || p.State == planAborted:
		faults = kept
	default:
		c.replace(p, s, a, data, families, byCAS)
		return
	}
	for _, f := range families {
		c.unhold(p, s, f.shard, f.was)
	}
	c.refresh(p, s)
	if len(faults) == 0 {
		faults = []byte("[]")
	}
	c.reject(a.Req, handlers.RejectBadParameter, "", faults)
}

// replace has parts stand for shards, and tells of it.
func (c *call) replace(p *planRec, s *stageRec, a ask, data *spec.Resolved, families []family, byCAS map[string]*family) {
	for _, k := range data.Kept {
		if f := byCAS[k.Pointer]; f != nil && a.Kind == spec.EffectRepartition {
			c.unhold(p, s, f.shard, f.was)
		}
	}
	made := c.adopt(p, s, data.Parts, byCAS)
	gone := 0
	for i := range families {
		f := &families[i]
		o := c.outcome(p.N, s.N, f.shard)
		if o.state != shardSplitting && !c.leased(p, s, f.shard) {
			continue // kept
		}
		if len(f.parts) == 0 && a.Kind == spec.EffectSplit {
			c.unhold(p, s, f.shard, f.was)
			continue
		}
		c.supplant(p, s, f)
		gone++
	}
	action := map[string]string{spec.EffectSplit: actionSplit, spec.EffectRepartition: actionPartition}[a.Kind]
	c.audit(p, a.User, a.Role, "plan.heal", c.healNote(p, a.Req, s, action).Int("shards", int64(gone)).Int("parts", int64(made)))
	c.forgetWindow(s)
	if p.State == planFailed {
		p.State = planRunning
	}
	c.queue(p)
	if c.toCreate(p) < 0 && p.State == planRunning {
		c.advance(p)
	}
}

func (c *call) leased(p *planRec, s *stageRec, shard int) bool {
	_, ok := c.lease(p.N, s.N, shard)
	return ok
}

// adopt gives parts their numbers, behind all other shards of the stage. One
// whose parent has ended meanwhile, or that stands already, will never be.
func (c *call) adopt(p *planRec, s *stageRec, parts []spec.Chunk, byCAS map[string]*family) (made int) {
	for _, ch := range parts {
		list := c.chunk(ch.SHA256)
		first := s.Total
		twins := make([]int, len(list.ids))
		for i := range list.ids {
			twins[i] = -1
			if twin, ok := c.lookup(p, s.N, (place{c: list, i: i}).cas()); ok {
				twins[i] = twin
			}
		}
		c.tx.Put(fmt.Sprintf("k/%s/%06x", stageKey(p.N, s.N), first), ch.SHA256+" "+strconv.Itoa(len(list.ids)))
		s.Total += len(list.ids)
		for i := range list.ids {
			shard, err := list.shard(i)
			if err != nil {
				panic(fmt.Sprintf("reading part %d of chunk %s: %v", i, ch.SHA256, err))
			}
			f := byCAS[shard.Parent]
			open := f != nil && (c.outcome(p.N, s.N, f.shard).state == shardSplitting || c.leased(p, s, f.shard))
			if open && twins[i] >= 0 && twins[i] != f.shard {
				f.parts = append(f.parts, partOf{shard.Index, twins[i]})
			}
			if !open || twins[i] >= 0 {
				c.setOutcome(p.N, s.N, first+i, outcome{state: shardReplaced})
				s.Replaced++
				continue
			}
			f.parts = append(f.parts, partOf{shard.Index, first + i})
			made++
		}
	}
	return made
}

// supplant ends a shard for which parts stand from now on.
func (c *call) supplant(p *planRec, s *stageRec, f *family) {
	slices.SortFunc(f.parts, func(a, b partOf) int { return a.index - b.index })
	var words []string
	for _, part := range f.parts {
		words = append(words, strconv.Itoa(part.shard))
	}
	c.tx.Put(partsKey(p.N, s.N, f.shard), strings.Join(words, " "))
	o := c.outcome(p.N, s.N, f.shard)
	if l, ok := c.lease(p.N, s.N, f.shard); ok {
		c.letGo(p, s.N, f.shard, &l)
		pl := c.at(p, s.N, f.shard)
		if l.Out {
			if l.Executor == spec.ExecutorBuiltin {
				c.tx.Done(runKey(p, c.manifest(p).Stages[s.N].StageID, pl.cas(), l.Attempt))
			}
			c.say(p, item{Kind: itemEvent, Topic: "hxo.shard.failed", Data: string(c.shardData(p, s.N, pl.cas(), l.Attempt).
				Str("error", "split").Str("executor", l.Executor).Bool("final", true).Bytes())})
			o.attempt = l.Attempt
		}
	}
	o.state, o.digest = shardReplaced, [32]byte{}
	c.setOutcome(p.N, s.N, f.shard, o)
	s.Replaced++
}
