package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"stigmergy/blackboard"
	"stigmergy/blackboard/layout"
	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/contracts/exemplar"
	"stigmergy/daemon"
	"stigmergy/exemplars"
	"stigmergy/exemplars/feed"
)

// exemplarFeed is the daemon's worker for exemplars.
func exemplarFeed(w *daemon.World) blackboard.Worker {
	return feed.New(feed.Config{
		Layout: w.Layout, Log: w.Log, Step: w.Disk.Step,
		Root: func() string { return w.Kernel().InForce().Settings.Root(w.Layout.Dir) },
	})
}

// warner tells people what a library below warns of.
type warner struct{ a *app }

// Warn tells it as one line.
func (w warner) Warn(msg string, args ...any) {
	for i := 0; i+1 < len(args); i += 2 {
		msg += fmt.Sprintf("; %v: %v", args[i], args[i+1])
	}
	w.a.note("stigmergy: warning: %s", msg)
}

// feed is the store of a board's exemplars, for a command that writes to it.
func (a *app) feed(l layout.Layout) (*feed.Feed, error) {
	s, err := a.someSettings(l)
	if err != nil {
		return nil, err
	}
	root := s.Root(l.Dir)
	return feed.New(feed.Config{Layout: l, Root: func() string { return root }, Now: a.now, Log: warner{a}}), nil
}

// rememberTimeout is how long a run waits for its packet to be ingested.
const rememberTimeout = 30 * time.Second

// remember posts a packet on a lane and returns once the store has it: a
// running daemon ingests it, without one it is done here, under the store's
// lock. A packet that the store has already is not posted again.
func (a *app) remember(l layout.Layout, lane string, packet []byte, timeout time.Duration) (res exemplars.Result, err error) {
	f, err := a.feed(l)
	if err != nil {
		return exemplars.Result{}, err
	}
	id, _, err := exemplar.ID(packet)
	if err != nil {
		return exemplars.Result{}, &Fault{Doing: "reading an exemplar packet", Err: err, Code: codeRefused}
	}
	release, err := f.Hold(a.ctx)
	if err != nil {
		return exemplars.Result{}, storeFault(err)
	}
	release = sync.OnceValue(release)
	defer func() { err = errors.Join(err, storeFault(release())) }()
	old, err := f.Has(a.ctx, id)
	if err != nil {
		return exemplars.Result{}, storeFault(err)
	}
	if old != nil {
		return *old, nil
	}
	p, err := (&postCmd{Topic: exemplar.Topic, Lane: lane}).open(a)
	if err != nil {
		return exemplars.Result{}, err
	}
	defer p.close()
	line, err := p.build(packet)
	if err != nil {
		return exemplars.Result{}, err
	}
	var ev contracts.Event
	if err := p.check(line, &ev, "posting an exemplar"); err != nil {
		return exemplars.Result{}, err
	}
	w, err := p.watch(true)
	if err != nil {
		return exemplars.Result{}, err
	}
	defer w.e.Close()
	pos, err := p.append(line)
	if err != nil {
		return exemplars.Result{}, err
	}
	if daemon.Held(l) {
		if err := release(); err != nil { // it may make the store anew
			return exemplars.Result{}, storeFault(err)
		}
		return a.ingested(l, w, f, id, pos.String(), timeout)
	}
	res, err = f.Ingest(a.ctx, exemplars.Event{Position: pos.String(), Source: ev.Source(), ID: ev.ID(), Packet: ev.Data()})
	return res, storeFault(err)
}

// ingested waits for the daemon's word on a packet.
func (a *app) ingested(l layout.Layout, w *postWatch, f *feed.Feed, id, position string, timeout time.Duration) (res exemplars.Result, err error) {
	ctx, cancel := context.WithTimeout(a.ctx, timeout)
	defer cancel()
	topics, err := contracts.ParsePatterns([]string{"exemplar.ingested", "exemplar.refused", "board.rejected", "board.quarantined"})
	if err != nil {
		return res, err
	}
	_, err = w.e.Follow(ctx, query.Request{Topics: topics, From: w.from, JournaledOnly: true}, func(h *query.Hit) error {
		ev := h.Event()
		switch {
		case ev.TopicName == "exemplar.ingested" && ev.Get("data.exemplar_id").Text() == id:
			res = resultOf(ev)
			return errEnough
		case ev.TopicName != "exemplar.ingested" && ev.Get("data.position").Text() == position:
			if ev.TopicName == "exemplar.refused" {
				return nil // board.rejected tells the same
			}
			return answered(ev, position)
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnough):
		return res, nil
	case ctx.Err() != nil && a.ctx.Err() == nil:
		if old, herr := f.Has(a.ctx, id); herr == nil && old != nil {
			return *old, nil
		}
		return res, &Fault{Doing: "waiting for the daemon to ingest the exemplar", Position: position, Found: "no answer after " + timeout.String(),
			Try: "stigmergy status", Code: codeTimeout}
	}
	return res, a.stopped(queryFault(err))
}

func resultOf(ev *contracts.Event) exemplars.Result {
	get := func(name string) string { return ev.Get("data." + name).Text() }
	isNew, _ := ev.Get("data.new").Bool()
	return exemplars.Result{ExemplarID: get("exemplar_id"), Scope: get("scope"), Outcome: get("outcome"), ReceiptPath: get("receipt_path"),
		New: isNew, Position: get("position"), Ingested: get("ingested")}
}

// storeFault gives the store's errors their status and the next command.
func storeFault(err error) error {
	var no *exemplars.Refusal
	switch {
	case errors.As(err, &no):
		return packetFault("", no.Errors, codeNone)
	case errors.Is(err, exemplars.ErrDamaged):
		return &Fault{Err: err, Try: "stigmergy exemplar rebuild", Code: codeUsage}
	}
	return err
}

// packetFault is what is wrong with a packet, as an error.
func packetFault(path string, errs []contracts.FieldError, code int) error {
	f := &Fault{Doing: "taking an exemplar in", Path: path, Code: code}
	if len(errs) > 0 {
		e := errs[0]
		f.Position, f.Expected, f.Found, f.Try = e.Pointer, e.Expected, e.Got, e.Hint
	}
	if n := len(errs); n > 1 {
		f.Err = errors.New("the first of " + itoa(n) + " errors")
	}
	return f
}
