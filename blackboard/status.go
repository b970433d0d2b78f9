package blackboard

import (
	"context"
	"strings"
	"time"

	"stigmergy/blackboard/lanes"
)

// Status is how a running kernel stands.
type Status struct {
	BoardID     string            `json:"board_id"`
	Seq         uint64            `json:"seq"` // of the next entry
	Durable     uint64            `json:"durable"`
	ElapsedMS   int64             `json:"elapsed_ms"`
	Lines       int64             `json:"lines"`
	Derived     int64             `json:"derived"`
	Archived    int64             `json:"archived"`
	Paused      string            `json:"paused,omitempty"`
	Config      string            `json:"config"`
	Watch       lanes.Description `json:"watch"`
	Lanes       []LaneStatus      `json:"lanes"`
	Outstanding map[string]int    `json:"outstanding,omitempty"` // effects: how often tried
	Waiting     []Waiting         `json:"waiting,omitempty"`     // events that wait for their turn to be published
}

// Waiting is events that are decided and wait for their turn (hxo.max_rate).
type Waiting struct {
	PlanID  string `json:"plan_id,omitempty"`
	StageID string `json:"stage_id,omitempty"` // of shards to be created
	From    int    `json:"from,omitempty"`     // the first of them, counted from 0
	To      int    `json:"to,omitempty"`       // the last
	Events  int    `json:"events"`
}

// Waits is what a Fold may be too: it tells what waits.
type Waits interface{ Waiting() []Waiting }

// LaneStatus is one segment that is being taken in.
type LaneStatus struct {
	Lane       string `json:"lane"`
	Segment    uint64 `json:"segment"`
	Path       string `json:"path"`
	Offset     int64  `json:"offset"`               // taken in
	Size       int64  `json:"size"`                 // as last seen
	Stage      string `json:"stage"`                // active, draining, sealed
	Last       int64  `json:"last"`                 // time of the newest entry, ns
	Unfinished int64  `json:"unfinished,omitempty"` // ms that a last line waits for its newline
}

// Status is how the kernel stands now. Call it on the kernel's goroutine (Do).
func (k *Kernel) Status() Status {
	s := Status{BoardID: k.id, Seq: k.journal.Next(), Durable: k.sync.upTo(), ElapsedMS: k.stamps.now(),
		Lines: k.stats.Lines.Load(), Derived: k.stats.Derived.Load(), Archived: k.stats.Segments.Load(),
		Config: k.config.SHA256, Watch: k.set.Describe(), Outstanding: k.Outstanding()}
	if k.paused != nil {
		s.Paused = k.paused.Error()
	}
	if w, ok := k.fold.(Waits); ok {
		s.Waiting = w.Waiting()
	}
	now := k.opt.Clock.Now()
	for _, r := range k.tails.records() {
		t := k.tails.all[segmentKey{r.Lane, r.Segment}]
		l := LaneStatus{Lane: r.Lane, Segment: r.Segment, Path: r.Path, Offset: t.t.Offset(), Size: t.t.Size(), Stage: t.stage.String(), Last: t.last}
		if !t.waiting.IsZero() {
			l.Unfinished = now.Sub(t.waiting).Milliseconds()
		}
		s.Lanes = append(s.Lanes, l)
	}
	return s
}

func (s stage) String() string { return [...]string{"active", "draining", "sealed"}[s] }

// upTo is how many entries are on disk.
func (s *syncer) upTo() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.synced
}

// Waiting says whether effects are outstanding that can go on without anybody
// else, or timers that are nearly due: what waits for a writer to close its
// file does not count.
func (k *Kernel) Waiting() bool {
	if k.Archiving() {
		return true
	}
	for _, j := range k.work.jobs {
		if j.tries < patience && !j.nobodys && !j.lasts() {
			return true
		}
	}
	due, ok := k.fold.Due()
	return ok && due <= k.stamps.now()+soon
}

// Archiving says whether segments are on their way to the archive, as far as
// that can go on without anybody else. What workers of other rooms do, a plan's
// shards for hours perhaps, does not count.
func (k *Kernel) Archiving() bool {
	if len(k.tails.looks)+len(k.work.mends)+len(k.torn) > 0 || k.work.busy || k.set.Settling() {
		return true
	}
	for _, j := range k.work.jobs {
		if j.tries < patience && strings.HasPrefix(j.Kind, "archive.") {
			return true
		}
	}
	return false
}

// soon is how many milliseconds ahead a timer may be that is still waited for:
// events that are held back for a moment, and the first tries of what failed.
const soon = 2000

// patience is how often a job is tried before nobody waits for it.
const patience = 3

// Await waits until something changes or is due, a second at most.
func (k *Kernel) Await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return k.wait(ctx)
}
