package cli

import (
	"encoding/json"
	"fmt"
	"os/user"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/plan"
	"stigmergy/daemon"
	"stigmergy/plans"
	"stigmergy/plans/view"
)

type planSubmit struct {
	File    string        `arg:"" help:"The plan: YAML or JSON; - for standard input."`
	Lane    string        `short:"l" placeholder:"LANE" help:"The lane to ask on (default: $$STIGMERGY_LANE, else post-USER)."`
	PlanID  string        `name:"plan-id" placeholder:"UUID" help:"Its plan_id (default: a new UUID)."`
	By      string        `placeholder:"NAME" help:"Who submits it (default: you)."`
	Role    string        `placeholder:"ROLE" help:"In which role, where the board has roles."`
	DryRun  bool          `name:"dry-run" help:"Only check it and show what it comes to: nothing is asked for."`
	Wait    bool          `help:"Wait until the plan has ended, with a progress bar on a terminal."`
	Timeout time.Duration `placeholder:"TIME" help:"Give up waiting after this long: exit 124. The plan goes on."`
}

// Help says the rest.
func (planSubmit) Help() string {
	return `Prints the plan_id once the plan is accepted; all that is wrong with a plan is told at once, with line and column, and nothing of it is begun.

The same without this command: echo '{"type":"hxo.plan.submit","data":{"plan":{"plan_name":"x","stages":[…]}}}' >> board/me.jsonl

Exit 65 if the plan has faults, 77 if a policy forbids it, 75 if no daemon holds the board (the request stays on it), or if too much waits already; with --wait 1 if the plan failed or was aborted.`
}

// maxPlan bounds a plan's text: it stands in one line, escaped.
const maxPlan = 16 << 20

// Run asks for a plan to be run.
func (c *planSubmit) Run(a *app) error {
	text, err := c.read(a)
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return &Fault{Doing: "reading the plan", Path: c.File, Expected: "UTF-8", Found: "bytes that are none", Code: codeRefused}
	}
	if c.DryRun {
		return c.dryRun(a, text)
	}
	if c.PlanID == "" {
		if c.PlanID, err = a.uuid(); err != nil {
			return err
		}
	}
	who := c.By
	if u, err := user.Current(); who == "" && err == nil {
		who = u.Username
	}
	r := &planRequest{a: a, lane: c.Lane, topic: "hxo.plan.submit", doing: "submitting the plan"}
	data := map[string]any{"plan": string(text), "plan_id": c.PlanID}
	for k, v := range map[string]string{"submitted_by": who, "role": c.Role} {
		if v != "" {
			data[k] = v
		}
	}
	if err := r.send(data); err != nil {
		return err
	}
	defer r.close()
	return c.wait(a, r)
}

// wait tells what came of the request, and with --wait of the plan.
func (c *planSubmit) wait(a *app, r *planRequest) error {
	if !daemon.Held(r.l) {
		if err := a.one(record{text("plan_id", c.PlanID), text("position", r.pos)}); err != nil {
			return err
		}
		return noDaemon("waiting for the plan to be accepted", r.l)
	}
	f := &planFollow{a: a, l: r.l, id: c.PlanID, timeout: c.Timeout, doing: "waiting for the plan " + c.PlanID}
	accepted := false
	f.stop = func(ev *contracts.Event, p *view.Plan) (bool, error) {
		if ev.TopicName == "board.rejected" && ev.Get("data.position").Text() == r.pos {
			return true, a.planRejected(ev, r.pos, c.File)
		}
		if accepted || p == nil || p.Begun == 0 {
			return false, nil
		}
		accepted = true
		if err := a.one(record{text("plan_id", c.PlanID), text("position", r.pos)}); err != nil {
			return true, err
		}
		return !c.Wait, a.out.flush()
	}
	if c.Wait {
		f.bar = a.newBar()
	}
	if err := f.follow(r.watch.e, r.watch.from); err != nil || !c.Wait {
		return err
	}
	return f.verdict()
}

// read reads the document.
func (c *planSubmit) read(a *app) ([]byte, error) {
	if c.File == "-" {
		text, err := readAtMost(a.in, maxPlan)
		if err != nil {
			return nil, &Fault{Doing: "reading the plan", Path: "standard input", Err: err, Code: codeUsage}
		}
		return text, nil
	}
	text, err := readData(c.File, maxPlan)
	if err != nil {
		return nil, &Fault{Doing: "reading the plan", Path: c.File, Err: err, Code: codeUsage}
	}
	return text, nil
}

// dryRun shows what the plan comes to.
func (c *planSubmit) dryRun(a *app, doc []byte) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	s, err := a.someSettings(l)
	if err != nil {
		return err
	}
	kinds, err := a.registeredKinds(e)
	if err != nil {
		return err
	}
	quoted, err := json.Marshal(string(doc))
	if err != nil {
		return fmt.Errorf("reading the plan: %w", err)
	}
	res, err := plans.DryRun(a.ctx, s.Root(l.Dir), l.Dir, a.environ, plan.Resolve{PlanID: or(c.PlanID, zeroID), Plan: quoted, Kinds: kinds})
	if err != nil {
		return a.stopped(&Fault{Doing: "resolving the plan", Path: c.File, Err: err, Code: exitOr(err, codeUsage)})
	}
	if len(res.Faults) > 0 {
		return a.planFaults(c.File, res.Faults)
	}
	p := a.printer()
	for _, st := range res.Manifest.Stages {
		if err := p.add(record{text("stage_id", st.StageID), text("kind", st.Kind), number("shards", st.Shards), value("needs", append([]string{}, st.Needs...)),
			number("timeout_ms", st.TimeoutMS), number("retries", st.Retries), number("concurrency", st.Concurrency)}); err != nil {
			return err
		}
	}
	return p.close()
}

// zeroID stands for the id that a plan would be given.
const zeroID = "00000000-0000-0000-0000-000000000000"

// registeredKinds are the kinds of jobs that the board knows, the newest
// registration of each.
func (a *app) registeredKinds(e *query.Engine) ([]plan.Kind, error) {
	topics, err := contracts.ParsePatterns([]string{"blueprint.events"})
	if err != nil {
		return nil, err
	}
	var out []plan.Kind
	_, err = e.Run(a.ctx, query.Request{Topics: topics, Lane: "hxo", JournaledOnly: true}, func(h *query.Hit) error {
		k, faults := plan.ParseKind(h.Event().Data())
		if len(faults) > 0 {
			return nil // a built-in one
		}
		for i := range out {
			if out[i].Kind == k.Kind {
				out[i] = k
				return nil
			}
		}
		out = append(out, k)
		return nil
	})
	return out, queryFault(err)
}

// planFaults prints all that is wrong with a plan, and refuses it.
func (a *app) planFaults(path string, faults []plan.Fault) error {
	if a.line.Output != "" && a.line.Output != "text" {
		p := a.printer()
		for _, f := range faults {
			if err := p.add(record{number("line", f.Line), number("column", f.Column), text("pointer", f.Pointer), text("keyword", f.Keyword),
				text("expected", f.Expected), text("got", f.Got), text("hint", f.Hint)}); err != nil {
				return err
			}
		}
		if err := p.close(); err != nil {
			return err
		}
		return exitWith(codeRefused)
	}
	for i := range faults {
		a.note("%s: %s", filepath.Base(path), faultText(&faults[i]))
	}
	n := "1 fault"
	if len(faults) > 1 {
		n = fmt.Sprintf("%d faults", len(faults))
	}
	return &Fault{Doing: "checking the plan", Found: n, Try: "mend them all and submit again", Code: codeRefused}
}

func faultText(f *plan.Fault) string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", f.Line, f.Column)
	}
	fmt.Fprintf(&b, "%s: expected %s, found %s", or(f.Pointer, "the plan"), f.Expected, or(f.Got, "nothing"))
	if f.Hint != "" {
		fmt.Fprintf(&b, " (%s)", f.Hint)
	}
	return b.String()
}

// planRejected is the daemon's no to a request about a plan, which stands in a
// file if it was submitted.
func (a *app) planRejected(ev *contracts.Event, pos, file string) error {
	reason := ev.Get("data.reason").Text()
	var faults []plan.Fault
	_ = json.Unmarshal(ev.Get("data.errors").Raw, &faults) // [] if it is something else
	switch reason {
	case "plan_fault":
		return a.planFaults(file, faults)
	case "policy":
		return answered(ev, pos)
	}
	err := &Fault{Doing: "asking for a plan", Position: pos, Err: fmt.Errorf("rejected: %s", reason), Code: codeNone, Try: "stigmergy explain " + pos}
	if len(faults) > 0 {
		err.Position, err.Expected, err.Found = faults[0].Pointer, faults[0].Expected, faults[0].Got
		if faults[0].Hint != "" {
			err.Try = faults[0].Hint
		}
	}
	if reason == "throttled" {
		err.Code, err.Try = codeBusy, "submit again when less waits: stigmergy status"
	}
	return err
}

// planRequest is a request about plans, and the watch for its answer.
type planRequest struct {
	a     *app
	lane  string
	topic string
	doing string
	quiet bool // nobody waits for an answer

	l      layout.Layout
	poster *poster
	watch  *postWatch
	pos    string // where it stands
}

// send checks and appends the request.
func (r *planRequest) send(data any) (err error) {
	if err := r.open(); err != nil {
		return err
	}
	if r.watch, err = r.poster.watch(!r.quiet); err != nil {
		return err
	}
	return r.append(r.topic, data)
}

// open finds the board and the lane.
func (r *planRequest) open() (err error) {
	r.poster, err = (&postCmd{Topic: r.topic, Lane: r.lane, Timeout: 30 * time.Second}).open(r.a)
	if err == nil {
		r.l = r.poster.l
	}
	return err
}

// append checks and appends one line.
func (r *planRequest) append(topic string, data any) error {
	body, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("%s: %w", r.doing, err)
	}
	r.poster.cmd.Topic = topic
	line, err := r.poster.build(body)
	if err != nil {
		return err
	}
	var ev contracts.Event
	if err := r.poster.check(line, &ev, r.doing); err != nil {
		return err
	}
	pos, err := r.poster.append(line)
	if err != nil {
		return err
	}
	r.pos = pos.String()
	r.watch.add(ev.ID(), pos)
	return nil
}

func (r *planRequest) close() {
	if r.poster != nil {
		r.poster.close()
	}
	if r.watch != nil {
		_ = r.watch.e.Close() // only read
	}
}
