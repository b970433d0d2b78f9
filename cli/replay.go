package cli

import (
	"errors"
	"fmt"
	"time"

	"stigmergy/blackboard"
	"stigmergy/contracts"
	"stigmergy/handlers/all"
)

type replayCmd struct {
	Until string `placeholder:"POS" help:"Stop behind the entry that took this position in."`
}

// Help says the rest.
func (replayCmd) Help() string {
	return "Folds the whole history afresh, in memory, and compares every owned lane byte for byte with what stands there. Needs no lock: a daemon may run. Exit 1 at the first difference, which is told with lane, segment and offset."
}

// Run replays and compares.
func (c *replayCmd) Run(a *app) error {
	l, err := a.board()
	if err != nil {
		return err
	}
	fold, err := all.New()
	if err != nil {
		return err
	}
	opt := blackboard.ReplayOptions{Layout: l, Fold: fold, Notify: a.progress("entries replayed")}
	if c.Until != "" {
		pos, err := contracts.ParsePosition(c.Until)
		if err != nil {
			return badUse(err)
		}
		opt.Until = &pos
	}
	out, err := blackboard.Replay(a.ctx, opt)
	var differ *blackboard.DifferError
	switch {
	case errors.As(err, &differ):
		return &Fault{Doing: "replaying", Path: l.Lane(differ.Lane), Err: err, Code: codeNone,
			Position: contracts.Position{Lane: differ.Lane, Segment: differ.Segment, Offset: differ.Offset}.String(), Try: "stigmergy doctor"}
	case errors.Is(err, blackboard.ErrNoEntry):
		return &Fault{Err: err, Code: codeUsage, Try: "stigmergy show " + shellQuote(c.Until)}
	case errors.Is(err, blackboard.ErrOtherBuild):
		return &Fault{Doing: "replaying", Err: err, Code: codeUsage}
	case err != nil:
		return a.stopped(err)
	}
	return a.printReplay(out)
}

func (a *app) printReplay(out *blackboard.Replayed) error {
	if f := a.format(); f != "text" && f != "table" {
		return a.object(out)
	}
	_, err := fmt.Fprintf(a.out, "Exact: %d entries with %d lines folded afresh; %d bytes on %d owned lanes compared byte for byte",
		out.Entries, out.Inputs, out.Derived, len(out.Lanes))
	if err == nil && out.ByRoot > 0 {
		_, err = fmt.Fprintf(a.out, ", %d bytes of other fold versions by their roots", out.ByRoot)
	}
	if err == nil && out.From > 0 {
		_, err = fmt.Fprintf(a.out, ", from the base state at entry %d", out.From)
	}
	if err == nil {
		_, err = fmt.Fprintln(a.out, ".")
	}
	for _, d := range out.Destroyed {
		if err == nil {
			_, err = fmt.Fprintf(a.out, "Destroyed and not compared: %s\n", visible(d))
		}
	}
	return err
}

// progress shows a counter on a terminal, ten times a second at most, and
// nothing in a pipe.
func (a *app) progress(what string) func(n uint64) {
	if _, tty := terminal(a.err); !tty || a.getenv("TERM") == "dumb" {
		return func(uint64) {}
	}
	last := a.now()
	return func(n uint64) {
		now := a.now()
		if now.Sub(last) < 100*time.Millisecond {
			return
		}
		last = now
		fmt.Fprintf(a.err, "\r\x1b[K%d %s\r", n, what)
	}
}
