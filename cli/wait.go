package cli

import (
	"context"
	"errors"
	"strings"
	"time"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
)

type waitCmd struct {
	Topics []string `arg:"" name:"topic" help:"Topics or patterns."`
	selectFlags
	Cursor     string        `placeholder:"CURSOR" help:"Begin behind this instead of now: what came since is not missed."`
	ShowCursor bool          `help:"End with the line cursor: … on standard error."`
	Any        bool          `xor:"mode" help:"Until one of the topics is seen (default)."`
	All        bool          `xor:"mode" help:"Until each of the topics is seen."`
	Count      int           `default:"1" placeholder:"N" help:"Until N events are seen (with --all N of each)."`
	Timeout    time.Duration `placeholder:"TIME" help:"Give up after this long: exit 124."`
}

// Help says the rest.
func (waitCmd) Help() string {
	return `Prints each event that it waited for, and ends. It begins now: what stands on the board already does not count. To miss nothing between two commands, take the cursor first: stigmergy query … --show-cursor, then stigmergy wait … --cursor CURSOR.`
}

// Run blocks until what was asked for is seen.
func (c *waitCmd) Run(a *app) error {
	req, err := c.selectFlags.request(a, c.Topics)
	if err != nil {
		return err
	}
	if c.Count < 1 {
		return usage("waiting", "a number of events above zero", itoa(c.Count), "")
	}
	at := c.Cursor
	if at == "" {
		at = "now"
	}
	if req.From, err = query.ParseCursor(at); err != nil {
		return badUse(err)
	}
	e, _, err := a.openEngine()
	if err != nil {
		return err
	}
	defer e.Close()
	ctx := a.ctx
	if c.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.Timeout)
		defer cancel()
	}
	return c.follow(ctx, a, e, req)
}

func (c *waitCmd) follow(ctx context.Context, a *app, e *query.Engine, req query.Request) error {
	p, err := a.newEvents(nil, "")
	if err != nil {
		return err
	}
	p.follow, p.fold = true, nil
	need := c.needs(req.Topics)
	keep := cursorFlags{ShowCursor: c.ShowCursor}
	_, err = e.Follow(ctx, req, func(h *query.Hit) error {
		if !need.take(h.Event().TopicName) {
			return nil
		}
		if err := p.hit(h); err != nil {
			return err
		}
		if need.done() {
			return errors.Join(keep.end(a, h.Cursor()), errEnough)
		}
		return nil
	})
	err2 := p.close()
	switch {
	case errors.Is(err, errEnough):
		return err2
	case errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil && a.ctx.Err() == nil:
		return &Fault{Doing: "waiting for " + strings.Join(c.Topics, ", "), Found: "nothing within " + c.Timeout.String(),
			Try: "stigmergy tail " + shellWords(c.Topics), Code: codeTimeout}
	}
	return a.stopped(queryFault(errors.Join(err, err2)))
}

// needs is what is still to be seen.
func (c *waitCmd) needs(topics contracts.Patterns) *waitNeeds {
	n := &waitNeeds{left: []int{c.Count}, of: []contracts.Patterns{topics}}
	if !c.All {
		return n
	}
	n.left, n.of = nil, nil
	for _, p := range topics {
		n.left = append(n.left, c.Count)
		n.of = append(n.of, contracts.Patterns{p})
	}
	return n
}

type waitNeeds struct {
	left []int
	of   []contracts.Patterns
}

// take counts an event, unless nothing waits for its topic any more.
func (n *waitNeeds) take(topic string) bool {
	wanted := false
	for i := range n.left {
		if n.left[i] > 0 && n.of[i].Match(topic) {
			n.left[i]--
			wanted = true
		}
	}
	return wanted
}

func (n *waitNeeds) done() bool {
	for _, left := range n.left {
		if left > 0 {
			return false
		}
	}
	return true
}
