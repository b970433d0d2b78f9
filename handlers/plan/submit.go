package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"stigmergy/contracts"
	spec "stigmergy/contracts/plan"
	"stigmergy/handlers"
)

// ask is what an effect's answer is about.
type ask struct {
	Kind  string  `json:"kind"`
	Req   request `json:"req"`
	User  string  `json:"user,omitempty"`
	Role  string  `json:"role,omitempty"`
	Plan  int     `json:"plan,omitempty"`
	Stage int     `json:"stage,omitempty"`
	From  int     `json:"from,omitempty"`
	To    int     `json:"to,omitempty"`
	Of    []int   `json:"of,omitempty"`  // shards
	Was   []int   `json:"was,omitempty"` // their states
}

// start begins an effect, and remembers what its answer is about.
func (c *call) start(kind, key string, payload any, a ask) {
	text, err := json.Marshal(a)
	if err != nil {
		panic(err)
	}
	c.tx.Put("q/"+key, string(text))
	if text, err = json.Marshal(payload); err != nil {
		panic(err)
	}
	c.tx.Effect(kind, key, text)
}

// submit asks for a plan to be resolved.
func (c *call) submit(ev *contracts.Event) {
	r := requestOf(ev)
	if ok, rule := c.tx.Policy().MayRun(ev.TopicName, ev.Pos.Lane, c.tx.UID(ev.Pos.Lane)); !ok {
		c.reject(r, handlers.RejectPolicy, rule, []byte("[]"))
		return
	}
	if r.Plan == "" {
		r.Plan = c.newID(ev.Pos)
	}
	if _, taken := c.tx.Get("id/" + strings.ToLower(r.Plan)); taken {
		c.refuse(r, handlers.RejectDuplicate, "/data/plan_id", "a plan_id that no plan has", r.Plan, "leave plan_id out, or make a new UUID")
		return
	}
	if c.full(r, 0) {
		return
	}
	user, role := c.who(ev)
	c.tx.Put("id/"+strings.ToLower(r.Plan), "0")
	c.start(spec.EffectResolve, "resolve:"+r.Pos,
		spec.Resolve{PlanID: r.Plan, Plan: spec.RawJSON(ev.Get("data.plan").Raw), Kinds: c.kinds()},
		ask{Kind: spec.EffectResolve, Req: r, User: user, Role: role})
}

// newID is the UUIDv8 of a submission's position on this board.
func (c *call) newID(pos contracts.Position) string {
	sum := sha256.Sum256([]byte("stigmergy.plan.v1\n" + c.tx.BoardID() + "\n" + pos.String() + "\n"))
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// resolved goes on with what a worker of plans found out.
func (c *call) resolved(ev *contracts.Event) {
	key := ev.Env.EffectKey.Text(ev.Line)
	text, ok := c.tx.Get("q/" + key)
	var a ask
	var data spec.Resolved
	if !ok || json.Unmarshal([]byte(text), &a) != nil || json.Unmarshal(ev.Data(), &data) != nil {
		return
	}
	c.tx.Delete("q/" + key)
	switch a.Kind {
	case spec.EffectResolve:
		c.accept(a, &data, contracts.Lookup(ev.Data(), "faults").Raw)
	case spec.EffectCached:
		c.cachedKnown(a, &data)
	case spec.EffectSplit, spec.EffectRepartition:
		kept := contracts.Lookup(ev.Data(), "kept").Raw
		c.regrouped(a, &data, contracts.Lookup(ev.Data(), "faults").Raw, kept)
	}
}

// accept makes a plan of what a submission resolved to.
func (c *call) accept(a ask, data *spec.Resolved, faults []byte) {
	id := strings.ToLower(a.Req.Plan)
	if len(data.Faults) > 0 {
		c.tx.Delete("id/" + id)
		c.reject(a.Req, handlers.RejectPlanFault, "", faults)
		return
	}
	if c.full(a.Req, data.Shards) {
		c.tx.Delete("id/" + id)
		return
	}
	v, _ := c.tx.Get("plans")
	n, _ := strconv.Atoi(v)
	p := &planRec{
		N: n + 1, ID: a.Req.Plan, User: a.User, Role: a.Role,
		SHA256: data.PlanSHA256, Manifest: data.ManifestSHA256, State: planCreating, Since: c.tx.Now(),
	}
	c.keepPlan(p, nil)
	m := c.manifest(p)
	p.Name = m.PlanName
	c.tx.Put("plans", strconv.Itoa(p.N))
	c.tx.Put("id/"+id, strconv.Itoa(p.N))
	for i := range m.Stages {
		c.keepStage(&stageRec{Plan: p.N, N: i, Total: m.Stages[i].Shards, Slots: max(1, m.Stages[i].Concurrency),
			Retries: m.Stages[i].Retries, TimeoutMS: int(m.Stages[i].TimeoutMS)}, nil)
	}
	c.introduce()
	c.say(p, item{Kind: itemEvent, Topic: "hxo.plan", Data: string(new(handlers.Object).
		Str("plan_id", p.ID).Str("plan_name", p.Name).Int("stages", int64(len(m.Stages))).Str("submitted_by", p.User).
		Str("plan_sha256", p.SHA256).Int("shards", int64(m.Shards)).Bytes())})
	c.audit(p, p.User, p.Role, "plan.submit", new(handlers.Object).Str("plan_id", p.ID).Str("plan_name", p.Name).Str("position", a.Req.Pos))
	if c.toCreate(p) < 0 {
		c.allCreated(p)
		return
	}
	c.queue(p)
	c.crowded(p)
}

// audit tells who did what.
func (c *call) audit(p *planRec, user, role, operation string, details *handlers.Object) {
	c.say(p, item{Kind: itemStamped, Topic: "hxo.audit", Data: string(new(handlers.Object).
		Str("user", user).Str("role", role).Str("operation", operation).Raw("details", details.Bytes()).Bytes())})
}

// alert tells a person.
func (c *call) alert(p *planRec, kind, severity, format string, args ...any) {
	c.say(p, item{Kind: itemEvent, Topic: "hxo.alert", Data: string(new(handlers.Object).
		Str("plan_id", p.ID).Str("alert_type", kind).Str("severity", severity).Str("message", fmt.Sprintf(format, args...)).Bytes())})
}
