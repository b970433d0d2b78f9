package cli

import (
	"errors"
	"net/url"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/daemon"
)

type rotateCmd struct {
	Lane string `arg:"" help:"The lane, as agents/7."`
}

// Help says the rest.
func (rotateCmd) Help() string {
	return "Ends the lane's active segment; writers that hold the old file lose nothing. Without a daemon the board is brought up for as long as that takes. Exit 1 if the lane has nothing to rotate."
}

// Run rotates through the daemon, or in its place.
func (c *rotateCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	lane := laneArg(c.Lane)
	out := daemon.Rotated{Lane: lane}
	doing := "rotating lane " + lane
	if daemon.Held(l) {
		err = a.ask(l, doing, "POST", "/rotate?lane="+url.QueryEscape(lane), &out)
	} else {
		err = a.instead(l, func(k *blackboard.Kernel) (err error) {
			out.Segment, err = k.Rotate(a.ctx, lane)
			return err
		})
	}
	if errors.Is(err, blackboard.ErrNothing) {
		return &Fault{Doing: doing, Err: blackboard.ErrNothing, Code: codeNone, Try: "stigmergy status"}
	}
	if err != nil {
		return err
	}
	return a.one(record{text("lane", out.Lane), number("segment", out.Segment)})
}

// instead does what a daemon would, under its lock.
func (a *app) instead(l layout.Layout, fn func(*blackboard.Kernel) error) error {
	if _, err := a.settings(l, nil); err != nil {
		return err
	}
	d, err := a.daemon(l, nil, true)
	if err != nil {
		return err
	}
	return daemonFault(d.Do(a.ctx, fn))
}

type compactCmd struct{}

// Help says the rest.
func (compactCmd) Help() string {
	return "Waits until every rotated segment that no writer holds open is sealed, archived and read back. Without a daemon it does that itself."
}

// Run waits for the daemon's archiver, or is it.
func (compactCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	left := map[string]int{}
	if daemon.Held(l) {
		err = a.ask(l, "archiving", "POST", "/compact", &left)
	} else {
		err = a.instead(l, func(k *blackboard.Kernel) error { return nil })
	}
	if err != nil {
		return err
	}
	if len(left) > 0 {
		a.note("%d segments wait for their writers to let go (stigmergy status)", len(left))
	}
	return nil
}
