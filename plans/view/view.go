// Package view is what the events of lane hxo say about plans: fed with them in
// the board's order, it knows each plan's state, shards and times. Anybody can
// see the same with jq:
//
//	stigmergy query 'hxo.shard.*' -w plan_id=PLAN | jq -r '[.data.stage_id,.data.cas_id,.type]|@tsv'
package view

import (
	"slices"
	"strings"

	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

// What a shard can be.
const (
	Pending  = "pending"
	Claimed  = "claimed" // an executor has it
	Running  = "running" // and has told that it works on it
	Done     = "done"
	Failed   = "failed"   // for good
	Replaced = "replaced" // by its parts, which stand in its stead
)

// Topics are the patterns of the events that a Board is to be fed.
func Topics() []string {
	return []string{"hxo.plan", "hxo.shard.*", "hxo.aggregate.*", "hxo.audit", "hxo.alert", "hxo.autotune.signal", "plan.resolved", "federation.heartbeat"}
}

// Board is every plan.
type Board struct {
	Plans []*Plan // in the order of hxo.plan
	byID  map[string]*Plan
}

// Plan is one plan.
type Plan struct {
	ID, Name    string
	SubmittedBy string
	SHA256      string
	Manifest    string // its SHA-256, if that is known
	Announced   int    // shards, as hxo.plan says
	StageCount  int
	Begun       int64 // unix nanoseconds
	Last        int64 // time of the newest event
	Stages      []*Stage
	Root        string // Merkle root of its newest aggregate
	Attempt     int    // of certification
	Certified   bool
	Certificate []byte // JSON
	Rejected    string // why certification failed, the last time
	GaveUp      bool   // no further certification follows
	Aborted     bool
	Paused      string // pause or drain, if an intent said so last
	Alerts      int

	byStage map[string]*Stage
	ends    []int64 // times of the last results that were executed
}

// Stage is one stage of a plan.
type Stage struct {
	ID     string
	Needs  []string // of the manifest, if that is known
	Shards []*Shard // in the order of hxo.shard.created
	byID   map[string]*Shard
	Spent  []float64 // milliseconds of the shards that were run
	Cached int
	Splits int
	Signal string // the latest tuning signal's type
}

// Shard is one shard.
type Shard struct {
	CASID    string
	Parent   string
	State    string
	Attempt  int
	Executor string
	Since    int64 // of its state, unix nanoseconds
	Digest   string
	Error    string // of its last failed attempt
	MS       float64
	Cached   bool
}

// New is an empty board.
func New() *Board { return &Board{byID: map[string]*Plan{}} }

// Plan is the one with this id, or nil.
func (b *Board) Plan(id string) *Plan { return b.byID[strings.ToLower(id)] }

func (b *Board) plan(id string) *Plan {
	p := b.Plan(id)
	if p == nil {
		p = &Plan{ID: strings.Clone(id), byStage: map[string]*Stage{}}
		b.byID[strings.ToLower(id)] = p
	}
	return p
}

// Stage is the one with this id, or nil.
func (p *Plan) Stage(id string) *Stage { return p.byStage[id] }

func (p *Plan) stage(id string) *Stage {
	s := p.byStage[id]
	if s == nil {
		s = &Stage{ID: id, byID: map[string]*Shard{}}
		p.byStage[id] = s
		p.Stages = append(p.Stages, s)
	}
	return s
}

// Know takes in the plan's manifest: the order of the stages and what each
// needs. Stages without shards yet are there from then on.
func (p *Plan) Know(m *plan.Manifest) {
	var order []*Stage
	for i := range m.Stages {
		st := p.stage(m.Stages[i].StageID)
		st.Needs = append([]string{}, m.Stages[i].Needs...)
		order = append(order, st)
	}
	for _, st := range p.Stages {
		if !slices.Contains(order, st) {
			order = append(order, st)
		}
	}
	p.Stages = order
}

// Shard is the one with this name, or nil.
func (s *Stage) Shard(casID string) *Shard { return s.byID[casID] }

func (s *Stage) shard(casID string) *Shard {
	x := s.byID[casID]
	if x == nil {
		x = &Shard{CASID: casID, State: Pending}
		s.byID[casID] = x
		s.Shards = append(s.Shards, x)
	}
	return x
}

// Add takes in an event; any order of plans, the board's order within one. What
// only claims to be the daemon's, or another bus's history, counts for nothing.
func (b *Board) Add(ev *contracts.Event) {
	id := ev.Get("data.plan_id").Text()
	if id == "" && ev.TopicName == "hxo.audit" {
		id = ev.Get("data.details.plan_id").Text()
	}
	hxo := strings.HasPrefix(ev.TopicName, "hxo.")
	if id == "" || hxo && ev.Pos.Lane != "hxo" || ev.TopicName == "plan.resolved" && ev.Pos.Lane != plan.LanePlan {
		return
	}
	p := b.plan(id)
	if hxo {
		p.Last = ev.Time()
	}
	switch ev.TopicName {
	case "hxo.plan":
		b.begun(p, ev)
	case "hxo.shard.created", "hxo.shard.claimed", "hxo.shard.done", "hxo.shard.failed":
		p.shard(ev)
	case "plan.resolved":
		if m := ev.Get("data.manifest_sha256").Text(); m != "" && p.Manifest == "" {
			p.Manifest = m
		}
	case "federation.heartbeat":
		p.beat(ev)
	case "hxo.autotune.signal":
		p.stage(ev.Get("data.stage_id").Text()).Signal = ev.Get("data.signal_type").Text()
	case "hxo.alert":
		p.Alerts++
		p.GaveUp = p.GaveUp || ev.Get("data.alert_type").Text() == "certification_failed"
	case "hxo.audit":
		p.audit(ev)
	default:
		p.aggregate(ev)
	}
}

func (b *Board) begun(p *Plan, ev *contracts.Event) {
	if !slices.Contains(b.Plans, p) {
		b.Plans = append(b.Plans, p)
	}
	p.ID, p.Name, p.SubmittedBy = ev.Get("data.plan_id").Text(), ev.Get("data.plan_name").Text(), ev.Get("data.submitted_by").Text()
	p.SHA256, p.Begun = ev.Get("data.plan_sha256").Text(), ev.Time()
	n, _ := ev.Get("data.shards").Int()
	stages, _ := ev.Get("data.stages").Int()
	p.Announced, p.StageCount = int(n), int(stages)
}

// shard takes in what happened to one. Attempts only go up: what is said of an
// earlier one is late.
func (p *Plan) shard(ev *contracts.Event) {
	st := p.stage(ev.Get("data.stage_id").Text())
	s := st.shard(ev.Get("data.cas_id").Text())
	attempt, ok := ev.Get("data.attempt").Int()
	if !ok {
		attempt = int64(max(s.Attempt, 1))
	}
	if int(attempt) < s.Attempt {
		return
	}
	s.Attempt, s.Since = int(attempt), ev.Time()
	switch ev.TopicName {
	case "hxo.shard.created":
		s.State = Pending
		p.Certified = false // it is not what it was: another certification follows
		if s.Parent = ev.Get("data.parent_cas_id").Text(); s.Parent != "" {
			if parent := st.byID[s.Parent]; parent != nil && parent.State != Replaced {
				parent.State = Replaced
				st.Splits++
			}
		}
	case "hxo.shard.claimed":
		s.State, s.Executor = Claimed, ev.Get("data.executor").Text()
	case "hxo.shard.done":
		p.done(st, s, ev)
	case "hxo.shard.failed":
		s.Error = ev.Get("data.error").Text()
		final, given := ev.Get("data.final").Bool()
		switch {
		case s.Error == "split":
			if s.State != Replaced {
				st.Splits++
			}
			s.State = Replaced
		case final || !given:
			s.State = Failed
		default:
			s.State = Pending
		}
	}
}

// recent is how many results the pace is made of.
const recent = 256

func (p *Plan) done(st *Stage, s *Shard, ev *contracts.Event) {
	s.State, s.Digest, s.Error = Done, ev.Get("data.output_digest").Text(), ""
	if s.Cached, _ = ev.Get("data.cached").Bool(); s.Cached {
		st.Cached++
		return
	}
	if ms, ok := ev.Get("data.duration_ms").Number(); ok {
		s.MS = ms
		st.Spent = append(st.Spent, ms)
	}
	if p.ends = append(p.ends, s.Since); len(p.ends) > 2*recent {
		p.ends = slices.Clone(p.ends[recent:])
	}
}

// beat tells which shards are worked on; one that waits for its turn with its
// executor is only claimed.
func (p *Plan) beat(ev *contracts.Event) {
	if waits, _ := ev.Get("data.waiting").Bool(); waits {
		return
	}
	executor := ev.Get("data.executor").Text()
	contracts.Elements(ev.Get("data.cas_ids").Raw, func(v contracts.Value) bool {
		for _, st := range p.Stages {
			if s := st.byID[v.Text()]; s != nil && s.State == Claimed && s.Executor == executor {
				s.State = Running
			}
		}
		return true
	})
}

func (p *Plan) audit(ev *contracts.Event) {
	switch ev.Get("data.operation").Text() {
	case "plan.abort":
		p.Aborted = true
	case "plan.replay":
		p.Aborted, p.GaveUp = false, false
	case "plan.intent":
		switch intent := ev.Get("data.details.intent").Text(); intent {
		case "pause", "drain":
			p.Paused = intent
		case "resume":
			p.Paused = ""
		}
	}
}

func (p *Plan) aggregate(ev *contracts.Event) {
	if root := ev.Get("data.merkle_root").Text(); root != "" {
		p.Root = root
	}
	switch ev.TopicName {
	case "hxo.aggregate.ready":
		p.Attempt++
		p.Certified = false
	case "hxo.aggregate.finalized":
		p.Certificate = slices.Clone(ev.Get("data.certificate").Raw)
		p.Certified, _ = ev.Get("data.certificate.certified").Bool()
		if root := ev.Get("data.certificate.merkle_root").Text(); root != "" {
			p.Root = root
		}
	case "hxo.aggregate.failed":
		p.Rejected = ev.Get("data.reason").Text()
	}
}
