package cli

import (
	"os/user"
	"regexp"

	"stigmergy/contracts"
	"stigmergy/daemon"
	"stigmergy/plans/view"
)

// actFlags are those of requests about a plan.
type actFlags struct {
	Lane string `short:"l" placeholder:"LANE" help:"The lane to ask on (default: $$STIGMERGY_LANE, else post-USER)."`
	By   string `placeholder:"NAME" help:"Who asks (default: you)."`
	Role string `placeholder:"ROLE" help:"In which role, where the board has roles."`
}

// data is what every such request says.
func (f *actFlags) data(id string) map[string]any {
	out := map[string]any{"plan_id": id}
	who := f.By
	if u, err := user.Current(); who == "" && err == nil {
		who = u.Username
	}
	if who != "" {
		out["user"] = who
	}
	if f.Role != "" {
		out["role"] = f.Role
	}
	return out
}

type planAbort struct {
	Plan string `arg:"" help:"A plan_id, the beginning of one, or a plan's name."`
	actFlags
	Reason string `placeholder:"TEXT" help:"Why, for the audit trail."`
}

// Help says the rest.
func (planAbort) Help() string {
	return "Shards that wait get no further event; those that are claimed are fenced, stopped and fail as aborted. plan replay takes an aborted plan up again."
}

// Run asks for the abort and waits for it.
func (c *planAbort) Run(a *app) error {
	return a.act(c.Plan, "hxo.plan.abort", "plan.abort", &c.actFlags, func(data map[string]any) {
		if c.Reason != "" {
			data["reason"] = c.Reason
		}
	})
}

type planReplay struct {
	Plan   string   `arg:"" help:"A plan_id, the beginning of one, or a plan's name."`
	CASIDs []string `arg:"" optional:"" name:"cas_id" help:"The shards (default: those that failed; all, where none has)."`
	actFlags
	Failed bool `xor:"which" help:"All that failed."`
	All    bool `xor:"which" help:"All of the plan's."`
}

// Help says the rest.
func (planReplay) Help() string {
	return "Each shard is run again as a new attempt, whatever the store holds. A late result of an earlier attempt is recorded and never counted."
}

// casID is the form of a shard's name.
const casID = `^[0-9a-f]{16}$`

// Run asks for the replay and waits until it is taken up.
func (c *planReplay) Run(a *app) error {
	ok := regexp.MustCompile(casID)
	for _, id := range c.CASIDs {
		if !ok.MatchString(id) {
			return usage("replaying shards", "cas_ids of 16 hex digits", quote(id), "stigmergy query hxo.shard.failed --fields cas_id")
		}
	}
	if len(c.CASIDs) > 0 && (c.Failed || c.All) {
		return usage("replaying shards", "cas_ids, or --failed, or --all", "several", "")
	}
	return a.act(c.Plan, "hxo.plan.replay", "plan.replay", &c.actFlags, func(data map[string]any) {
		switch {
		case len(c.CASIDs) > 0:
			data["cas_ids"] = c.CASIDs
		case c.All:
			data["all"] = true
		case c.Failed:
			data["failed"] = true
		}
	})
}

// act makes a request about a plan and waits until it is audited or rejected.
func (a *app) act(name, topic, operation string, flags *actFlags, more func(map[string]any)) error {
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	id, err := (&planArg{Plan: name}).find(a, e)
	_ = e.Close() // only read
	if err != nil {
		return err
	}
	data := flags.data(id)
	more(data)
	r := &planRequest{a: a, lane: flags.Lane, topic: topic, doing: "asking for " + operation}
	if err := r.send(data); err != nil {
		return err
	}
	defer r.close()
	if err := a.one(record{text("plan_id", id), text("position", r.pos)}); err != nil {
		return err
	}
	if !daemon.Held(r.l) {
		return noDaemon("waiting for "+operation, r.l)
	}
	f := &planFollow{a: a, l: r.l, id: id, doing: "waiting for " + operation}
	f.stop = func(ev *contracts.Event, _ *view.Plan) (bool, error) {
		switch ev.TopicName {
		case "board.rejected":
			if ev.Get("data.position").Text() == r.pos {
				return true, a.planRejected(ev, r.pos, "plan")
			}
		case "hxo.audit":
			return ev.Get("data.operation").Text() == operation && planOf(ev) == id, nil
		}
		return false, nil
	}
	return f.follow(r.watch.e, r.watch.from)
}
