package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/daemon"
	"stigmergy/plans/exec"
)

type executorCmd struct {
	Jobs  int           `short:"j" placeholder:"N" help:"Shards at a time (default: one a core)."`
	Name  string        `placeholder:"NAME" help:"The executor's name, no two alike (default: HOST-PROCESS)."`
	Kinds []string      `placeholder:"KIND" help:"Only stages of these kinds."`
	Plan  string        `placeholder:"PLAN" help:"Only shards of this plan."`
	Idle  time.Duration `placeholder:"TIME" help:"End when there was nothing to run for this long (default: never)."`
}

// Help says the rest.
func (executorCmd) Help() string {
	return `Claims shards, runs them as the daemon's own executor does, beats, and reports, over the board's files alone: lane executors/NAME and lane hxo. Several may run beside each other and beside the daemon's own (setting executor.enabled). It may be killed at any time: its leases run out, and others run what it had.

A first Ctrl-C or SIGTERM lets it finish what it has and hear the answer to its last claim (at most 10s); a second one stops at once, with everything that it started. Where the daemon is away, it waits.`
}

// Run works until it is told to stop.
func (c *executorCmd) Run(a *app) error {
	x, err := c.open(a)
	if err != nil {
		return err
	}
	defer x.close()
	if !daemon.Held(x.l) {
		if c.Idle > 0 {
			return noDaemon("working on shards", x.l)
		}
		x.waits = true // a claim would stand for whoever comes first, if we are gone by then
		a.note("stigmergy: no daemon holds %s: run `stigmergy up`; until then this waits", x.l.Dir)
	}
	a.note("stigmergy: executor %s: %d shards at a time, lane %s", x.name, x.jobs, x.request.poster.lane)
	return x.work()
}

// shardExecutor is an executor at work. One goroutine follows the board and
// starts shards; each shard has its own.
type shardExecutor struct {
	a       *app
	cmd     *executorCmd
	l       layout.Layout
	name    string
	jobs    int
	planID  string
	beat    time.Duration
	waits   bool // for a daemon, before the first claim
	engine  *query.Engine
	request *planRequest
	runner  *exec.Runner
	shelf   exec.Shelf
	wg      sync.WaitGroup
	turns   chan struct{} // one for each that runs

	mu    sync.Mutex // guards what follows, and the lane
	held  map[string]*heldShard
	claim string // position of the claim that stands; "": none
	busy  time.Time
	soon  *time.Timer
	err   error
}

// heldShard is a shard that this executor has.
type heldShard struct {
	plan.ExecRun
	running bool
	cancel  context.CancelFunc
}

func (c *executorCmd) open(a *app) (*shardExecutor, error) {
	x := &shardExecutor{a: a, cmd: c, name: c.Name, jobs: c.Jobs, held: map[string]*heldShard{}, busy: a.now()}
	if x.name == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "executor"
		}
		x.name = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	var err error
	if x.engine, x.l, err = a.openEngine(); err != nil {
		return nil, err
	}
	if c.Plan != "" {
		if x.planID, err = (&planArg{Plan: c.Plan}).find(a, x.engine); err != nil {
			return nil, errors.Join(err, x.engine.Close())
		}
	}
	s, err := a.someSettings(x.l)
	if err != nil {
		return nil, err
	}
	x.beat = s.Beat()
	if x.jobs <= 0 {
		x.jobs = s.ExecutorJobs
	}
	x.turns = make(chan struct{}, x.jobs)
	f := executorFlags{Executor: x.name}
	if err := f.names(a); err != nil {
		return nil, err
	}
	x.request = &planRequest{a: a, lane: f.Lane, quiet: true, doing: "working on shards"}
	disk, err := durable.New(a.getenv(durable.Env))
	if err != nil {
		return nil, badUse(err)
	}
	cas := durable.CAS{Layout: x.l, Disk: disk}
	x.shelf.CAS = cas
	x.runner, err = exec.New(cas, a.environ)
	if err != nil {
		return nil, &Fault{Doing: "starting the executor", Err: err, Code: exitOr(err, codeUsage)}
	}
	return x, x.request.open()
}

func (x *shardExecutor) close() {
	x.wg.Wait()
	_ = x.engine.Close() // only read
	x.request.close()
	if err := x.runner.Close(); err != nil {
		x.a.note("stigmergy: %v", err)
	}
}

// work claims, and follows what comes of it.
func (x *shardExecutor) work() error {
	topics, err := contracts.ParsePatterns([]string{"hxo.shard.claimed", "hxo.shard.failed", "board.rejected"})
	if err != nil {
		return err
	}
	now, err := query.ParseCursor("now")
	if err != nil {
		return err
	}
	res, err := x.engine.Run(x.a.ctx, query.Request{From: now, JournaledOnly: true}, func(*query.Hit) error { return nil })
	if err != nil {
		return x.a.stopped(queryFault(err))
	}
	x.a.drains.Store(true) // what runs is finished first
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(x.a.ctx))
	defer cancel(nil)
	waits := x.waits // tick's from here on
	go x.tick(ctx, cancel)
	if !waits {
		if err := x.more(); err != nil {
			return err
		}
	}
	_, err = x.engine.Follow(ctx, query.Request{Topics: topics, From: res.Cursor, JournaledOnly: true}, func(h *query.Hit) error { return x.event(h.Event()) })
	x.wg.Wait()
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.err != nil:
		return x.err
	case errors.Is(context.Cause(ctx), errEnough):
		return x.a.stopped(nil)
	}
	return queryFault(err)
}

// event takes in what the daemon says.
func (x *shardExecutor) event(ev *contracts.Event) error {
	switch {
	case ev.TopicName == "board.rejected":
		x.mu.Lock()
		mine := x.claim != "" && ev.Get("data.position").Text() == x.claim
		if mine {
			x.claim = ""
		}
		x.mu.Unlock()
		if !mine {
			return nil
		}
		if reason := ev.Get("data.reason").Text(); reason != "no_shard" {
			return answered(ev, ev.Get("data.position").Text())
		}
		return x.more()
	case ev.Pos.Lane != "hxo" || ev.Get("data.executor").Text() != x.name:
		return nil
	case ev.TopicName == "hxo.shard.failed":
		x.lost(ev)
		return nil
	}
	var job plan.ExecRun
	if err := json.Unmarshal(ev.Data(), &job); err != nil {
		return fmt.Errorf("reading a claim: %w", err)
	}
	x.start(job, ev.Get("data.claim").Text())
	return nil
}

// lost stops a shard that is not this executor's any more.
func (x *shardExecutor) lost(ev *contracts.Event) {
	x.mu.Lock()
	defer x.mu.Unlock()
	attempt, _ := ev.Get("data.attempt").Int()
	if h := x.held[key(ev.Get("data.plan_id").Text(), ev.Get("data.stage_id").Text(), ev.Get("data.cas_id").Text())]; h != nil && int64(h.Attempt) == attempt {
		h.cancel()
	}
}

func key(planID, stageID, casID string) string { return planID + "/" + stageID + "/" + casID }

// start runs a shard when there is a slot.
func (x *shardExecutor) start(job plan.ExecRun, claim string) {
	// What is being run is finished even when a signal came: see Help.
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.a.ctx))
	h := &heldShard{ExecRun: job, cancel: cancel}
	x.mu.Lock()
	if x.claim == claim {
		x.claim = ""
	}
	x.held[key(job.PlanID, job.StageID, job.CASID)] = h
	if x.soon == nil { // others of the same claim may follow
		x.soon = time.AfterFunc(pause, x.moreLater)
	}
	x.mu.Unlock()
	x.wg.Add(1)
	go func() {
		defer x.wg.Done()
		defer cancel()
		if err := x.run(ctx, h); err != nil {
			x.fail(err)
		}
	}()
}

// pause is how long the shards of one claim are waited for before the next.
const pause = 10 * time.Millisecond

func (x *shardExecutor) moreLater() {
	x.mu.Lock()
	x.soon = nil
	x.mu.Unlock()
	if err := x.more(); err != nil {
		x.fail(err)
	}
}

// fail ends the executor for a reason of its own.
func (x *shardExecutor) fail(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.err == nil {
		x.err = err
	}
}

// run runs one shard and reports it.
func (x *shardExecutor) run(ctx context.Context, h *heldShard) error {
	select {
	case x.turns <- struct{}{}:
	case <-ctx.Done():
		return x.drop(h)
	}
	x.mu.Lock()
	h.running = true
	x.mu.Unlock()
	var object *durable.Object
	res := exec.Result{}
	task, err := x.shelf.Task(&h.ExecRun)
	if err != nil {
		res.Error, err = err.Error(), nil
	} else {
		res, object, err = x.runner.Start(ctx, task)
	}
	<-x.turns
	if err != nil {
		return x.drop(h) // nobody wants it any more
	}
	if object != nil {
		res = x.runner.Store(res, object)
	}
	x.mu.Lock()
	delete(x.held, key(h.PlanID, h.StageID, h.CASID))
	x.busy = x.a.now()
	err = x.request.append("federation.result", exec.ResultData(&h.ExecRun, x.name, res))
	x.mu.Unlock()
	return errors.Join(err, x.more())
}

func (x *shardExecutor) drop(h *heldShard) error {
	x.mu.Lock()
	delete(x.held, key(h.PlanID, h.StageID, h.CASID))
	x.mu.Unlock()
	return x.more()
}

// more claims what there are slots for, and as much again, so that no slot
// waits for the board.
func (x *shardExecutor) more() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	free := 2*x.jobs - len(x.held)
	if x.leaves() || x.claim != "" || free < x.jobs {
		return nil
	}
	data := map[string]any{"executor": x.name, "max": free, "wait": stands.String()}
	if 0 < x.cmd.Idle && x.cmd.Idle < stands {
		data["wait"] = x.cmd.Idle.String()
	}
	if len(x.cmd.Kinds) > 0 {
		data["kinds"] = x.cmd.Kinds
	}
	if x.planID != "" {
		data["plan_id"] = x.planID
	}
	if err := x.request.append("federation.claim", data); err != nil {
		return err
	}
	x.claim = x.request.pos
	return nil
}
