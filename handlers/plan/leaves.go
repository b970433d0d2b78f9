package plan

import (
	"encoding/binary"
	"encoding/hex"

	"stigmergy/contracts/certify"
	spec "stigmergy/contracts/plan"
)

// stood is a shard that stands at the end of a plan.
type stood struct {
	stage int
	sum   [32]byte // of its description
	out   outcome
}

func (s *stood) cas() uint64 { return binary.BigEndian.Uint64(s.sum[:]) }

// leafOf is the shard as a leaf of its plan's tree.
func (c *call) leafOf(p *planRec, s *stood) certify.Leaf {
	sum := hex.EncodeToString(s.sum[:])
	return certify.Leaf{
		PlanID: p.ID, StageID: c.manifest(p).Stages[s.stage].StageID, CASID: spec.CASID(sum),
		Input: sum, Output: hex.EncodeToString(s.out.digest[:]),
	}
}

// mark is a place between two leaves: behind the shard of that cas_id, or at
// the begin of the stage.
type mark struct {
	Stage int    `json:"s,omitempty"`
	After uint64 `json:"a,omitempty"`
	Begun bool   `json:"b,omitempty"` // After counts
}

// leaves gives the shards that stand, in the order of the tree's leaves: stages
// in the plan's order, within a stage by cas_id, from a mark on and until fn
// returns false.
func (c *call) leaves(p *planRec, from mark, fn func(s *stood) bool) {
	for i := from.Stage; i < len(c.manifest(p).Stages); i++ {
		if i > from.Stage {
			from = mark{Stage: i}
		}
		if !c.stageLeaves(p, from, fn) {
			return
		}
	}
}

// source is shards in the order of their cas_ids: those that the manifest has,
// or a chunk of parts that a split has made.
type source struct {
	chunks []spec.Chunk
	firsts []int // numbers of the chunks' first shards
	c      *chunk
	i      int
}

// head is the next cas_id of a source; false if it has no more.
func (c *call) head(s *source) (uint64, bool) {
	for s.c == nil || s.i >= len(s.c.ids) {
		if s.c != nil {
			s.chunks, s.firsts, s.c = s.chunks[1:], s.firsts[1:], nil
		}
		if len(s.chunks) == 0 {
			return 0, false
		}
		s.c, s.i = c.chunk(s.chunks[0].SHA256), 0
	}
	return s.c.ids[s.i], true
}

// skip leaves out the shards up to a mark.
func (c *call) skip(s *source, m mark) {
	if !m.Begun {
		return
	}
	for len(s.chunks) > 1 && s.chunks[1].First != "" && s.chunks[1].First <= casText(m.After) {
		s.chunks, s.firsts = s.chunks[1:], s.firsts[1:]
	}
	for id, ok := c.head(s); ok && id <= m.After; id, ok = c.head(s) {
		s.i++
	}
}

func casText(id uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return hex.EncodeToString(b[:])
}

func (c *call) sources(p *planRec, m mark) []*source {
	base := &source{}
	list := []*source{base}
	own := len(c.manifest(p).Stages[m.Stage].Chunks)
	c.eachChunk(p, m.Stage, func(first int, ch spec.Chunk) bool {
		into := base
		if own--; own < 0 {
			into = &source{}
			list = append(list, into)
		}
		into.chunks, into.firsts = append(into.chunks, ch), append(into.firsts, first)
		return true
	})
	for _, s := range list {
		c.skip(s, m)
	}
	return list
}

func (c *call) stageLeaves(p *planRec, m mark, fn func(s *stood) bool) bool {
	list := c.sources(p, m)
	for {
		var next *source
		var least uint64
		for _, s := range list {
			if id, ok := c.head(s); ok && (next == nil || id < least) {
				next, least = s, id
			}
		}
		if next == nil {
			return true
		}
		l := stood{m.Stage, next.c.sums[next.i], c.outcome(p.N, m.Stage, next.firsts[0]+next.i)}
		next.i++
		if l.out.done() && !fn(&l) {
			return false
		}
	}
}
