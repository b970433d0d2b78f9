package exec

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/durable"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
)

// Config is what the daemon's own executor runs with.
type Config struct {
	CAS     durable.CAS
	Environ []string
	Jobs    func() int           // shards at a time; asked again and again
	Beat    func() time.Duration // how often it tells that it lives
	Now     func() time.Time     // of the lines that it writes; nil: the machine's
}

// Worker is the daemon's own executor: it does the effects exec.run, some at a
// time, in the order in which they were started.
type Worker struct {
	cfg   Config
	slots slots
	Shelf Shelf

	mu     sync.Mutex // guards what follows
	runner *Runner
	closed bool
}

// NewWorker makes one. Nothing is made on the disk before there is work.
func NewWorker(cfg Config) *Worker {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Worker{cfg: cfg, slots: slots{limit: cfg.Jobs}, Shelf: Shelf{CAS: cfg.CAS}}
}

// Kinds are the kinds of effects it does.
func (w *Worker) Kinds() []string { return []string{plan.EffectRun} }

// Close ends it, when nothing runs any more.
func (w *Worker) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	if w.runner == nil {
		return nil
	}
	return w.runner.Close()
}

func (w *Worker) run() (*Runner, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, errors.New("the executor has ended")
	}
	if w.runner != nil {
		return w.runner, nil
	}
	r, err := New(w.cfg.CAS, w.cfg.Environ)
	if err == nil {
		w.runner = r
	}
	return r, err
}

// Do runs one shard and reports what came of it.
func (w *Worker) Do(ctx context.Context, e blackboard.Effect, report func(lane string, line []byte) error) error {
	var job plan.ExecRun
	if err := json.Unmarshal(e.Payload, &job); err != nil {
		return fmt.Errorf("reading the effect %s: %w", e.Key, err)
	}
	pulse := w.pulse(ctx, e.Key, &job, report)
	res, err := w.result(ctx, &job, pulse.begun)
	pulse.stop()
	if err != nil {
		return err
	}
	line, err := w.line("federation.result", e.Key, job.PlanID, ResultData(&job, plan.ExecutorBuiltin, res))
	if err != nil {
		return err
	}
	return report(plan.LaneExec, line)
}

// result waits for its turn and runs the shard; the slot is free again while
// the output goes to the disk.
func (w *Worker) result(ctx context.Context, job *plan.ExecRun, begun func()) (Result, error) {
	r, err := w.run()
	if err != nil {
		return Result{}, err
	}
	if err := w.slots.take(ctx); err != nil {
		return Result{}, err
	}
	begun()
	var object *durable.Object
	task, err := w.Shelf.Task(job)
	var res Result
	if err != nil {
		res, err = fail("%v", err), nil
	} else {
		res, object, err = r.Start(ctx, task)
	}
	w.slots.free()
	if err != nil || object == nil {
		return res, err
	}
	return r.Store(res, object), nil
}

// soon is when a shard that runs is told of for the first time: most have ended
// by then.
const soon = time.Second

// pulse tells every so often that a shard is still wanted: it may wait for its
// turn, and run, for longer than a lease.
type pulse struct {
	w      *Worker
	ctx    context.Context
	key    string
	every  time.Duration
	report func(lane string, line []byte) error

	mu    sync.Mutex // guards what follows, and is held while a beat is on its way
	beat  Heartbeat
	timer *time.Timer
	ended bool
}

func (w *Worker) pulse(ctx context.Context, key string, job *plan.ExecRun, report func(string, []byte) error) *pulse {
	p := &pulse{w: w, ctx: ctx, key: key, every: max(w.cfg.Beat(), 10*time.Millisecond), report: report,
		beat: Heartbeat{Executor: plan.ExecutorBuiltin, CASIDs: []string{job.CASID}, PlanID: job.PlanID, Waiting: true}}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(p.every, p.tell)
	return p
}

func (p *pulse) tell() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended || p.ctx.Err() != nil {
		return
	}
	line, err := p.w.line("federation.heartbeat", p.key, p.beat.PlanID, p.beat)
	if err == nil {
		_ = p.report(plan.LaneExec, line) // the next one tells it too
	}
	p.timer.Reset(p.every)
}

// begun says that the shard has its turn.
func (p *pulse) begun() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.beat.Waiting = false
	p.timer.Reset(min(soon, p.every))
}

// stop returns when no beat is on its way any more.
func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}

// line is one of the worker lane's.
func (w *Worker) line(topic, key, subject string, data any) ([]byte, error) {
	body, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("reporting %s: %w", key, err)
	}
	now := w.cfg.Now().UTC()
	var rnd [10]byte
	if _, err := rand.Read(rnd[:]); err != nil {
		return nil, fmt.Errorf("reporting %s: %w", key, err)
	}
	return contracts.Build{
		ID: contracts.UUIDv7(now.UnixMilli(), rnd), Source: plan.LaneExec, Type: topic, Subject: subject,
		Time: now.Format(time.RFC3339Nano), Ext: []contracts.Attr{{Name: "effectkey", Value: key}}, Data: body,
	}.Append(nil), nil
}

// Report is the data of federation.result.
type Report struct {
	PlanID     string  `json:"plan_id"`
	StageID    string  `json:"stage_id"`
	CASID      string  `json:"cas_id"`
	Executor   string  `json:"executor"`
	Attempt    int     `json:"attempt"`
	OK         bool    `json:"ok"`
	Digest     string  `json:"output_digest,omitempty"`
	Error      string  `json:"error,omitempty"`
	DurationMS float64 `json:"duration_ms"` // to the microsecond
}

// Heartbeat is the data of federation.heartbeat.
type Heartbeat struct {
	Executor string   `json:"executor"`
	CASIDs   []string `json:"cas_ids"`
	PlanID   string   `json:"plan_id,omitempty"`
	Waiting  bool     `json:"waiting,omitempty"` // for a slot: not begun yet
}

// ResultData says what came of a shard.
func ResultData(job *plan.ExecRun, executor string, res Result) Report {
	return Report{PlanID: job.PlanID, StageID: job.StageID, CASID: job.CASID, Executor: executor, Attempt: job.Attempt,
		OK: res.OK, Digest: res.Digest, Error: res.Error, DurationMS: float64(res.Duration.Microseconds()) / 1000}
}
