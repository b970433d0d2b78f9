package exec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/contracts/plan"
)

// Shelf reads manifests and their chunks from the store, and keeps the last
// few: the shards of one are run one after the other.
type Shelf struct {
	CAS durable.CAS

	mu        sync.Mutex // guards what follows
	manifests kept[*plan.Manifest]
	chunks    kept[map[string]*plan.Shard]
}

// shelved is how many of each are kept.
const shelved = 8

// kept are the values used last, by name.
type kept[T any] struct {
	names  []string
	values map[string]T
}

// get gives the value, made where it is not kept.
func (k *kept[T]) get(name string, load func() (T, error)) (T, error) {
	if v, ok := k.values[name]; ok {
		i := slices.Index(k.names, name)
		k.names = append(slices.Delete(k.names, i, i+1), name)
		return v, nil
	}
	v, err := load()
	if err != nil {
		return v, err
	}
	if k.values == nil {
		k.values = map[string]T{}
	}
	if len(k.names) >= shelved {
		delete(k.values, k.names[0])
		k.names = k.names[1:]
	}
	k.names, k.values[name] = append(k.names, name), v
	return v, nil
}

// Manifest reads one.
func (s *Shelf) Manifest(sha string) (*plan.Manifest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.manifests.get(sha, func() (*plan.Manifest, error) {
		text, err := s.CAS.Get(sha)
		if err != nil {
			return nil, fmt.Errorf("reading the plan's manifest: %w", err)
		}
		m := &plan.Manifest{}
		if err := json.Unmarshal(text, m); err != nil {
			return nil, fmt.Errorf("reading the plan's manifest %s: %w", sha, err)
		}
		return m, nil
	})
}

// Shard reads one of a chunk's.
func (s *Shelf) Shard(chunk, casID string) (*plan.Shard, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.chunks.get(chunk, func() (map[string]*plan.Shard, error) {
		text, err := s.CAS.Get(chunk)
		if err != nil {
			return nil, fmt.Errorf("reading the shards of a stage: %w", err)
		}
		return parseChunk(chunk, text)
	})
	if err != nil {
		return nil, err
	}
	if all[casID] == nil {
		return nil, fmt.Errorf("the shard %s does not stand in chunk %s", casID, chunk)
	}
	return all[casID], nil
}

func parseChunk(chunk string, text []byte) (map[string]*plan.Shard, error) {
	out := map[string]*plan.Shard{}
	for line := range bytes.Lines(text) {
		shard := &plan.Shard{}
		if err := json.Unmarshal(line, shard); err != nil {
			return nil, fmt.Errorf("reading the shards of chunk %s: %w", chunk, err)
		}
		out[shard.CASID] = shard
	}
	return out, nil
}

// Task is what a run of a shard needs.
func (s *Shelf) Task(job *plan.ExecRun) (*Task, error) {
	m, err := s.Manifest(job.Manifest)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(m.Stages, func(st plan.Stage) bool { return st.StageID == job.StageID })
	if i < 0 {
		return nil, fmt.Errorf("the plan's manifest %s has no stage %q", job.Manifest, job.StageID)
	}
	shard, err := s.Shard(job.Chunk, job.CASID)
	if err != nil {
		return nil, err
	}
	outputs := map[string][]string{}
	for _, o := range job.Outputs {
		outputs[o.Shard] = o.Digests
	}
	return &Task{
		PlanID: job.PlanID, StageID: job.StageID, CASID: job.CASID, Attempt: job.Attempt, Index: shard.Index,
		Job: m.Stages[i].Job, Inputs: shard.Inputs, Root: m.Root, Timeout: time.Duration(job.TimeoutMS) * time.Millisecond,
		Outputs: func(description string) ([]string, bool) { d, ok := outputs[description]; return d, ok },
	}, nil
}
