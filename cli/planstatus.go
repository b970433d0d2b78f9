package cli

import (
	"fmt"
	"strings"
	"time"

	"stigmergy/plans/view"
)

type planStatus struct {
	planArg
}

// Help says the rest.
func (planStatus) Help() string {
	return `As text every cell of the grid is a shard, or some of them: # done, = done from the store, r running, c claimed, . pending, x failed. With -o json an object with plan_id, state (pending, running, paused, certifying, done, failed, aborted), total, pending, claimed, running, done, failed, merkle_root, truth_certified and eta_seconds (null where nobody knows). Needs no daemon.

A claimed shard counts as running once its executor has told so: at the latest with its first heartbeat.`
}

// planNumbers is what plan status -o json prints.
type planNumbers struct {
	PlanID     string   `json:"plan_id"`
	State      string   `json:"state"`
	Total      int      `json:"total"`
	Pending    int      `json:"pending"`
	Claimed    int      `json:"claimed"`
	Running    int      `json:"running"`
	Done       int      `json:"done"`
	Failed     int      `json:"failed"`
	MerkleRoot *string  `json:"merkle_root"`
	Certified  bool     `json:"truth_certified"`
	ETASeconds *float64 `json:"eta_seconds"`
}

func numbersOf(p *view.Plan, now time.Time) planNumbers {
	c := p.Counts()
	n := planNumbers{PlanID: p.ID, State: p.State(), Total: c.Total, Pending: c.Pending, Claimed: c.Claimed, Running: c.Running,
		Done: c.Done, Failed: c.Failed, Certified: p.Certified}
	if p.Root != "" {
		n.MerkleRoot = &p.Root
	}
	if eta, ok := p.ETA(now.UnixNano()); ok {
		n.ETASeconds = &eta
	}
	return n
}

// Run looks once.
func (c *planStatus) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	id, err := c.find(a, e)
	if err != nil {
		return err
	}
	p, err := a.viewPlan(e, l, id)
	if err != nil {
		return err
	}
	switch a.format() {
	case "text":
		_, err = a.out.Write([]byte(planText(a, p)))
		return err
	case "json", "jsonl":
		return a.object(numbersOf(p, a.now()))
	}
	return a.one(planRow(numbersOf(p, a.now())))
}

// planRow is the same as a record.
func planRow(n planNumbers) record {
	return record{text("plan_id", n.PlanID), text("state", n.State), number("total", n.Total), number("pending", n.Pending),
		number("claimed", n.Claimed), number("running", n.Running), number("done", n.Done), number("failed", n.Failed),
		value("merkle_root", n.MerkleRoot), flag("truth_certified", n.Certified), value("eta_seconds", n.ETASeconds)}
}

// planText shows a plan to people.
func planText(a *app, p *view.Plan) string {
	n := numbersOf(p, a.now())
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-10s %s\n", name, visible(fmt.Sprintf(format, args...)))
	}
	line("plan", "%s  %s, by %s, %s", p.ID, p.Name, or(p.SubmittedBy, "nobody named"), showTime(p.Begun))
	line("state", "%s%s", n.State, leftText(&n))
	line("shards", "%d: %d done, %d running, %d claimed, %d pending, %d failed", n.Total, n.Done, n.Running, n.Claimed, n.Pending, n.Failed)
	if p.Root != "" {
		line("root", "%s%s", p.Root, map[bool]string{true: ", certified", false: ", not certified"}[p.Certified])
	}
	if p.Rejected != "" && !p.Certified {
		line("truth", "%s", p.Rejected)
	}
	for _, st := range p.Stages {
		b.WriteString(stageText(a, st))
	}
	if s := lastFailure(p); s != nil {
		line("failed", "%s  %s  (stigmergy explain %s)", s.CASID, firstLine(s.Error), s.CASID)
	}
	return b.String()
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func leftText(n *planNumbers) string {
	if n.ETASeconds == nil || *n.ETASeconds == 0 {
		return ""
	}
	return ", about " + (time.Duration(*n.ETASeconds) * time.Second).String() + " left"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return clip(line)
}

// lastFailure is the shard that failed last, of those that stand failed.
func lastFailure(p *view.Plan) (last *view.Shard) {
	for _, st := range p.Stages {
		for _, s := range st.Shards {
			if s.State == view.Failed && (last == nil || s.Since > last.Since) {
				last = s
			}
		}
	}
	return last
}

// stageText is one stage with its grid.
func stageText(a *app, st *view.Stage) string {
	c := st.Counts()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s  %d of %d", visible(st.ID), c.Done, c.Total)
	if st.Cached > 0 {
		fmt.Fprintf(&b, ", %d from the store", st.Cached)
	}
	if c.Failed > 0 {
		fmt.Fprintf(&b, ", %d failed", c.Failed)
	}
	if st.Splits > 0 {
		fmt.Fprintf(&b, ", %d split", st.Splits)
	}
	if len(st.Spent) > 0 {
		fmt.Fprintf(&b, ", p50 %s, p95 %s", millis(view.Quantile(st.Spent, 0.5)), millis(view.Quantile(st.Spent, 0.95)))
	}
	if st.Signal != "" {
		fmt.Fprintf(&b, ", signal %s", visible(st.Signal))
	}
	b.WriteByte('\n')
	const wide = 64
	cells := grid(st, wide*8)
	for len(cells) > 0 {
		row := cells[:min(wide, len(cells))]
		cells = cells[len(row):]
		b.WriteString("  ")
		b.Write(paintCells(row, a.colors()))
		b.WriteByte('\n')
	}
	return b.String()
}

// millis is a duration to read.
func millis(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.1fms", ms)
	case ms < 1000:
		return fmt.Sprintf("%.0fms", ms)
	}
	return fmt.Sprintf("%.1fs", ms/1000)
}

// grid is one cell a shard, or for so many that they would not fit.
func grid(st *view.Stage, most int) []byte {
	var all []byte
	for _, s := range st.Shards {
		if s.State != view.Replaced {
			all = append(all, cellOf(s))
		}
	}
	if len(all) <= most {
		return all
	}
	out := make([]byte, 0, most)
	for i := range most {
		out = append(out, worst(all[i*len(all)/most:(i+1)*len(all)/most]))
	}
	return out
}

func cellOf(s *view.Shard) byte {
	switch s.State {
	case view.Done:
		if s.Cached {
			return '='
		}
		return '#'
	case view.Running:
		return 'r'
	case view.Claimed:
		return 'c'
	case view.Failed:
		return 'x'
	}
	return '.'
}

// worst is the cell that stands for some: what asks for attention first.
func worst(cells []byte) byte {
	for _, c := range []byte("xrc.#") {
		if strings.IndexByte(string(cells), c) >= 0 {
			return c
		}
	}
	return '='
}

func paintCells(cells []byte, color bool) []byte {
	if !color {
		return cells
	}
	styles := map[byte]style{'#': green, '=': green, 'r': yellow, 'c': yellow, 'x': red, '.': dim}
	var out []byte
	for i := 0; i < len(cells); {
		j := i
		for j < len(cells) && cells[j] == cells[i] {
			j++
		}
		out = paint(out, true, styles[cells[i]], string(cells[i:j]))
		i = j
	}
	return out
}
