package plans

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"

	"stigmergy/contracts/plan"
)

// shards are those of one stage, not yet written: how many, and what each has
// for inputs, in the partition's order. Inputs are made when they are asked
// for: a million shards are a million sums.
type shards struct {
	n      int
	total  int // inputs of all of them
	inputs func(i int) []plan.Input
	sums   [][sha256.Size]byte // of the descriptions
	order  []int32             // those that stand, by their cas_ids
}

// groups is how many groups of per make n.
func groups(n int, per int64) int { return int((int64(n) + per - 1) / per) }

// group makes n shards of per inputs each out of total single ones.
func group(total int, per int64, one func(i int) plan.Input) *shards {
	return &shards{n: groups(total, per), total: total, inputs: func(i int) []plan.Input {
		from := int64(i) * per
		out := make([]plan.Input, 0, min(per, int64(total)-from))
		for k := from; k < min(from+per, int64(total)); k++ {
			out = append(out, one(int(k)))
		}
		return out
	}}
}

func ofFiles(names []string, sums [][sha256.Size]byte, per int64) *shards {
	return group(len(names), per, func(i int) plan.Input {
		return plan.Input{Name: names[i], SHA256: hex.EncodeToString(sums[i][:])}
	})
}

func ofParts(name string, parts []part) *shards {
	return group(len(parts), 1, func(i int) plan.Input {
		p := parts[i]
		return plan.Input{Name: name, SHA256: hex.EncodeToString(p.sum[:]), From: &p.from, To: &p.to}
	})
}

func ofRange(p *plan.Partition) *shards {
	return group(int(p.Count()), p.PerShard, func(i int) plan.Input {
		item := plan.Item(strconv.AppendInt(nil, p.From+int64(i)*p.Step, 10))
		return plan.Input{Item: &item}
	})
}

func ofItems(items [][]byte, per int64) *shards {
	return group(len(items), per, func(i int) plan.Input {
		item := plan.Item(items[i])
		return plan.Input{Item: &item}
	})
}

// ofOutputs has the outputs of another stage's shards for inputs, in that
// stage's order.
func ofOutputs(of *shards, per int64) *shards {
	standing := slices.Clone(of.order)
	slices.Sort(standing)
	return group(len(standing), per, func(i int) plan.Input {
		return plan.Input{Shard: hex.EncodeToString(of.sums[standing[i]][:])}
	})
}

// describe names every shard. Twin descriptions are one shard, the first; two
// descriptions with one cas_id are a clash.
func (s *shards) describe(ctx context.Context, kind string, spec []byte) error {
	d, err := plan.NewDescriber(kind, spec)
	if err != nil {
		return err
	}
	s.sums = make([][sha256.Size]byte, s.n)
	s.order = make([]int32, s.n)
	for i := range s.n {
		if i%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		s.order[i] = int32(i)
		if s.sums[i], err = d.Sum(s.inputs(i)); err != nil {
			return err
		}
	}
	return s.sort()
}

func (s *shards) sort() error {
	slices.SortFunc(s.order, func(a, b int32) int {
		if c := bytes.Compare(s.sums[a][:], s.sums[b][:]); c != 0 {
			return c
		}
		return int(a - b)
	})
	s.order = slices.CompactFunc(s.order, func(a, b int32) bool { return s.sums[a] == s.sums[b] })
	for i := 1; i < len(s.order); i++ {
		a, b := s.sums[s.order[i-1]], s.sums[s.order[i]]
		if [plan.CASIDLen / 2]byte(a[:plan.CASIDLen/2]) == [plan.CASIDLen / 2]byte(b[:plan.CASIDLen/2]) {
			return &clash{hex.EncodeToString(a[:]), hex.EncodeToString(b[:])}
		}
	}
	return nil
}

// clash is two different shards with one cas_id.
type clash struct{ a, b string }

func (c *clash) Error() string {
	return fmt.Sprintf("two shards of one stage have the cas_id %s: their descriptions are %s and %s", plan.CASID(c.a), c.a, c.b)
}

func sumText(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:]) }

// shard is the i-th of those that stand, by cas_id.
func (s *shards) shard(i int) plan.Shard {
	at := s.order[i]
	sum := hex.EncodeToString(s.sums[at][:])
	return plan.Shard{CASID: plan.CASID(sum), SHA256: sum, Index: int(at), Inputs: s.inputs(int(at))}
}
