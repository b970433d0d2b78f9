package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sort"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/plans/view"
)

type topCmd struct {
	N        eventCount    `name:"number" short:"n" placeholder:"N" help:"How many of the newest events (default 10)."`
	Interval time.Duration `default:"1s" placeholder:"TIME" help:"How often it is drawn anew, at least 100ms."`
}

// Help says the rest.
func (topCmd) Help() string {
	return `On a terminal it fills the screen and is drawn anew: the daemon, topics by how many events they had in the last minute, lanes by their last change, plans, the newest events. q or Ctrl-C ends it.

In a pipe, or with -o, one look: -o json has all of it, -o table, csv and tsv the topics. Works with and without a daemon.`
}

// topLook is one look at what goes on.
type topLook struct {
	Time     string         `json:"time"`
	Board    string         `json:"board"`
	Up       bool           `json:"up"`
	Holder   string         `json:"holder,omitempty"`
	Paused   string         `json:"paused,omitempty"`
	Seq      uint64         `json:"seq"`
	Pending  int64          `json:"pending_bytes"`
	Window   float64        `json:"window_seconds"` // what the rates are over
	Events   int            `json:"events"`
	Rate     float64        `json:"events_per_second"`
	Topics   []topTopic     `json:"topics"` // the busiest first
	Lanes    []laneLook     `json:"lanes"`  // those that changed last first
	LaneSum  int            `json:"lanes_total"`
	Plans    []topPlan      `json:"plans"` // the newest first
	Newest   []topEvent     `json:"newest"`
	Segments map[string]int `json:"segments"`
	Archives archiveLook    `json:"archives"`
	Disk     diskLook       `json:"disk"`
}

type topTopic struct {
	Topic string  `json:"topic"`
	Count int     `json:"count"`
	Rate  float64 `json:"per_second"`
	Last  string  `json:"last"`

	at int64
}

type topPlan struct {
	Name string `json:"plan_name"`
	planNumbers
}

// topEvent is one of the newest events.
type topEvent struct {
	Position string          `json:"position"`
	Time     string          `json:"time"`
	Type     string          `json:"type"`
	Subject  string          `json:"subject,omitempty"`
	Data     json.RawMessage `json:"data"`
}

// Run looks once, or until it is told to stop.
func (c *topCmd) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	if c.Interval < 100*time.Millisecond {
		return usage("watching the board", "an --interval from 100ms", c.Interval.String(), "stigmergy top --interval 1s")
	}
	t := &top{a: a, e: e, l: l, meter: newMeter(c.newest(), a.now), plans: view.New()}
	cur, err := t.past()
	if err != nil {
		return a.stopped(queryFault(err))
	}
	if a.out.tty && a.line.Output == "" && a.getenv("TERM") != "dumb" {
		return t.live(c.Interval, cur)
	}
	look, err := t.look()
	if err != nil {
		return err
	}
	switch a.format() {
	case "json", "jsonl":
		return a.object(look)
	case "text":
		return t.write(look.frame(a, 0, 0))
	}
	return look.table(a)
}

func (c *topCmd) newest() int {
	if c.N.set {
		return c.N.n
	}
	return 10
}

// top is a board that is looked at.
type top struct {
	a     *app
	e     *query.Engine
	l     layout.Layout
	meter *meter
	plans *view.Board // guarded by meter.mu
}

// topPlans is how many plans are shown.
const topPlans = 5

// past takes in the last minute, the newest events and the newest plans, and
// tells where the present begins.
func (t *top) past() (query.Cursor, error) {
	ctx := t.a.ctx
	req := query.Request{Since: t.a.now().Add(-meterWindow)}
	(&tailCmd{}).hideOwn(&req)
	res, err := t.e.Run(ctx, req, func(h *query.Hit) error {
		ev := h.Event()
		t.meter.count(ev.TopicName, ev.Time())
		return nil
	})
	if err != nil {
		return res.Cursor, err
	}
	req.Since, req.Last = time.Time{}, t.meter.most
	if req.Last > 0 {
		if _, err := t.e.Run(ctx, req, func(h *query.Hit) error { t.meter.show(h); return nil }); err != nil {
			return res.Cursor, err
		}
	}
	return res.Cursor, t.pastPlans()
}

// pastPlans reads what there is of the newest plans.
func (t *top) pastPlans() error {
	topics, err := contracts.ParsePatterns([]string{"hxo.plan"})
	if err != nil {
		return err
	}
	var ids []string
	_, err = t.e.Run(t.a.ctx, query.Request{Topics: topics, Lane: "hxo", JournaledOnly: true, Last: topPlans}, func(h *query.Hit) error {
		ids = append(ids, h.Event().Get("data.plan_id").Text())
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = t.a.addPlans(t.plans, t.e, t.l, id)
		}
	}
	return err
}

// follow takes in what comes.
func (t *top) follow(ctx context.Context, from query.Cursor) error {
	shown := query.Request{}
	(&tailCmd{}).hideOwn(&shown)
	_, err := t.e.Follow(ctx, query.Request{From: from}, func(h *query.Hit) error {
		ev := h.Event()
		t.meter.mu.Lock()
		if h.Pos.Lane == "hxo" || ev.TopicName == "plan.resolved" {
			t.plans.Add(ev)
		}
		t.meter.mu.Unlock()
		if shown.SkipLane(h.Pos.Lane) || shown.Exclude.Match(ev.TopicName) {
			return nil
		}
		t.meter.count(ev.TopicName, t.a.now().UnixNano())
		t.meter.show(h)
		return nil
	})
	return err
}

// look puts together what is to be shown now.
func (t *top) look() (*topLook, error) {
	s, err := t.a.look(t.l)
	if err != nil {
		return nil, err
	}
	out := &topLook{Time: showTime(t.a.now().UnixNano()), Board: s.Board, Up: s.Up, Holder: s.Holder, Paused: s.Paused, Seq: s.Seq, Pending: s.Pending,
		Window: meterWindow.Seconds(), Lanes: s.Lanes, LaneSum: len(s.Lanes), Segments: s.Segments, Archives: s.Archives, Disk: s.Disk,
		Topics: []topTopic{}, Plans: []topPlan{}, Newest: []topEvent{}}
	sort.SliceStable(out.Lanes, func(i, j int) bool { return out.Lanes[i].age < out.Lanes[j].age })
	out.Lanes = append([]laneLook{}, out.Lanes[:min(len(out.Lanes), laneRows)]...)
	t.meter.fill(out)
	t.meter.mu.Lock()
	defer t.meter.mu.Unlock()
	all := t.plans.Plans
	for i := len(all) - 1; i >= max(0, len(all)-topPlans); i-- {
		if all[i].Manifest != "" && all[i].Begun != 0 && all[i].Announced == 0 {
			knowManifest(t.l, all[i])
		}
		out.Plans = append(out.Plans, topPlan{all[i].Name, numbersOf(all[i], t.a.now())})
	}
	return out, nil
}

func (t *top) write(lines []string) error {
	for _, line := range lines {
		if _, err := fmt.Fprintln(t.a.out, line); err != nil {
			return err
		}
	}
	return nil
}

// table prints the topics alone.
func (l *topLook) table(a *app) error {
	p := a.printer()
	for _, t := range l.Topics {
		if err := p.add(record{text("topic", t.Topic), number("count", t.Count), value("per_second", t.Rate), text("last", t.Last)}); err != nil {
			return err
		}
	}
	return p.close()
}

// live draws until somebody has seen enough.
func (t *top) live(interval time.Duration, from query.Cursor) error {
	ctx, cancel := context.WithCancel(t.a.ctx)
	defer cancel()
	gone := make(chan error, 1)
	go func() { gone <- t.follow(ctx, from) }()
	quit, restore := t.a.quitKey()
	defer restore()
	s := &fullScreen{a: t.a}
	defer s.leave()
	for {
		began := time.Now()
		look, err := t.look()
		if err == nil {
			err = s.draw(look)
		}
		if err != nil {
			return t.a.stopped(err)
		}
		// Looking at a board of many lanes takes its time: at most a tenth.
		next := time.NewTimer(max(interval, 10*time.Since(began)))
		select {
		case err := <-gone:
			return t.a.stopped(queryFault(err))
		case <-quit:
			cancel()
			if err := <-gone; !errors.Is(err, context.Canceled) {
				return t.a.stopped(queryFault(err))
			}
			return nil
		case <-next.C:
		}
		next.Stop()
	}
}
