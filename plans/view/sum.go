package view

import (
	"math"
	"slices"
)

// Counts are how many shards there are of each kind; those replaced by their
// parts are not among them.
type Counts struct{ Total, Pending, Claimed, Running, Done, Failed int }

// add counts one more.
func (c *Counts) add(s *Shard) {
	switch s.State {
	case Pending:
		c.Pending++
	case Claimed:
		c.Claimed++
	case Running:
		c.Running++
	case Done:
		c.Done++
	case Failed:
		c.Failed++
	default:
		return
	}
	c.Total++
}

// Counts of a stage.
func (s *Stage) Counts() (c Counts) {
	for _, x := range s.Shards {
		c.add(x)
	}
	return c
}

// Counts of a plan. Shards that are announced but not created yet are pending.
func (p *Plan) Counts() (c Counts) {
	known := 0
	for _, st := range p.Stages {
		for _, s := range st.Shards {
			c.add(s)
			if s.Parent == "" {
				known++
			}
		}
	}
	if more := p.Announced - known; more > 0 {
		c.Total += more
		c.Pending += more
	}
	return c
}

// What a plan can be.
const (
	StatePending    = "pending" // nothing of it has been claimed yet
	StateRunning    = "running"
	StatePaused     = "paused"     // by an intent
	StateCertifying = "certifying" // every shard is done
	StateDone       = "done"       // and certified
	StateFailed     = "failed"     // a shard has failed for good and nothing goes on, or certification has
	StateAborted    = "aborted"
)

// State says how a plan stands.
func (p *Plan) State() string {
	c := p.Counts()
	moving := c.Claimed + c.Running
	switch {
	case p.Certified && c.Done == c.Total:
		return StateDone
	case p.Aborted:
		return StateAborted
	case c.Done == c.Total:
		if p.GaveUp {
			return StateFailed
		}
		return StateCertifying
	case c.Failed > 0 && moving == 0 && c.Pending == p.blocked():
		return StateFailed
	case p.Paused != "" && (p.Paused == "pause" || moving == 0):
		return StatePaused
	case moving+c.Done+c.Failed == 0:
		return StatePending
	}
	return StateRunning
}

// Ended tells whether nothing more happens by itself.
func (p *Plan) Ended() bool {
	switch p.State() {
	case StateDone, StateFailed, StateAborted:
		return true
	}
	return false
}

// blocked is how many shards wait for stages that cannot be completed any more.
// Where nobody knows what a stage needs, a later one is held to need it.
func (p *Plan) blocked() (n int) {
	dead := map[string]bool{}
	known := 0
	for i, st := range p.Stages {
		c := st.Counts()
		known += c.Pending
		stuck := false
		for j, other := range p.Stages {
			needs := slices.Contains(st.Needs, other.ID) || st.Needs == nil && j < i
			stuck = stuck || needs && dead[other.ID]
		}
		if stuck {
			n += c.Pending
		}
		dead[st.ID] = stuck || c.Failed > 0
	}
	return n
}

// ETA is how many seconds are left at the pace of the last results; ok is false
// where there is none yet.
func (p *Plan) ETA(now int64) (seconds float64, ok bool) {
	c := p.Counts()
	left := c.Pending + c.Claimed + c.Running
	switch {
	case p.Ended() || left == 0:
		return 0, true
	case len(p.ends) < 2 || p.Paused != "":
		return 0, false
	}
	ends := p.ends[max(0, len(p.ends)-recent):]
	span := max(now, ends[len(ends)-1]) - ends[0]
	if span <= 0 {
		return 0, false
	}
	return math.Ceil(float64(left) * float64(span) / 1e9 / float64(len(ends)-1)), true
}

// Quantile of durations in milliseconds; 0 of none.
func Quantile(spent []float64, q float64) float64 {
	if len(spent) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(spent))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}
