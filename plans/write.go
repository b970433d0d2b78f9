package plans

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"stigmergy/contracts/plan"
)

// writers is how many objects are stored at a time: each waits for the disk.
const writers = 4

// write stores the chunks and then the manifest of a plan without faults.
func (r *resolution) write(ctx context.Context, planID string, p *plan.Plan) (*Result, error) {
	m := &plan.Manifest{V: 1, PlanID: planID, PlanName: p.Name, PlanSHA256: p.SHA256, Root: r.Root, Board: r.Board}
	st := newStore(r.Put)
	for _, s := range p.Stages {
		made := r.made[s.ID]
		if made == nil {
			return nil, st.end(fmt.Errorf("resolving plan %s: stage %s came to nothing without a fault", planID, s.ID))
		}
		m.Stages = append(m.Stages, plan.Stage{
			StageID: s.ID, Kind: s.Kind, Spec: s.Spec, Needs: s.Needs, TimeoutMS: s.TimeoutMS, Retries: s.Retries, Concurrency: s.Concurrency,
			Job: s.Job, Shards: len(made.order), Chunks: st.chunks(ctx, len(made.order), made.shard),
		})
		m.Shards += len(made.order)
	}
	if err := st.end(ctx.Err()); err != nil {
		return nil, fmt.Errorf("storing the shards of plan %s: %w", planID, err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("writing the manifest of plan %s: %w", planID, err)
	}
	sum, err := r.put(text)
	if err != nil {
		return nil, fmt.Errorf("storing the manifest of plan %s: %w", planID, err)
	}
	return &Result{Manifest: m, SHA256: sum}, nil
}

func (r *Resolver) put(b []byte) (string, error) {
	if r.Put == nil {
		return plan.Sum(b), nil
	}
	return r.Put(b)
}

// store stores objects beside each other. It is used by one goroutine.
type store struct {
	put  func([]byte) (string, error)
	jobs chan []byte
	wg   sync.WaitGroup
	mu   sync.Mutex
	err  error // the first one, under mu
}

func newStore(put func([]byte) (string, error)) *store {
	s := &store{put: put}
	if put == nil {
		return s
	}
	s.jobs = make(chan []byte)
	for range writers {
		s.wg.Go(func() {
			for b := range s.jobs {
				if _, err := put(b); err != nil {
					s.mu.Lock()
					s.err = first(s.err, err)
					s.mu.Unlock()
				}
			}
		})
	}
	return s
}

func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (s *store) failed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err != nil
}

// chunks stores n shards, in the order of their cas_ids.
func (s *store) chunks(ctx context.Context, n int, shard func(i int) plan.Shard) []plan.Chunk {
	out := []plan.Chunk{}
	for i := 0; i < n && ctx.Err() == nil && !s.failed(); {
		var c plan.Chunk
		var text []byte
		for ; i < n && c.Shards < plan.ChunkShards && len(text) < plan.ChunkBytes; i++ {
			sh := shard(i)
			if c.Shards++; c.First == "" {
				c.First = sh.CASID
			}
			text = append(AppendShard(text, &sh), '\n')
		}
		c.SHA256 = plan.Sum(text)
		if s.jobs != nil {
			s.jobs <- text
		}
		out = append(out, c)
	}
	return out
}

// end waits for what is under way and gives the first error.
func (s *store) end(err error) error {
	if s.jobs != nil {
		close(s.jobs)
		s.wg.Wait()
	}
	return first(err, s.err)
}

// AppendShard appends a shard as a line of a chunk, without its newline. The
// same shard is always the same bytes.
func AppendShard(dst []byte, s *plan.Shard) []byte {
	b, err := json.Marshal(s)
	if err != nil { // an item that is no JSON: none was taken in
		b = []byte("null")
	}
	return append(dst, b...)
}

func clip(s string) string {
	const most = 256
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

func quote(s string) string { return strconv.Quote(clip(s)) }
