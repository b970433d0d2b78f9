package cli

import (
	"fmt"

	"stigmergy/blackboard/layout"
	"stigmergy/contracts"
	"stigmergy/gitops"
)

// gitopsEvents appends a run's events to lane gitops, as post would.
type gitopsEvents struct {
	p *poster
}

func (a *app) gitopsEvents(l layout.Layout) (*gitopsEvents, error) {
	p, err := (&postCmd{Lane: gitops.Lane}).open(a)
	if err != nil {
		return nil, err
	}
	return &gitopsEvents{p}, nil
}

// emit appends one event; with again not a second time.
func (e *gitopsEvents) emit(ev gitops.Event, again bool) error {
	p := e.p
	p.cmd.Topic, p.cmd.ID, p.cmd.Subject, p.cmd.Dedup = ev.Topic, ev.ID, ev.Subject, again
	line, err := p.build(ev.Data)
	if err != nil {
		return err
	}
	var got contracts.Event
	if err := p.check(line, &got, "telling of the run: "+ev.Topic); err != nil {
		return err
	}
	if _, dup, err := p.duplicate(ev.ID); dup || err != nil {
		return err
	}
	if _, err := p.append(line); err != nil {
		return fmt.Errorf("telling of the run: %w", err)
	}
	if p.seen != nil {
		p.seen[ev.ID] = gitops.Lane
	}
	return nil
}

func (e *gitopsEvents) close() { e.p.close() }
