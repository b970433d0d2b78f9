package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	spec "stigmergy/contracts/plan"
)

// What a plan can be.
const (
	planCreating = "creating" // its shards are being created
	planRunning  = "running"
	planDone     = "done"    // every shard that stands is done
	planFailed   = "failed"  // nothing more can be done, and a shard has failed
	planAborted  = "aborted" // by a request
)

// planRec is a plan that was accepted.
type planRec struct {
	N        int    `json:"-"`
	ID       string `json:"id"`
	Name     string `json:"name"`
	User     string `json:"user,omitempty"`
	Role     string `json:"role,omitempty"`
	SHA256   string `json:"sha"`
	Manifest string `json:"manifest"`
	State    string `json:"state"`
	Next     int    `json:"next,omitempty"` // number of its next waiting event
	Since    int64  `json:"since"`          // milliseconds of the board's clock
	Paused   bool   `json:"paused,omitempty"`
	Signal   int    `json:"signal,omitempty"` // stage of its latest tuning signal, from 1
}

// What a stage can be.
const (
	stageWaits    = iota // for the stages it needs, or for its plan to be created
	stageChecking        // which of its shards were done before
	stageOpen            // its shards may be claimed
)

// stageRec is how far a stage is.
type stageRec struct {
	Plan, N int // of which plan, which stage

	Total    int // shards that it ever had
	Made     int // shards below it have been created: published
	Next     int // shards from it on have never been claimed
	Replaced int // of Total: split, or partitioned anew
	Done     int
	Failed   int
	Claimed  int
	Slots    int // shards that may be claimed at a time
	State    int
	Check    int // shards below it were looked up

	Retries   int
	TimeoutMS int
}

func (s *stageRec) fields() []*int {
	return []*int{&s.Total, &s.Made, &s.Next, &s.Replaced, &s.Done, &s.Failed, &s.Claimed, &s.Slots, &s.State, &s.Check, &s.Retries, &s.TimeoutMS}
}

// standing is how many shards are to be done.
func (s *stageRec) standing() int { return s.Total - s.Replaced }

// pending is how many of them nobody has.
func (s *stageRec) pending() int { return s.standing() - s.Done - s.Failed - s.Claimed }

func (s *stageRec) complete() bool { return s.Done == s.standing() }

func (s *stageRec) encode() string {
	var b []byte
	for i, f := range s.fields() {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(*f), 10)
	}
	return string(b)
}

func decodeStage(plan, n int, text string) *stageRec {
	s := &stageRec{Plan: plan, N: n}
	words := strings.Fields(text)
	for i, f := range s.fields() {
		if i < len(words) {
			*f, _ = strconv.Atoi(words[i])
		}
	}
	return s
}

func planKey(plan int) string         { return fmt.Sprintf("p/%06x", plan) }
func stageKey(plan, stage int) string { return fmt.Sprintf("%06x/%03x", plan, stage) }
func shardKey(plan, stage, shard int) string {
	return fmt.Sprintf("%06x/%03x/%06x", plan, stage, shard)
}

// numbers are those that a key of slashes ends with.
func numbers(key string, n int) []int {
	parts := strings.Split(key, "/")
	out := make([]int, n)
	for i := range out {
		v, _ := strconv.ParseInt(parts[len(parts)-n+i], 16, 64)
		out[i] = int(v)
	}
	return out
}

// plan is a plan by its number; nil if there is none.
func (c *call) plan(n int) *planRec {
	if p := c.plans[n]; p != nil {
		return p
	}
	v, ok := c.tx.Get(planKey(n))
	if !ok {
		return nil
	}
	p := &planRec{N: n}
	if json.Unmarshal([]byte(v), p) != nil {
		return nil
	}
	was := *p
	c.keepPlan(p, &was)
	return p
}

func (c *call) keepPlan(p, was *planRec) {
	c.plans[p.N] = p
	c.order = append(c.order, planRead{p, was})
}

// planByID is a plan by its id; nil if there is none.
func (c *call) planByID(id string) *planRec {
	v, ok := c.tx.Get("id/" + strings.ToLower(id))
	if !ok {
		return nil
	}
	n, _ := strconv.Atoi(v)
	if n == 0 {
		return nil // it is being resolved
	}
	return c.plan(n)
}

// stage is a stage of a plan.
func (c *call) stage(plan, n int) *stageRec {
	key := stageKey(plan, n)
	if s := c.stages[key]; s != nil {
		return s
	}
	v, ok := c.tx.Get("s/" + key)
	s := decodeStage(plan, n, v)
	var was *stageRec
	if ok {
		was = new(stageRec)
		*was = *s
	}
	c.keepStage(s, was)
	return s
}

func (c *call) keepStage(s, was *stageRec) {
	key := stageKey(s.Plan, s.N)
	c.stages[key] = s
	c.stageOrder = append(c.stageOrder, stageRead{s, was})
}

// flush writes the records that this call made or changed.
func (c *call) flush() {
	for _, r := range c.order {
		if r.was != nil && *r.was == *r.now {
			continue
		}
		text, err := json.Marshal(r.now)
		if err != nil {
			panic(err)
		}
		c.tx.Put(planKey(r.now.N), string(text))
	}
	for _, r := range c.stageOrder {
		if r.was == nil || *r.was != *r.now {
			c.tx.Put("s/"+stageKey(r.now.Plan, r.now.N), r.now.encode())
		}
	}
}

func (c *call) manifest(p *planRec) *spec.Manifest {
	return c.tx.Object(p.Manifest, "manifest", func(raw []byte) (any, int, error) {
		m := new(spec.Manifest)
		err := json.Unmarshal(raw, m)
		return m, 3 * len(raw), err
	}).(*spec.Manifest)
}
