package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/daemon"
	"stigmergy/plans/view"
)

type planWatch struct {
	planArg
	Timeout time.Duration `placeholder:"TIME" help:"Give up after this long: exit 124."`
}

// Help says the rest.
func (planWatch) Help() string {
	return `On a terminal the grid of plan status, drawn anew as it changes; in a pipe the plan's events as they are stored. Ends with the plan: exit 0 if it is done and certified, 1 if it failed or was aborted, 75 if the daemon ends first.`
}

// Run follows one plan.
func (c *planWatch) Run(a *app) error {
	e, l, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	id, err := c.find(a, e)
	if err != nil {
		return err
	}
	f := &planFollow{a: a, l: l, id: id, timeout: c.Timeout, doing: "watching the plan " + id}
	if a.out.tty && a.format() == "text" {
		f.screen = &screen{a: a}
	} else {
		if f.events, err = a.newEvents(nil, ""); err != nil {
			return err
		}
		f.events.follow = true
	}
	if err := f.follow(e, query.Cursor{}); err != nil {
		return err
	}
	return f.verdict()
}

// planFollow follows one plan to its end.
type planFollow struct {
	a       *app
	l       layout.Layout
	id      string
	timeout time.Duration
	doing   string
	events  *eventPrinter // prints each event, if set
	screen  *screen       // draws the whole, if set
	bar     *bar          // or one line of it
	// stop ends it before the plan does.
	stop func(ev *contracts.Event, p *view.Plan) (bool, error)

	board *view.Board
	known bool // the manifest was looked for
}

// follow goes on from a place on the board; an error of stop's is returned.
func (f *planFollow) follow(e *query.Engine, from query.Cursor) error {
	topics, err := contracts.ParsePatterns(append(view.Topics(), "board.rejected"))
	if err != nil {
		return err
	}
	f.board = view.New()
	ctx, cancel := f.a.whileUp(f.l, f.timeout)
	defer cancel()
	_, err = e.Follow(ctx, query.Request{Topics: topics, From: from, JournaledOnly: true}, f.event)
	f.screen.end()
	f.bar.end()
	switch {
	case errors.Is(err, errEnough):
		return nil
	case errors.Is(context.Cause(ctx), errDown):
		return noDaemon(f.doing, f.l)
	case f.a.ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
		return &Fault{Doing: f.doing, Found: "that it has not ended after " + f.timeout.String(), Try: "stigmergy plan status " + f.id, Code: codeTimeout}
	}
	return f.a.stopped(queryFault(err))
}

func (f *planFollow) event(h *query.Hit) error {
	ev := h.Event()
	mine := strings.EqualFold(planOf(ev), f.id)
	if !mine && f.stop == nil {
		return nil
	}
	if mine {
		f.board.Add(ev)
	}
	p := f.board.Plan(f.id)
	if mine && p != nil && !f.known && p.Manifest != "" {
		f.known = true
		knowManifest(f.l, p)
	}
	if mine && f.events != nil && ev.Pos.Lane == "hxo" {
		if err := f.events.hit(h); err != nil {
			return err
		}
	}
	if f.stop != nil {
		if end, err := f.stop(ev, p); err != nil {
			return err
		} else if end {
			return errEnough
		}
	}
	if !mine || p == nil || p.Begun == 0 {
		return nil
	}
	f.screen.draw(func() string { return planText(f.a, p) })
	f.bar.draw(p)
	if changesEnd(ev.TopicName) && p.Ended() {
		return errEnough
	}
	return nil
}

// changesEnd tells whether a plan may have ended with such an event: counting
// its shards each time would be work.
func changesEnd(topic string) bool {
	return topic == "hxo.shard.failed" || topic == "hxo.audit" || topic == "hxo.alert" || strings.HasPrefix(topic, "hxo.aggregate.")
}

// planOf is the plan that an event is about.
func planOf(ev *contracts.Event) string {
	if id := ev.Get("data.plan_id").Text(); id != "" {
		return id
	}
	return ev.Get("data.details.plan_id").Text()
}

// verdict is what a plan came to as an exit status.
func (f *planFollow) verdict() error {
	p := f.board.Plan(f.id)
	if p == nil {
		return nil
	}
	if p.State() == view.StateDone {
		return nil
	}
	c := p.Counts()
	fault := &Fault{Doing: "running the plan " + f.id, Found: p.State(), Try: "stigmergy plan status " + f.id, Code: codeNone}
	if s := lastFailure(p); s != nil {
		fault.Found = fmt.Sprintf("%s: %d of %d shards failed, the last of them %s: %s", p.State(), c.Failed, c.Total, s.CASID, firstLine(s.Error))
		fault.Try += "; stigmergy plan replay " + f.id + " --failed"
	}
	if p.Rejected != "" && p.State() == view.StateFailed && c.Failed == 0 {
		fault.Found = "not certified: " + p.Rejected
	}
	return fault
}

// errDown ends what waits for a daemon that is gone.
var errDown = errors.New("the daemon has ended")

// whileUp is a context that ends when no daemon holds the board any more.
func (a *app) whileUp(l layout.Layout, timeout time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(a.ctx)
	stop := func() { cancel(nil) }
	var out context.Context = ctx
	if timeout > 0 {
		var end context.CancelFunc
		out, end = context.WithTimeout(ctx, timeout)
		stop = func() { end(); cancel(nil) }
	}
	go func() {
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-out.Done():
				return
			case <-tick.C:
				if !daemon.Held(l) {
					cancel(errDown)
					return
				}
			}
		}
	}()
	return out, stop
}

// frame is how often something is drawn at the most.
const frame = 100 * time.Millisecond

// screen draws a text again and again in one place of a terminal.
type screen struct {
	a *app

	mu    sync.Mutex // guards what follows
	lines int        // that stand on the screen
	last  time.Time
	text  func() string
}

// draw shows what text says, now or soon.
func (s *screen) draw(text func() string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = text
	if wait := frame - time.Since(s.last); wait > 0 {
		return
	}
	s.show()
}

func (s *screen) show() {
	out := s.text()
	if s.lines > 0 {
		out = fmt.Sprintf("\x1b[%dA\x1b[J", s.lines) + out
	}
	s.lines = strings.Count(s.text(), "\n")
	s.last = time.Now()
	_, _ = s.a.out.Write([]byte(out)) // told at the end
	_ = s.a.out.flush()
}

func (s *screen) end() {
	if s == nil || s.text == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show()
}

// bar is the progress of a plan on one line of standard error.
type bar struct {
	a     *app
	width int
	last  time.Time
	shown bool
	plan  *view.Plan
}

// newBar is nil where nobody looks.
func (a *app) newBar() *bar {
	width, tty := terminal(a.err)
	if !tty {
		return nil
	}
	return &bar{a: a, width: width}
}

func (b *bar) draw(p *view.Plan) {
	if b == nil {
		return
	}
	b.plan = p
	if time.Since(b.last) >= frame {
		b.show()
	}
}

func (b *bar) show() {
	b.last, b.shown = time.Now(), true
	n := numbersOf(b.plan, b.a.now())
	text := fmt.Sprintf(" %d/%d %s", n.Done, n.Total, n.State)
	if n.Failed > 0 {
		text += fmt.Sprintf(", %d failed", n.Failed)
	}
	text += leftText(&n)
	cells := max(min(b.width-len(text)-4, 40), 0)
	full := cells * n.Done / max(n.Total, 1)
	b.a.errMu.Lock()
	defer b.a.errMu.Unlock()
	fmt.Fprintf(b.a.err, "\r\x1b[K[%s%s]%s", strings.Repeat("#", full), strings.Repeat(".", cells-full), text)
}

// end leaves the line as it stands at the end.
func (b *bar) end() {
	if b == nil || !b.shown {
		return
	}
	b.show()
	b.a.errMu.Lock()
	defer b.a.errMu.Unlock()
	fmt.Fprintln(b.a.err)
}
