package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"stigmergy/blackboard/durable"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/daemon"
	"stigmergy/plans/exec"
)

// executorFlags say who runs shards: a lease binds the name, and the lane on
// which it claimed.
type executorFlags struct {
	Executor string `short:"e" placeholder:"NAME" help:"The executor's name (default: $$STIGMERGY_EXECUTOR, else your user name)."`
	Lane     string `short:"l" placeholder:"LANE" help:"The lane to write on (default: executors/NAME)."`
}

func (f *executorFlags) names(a *app) error {
	if f.Executor == "" {
		f.Executor = a.getenv("STIGMERGY_EXECUTOR")
	}
	if u, err := user.Current(); f.Executor == "" && err == nil {
		f.Executor = u.Username
	}
	if f.Executor == "" {
		return usage("naming the executor", "a name", "none", "--executor NAME")
	}
	if f.Lane == "" {
		f.Lane = "executors/" + strings.NewReplacer("/", "_", `\`, "_").Replace(f.Executor)
	}
	return nil
}

type planClaim struct {
	executorFlags
	Plan  string        `placeholder:"PLAN" help:"Only shards of this plan."`
	Kinds []string      `placeholder:"KIND" help:"Only of stages of these kinds."`
	Max   int           `default:"1" placeholder:"N" help:"So many at the most."`
	Wait  time.Duration `default:"30s" placeholder:"TIME" help:"How long the claim stands if there is no shard yet."`
}

// Help says the rest.
func (planClaim) Help() string {
	return `Prints the hxo.shard.claimed event of each shard that is granted: what to run stands in its data (argv, stdin, inputs, timeout_ms), as does lease_until. Tell with plan beat that you work on it for longer than that, and with plan done or plan fail what came of it, from the same executor and lane.

Exit 1 if no shard came while the claim stood, 75 if no daemon holds the board (the claim stays on it).

In a shell:

  while c=$(stigmergy plan claim -o raw); do
    eval "set -- $(printf %s "$c" | jq -r '.argv|@sh')"
    "$@" | stigmergy plan done "$(printf %s "$c" | jq -r .cas_id)"
  done`
}

// Run claims, and waits for the answer.
func (c *planClaim) Run(a *app) error {
	if c.Max < 1 {
		return usage("claiming", "at least one shard", itoa(c.Max), "")
	}
	if err := c.names(a); err != nil {
		return err
	}
	data := map[string]any{"executor": c.Executor, "max": c.Max, "wait": c.Wait.String()}
	if len(c.Kinds) > 0 {
		data["kinds"] = c.Kinds
	}
	if c.Plan != "" {
		e, _, err := a.openEngine()
		if err != nil {
			return err
		}
		id, err := (&planArg{Plan: c.Plan}).find(a, e)
		_ = e.Close() // only read
		if err != nil {
			return err
		}
		data["plan_id"] = id
	}
	r := &planRequest{a: a, lane: c.Lane, topic: "federation.claim", doing: "claiming a shard"}
	if err := r.send(data); err != nil {
		return err
	}
	defer r.close()
	if !daemon.Held(r.l) {
		return noDaemon("waiting for a shard", r.l)
	}
	return c.answer(a, r)
}

// last is how long more shards of one claim are waited for.
const last = 300 * time.Millisecond

// answer waits for what is granted. Shards of one claim are published one after
// the other, and nobody knows beforehand how many there will be.
func (c *planClaim) answer(a *app, r *planRequest) error {
	p, err := a.newEvents(nil, "")
	if err != nil {
		return err
	}
	p.follow = true
	topics, err := contracts.ParsePatterns([]string{"hxo.shard.claimed", "board.rejected"})
	if err != nil {
		return err
	}
	ctx, cancel := a.whileUp(r.l, c.Wait+time.Minute)
	defer cancel()
	ctx, enough := context.WithCancelCause(ctx)
	defer enough(nil)
	var quiet *time.Timer
	_, err = r.watch.e.Follow(ctx, query.Request{Topics: topics, From: r.watch.from, JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		switch {
		case ev.TopicName == "board.rejected" && ev.Get("data.position").Text() == r.pos:
			return a.planRejected(ev, r.pos, "plan")
		case ev.TopicName != "hxo.shard.claimed" || ev.Pos.Lane != "hxo" || ev.Get("data.claim").Text() != r.pos:
			return nil
		}
		if err := p.hit(h); err != nil {
			return err
		}
		if p.wrote >= c.Max {
			return errEnough
		}
		if quiet == nil {
			quiet = time.AfterFunc(last, func() { enough(errEnough) })
		}
		quiet.Reset(last)
		return nil
	})
	switch {
	case errors.Is(err, errEnough), errors.Is(context.Cause(ctx), errEnough):
		return p.close()
	case errors.Is(context.Cause(ctx), errDown):
		return noDaemon("waiting for a shard", r.l)
	case ctx.Err() != nil && a.ctx.Err() == nil:
		return &Fault{Doing: "waiting for a shard", Found: "no answer", Try: "stigmergy status", Code: codeTimeout}
	}
	return a.stopped(queryFault(err))
}

type planBeat struct {
	CASIDs []string `arg:"" name:"cas_id" help:"The shards that are worked on."`
	executorFlags
}

// Help says the rest.
func (planBeat) Help() string {
	return "Every lease runs on for as long as it was (setting lease, 60s): beat four times as often. One line is appended; nobody waits for an answer."
}

// Run appends a heartbeat.
func (c *planBeat) Run(a *app) error {
	if err := c.names(a); err != nil {
		return err
	}
	r := &planRequest{a: a, lane: c.Lane, topic: "federation.heartbeat", doing: "telling that a shard is worked on", quiet: true}
	defer r.close()
	return r.send(exec.Heartbeat{Executor: c.Executor, CASIDs: c.CASIDs})
}

// claimArg names a shard that was claimed.
type claimArg struct {
	CASID string `arg:"" name:"cas_id" help:"The shard."`
	executorFlags
	Plan string `placeholder:"PLAN" help:"Its plan, where shards of several have this name."`
}

// claimed is the newest claim of the shard by this executor.
func (c *claimArg) claimed(a *app) (plan.ExecRun, int64, error) {
	var job plan.ExecRun
	if err := c.names(a); err != nil {
		return job, 0, err
	}
	e, _, err := a.openEngine()
	if err != nil {
		return job, 0, err
	}
	defer e.Close()
	where := []string{"cas_id=" + c.CASID, "executor=" + c.Executor}
	if c.Plan != "" {
		id, err := (&planArg{Plan: c.Plan}).find(a, e)
		if err != nil {
			return job, 0, err
		}
		where = append(where, "plan_id="+id)
	}
	filters, err := query.ParseFilters(where)
	if err != nil {
		return job, 0, badUse(err)
	}
	topics, err := contracts.ParsePatterns([]string{"hxo.shard.claimed"})
	if err != nil {
		return job, 0, err
	}
	at := int64(0)
	res, err := e.Run(a.ctx, query.Request{Topics: topics, Lane: "hxo", Where: filters, Last: 1, JournaledOnly: true}, func(h *query.Hit) error {
		at = h.Event().Time()
		return json.Unmarshal(h.Event().Data(), &job)
	})
	if err == nil && res.Matched == 0 {
		err = &Fault{Doing: "looking for the claim", Found: fmt.Sprintf("none of shard %s by executor %s", clip(c.CASID), clip(c.Executor)),
			Try: "stigmergy plan claim, or name the executor that claimed it with -e NAME", Code: codeNone}
	}
	return job, at, a.stopped(queryFault(err))
}

// report appends a result and waits for what the daemon says to it.
func (c *claimArg) report(a *app, report exec.Report) error {
	r := &planRequest{a: a, lane: c.Lane, topic: "federation.result", doing: "reporting a shard"}
	if err := r.send(report); err != nil {
		return err
	}
	defer r.close()
	out := record{text("cas_id", report.CASID), number("attempt", report.Attempt), flag("ok", report.OK), text("output_digest", report.Digest), text("position", r.pos)}
	if err := a.one(out); err != nil {
		return err
	}
	return r.watch.outcome()
}

type planDone struct {
	claimArg
	File   string `placeholder:"FILE" help:"The output (default: standard input)."`
	Digest string `placeholder:"SHA256" help:"The output stands in the store already, under this name."`
}

// Help says the rest.
func (planDone) Help() string {
	return "The output is put into the store, synced and named by its SHA-256, before anything is reported. Exit 1 if the report does not count: the lease was lost, or another attempt has begun."
}

// Run stores the output and reports it.
func (c *planDone) Run(a *app) error {
	job, at, err := c.claimed(a)
	if err != nil {
		return err
	}
	digest := c.Digest
	if digest == "" {
		if digest, err = c.store(a); err != nil {
			return err
		}
	} else if err := standsInStore(a, digest); err != nil {
		return err
	}
	spent := max(a.now().UnixNano()-at, 0)
	return c.report(a, exec.ResultData(&job, c.Executor, exec.Result{OK: true, Digest: digest, Duration: time.Duration(spent)}))
}

// store puts the output into the store.
func (c *planDone) store(a *app) (string, error) {
	l, err := a.board()
	if err != nil {
		return "", err
	}
	var in io.Reader = a.in
	if c.File != "" && c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return "", &Fault{Doing: "reading the output", Path: c.File, Err: err, Code: codeUsage}
		}
		defer f.Close()
		in = f
	}
	cas := durable.CAS{Layout: l}
	o := cas.New()
	defer o.Discard()
	if _, err = io.Copy(o, in); err == nil {
		err = errors.Join(cas.Publish(o)...)
	}
	if err != nil {
		return "", &Fault{Doing: "storing the output", Err: err, Code: codeDisk, Try: "df -h " + shellQuote(l.Dir)}
	}
	return o.Name(), nil
}

// standsInStore checks an object that somebody put there by hand.
func standsInStore(a *app, digest string) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	_, err = durable.CAS{Layout: l}.Get(digest)
	if err != nil {
		return &Fault{Doing: "looking for the output", Err: err, Code: codeUsage, Try: "stigmergy plan done … < OUTPUT"}
	}
	return nil
}

type planFail struct {
	claimArg
	Error string `arg:"" help:"Why, for people."`
}

// Help says the rest.
func (planFail) Help() string {
	return "The shard is tried again after a pause, by whoever claims it then, if its stage's retries are not used up."
}

// Run reports a failure.
func (c *planFail) Run(a *app) error {
	job, at, err := c.claimed(a)
	if err != nil {
		return err
	}
	return c.report(a, exec.ResultData(&job, c.Executor, exec.Result{Error: c.Error, Duration: time.Duration(max(a.now().UnixNano()-at, 0))}))
}
