package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type tailCmd struct {
	Topics []string `arg:"" optional:"" name:"topic" help:"Topics or patterns (default: all but checkpoints and the daemon's own workers; '**' shows all)."`
	selectFlags
	cursorFlags

	Follow      bool       `short:"f" help:"Go on with what comes, across rotation."`
	N           eventCount `name:"number" short:"n" placeholder:"N" help:"Begin with the last N events (default 10; with -S, -U or --cursor all)."`
	Max         eventCount `short:"m" name:"max-count" placeholder:"N" help:"End after N events."`
	Fields      []string   `placeholder:"A,B" help:"Only these fields."`
	JQ          string     `name:"jq" placeholder:"EXPR" help:"Run this jq expression on every event."`
	Quarantined bool       `help:"Refused lines instead of events."`
}

// Help says the rest.
func (tailCmd) Help() string {
	return `Events come in the board's order over all lanes. With -f and a daemon up, events are shown once it has taken them in.

An agent that must miss nothing and see nothing twice keeps its place: stigmergy tail -f --cursor-file ~/.seen 'hxo.shard.*'`
}

// Run prints the last events, and those that come.
func (c *tailCmd) Run(a *app) error {
	req, err := c.selectFlags.request(a, c.Topics)
	if err != nil {
		return err
	}
	given := false
	if req.From, given, err = c.from(); err != nil {
		return err
	}
	req.Quarantined = c.Quarantined
	c.hideOwn(&req)
	switch {
	case c.N.set:
		req.Last = c.N.n
	case !given && c.Since == "" && c.Until == "":
		req.Last = 10
	}
	p, err := a.newEvents(c.Fields, c.JQ)
	if err != nil {
		return err
	}
	p.follow = c.Follow
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	return c.show(a, e, req, p)
}

// hideOwn leaves out what the daemon says to itself, unless it was asked for.
func (c *tailCmd) hideOwn(req *query.Request) {
	if len(c.Topics) > 0 || c.Lane != "" {
		return
	}
	if checkpoints, err := contracts.ParsePatterns([]string{"board.checkpoint"}); err == nil {
		req.Exclude = checkpoints
	}
	req.SkipLane = func(lane string) bool { return layout.Worker(lane) || strings.HasPrefix(lane, "workers/") }
}

// show prints the past, and with -f what comes.
func (c *tailCmd) show(a *app, e *query.Engine, req query.Request, p *eventPrinter) error {
	place := &placeKeeper{flags: &c.cursorFlags}
	shown := 0
	one := func(h *query.Hit) error {
		if err := p.hit(h); err != nil {
			return err
		}
		if shown++; c.Max.set && shown >= c.Max.n {
			place.set(h.Cursor())
			return errEnough
		}
		return nil
	}
	skip := c.N.set && c.N.n == 0
	var res query.Result
	var err error
	if skip {
		if req.From, err = query.ParseCursor("now"); err != nil {
			return badUse(err)
		}
		req.JournaledOnly = !c.Follow
	}
	if c.Follow {
		res, err = e.Follow(a.ctx, req, place.keeping(one))
	} else {
		res, err = e.Run(a.ctx, req, one)
	}
	if skip {
		res.Matched++ // nothing was asked for, so nothing is missing
	}
	enough := errors.Is(err, errEnough)
	if enough {
		err = nil
	} else if !c.Follow || err == nil {
		place.set(res.Cursor)
	}
	err = errors.Join(err, p.close(), a.out.flush(), place.end(a))
	if c.Follow {
		res.Holes = nil
	}
	return a.found(res, followEnd(a, err, enough))
}

// errEnough ends a run that has shown all it was asked for.
var errEnough = errors.New("enough")

// followEnd tells a wanted end from an error.
func followEnd(a *app, err error, enough bool) error {
	if enough || err == nil {
		return err
	}
	if errors.Is(err, context.Canceled) && a.ctx.Err() != nil {
		return a.stopped(err)
	}
	return err
}

// placeKeeper remembers how far the output has come and writes it to the
// cursor file, at most once a second while following.
type placeKeeper struct {
	flags *cursorFlags
	cur   query.Cursor
	known bool
	wrote time.Time
}

func (k *placeKeeper) set(c query.Cursor) { k.cur, k.known = c, true }

func (k *placeKeeper) keeping(fn func(*query.Hit) error) func(*query.Hit) error {
	return func(h *query.Hit) error {
		if err := fn(h); err != nil {
			return err
		}
		k.set(h.Cursor())
		if k.flags.CursorFile == "" || time.Since(k.wrote) < time.Second {
			return nil
		}
		k.wrote = time.Now()
		return k.flags.keep(k.cur)
	}
}

func (k *placeKeeper) end(a *app) error {
	if !k.known {
		return nil
	}
	return k.flags.end(a, k.cur)
}
