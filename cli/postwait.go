package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"stigmergy/blackboard/query"
	"stigmergy/contracts"
	"stigmergy/daemon"
)

// dedupDepth is how many of its lane's last ids --dedup looks at.
const dedupDepth = 10_000

// duplicate tells whether one of the lane's last ids is id, and where it
// stands. The lane is read once.
func (p *poster) duplicate(id string) (position string, dup bool, err error) {
	if !p.cmd.Dedup {
		return "", false, nil
	}
	if p.seen == nil {
		p.seen = map[string]string{}
		e, err := p.a.engine(p.l)
		if err != nil {
			return "", false, err
		}
		defer e.Close()
		_, err = e.Run(p.a.ctx, query.Request{Lane: p.lane, Last: dedupDepth}, func(h *query.Hit) error {
			p.seen[h.Event().ID()] = h.Pos.String()
			return nil
		})
		if err != nil {
			return "", false, queryFault(err)
		}
	}
	position, dup = p.seen[id]
	return position, dup, nil
}

// timestamp is the data's own timestamp, if it has one that is a string.
func timestamp(data []byte) string {
	if !bytes.Contains(data, []byte(`"timestamp"`)) {
		return ""
	}
	ev := contracts.Event{Line: append(append([]byte(`{"type":"x","data":`), data...), '}')}
	if contracts.Scan(ev.Line, &ev.Env) != nil {
		return ""
	}
	v := ev.Get("data.timestamp")
	if v.Kind != contracts.String {
		return ""
	}
	return v.Text()
}

// postWatch waits for what comes of what was posted.
type postWatch struct {
	p    *poster
	e    *query.Engine
	from query.Cursor
	left map[string]bool // ids and positions that the daemon has not taken in
	sent map[string]bool // positions of all
}

// watch begins to look before anything is appended, so that no answer is
// missed; nil when nobody asked.
func (p *poster) watch(wanted bool) (*postWatch, error) {
	if !wanted {
		return nil, nil
	}
	e, err := p.a.engine(p.l)
	if err != nil {
		return nil, err
	}
	w := &postWatch{p: p, e: e, left: map[string]bool{}, sent: map[string]bool{}}
	now, err := query.ParseCursor("now")
	if err != nil {
		return nil, err
	}
	res, err := e.Run(p.a.ctx, query.Request{From: now, JournaledOnly: true}, func(*query.Hit) error { return nil })
	w.from = res.Cursor
	return w, queryFault(err)
}

// add names one line that was appended.
func (w *postWatch) add(id string, pos contracts.Position) {
	if w != nil {
		w.left[id+" "+pos.String()] = true
		w.sent[pos.String()] = true
	}
}

// outcome waits until the daemon has taken everything in, and tells the first
// thing that came of it other than that.
func (w *postWatch) outcome() error {
	if w == nil {
		return nil
	}
	defer w.e.Close()
	doing := "waiting for the daemon to take " + w.p.lane + " in"
	if !daemon.Held(w.p.l) {
		return noDaemon(doing, w.p.l)
	}
	ctx, cancel := context.WithTimeout(w.p.a.ctx, w.p.cmd.Timeout)
	defer cancel()
	err := w.takenIn(ctx)
	switch {
	case errors.Is(err, errEnough):
	case w.p.a.ctx.Err() != nil:
		return w.p.a.stopped(err)
	case ctx.Err() != nil:
		return &Fault{Doing: doing, Found: "that it has not after " + w.p.cmd.Timeout.String(), Try: "stigmergy status", Code: codeTimeout}
	case err != nil:
		return queryFault(err)
	}
	// What the daemon says of a line, it says in the step that takes the line
	// in; one answer of its own after that, and the step is over.
	if err := daemon.Ask(ctx, w.p.l, "GET", "/status", nil); err != nil && !errors.Is(err, daemon.ErrNoDaemon) {
		return w.p.a.stopped(&Fault{Doing: doing, Err: err, Code: codeBusy})
	}
	return w.answer(ctx)
}

// takenIn ends with errEnough once every line was seen, as an event or as a
// refusal.
func (w *postWatch) takenIn(ctx context.Context) error {
	if len(w.left) == 0 {
		return errEnough
	}
	req := query.Request{From: w.from, JournaledOnly: true, SkipLane: func(lane string) bool { return lane != w.p.lane && lane != "board" }}
	_, err := w.e.Follow(ctx, req, func(h *query.Hit) error {
		ev := h.Event()
		pos := h.Pos.String()
		if ev.TopicName == "board.quarantined" {
			pos = ev.Get("data.position").Text()
		}
		id := ev.ID()
		for key := range w.left {
			if strings.HasSuffix(key, " "+pos) || strings.HasPrefix(key, id+" ") {
				delete(w.left, key)
			}
		}
		if len(w.left) == 0 {
			return errEnough
		}
		return nil
	})
	return err
}

// answer looks for a refusal or a rejection of what was sent.
func (w *postWatch) answer(ctx context.Context) error {
	topics, err := contracts.ParsePatterns([]string{"board.quarantined", "board.rejected"})
	if err != nil {
		return err
	}
	var answer error
	_, err = w.e.Run(ctx, query.Request{From: w.from, Topics: topics, Lane: "board"}, func(h *query.Hit) error {
		ev := h.Event()
		if pos := ev.Get("data.position").Text(); w.sent[pos] && answer == nil {
			answer = answered(ev, pos)
		}
		return nil
	})
	if err != nil {
		return w.p.a.stopped(queryFault(err))
	}
	return answer
}

// answered is what the daemon said of a line, as an error.
func answered(ev *contracts.Event, pos string) error {
	reason := ev.Get("data.reason").Text()
	f := &Fault{Doing: "posting", Position: pos, Err: errors.New("rejected: " + reason), Try: "stigmergy explain " + pos, Code: codeNone}
	switch {
	case ev.TopicName == "board.quarantined":
		f.Err, f.Code = errors.New("quarantined: "+reason), codeRefused
		if reason == string(contracts.ReasonForged) {
			f.Code = codePolicy
		}
	case reason == "policy":
		f.Code = codePolicy
		if rule := ev.Get("data.rule").Text(); rule != "" {
			f.Err = errors.New("rejected: policy: " + rule)
		}
	}
	if pointer, expected, got := errorParts(ev.Get("data.errors").Raw); expected != "" {
		f.Expected, f.Found = strings.TrimSpace(pointer+" "+expected), got
	}
	return f
}
