package plan

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// who asks, as it is recorded: what the request claims, where the policy does
// not know better.
func (c *call) who(ev *contracts.Event) (user, role string) {
	claimed := ev.Get("data.submitted_by").Text()
	if claimed == "" {
		claimed = ev.Get("data.user").Text()
	}
	_, _, user, role = c.tx.Policy().May(ev.TopicName, ev.Pos.Lane, c.tx.UID(ev.Pos.Lane), claimed, ev.Get("data.role").Text())
	return user, role
}

// planOf is the plan that a request names; without one the request is answered.
func (c *call) planOf(r request) *planRec {
	p := c.planByID(r.Plan)
	if p == nil {
		c.refuse(r, handlers.RejectUnknownPlan, "/data/plan_id", "a plan of this board", r.Plan, "stigmergy plan ls")
	}
	return p
}

// details begins what an audit says of an operation on a plan.
func details(p *planRec, r request) *handlers.Object {
	return new(handlers.Object).OptStr("plan_id", p.ID).OptStr("plan_name", p.Name).Str("position", r.Pos)
}

// abort stops a plan: pending shards stay as they are, those that are claimed
// are fenced.
func (c *call) abort(ev *contracts.Event) {
	r := requestOf(ev)
	p := c.planOf(r)
	if p == nil {
		return
	}
	if p.State != planCreating && p.State != planRunning {
		c.refuse(r, handlers.RejectBadParameter, "/data/plan_id", "a plan that has not ended", "it is "+p.State, "")
		return
	}
	p.State = planAborted
	c.uncertify(p, "the plan was aborted")
	c.unwatch(p)
	user, role := c.who(ev)
	c.audit(p, user, role, "plan.abort", details(p, r).OptStr("reason", ev.Get("data.reason").Text()))
	var fenced []shardAt
	c.tx.Range(fmt.Sprintf("l/%06x/", p.N), func(key, _ string) bool {
		at := numbers(key, 2)
		fenced = append(fenced, shardAt{at[0], at[1]})
		return true
	})
	for _, f := range fenced {
		c.fence(p, f, "aborted")
	}
	c.unhit(p)
	for i := range c.manifest(p).Stages {
		c.refresh(p, c.stage(p.N, i))
	}
	c.ready = true // slots of the built-in executor
}

// fence takes a shard from whoever has it. What is published already ends as
// failed; a grant that nobody knows of yet never was.
func (c *call) fence(p *planRec, at shardAt, why string) {
	l, ok := c.lease(p.N, at.stage, at.shard)
	if !ok {
		return
	}
	c.letGo(p, at.stage, at.shard, &l)
	if !l.Out {
		c.again(p, at.stage, at.shard, 0, againRec{Tries: l.Tries, Lost: l.Lost})
		return
	}
	if l.Executor == spec.ExecutorBuiltin {
		c.tx.Done(runKey(p, c.manifest(p).Stages[at.stage].StageID, c.at(p, at.stage, at.shard).cas(), l.Attempt))
	}
	c.endAttempt(p, at.stage, at.shard, &l, why, true)
}

// replay runs shards again that have ended: those that are named, or those that
// failed, or all; where the request does not say, all if none has failed.
func (c *call) replay(ev *contracts.Event) {
	r := requestOf(ev)
	p := c.planOf(r)
	if p == nil {
		return
	}
	all, _ := ev.Get("data.all").Bool()
	failed, _ := ev.Get("data.failed").Bool()
	ids := ev.Get("data.cas_ids")
	var shards []shardAt
	switch {
	case ids.Exists() && (all || failed) || all && failed:
		c.refuse(r, handlers.RejectBadParameter, "/data", "at most one of cas_ids, failed and all", string(ev.Data()), `{"plan_id":"…","failed":true}`)
		return
	case ids.Exists():
		var ok bool
		if shards, ok = c.named(p, r, ids, "/data/cas_ids"); !ok {
			return
		}
	default:
		shards = c.ended(p, !all)
		if len(shards) == 0 && !failed && p.State != planAborted { // all went well, and is to be done again
			shards = c.ended(p, false)
		}
	}
	shards = c.thatEnded(p, shards)
	if len(shards) == 0 && p.State != planAborted {
		c.refuse(r, handlers.RejectBadParameter, "/data", "shards that have ended", "none of them has", "stigmergy plan status "+p.ID)
		return
	}
	c.uncertify(p, "shards of the plan are replayed")
	user, role := c.who(ev)
	c.audit(p, user, role, "plan.replay", details(p, r).Int("shards", int64(len(shards))))
	c.replayShards(p, shards)
}

// thatEnded are those of some shards that are done or have failed, each once.
func (c *call) thatEnded(p *planRec, shards []shardAt) (list []shardAt) {
	seen := map[shardAt]bool{}
	for _, at := range shards {
		o := c.outcome(p.N, at.stage, at.shard)
		if o.ended() && !seen[at] {
			seen[at] = true
			list = append(list, at)
		}
	}
	return list
}

// named are the shards of a list of cas_ids, in every stage that has them.
func (c *call) named(p *planRec, r request, ids contracts.Value, pointer string) (list []shardAt, ok bool) {
	n := 0
	ok = contracts.Elements(ids.Raw, func(v contracts.Value) bool {
		found := false
		for i := range c.manifest(p).Stages {
			if shard, ok := c.lookup(p, i, v.Text()); ok {
				list, found = append(list, shardAt{i, shard}), true
			}
		}
		if !found {
			c.refuse(r, handlers.RejectUnknownShard, pointer+"/"+strconv.Itoa(n), "a shard of plan "+p.ID, v.Text(), "stigmergy plan status "+p.ID)
		}
		n++
		return found
	})
	return list, ok
}

// ended are all shards of a plan that have ended, or those that have failed.
func (c *call) ended(p *planRec, failed bool) (list []shardAt) {
	for i := range c.manifest(p).Stages {
		for shard := range c.stage(p.N, i).Total {
			if o := c.outcome(p.N, i, shard); o.state == shardFailed || !failed && o.done() {
				list = append(list, shardAt{i, shard})
			}
		}
	}
	return list
}

// paused tells whether no shard of a plan is to be claimed now.
func (c *call) paused(p *planRec) bool {
	_, all := c.tx.Get("paused")
	return all || p.Paused
}

// intent obeys what Autonomy, or a person, wants of the scheduler.
func (c *call) intent(ev *contracts.Event) {
	r := requestOf(ev)
	var p *planRec
	if r.Plan != "" {
		if p = c.planOf(r); p == nil {
			return
		}
	}
	what := ev.Get("data.intent").Text()
	note := new(handlers.Object)
	if p != nil {
		note = details(p, r)
	} else {
		note.Str("position", r.Pos)
	}
	note.Str("intent", what)
	switch what {
	case "pause", "drain":
		c.pause(p, true)
	case "resume":
		c.pause(p, false)
	case "tune":
		if p == nil {
			c.refuse(r, handlers.RejectBadParameter, "/data/plan_id", "the plan_id of the plan to tune", "none", "")
			return
		}
		if !c.tune(ev, r, p, note) {
			return
		}
	default:
		c.refuse(r, handlers.RejectBadParameter, "/data/intent", "pause, resume, drain or tune", what, "")
		return
	}
	user, role := c.who(ev)
	if user == "" {
		user = ev.Get("data.source").Text()
	}
	if p == nil {
		p = c.board()
	}
	c.audit(p, user, role, "plan.intent", note)
}

// pause has no more shards claimed, of a plan or of all (nil), or has them
// claimed again.
func (c *call) pause(p *planRec, yes bool) {
	switch {
	case p != nil:
		p.Paused = yes
	case yes:
		c.tx.Put("paused", "")
	default:
		c.tx.Delete("paused")
	}
	for _, p := range c.running(p) {
		for i := range c.manifest(p).Stages {
			c.refresh(p, c.stage(p.N, i))
		}
	}
}

// running are the plans that run: the one that is given, or all.
func (c *call) running(only *planRec) (list []*planRec) {
	if only != nil {
		return []*planRec{only}
	}
	c.tx.Range("p/", func(key, _ string) bool {
		if p := c.plan(numbers(key, 1)[0]); p != nil && p.State == planRunning {
			list = append(list, p)
		}
		return true
	})
	return list
}

// board is what events belong to that are about no plan.
func (c *call) board() *planRec {
	if p := c.plan(0); p != nil {
		return p
	}
	p := &planRec{}
	c.keepPlan(p, nil)
	return p
}

// tune changes a setting of a stage.
func (c *call) tune(ev *contracts.Event, r request, p *planRec, note *handlers.Object) bool {
	param := func(name string) contracts.Value {
		if v := contracts.Lookup(ev.Data(), "parameters", name); v.Exists() {
			return v
		}
		return contracts.Lookup(ev.Data(), name) // {"intent":"tune","stage_id":…} says as much
	}
	stage := c.stageNamed(p, param("stage_id").Text())
	if stage < 0 {
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters/stage_id", "a stage of the plan: "+c.stageNames(p), param("stage_id").Text(), "")
		return false
	}
	s := c.stage(p.N, stage)
	n, whole := param("value").Int()
	setting := param("setting").Text()
	switch setting {
	case "concurrency":
		if !whole || n < 1 || n > spec.MaxConcurrency {
			c.refuse(r, handlers.RejectBadParameter, "/data/parameters/value", fmt.Sprintf("a whole number from 1 to %d", spec.MaxConcurrency), param("value").Text(), "")
			return false
		}
		s.Slots = int(n)
	case "retries":
		if !whole || n < 0 || n > spec.MaxRetries {
			c.refuse(r, handlers.RejectBadParameter, "/data/parameters/value", fmt.Sprintf("a whole number from 0 to %d", spec.MaxRetries), param("value").Text(), "")
			return false
		}
		s.Retries = int(n)
	case "timeout":
		ms, ok := spec.Milliseconds(param("value"), 0)
		if !ok || ms < 1 || ms > spec.MaxTimeout.Milliseconds() {
			c.refuse(r, handlers.RejectBadParameter, "/data/parameters/value", "a duration from 1ms to "+spec.MaxTimeout.String(), param("value").Text(), "15s, or milliseconds")
			return false
		}
		s.TimeoutMS = int(ms)
	default:
		c.refuse(r, handlers.RejectBadParameter, "/data/parameters/setting", "concurrency, retries or timeout", setting, "")
		return false
	}
	note.Str("stage_id", c.manifest(p).Stages[stage].StageID).Str("setting", setting).Raw("value", param("value").Raw)
	c.refresh(p, s)
	return true
}

func (c *call) stageNames(p *planRec) string {
	var names []string
	for i := range c.manifest(p).Stages {
		names = append(names, c.manifest(p).Stages[i].StageID)
	}
	return clip(strings.Join(names, ", "))
}

// The kinds of jobs that agents have registered.
const (
	maxKinds    = 1000
	maxKindSize = 512 << 10 // together: every plan is resolved with them
)

// register takes a job kind in and tells everybody of it.
func (c *call) register(ev *contracts.Event) {
	if ev.Pos.Lane == "hxo" {
		return // told by us
	}
	r := requestOf(ev)
	if ok, rule := c.tx.Policy().MayRun(ev.TopicName, ev.Pos.Lane, c.tx.UID(ev.Pos.Lane)); !ok {
		c.reject(r, handlers.RejectPolicy, rule, []byte("[]"))
		return
	}
	k, faults := spec.ParseKind(ev.Data())
	n, size := 0, len(ev.Data())
	c.tx.Range("kind/", func(key, value string) bool {
		if key != "kind/"+k.Kind {
			n, size = n+1, size+len(value)
		}
		return true
	})
	switch {
	case len(faults) > 0:
		for i := range faults {
			faults[i].Pointer = "/data" + faults[i].Pointer
		}
		text, _ := json.Marshal(faults)
		c.reject(r, handlers.RejectBadKind, "", text)
		return
	case size > maxKindSize || n >= maxKinds:
		c.refuse(r, handlers.RejectBadKind, "/data", fmt.Sprintf("at most %d kinds of %d bytes together", maxKinds, maxKindSize), fmt.Sprintf("%d kinds of %d bytes", n+1, size), "")
		return
	}
	text, err := json.Marshal(k)
	if err != nil {
		panic(err)
	}
	c.introduce()
	c.tx.Put("kind/"+k.Kind, string(text))
	data := contracts.AppendCompact(nil, ev.Data())
	c.say(c.board(), item{Kind: itemEvent, Topic: "blueprint.events", Data: string(handlers.Open(data).Str("accepted_from", r.Pos).Bytes())})
}

// introduce tells once of the kinds that are built in: when a board is first
// asked for something that has a kind.
func (c *call) introduce() {
	if _, told := c.tx.Get("told"); told {
		return
	}
	c.tx.Put("told", "")
	for _, k := range spec.Builtin() {
		data := new(handlers.Object).Str("kind", k.Kind).Raw("command", jsonText(k.Command))
		if len(k.SpecSchema) > 0 {
			data.Raw("spec_schema", k.SpecSchema)
		}
		data.Str("timeout", spec.DefaultTimeout.String()).Bool("idempotent", k.Idempotent == nil || *k.Idempotent)
		c.say(c.board(), item{Kind: itemEvent, Topic: "blueprint.events", Data: string(data.Bytes())})
	}
}

// kinds are those that are registered.
func (c *call) kinds() []spec.Kind {
	list := []spec.Kind{}
	c.tx.Range("kind/", func(_, value string) bool {
		var k spec.Kind
		if json.Unmarshal([]byte(value), &k) == nil {
			list = append(list, k)
		}
		return true
	})
	return list
}
